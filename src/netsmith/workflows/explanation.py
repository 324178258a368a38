"""Why a network decides as it does: pictures and a page, from a run's own data, a file or values."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from netsmith.api.addressing import unread_words
from netsmith.api.encode import Rows, text_column
from netsmith.api.tagged_texts import texts_of
from netsmith.core.errors import ConfigError, UnsupportedError, did_you_mean
from netsmith.core.files import write_atomic
from netsmith.data._arrays import ImageSource
from netsmith.engine.source import Source
from netsmith.layers.writing import Writing
from netsmith.report.page import Page
from netsmith.report.run_page import PictureGroup
from netsmith.workflows.attention_maps import caption_groups
from netsmith.workflows.checks import write_checks
from netsmith.workflows.global_pictures import GLOBAL_METHODS, IMAGE_METHODS, global_groups
from netsmith.workflows.judging import Judged, judge
from netsmith.workflows.method_tables import IMAGES, NODES, SEGMENTED, SOUNDS, TABLES, TOKENS
from netsmith.workflows.nodes import explain_nodes
from netsmith.workflows.pages import data_text
from netsmith.workflows.painted import painted_prototypes, require_generator
from netsmith.workflows.pictures import SEGMENTS, mistakes_group, picture_groups
from netsmith.workflows.representations import evenly, read_examples, read_values
from netsmith.workflows.rows import ColoredText, explain_rows
from netsmith.workflows.sounds import explain_sounds

if TYPE_CHECKING:
    from netsmith.api.network import Network
    from netsmith.api.run import Run

__all__ = ["Explanation", "explain_network", "explain_run", "unexplained"]


@dataclass(frozen=True)
class Explanation:
    """What was written.

    Attributes:
        page: The page.
        pictures: The PNG files.
        notes: Lines for the terminal.
        groups: The same pictures for another page.
        texts: The texts with what each word gave.
    """

    page: Path
    pictures: tuple[Path, ...]
    notes: tuple[str, ...]
    groups: tuple[PictureGroup, ...] = field(repr=False, default=())
    texts: tuple[ColoredText, ...] = field(repr=False, default=())


_NO_NAME = re.compile(r"[^\w.-]+")
_MOST = 500  # examples: more would tell a matrix of dissimilarities no more


@dataclass(frozen=True)
class _Examples:
    """What is explained.

    Attributes:
        names: One per example.
        raw: Raw inputs ``(B, ...)``; of graphs a batch of one.
        judged: The split they are from, where their classes are known.
        nodes: Which nodes of the graph; none where it has one answer.
        given: All that was given (at most :data:`_MOST`, spread evenly), for what is said of the whole network.
        segments: The parts of an image that are switched off together, a name in :data:`SEGMENTS`.
        painter: A run whose generator draws prototypes, too.
        notes: What is to be told of them.
    """

    names: list[str]
    raw: Any
    judged: Judged | None = None
    nodes: list[int] = field(default_factory=list)
    given: Any = None
    segments: str = "grid"
    painter: Run | None = None
    notes: list[str] = field(default_factory=list)


@dataclass
class _Found:
    """What is on the page, for the files beside it and for the terminal."""

    groups: list[PictureGroup] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    texts: list[ColoredText] = field(default_factory=list)


_ANYWHERE = tuple(name for name in GLOBAL_METHODS if name not in IMAGE_METHODS)
_KINDS: dict[str, tuple[str, ...]] = {
    "image": (*IMAGES, "prototypes", *GLOBAL_METHODS),
    "table": (*TABLES, *_ANYWHERE),
    "text": (*TOKENS, *_ANYWHERE),
    "tokens": (*TOKENS, *_ANYWHERE),
    "graph": tuple(NODES),
    "audio": (*SOUNDS, *_ANYWHERE),
}
_ALL = sorted({"all", *(name for names in _KINDS.values() for name in names)})


def explain_run(
    run: Run,
    source: Any = None,
    *,
    method: str = "",
    count: int = 8,
    segments: str = "grid",
    painter: Run | None = None,
) -> Explanation:
    """Explain a run's product; see :meth:`netsmith.api.run.Run.explain`.

    Raises:
        UnsupportedError: The kind of input or output has no such explanation; what applies is named.
        ConfigError: An unknown method, or unknown segments.
    """
    network = run.network
    if painter is None and _captions(network, method):
        names, raw = _pictures_of(run, count) if source is None else read_examples(network, source)
        return _write_captions(network, names, raw[:count], run.path / "explain")
    wanted = _wanted(network, method, segments, painter)
    text = text_column(run.found.config.data)
    examples = _of_data(run, count) if source is None else _given(network, source, count, text=text)
    subtitle = f"{data_text(run)}: {len(network.spec.outputs.names)} classes, {network.spec.inputs.kind} inputs."
    examples = replace(examples, segments=segments, painter=painter)
    return _write(network, examples, wanted, run.path / "explain", subtitle)


def explain_network(
    network: Network,
    source: Any,
    folder: str | Path,
    *,
    method: str = "",
    count: int = 8,
    segments: str = "grid",
    painter: Run | None = None,
) -> Explanation:
    """Explain a network on a file or values; see :meth:`netsmith.api.network.Network.explain`.

    Raises:
        UnsupportedError: The kind of input or output has no such explanation; what applies is named.
        ConfigError: An unknown method, or unknown segments.
        DataError: The values do not fit the network.
    """
    if painter is None and _captions(network, method):
        names, raw = read_examples(network, source)
        return _write_captions(network, names, raw[:count], Path(folder))
    wanted = _wanted(network, method, segments, painter)
    subtitle = f"{len(network.spec.outputs.names)} classes, {network.spec.inputs.kind} inputs."
    examples = replace(_given(network, source, count), segments=segments, painter=painter)
    return _write(network, examples, wanted, Path(folder), subtitle)


def unexplained(network: Network) -> str:
    """Return why the decisions of a network cannot be explained, with what does instead; empty where they can be."""
    kind, answers, name = network.spec.inputs.kind, network.spec.outputs.kind, network.name
    if isinstance(network.module, Writing) and kind in ("image", "text"):
        shown = "; where it looks for each word is shown by netsmith translate RUN TEXT --alignments PAGE.html"
        looks = shown if network.module.writer.attends() else ", which nothing explains: it has no attention"
        return "" if kind == "image" else f"explain works on classes for now, and {name} writes texts{looks}"
    if kind not in _KINDS:
        return f"explain works on images, texts, tables, graphs and sounds; {name} takes {kind} inputs"
    if answers != "classes" and (answers != "tags" or kind not in ("graph", "image")):
        why = " (several labels for one example: no single score says why)" if answers == "tags" else ""
        return f"explain works on classes for now; {name} answers {answers}{why}"
    return ""


def _captions(network: Network, method: str) -> bool:
    """Say whether a network writes captions: what is shown is then where it looked, the one method there is."""
    if not isinstance(network.module, Writing) or network.spec.inputs.kind != "image":
        return False
    if method.replace("-", "_") not in ("", "attention", "all"):
        raise UnsupportedError(f"method {method!r} does not apply to captions; these do: attention")
    return True


def _pictures_of(run: Run, count: int) -> tuple[list[str], Any]:
    data = run.engine.source
    if not isinstance(data, ImageSource):
        raise UnsupportedError("the run's data hold no pictures; give --input FILE")
    split = next(name for name in ("test", "dev", "train") if name in data.splits())
    at = evenly(int(data.spec.split(split).size), most=count)  # type: ignore[union-attr]
    return [f"{split} {index}" for index in at.tolist()], data.raw(split, at)


def _write_captions(network: Network, names: list[str], raw: Any, folder: Path) -> Explanation:
    names = names[: len(raw)] or [str(number) for number in range(1, len(raw) + 1)]
    groups, notes = caption_groups(network, names, raw)
    subtitle = "The picture, and for each word of its caption where the network looked: the brighter, the more."
    page = Page(f"What {network.name} sees", subtitle=subtitle, kicker="netsmith explain")
    _write_groups(page, groups)
    return _saved(page, folder, _Found(groups, notes))


def _wanted(network: Network, method: str, segments: str, painter: Run | None) -> tuple[str, ...]:
    """Return the methods meant; ``()`` for the fast ones that fit."""
    kind, several = network.spec.inputs.kind, network.spec.outputs.kind == "tags"
    if segments not in SEGMENTS:
        raise ConfigError(f"no segments named {segments!r}{did_you_mean(segments, SEGMENTS)}")
    if segments != "grid" and kind != "image":
        raise UnsupportedError(f"{segments} are parts of an image, and {network.name} takes {kind} inputs")
    known = _KINDS.get(kind, ())
    of = f"{kind} inputs"
    if several and kind == "image":
        known, of = tuple(name for name in known if name != "prototypes"), "images with several labels"
    parts = method.split(",") if method else []
    names = tuple(dict.fromkeys(part.strip().replace("-", "_") for part in parts))  # each once
    for name in names:
        if name not in _ALL:
            raise ConfigError(f"no explanation named {name!r}{did_you_mean(name, _ALL)}")
    reason = unexplained(network)
    if reason:
        raise UnsupportedError(reason)
    if painter is not None:
        require_generator(network, painter.network)
    if "all" in names:
        return known
    if segments != "grid" and not set(names) & set(SEGMENTED):
        *few, last = SEGMENTED
        raise UnsupportedError(f"segments are for {', '.join(few)} and {last}; name one of them as a method (--method)")
    if painter is not None and names and "prototypes" not in names:
        raise UnsupportedError("a generator draws prototypes; name that as a method (--method)")
    wrong = [name for name in names if name not in known]
    if wrong:
        raise UnsupportedError(f"method {wrong[0]!r} does not apply to {of}; these do: {', '.join(known)}")
    return names


def _write(network: Network, examples: _Examples, wanted: tuple[str, ...], folder: Path, subtitle: str) -> Explanation:
    page = Page(f"Why {network.name} decides so", subtitle=subtitle, kicker="netsmith explain")
    found, problem = _Found(), None
    overall = tuple(name for name in wanted if name in GLOBAL_METHODS)
    single = tuple(name for name in wanted if name not in GLOBAL_METHODS)
    if single or not wanted:
        page.notes(examples.notes)
        explain = _EXPLAIN.get(network.spec.inputs.kind, _explain_rows)
        try:
            found = explain(network, examples, single, page)
        except UnsupportedError as error:
            problem = error
            found.notes.append(str(error))
            page.notes(found.notes)
        found.notes = [*examples.notes, *found.notes]
        if problem and not overall:
            raise problem
    if overall:
        raw = examples.raw if examples.given is None else examples.given
        alone = not single or problem is not None
        groups, notes = global_groups(network, examples.judged, raw, wanted=overall, alone=alone)
        _write_groups(page, groups)
        page.notes(notes)
        found.groups += groups
        found.notes += notes
    return _saved(page, folder, found)


def _saved(page: Page, folder: Path, found: _Found) -> Explanation:
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for group in found.groups:
        for number, picture in enumerate(group.pictures):
            name = _NO_NAME.sub("_", group.title.lower())  # a title may be a file's name
            files.append(folder / f"{name}-{number:02d}.png")
            write_atomic(files[-1], picture.png, sync=False)
    write_atomic(folder / "explain.html", page.render().encode(), sync=False)
    return Explanation(
        folder / "explain.html", tuple(files), tuple(found.notes), tuple(found.groups), tuple(found.texts)
    )


def _given(network: Network, source: Any, count: int, *, text: str = "") -> _Examples:
    names, values = read_values(network, source, text=text)
    given = network.encode(values)
    if network.spec.inputs.kind == "graph":
        raw = {name: part[:1] for name, part in given.items()}  # the first of them
        nodes = list(range(min(count, raw["nodes"].shape[1])))
        return _Examples([f"node {node}" for node in nodes], raw, nodes=nodes)
    raw = given[:count]
    names = (names or [str(number) for number in range(1, len(raw) + 1)])[:count]
    rows = values.at[:count] if isinstance(values, Rows) else ()
    notes = unread_words(network, texts_of(values)[:count], name=network.name, rows=rows)
    return _Examples(names, raw, given=given[evenly(len(given), most=_MOST)], notes=notes)


def _of_data(run: Run, count: int) -> _Examples:
    """Return examples of the run's own data: mistakes for a half, right answers spread over the split."""
    data = run.engine.source
    if not isinstance(data, Source):
        raise UnsupportedError("a live source has no fixed examples; give --input FILE")
    split = next(name for name in ("test", "dev", "train") if name in data.splits())
    judged = judge(run.network, data, split)
    hit = judged.predictions == judged.targets
    if judged.labeled is not None and not isinstance(judged.raw, dict):  # an image is right where all its labels are
        hit = (~judged.labeled).masked_scatter(judged.labeled, hit).all(1)
    wrong = torch.nonzero(~hit).flatten().tolist()
    right = torch.nonzero(hit).flatten().tolist()
    spread = right[:: max(1, len(right) // count)]
    chosen = [*wrong[: count // 2], *spread][:count]
    if judged.labeled is not None and isinstance(judged.raw, dict):  # the nodes of a graph
        places = torch.nonzero(judged.labeled)[chosen].tolist()
        nodes = [node for graph, node in places if not graph]
        raw = {name: part[:1] for name, part in judged.raw.items()}
        return _Examples([f"{split} node {node}" for node in nodes], raw, nodes=nodes)
    if isinstance(judged.raw, dict):  # graphs with one answer each, of which one is explained
        raw = {name: part[chosen[:1]] for name, part in judged.raw.items()}
        return _Examples([f"{split} graph {index}" for index in chosen[:1]], raw)
    return _Examples([f"{split} {index}" for index in chosen], judged.raw[chosen], judged)


def _explain_images(network: Network, examples: _Examples, wanted: tuple[str, ...], page: Page) -> _Found:
    judged = examples.judged
    groups, notes, checks = picture_groups(
        network, examples.names, examples.raw, wanted=wanted, judged=judged, segments=examples.segments
    )
    if examples.painter is not None:
        drawn, told = painted_prototypes(network, examples.painter)
        groups += drawn
        notes += told
    mistakes = mistakes_group(network, judged) if judged is not None else None
    groups += [mistakes] if mistakes is not None else []
    _write_groups(page, groups)
    lines = {one.line() for one in checks}
    write_checks(page, checks, [line for line in notes if line not in lines])
    return _Found(groups, notes)


def _explain_graph(network: Network, examples: _Examples, wanted: tuple[str, ...], page: Page) -> _Found:
    return _Found(notes=explain_nodes(network, examples.names, examples.raw, examples.nodes, wanted, page))


def _explain_rows(network: Network, examples: _Examples, wanted: tuple[str, ...], page: Page) -> _Found:
    notes, texts = explain_rows(network, examples.names, examples.raw, wanted, page)
    return _Found(notes=[html.unescape(line) for line in notes], texts=texts)


def _explain_sounds(network: Network, examples: _Examples, wanted: tuple[str, ...], page: Page) -> _Found:
    return _Found(notes=explain_sounds(network, examples.names, examples.raw, wanted, page))


_EXPLAIN = {"image": _explain_images, "graph": _explain_graph, "audio": _explain_sounds}


def _write_groups(page: Page, groups: Sequence[PictureGroup]) -> None:
    for group in groups:
        page.section(group.title, group.text)
        page.pictures(group.pictures, columns=group.columns)
