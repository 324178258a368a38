"""Why a network decides as it does: pictures and a page, from a run's own data, a file or values."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from netsmith.api.encode import read_file, text_column
from netsmith.core.errors import ConfigError, UnsupportedError, did_you_mean, shorten
from netsmith.core.files import write_atomic
from netsmith.engine.source import Source
from netsmith.explain.embeddings import embedding_integrated_gradients
from netsmith.explain.integrated_gradients import integrated_gradients
from netsmith.explain.occlusion import occlusion
from netsmith.report.page import Page
from netsmith.report.run_page import PictureGroup
from netsmith.workflows.judging import Judged, judge
from netsmith.workflows.pages import data_text
from netsmith.workflows.pictures import METHODS, has_gradient, mistakes_group, picture_groups

if TYPE_CHECKING:
    from netsmith.api.network import Network
    from netsmith.api.run import Run

__all__ = ["Explanation", "explain_network", "explain_run"]


@dataclass(frozen=True)
class Explanation:
    """What was written.

    Attributes:
        page: The page.
        pictures: The PNG files.
        notes: Lines for the terminal.
        groups: The same pictures for another page.
    """

    page: Path
    pictures: tuple[Path, ...]
    notes: tuple[str, ...]
    groups: tuple[PictureGroup, ...] = field(repr=False, default=())


@dataclass(frozen=True)
class _Examples:
    """What is explained.

    Attributes:
        names: One per example.
        raw: Raw inputs ``(B, ...)``.
        judged: The split they are from, where their classes are known.
    """

    names: list[str]
    raw: Tensor
    judged: Judged | None = None


def explain_run(run: Run, source: Any = None, *, method: str = "", count: int = 8) -> Explanation:
    """Explain a run's product; see :meth:`netsmith.api.run.Run.explain`.

    Raises:
        UnsupportedError: The kind of input or output has no such explanation; what applies is named.
        ConfigError: An unknown method.
    """
    network = run.network
    wanted = _wanted(network, method)
    text = text_column(run.found.config.data)
    examples = _of_data(run, count) if source is None else _given(network, source, count, text=text)
    subtitle = f"{data_text(run)}: {len(network.spec.outputs.names)} classes, {network.spec.inputs.kind} inputs."
    return _write(network, examples, wanted, run.path / "explain", subtitle)


def explain_network(
    network: Network, source: Any, folder: str | Path, *, method: str = "", count: int = 8
) -> Explanation:
    """Explain a network on a file or values; see :meth:`netsmith.api.network.Network.explain`.

    Raises:
        UnsupportedError: The kind of input or output has no such explanation; what applies is named.
        ConfigError: An unknown method.
        DataError: The values do not fit the network.
    """
    wanted = _wanted(network, method)
    subtitle = f"{len(network.spec.outputs.names)} classes, {network.spec.inputs.kind} inputs."
    return _write(network, _given(network, source, count), wanted, Path(folder), subtitle)


def _wanted(network: Network, method: str) -> tuple[str, ...]:
    """Return the methods meant; ``()`` for all that fit."""
    kind, answers = network.spec.inputs.kind, network.spec.outputs.kind
    names = tuple(part.strip().replace("-", "_") for part in method.split(",")) if method not in ("", "all") else ()
    for name in names:
        if name not in METHODS:
            raise ConfigError(f"no explanation named {name!r}{did_you_mean(name, METHODS)}")
    if answers != "classes":
        raise UnsupportedError(f"explain works on classes for now; {network.name} answers {answers}")
    if kind not in ("image", "text", "tokens", "table"):
        raise UnsupportedError(f"explain works on images, texts and tables; {network.name} takes {kind} inputs")
    if kind != "image" and names and names != ("integrated_gradients",):
        raise UnsupportedError(f"method {method!r} does not apply to {kind} inputs; integrated_gradients does")
    return names


def _write(network: Network, examples: _Examples, wanted: tuple[str, ...], folder: Path, subtitle: str) -> Explanation:
    page = Page(f"Why {network.name} decides so", subtitle=subtitle, kicker="netsmith explain")
    explain = _explain_images if network.spec.inputs.kind == "image" else _explain_rows
    return explain(network, examples, wanted, folder, page)


def _given(network: Network, source: Any, count: int, *, text: str = "") -> _Examples:
    names: list[str] = []
    if isinstance(source, (str, Path)):
        names, source = read_file(Path(source), network.spec.inputs, text=text)
    raw = network.encode(source)[:count]
    return _Examples((names or [str(number) for number in range(1, len(raw) + 1)])[:count], raw)


def _of_data(run: Run, count: int) -> _Examples:
    """Return examples of the run's own data: mistakes for a half, right answers spread over the split."""
    data = run.engine.source
    if not isinstance(data, Source):
        raise UnsupportedError("a live source has no fixed examples; give --input FILE")
    split = next(name for name in ("test", "dev", "train") if name in data.splits())
    judged = judge(run.network, data, split)
    wrong = torch.nonzero(judged.predictions != judged.targets).flatten().tolist()
    right = torch.nonzero(judged.predictions == judged.targets).flatten().tolist()
    spread = right[:: max(1, len(right) // count)]
    chosen = [*wrong[: count // 2], *spread][:count]
    return _Examples([f"{split} {index}" for index in chosen], judged.raw[chosen], judged)


def _explain_images(
    network: Network, examples: _Examples, wanted: tuple[str, ...], folder: Path, page: Page
) -> Explanation:
    judged = examples.judged
    groups, notes = picture_groups(network, examples.names, examples.raw, wanted=wanted or METHODS, judged=judged)
    mistakes = mistakes_group(network, judged) if judged is not None else None
    groups += [mistakes] if mistakes is not None else []
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for group in groups:
        page.section(group.title, group.text)
        page.pictures(group.pictures, columns=group.columns)
        for number, picture in enumerate(group.pictures):
            name = f"{group.title.lower().replace(' ', '_')}-{number:02d}.png"
            write_atomic(folder / name, picture.png, sync=False)
            files.append(folder / name)
    write_atomic(folder / "explain.html", page.render().encode(), sync=False)
    return Explanation(folder / "explain.html", tuple(files), tuple(notes), tuple(groups))


def _explain_rows(
    network: Network, examples: _Examples, wanted: tuple[str, ...], folder: Path, page: Page
) -> Explanation:
    """Tables and texts: which columns or words spoke for the answer (without a gradient: occlusion)."""
    raw, notes, error = examples.raw, [], None
    with torch.no_grad():
        logits = network.shipped(raw)
    targets = logits.argmax(1)
    if network.spec.inputs.kind == "table":
        prepared = network.shipped.preprocess(raw)
        parts = _columns(network) or [f"column {number}" for number in range(1, prepared[0].numel() + 1)]
        if has_gradient(network.module, prepared, targets):
            found = integrated_gradients(network.module, prepared, targets)
            scores, error = found.attributions, found.completeness_error
        elif wanted:
            raise UnsupportedError("integrated_gradients needs a gradient, and this network has none; leave it out")
        else:
            scores = occlusion(network.module, prepared, targets, window=1, stride=1)
            notes.append("integrated gradients: left out, there is no gradient; occlusion: the score lost by a column")
    else:
        found = embedding_integrated_gradients(network.module, raw, targets, layer=_embedding(network))
        parts, scores, error = [], found.attributions, found.completeness_error
    if error is not None:
        notes.append(f"integrated gradients: completeness error at most {float(error.abs().max()):.2g}")
    vocabulary, labels = network.spec.inputs.vocabulary, network.spec.outputs.names
    for row in range(len(raw)):
        best = int(targets[row])
        heading = f"{examples.names[row]}: {labels[best]} ({float(logits[row].softmax(0)[best]):.0%})"
        page.section(heading)
        words = parts or [vocabulary[int(token)] if vocabulary else str(int(token)) for token in raw[row]]
        ranked = sorted(range(len(words)), key=lambda at: -abs(float(scores[row, at])))
        kept = [at for at in ranked if words[at] != "<pad>"][:12]
        page.table(["part", "attribution"], [[words[at], f"{float(scores[row, at]):+.4f}"] for at in kept])
        top = ", ".join(f"{shorten(words[at], 30)} {float(scores[row, at]):+.2f}" for at in kept[:5])
        notes.append(f"{heading}: {top}")
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "explain.html"
    write_atomic(file, page.render().encode(), sync=False)
    return Explanation(file, (), tuple(html.unescape(line) for line in notes))


def _embedding(network: Network) -> str:
    """Return the name of the layer whose output stands for the tokens."""
    landmarks = network.landmarks()
    declared = landmarks.get("embedding", landmarks.get("stem", ""))
    tables = (name for name, part in network.module.named_modules() if isinstance(part, nn.Embedding))
    found = declared or next(tables, "")
    if not found:
        raise UnsupportedError(f"{network.name} has no embedding layer: what its tokens gave cannot be told")
    return found


def _columns(network: Network) -> list[str]:
    inputs = network.spec.inputs
    found = []
    for position, name in enumerate(inputs.columns):
        values = inputs.categories[position] if inputs.categories else ()
        found += [f"{name}={value}" for value in values] or [name]
    return found
