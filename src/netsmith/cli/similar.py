"""The verb that names words near others, by their vectors."""

from __future__ import annotations

from netsmith.cli.output import notice, plain, print_json, say

__all__ = ["similar"]


def similar(path: str, words: list[str], *, without: list[str], top: int, save: str, code: str, as_json: bool) -> None:
    """Print the nearest words, or write all vectors."""
    from netsmith.api.run import load
    from netsmith.api.similar import save_vectors
    from netsmith.core.errors import ConfigError

    if save and (words or without):
        raise ConfigError("--save writes the vectors of all words: leave the words out")
    run = load(path, code=code, notice=notice)
    if save:
        count = save_vectors(run.network, save)
        print_json({"words": count, "file": save}) if as_json else say(f"{count:,} words: {save}")
        return
    found = run.similar(words, without=without, top=top)
    if as_json:
        print_json([{"word": word, "cosine": cosine} for word, cosine in found])
        return
    for word, cosine in found:
        print(f"{cosine:.4f}  {plain(word)}")
