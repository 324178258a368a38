"""The verb that searches in a folder of texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netsmith.cli.output import notice, print_json, say

if TYPE_CHECKING:
    from netsmith.api.search import Ranker

__all__ = ["search"]

_NAMED = 5


def search(
    folder: str, query: str, *, method: str, top: int, encoding: str, model: str = "", code: str = "", as_json: bool
) -> None:
    """Print the texts that fit best, with the line that says why."""
    from netsmith.api.search import index_folder
    from netsmith.core.errors import DataError

    ranker = _ranker(model, code) if model else None
    found = index_folder(folder, encoding=encoding)
    hits = found.search(query, method=method, top=top, ranker=ranker)
    if as_json:
        print_json(
            {
                "query": query,
                "method": method,
                **({"model": model} if model else {}),
                "texts": len(found.files),
                "hits": [{"path": hit.path, "score": hit.score, "line": hit.line, "text": hit.text} for hit in hits],
                "encodings": {name: kind for name, kind in found.files.items() if kind != "utf-8"},
                "skipped": found.skipped,
            }
        )
        return
    try:
        for hit in hits:
            say(f"{hit.score:8.3f}  {hit.path}:{hit.line}")
            say(f"          {hit.text}")
    except UnicodeEncodeError as error:
        raise DataError(f"stdout takes {error.encoding} only; set PYTHONIOENCODING=utf-8, or take --json") from None
    if not hits:
        say("no text has any of these words")
    others = [f"{name} ({kind})" for name, kind in found.files.items() if not kind.startswith("utf-8")]
    skipped = [f"{name} ({problem})" for name, problem in found.skipped.items()]
    notice(f"{len(found.files):,} texts searched")
    for what, names in (("not UTF-8", others), ("left out", skipped)):
        if names:
            more = f", and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
            notice(f"{what}: {', '.join(names[:_NAMED])}{more}")


def _ranker(path: str, code: str) -> Ranker:
    """Return the network of a run that ranks texts."""
    from netsmith.api.run import load
    from netsmith.core.errors import UnsupportedError

    network = load(path, code=code, notice=notice).network
    if network.spec.outputs.kind != "ranking":
        raise UnsupportedError(
            f"{network.name} answers {network.spec.outputs.kind}, and a search needs a ranking; "
            "train one, for example: netsmith train drmm_wikiqa"
        )
    return network
