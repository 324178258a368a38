"""Why a run decides as it does: pictures and a page, from the run's own data or from a file."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from netsmith.api.encode import read_file, text_column
from netsmith.core.errors import ConfigError, UnsupportedError, did_you_mean, shorten
from netsmith.core.files import write_atomic
from netsmith.engine.source import Source
from netsmith.explain.confusion import ConfusedPair, most_confused
from netsmith.explain.embeddings import embedding_integrated_gradients
from netsmith.explain.grad_cam import grad_cam, spatial_layers
from netsmith.explain.integrated_gradients import integrated_gradients
from netsmith.explain.occlusion import occlusion
from netsmith.explain.prototypes import activation_maximization, features_at, nearest_examples
from netsmith.explain.saliency import gradient, heat_maps, saliency, smooth_grad
from netsmith.explain.sanity import pixel_curve
from netsmith.report.page import Page, Picture
from netsmith.report.pictures import heat_pixels, overlay, png, to_pixels
from netsmith.report.run_page import PictureGroup

if TYPE_CHECKING:
    from netsmith.api.network import Network
    from netsmith.api.run import Run

__all__ = ["METHODS", "Explanation", "Judged", "data_text", "explain_run", "judge", "mistakes_group", "picture_groups"]

METHODS = ("saliency", "smooth_grad", "integrated_gradients", "grad_cam", "occlusion", "prototypes")
_BY_GRADIENT = ("saliency", "smooth_grad", "integrated_gradients", "grad_cam")
_SIDE = 112  # pixels of a picture on the page


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


class _Unit(nn.Module):
    """A shipped network that takes values in 0..1: there all maps and priors are comparable between data sets."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        inputs = network.spec.inputs
        self.low = inputs.low or 0.0
        self.span = (inputs.high if inputs.high is not None else 1.0) - self.low
        self.shipped = network.shipped

    def forward(self, unit: Tensor) -> Tensor:
        """Return the logits."""
        return self.shipped(unit * self.span + self.low)

    def to_unit(self, raw: Tensor) -> Tensor:
        """Return raw values in 0..1."""
        return (raw.float() - self.low) / self.span


@dataclass(frozen=True)
class Judged:
    """A split with what a network answers.

    Attributes:
        raw: Raw inputs ``(N, ...)``.
        targets: ``(N,)`` classes.
        logits: ``(N, K)``.
    """

    raw: Tensor
    targets: Tensor
    logits: Tensor

    @property
    def predictions(self) -> Tensor:
        """The likeliest class of each example."""
        return self.logits.argmax(1)

    def matrix(self) -> Tensor:
        """Return the confusion matrix, rows the truth."""
        classes = self.logits.shape[1]
        cells = self.targets * classes + self.predictions
        return torch.bincount(cells, minlength=classes**2).view(classes, classes)

    def pairs(self, *, count: int = 5) -> list[ConfusedPair]:
        """Return the most confused pairs with their examples."""
        confidence = self.logits.softmax(1).amax(1)
        return most_confused(
            self.matrix(), count=count, targets=self.targets, predictions=self.predictions, confidences=confidence
        )


def judge(network: Network, source: Source, split: str, *, most: int = 10_000) -> Judged:
    """Run a network over a split of classes, from the raw examples as a user would hand them in."""
    raws, targets = [], []
    taken = 0
    for indices in source.order(split, seed=0, epoch=0):
        raws.append(source.raw(split, indices))  # type: ignore[attr-defined]
        targets.append(source.load(split, indices).targets)
        taken += len(indices)
        if taken >= most:
            break
    raw = torch.cat(raws)
    return Judged(raw, torch.cat(targets), network(raw))


def explain_run(run: Run, source: Any = None, *, method: str = "", count: int = 8) -> Explanation:
    """Explain a run's product; see :meth:`netsmith.api.run.Run.explain`.

    Raises:
        UnsupportedError: The kind of input or output has no such explanation; what applies is named.
        ConfigError: An unknown method.
    """
    network = run.network
    kind = network.spec.inputs.kind
    wanted = _chosen(method)
    if network.spec.outputs.kind != "classes":
        raise UnsupportedError(f"explain works on classes for now; this run answers {network.spec.outputs.kind}")
    folder = run.path / "explain"
    folder.mkdir(exist_ok=True)
    page = Page(f"Why {run.path.name} decides so", subtitle=_subtitle(run), kicker="netsmith explain")
    if kind == "image":
        return _explain_images(run, network, source, wanted, count, folder, page)
    if kind in ("text", "tokens", "table"):
        if method not in ("", "all", "integrated_gradients", "integrated-gradients"):
            raise UnsupportedError(f"method {method!r} does not apply to {kind} inputs; integrated_gradients does")
        return _explain_rows(run, network, source, count, folder, page, named=method not in ("", "all"))
    raise UnsupportedError(f"explain works on images, texts and tables; this run takes {kind} inputs")


def _chosen(method: str) -> tuple[str, ...]:
    if method in ("", "all"):
        return METHODS
    names = tuple(part.strip().replace("-", "_") for part in method.split(","))
    for name in names:
        if name not in METHODS:
            raise ConfigError(f"no explanation named {name!r}{did_you_mean(name, METHODS)}")
    return names


def _subtitle(run: Run) -> str:
    spec = run.network.spec
    return f"{data_text(run)}: {len(spec.outputs.names)} classes, {spec.inputs.kind} inputs."


def data_text(run: Run) -> str:
    """Return the name of a run's data set, and that it was its synthetic twin where it was."""
    name = run.network.spec.dataset
    return f"The synthetic twin of {name} (made-up data, not the real)" if run.found.config.data.twin else name


def _examples(run: Run, source: Any, count: int) -> tuple[list[str], Tensor, Judged | None]:
    if source is not None:
        names: list[str] = []
        if isinstance(source, (str, Path)):
            network = run.network
            text = text_column(run.found.config.data)
            names, source = read_file(Path(source), network.spec.inputs, text=text)
        raw = run.network.encode(source)[:count]
        return (names or [str(number) for number in range(1, len(raw) + 1)])[:count], raw, None
    data = run.engine.source
    if not isinstance(data, Source):
        raise UnsupportedError("a live source has no fixed examples; give --input FILE")
    split = next(name for name in ("test", "dev", "train") if name in data.splits())
    judged = judge(run.network, data, split)
    wrong = torch.nonzero(judged.predictions != judged.targets).flatten().tolist()
    right = torch.nonzero(judged.predictions == judged.targets).flatten().tolist()
    spread = right[:: max(1, len(right) // count)]
    chosen = [*wrong[: count // 2], *spread][:count]
    return [f"{split} {index}" for index in chosen], judged.raw[chosen], judged


def _explain_images(
    run: Run, network: Network, source: Any, wanted: tuple[str, ...], count: int, folder: Path, page: Page
) -> Explanation:
    names, raw, judged = _examples(run, source, count)
    groups, notes = picture_groups(network, names, raw, wanted=wanted, judged=judged)
    if judged is not None:
        mistakes = mistakes_group(network, judged)
        if mistakes is not None:
            groups.append(mistakes)
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


def picture_groups(
    network: Network,
    names: Sequence[str],
    raw: Tensor,
    *,
    wanted: Sequence[str] = METHODS,
    judged: Judged | None = None,
) -> tuple[list[PictureGroup], list[str]]:
    """Return explanation pictures of some images, and lines that say what was seen and what to doubt.

    Raises:
        UnsupportedError: All that is wanted needs a gradient, and the network has none.
    """
    unit = _Unit(network)
    images = unit.to_unit(raw)  # (B, C, H, W) in 0..1
    logits = unit(images).detach()
    targets = logits.argmax(1)
    maps: dict[str, Tensor] = {}
    notes: list[str] = []
    slopes = _has_gradient(unit, images, targets)
    if not slopes:
        out = [name for name in wanted if name in _BY_GRADIENT]
        wanted = [name for name in wanted if name not in out]
        why = "the answer does not depend on the pixels by a differentiable path"
        if not wanted:
            raise UnsupportedError(f"{', '.join(out)} needs a gradient, and {why}; occlusion and prototypes need none")
        if out:
            notes.append(f"{', '.join(out)}: left out, {why}")
    generator = torch.Generator().manual_seed(0)
    if "saliency" in wanted:
        maps["saliency"] = heat_maps(saliency(unit, images, targets))
    if "smooth_grad" in wanted:
        maps["smooth_grad"] = heat_maps(smooth_grad(unit, images, targets, generator=generator).abs())
    if "integrated_gradients" in wanted:
        found = integrated_gradients(unit, images, targets)
        maps["integrated_gradients"] = heat_maps(found.attributions.abs())
        worst = float(found.completeness_error.abs().max())
        size = float(logits.abs().max())
        notes.append(f"integrated_gradients: completeness error at most {worst:.2g} (scores reach {size:.3g})")
        if worst > 0.05 * size:
            notes.append("integrated_gradients: WARNING: the attributions do not add up; read them with care")
    if "grad_cam" in wanted:
        layer = _feature_layer(network, unit, images)
        if layer is None:
            notes.append("grad_cam: left out, the network has no spatial feature map")
        else:
            maps["grad_cam"] = grad_cam(unit, images, targets, layer=layer)
    if "occlusion" in wanted:
        window = max(1, images.shape[-1] // 5)
        stride = max(1, window // 2)
        maps["occlusion"] = occlusion(
            unit, images, targets, window=window, stride=stride, fill=float(images.mean())
        ).clamp(min=0)
    if "integrated_gradients" in maps and len(images):
        curve = pixel_curve(unit, images, targets, attributions=maps["integrated_gradients"], mode="deletion")
        random = torch.rand(maps["integrated_gradients"].shape, generator=generator)
        chance = pixel_curve(unit, images, targets, attributions=random, mode="deletion")
        ours, by_chance = float(curve.area.mean()), float(chance.area.mean())
        verdict = "passes" if ours < by_chance else "WARNING: fails"
        notes.append(
            f"integrated_gradients: deletion area {ours:.3f}, in random order {by_chance:.3f}: {verdict} its check"
        )
    groups = []
    if maps:
        groups.append(_local_group(network, names, images, logits, maps))
    if "prototypes" in wanted:
        groups += _drawn(network, unit, judged) if slopes else []
        groups += _typical(network, unit, judged, pixels=not slopes) if judged is not None else []
        if not groups:
            raise UnsupportedError(
                "without a gradient, prototypes are real examples, and a file names no classes; leave --input out"
            )
    return groups, notes


def _has_gradient(module: nn.Module, inputs: Tensor, targets: Tensor) -> bool:
    try:
        gradient(module, inputs[:1], targets[:1])
    except UnsupportedError:
        return False
    return True


def _feature_layer(network: Network, unit: _Unit, images: Tensor) -> str | None:
    declared = network.landmarks().get("features")
    layers = spatial_layers(unit, images[:1])
    if declared and f"shipped.network.{declared}" in layers:
        return f"shipped.network.{declared}"
    return layers[-1] if layers else None


def _local_group(
    network: Network, names: Sequence[str], images: Tensor, logits: Tensor, maps: dict[str, Tensor]
) -> PictureGroup:
    labels = network.spec.outputs.names
    probabilities = logits.softmax(1)
    pictures = []
    for row in range(len(images)):
        best = int(probabilities[row].argmax())
        caption = f"{names[row]}: {labels[best]} ({float(probabilities[row, best]):.0%})"
        pictures.append(Picture(_png(to_pixels(images[row], low=0.0, high=1.0)), caption))
        for name, heat in maps.items():
            if name in ("grad_cam", "occlusion"):
                pixels = overlay(images[row], heat[row])
            else:
                pixels = heat_pixels(heat[row], low=0.0)
            pictures.append(Picture(_png(pixels), name.replace("_", " "), f"{name} of {caption}"))
    text = "One row per example: the input with the answer, then one map per method; bright means: this mattered."
    return PictureGroup("Single decisions", text, pictures, columns=1 + len(maps))


def _drawn(network: Network, unit: _Unit, judged: Judged | None) -> list[PictureGroup]:
    labels = network.spec.outputs.names
    shape = tuple(network.spec.inputs.shape)
    mean: Tensor | float = unit.to_unit(judged.raw).mean(0) if judged is not None else 0.0
    drawn = activation_maximization(
        unit, range(len(labels)), start=mean, shape=shape, generator=torch.Generator().manual_seed(0)
    )
    pictures = [Picture(_png(to_pixels(drawn.images[k], low=0.0, high=1.0)), labels[k]) for k in range(len(labels))]
    text = (
        "What each class likes best: a picture climbed from the mean image to the highest score, held back by L2, "
        "smoothness and blur. It is what the network looks for, not what the class looks like."
    )
    return [PictureGroup("Class prototypes", text, pictures)]


def _typical(network: Network, unit: _Unit, judged: Judged, *, pixels: bool) -> list[PictureGroup]:
    """Return the examples in the middle of their classes: among features, or among pixels where there are none."""
    labels, features = network.spec.outputs.names, network.landmarks().get("features")
    if not features and not pixels:
        return []
    images = unit.to_unit(judged.raw)
    vectors = features_at(unit, images, layer=f"shipped.network.{features}") if features else images.flatten(1)
    nearest = nearest_examples(vectors, judged.targets, num_classes=len(labels), count=1)
    typical = []
    for k, label in enumerate(labels):
        index = int(nearest.indices[k, 0])
        if index >= 0:
            typical.append(Picture(_png(to_pixels(images[index], low=0.0, high=1.0)), label, f"typical {label}"))
    space = "feature space" if features else "the space of pixels"
    return [
        PictureGroup("Typical examples", f"The real example nearest to the center of its class in {space}.", typical)
    ]


def mistakes_group(network: Network, judged: Judged, *, count: int = 5, each: int = 4) -> PictureGroup | None:
    """Return pictures of the most confused pairs, or None where nothing is confused."""
    unit, labels = _Unit(network), network.spec.outputs.names
    pictures = []
    for pair in judged.pairs(count=count):
        for index in pair.indices[:each]:
            confidence = float(judged.logits[index].softmax(0).max())
            caption = f"{labels[pair.truth]} taken for {labels[pair.prediction]} ({confidence:.0%})"
            pictures.append(Picture(_png(to_pixels(unit.to_unit(judged.raw[index]), low=0.0, high=1.0)), caption))
    if not pictures:
        return None
    return PictureGroup("Most confused pairs", "The commonest mistakes, the most confident first.", pictures)


def _png(pixels: np.ndarray) -> bytes:
    return png(pixels, scale=max(1, _SIDE // pixels.shape[0]))


def _explain_rows(
    run: Run, network: Network, source: Any, count: int, folder: Path, page: Page, *, named: bool
) -> Explanation:
    """Tables and texts: which columns or words spoke for the answer (without a gradient: occlusion)."""
    names, raw, _ = _examples_of_rows(run, source, count)
    with torch.no_grad():
        logits = network.shipped(raw)
    targets = logits.argmax(1)
    labels = network.spec.outputs.names
    notes = []
    if network.spec.inputs.kind == "table":
        prepared = network.shipped.preprocess(raw)
        parts = _columns(network)
        if _has_gradient(network.module, prepared, targets):
            found = integrated_gradients(network.module, prepared, targets)
            scores, error = found.attributions, found.completeness_error
        elif named:
            raise UnsupportedError("integrated_gradients needs a gradient, and this network has none; leave it out")
        else:
            scores, error = occlusion(network.module, prepared, targets, window=1, stride=1), None
            notes.append("integrated gradients: left out, there is no gradient; occlusion: the score lost by a column")
    else:
        layer = network.landmarks().get("embedding", network.landmarks().get("stem", ""))
        found = embedding_integrated_gradients(network.module, raw, targets, layer=layer)
        parts, scores, error = (), found.attributions, found.completeness_error
        if scores.dim() == 3:
            scores = scores.sum(-1)
    if error is not None:
        notes.append(f"integrated gradients: completeness error at most {float(error.abs().max()):.2g}")
    vocabulary = network.spec.inputs.vocabulary
    for row in range(len(raw)):
        best = int(targets[row])
        confidence = float(logits[row].softmax(0)[best])
        heading = f"{names[row]}: {labels[best]} ({confidence:.0%})"
        page.section(heading)
        words = parts or [vocabulary[int(token)] if vocabulary else str(int(token)) for token in raw[row]]
        ranked = sorted(range(len(words)), key=lambda at: -abs(float(scores[row, at])))
        kept = [at for at in ranked if words[at] != "<pad>"][:12]
        page.table(["part", "attribution"], [[words[at], f"{float(scores[row, at]):+.4f}"] for at in kept])
        top = ", ".join(f"{shorten(words[at], 30)} {float(scores[row, at]):+.2f}" for at in kept[:5])
        notes.append(f"{heading}: {top}")
    file = folder / "explain.html"
    write_atomic(file, page.render().encode(), sync=False)
    return Explanation(file, (), tuple(html.unescape(line) for line in notes))


def _examples_of_rows(run: Run, source: Any, count: int) -> tuple[list[str], Tensor, None]:
    if source is not None:
        names, raw, _ = _examples(run, source, count)
        return names, raw, None
    data = run.engine.source
    split = next(name for name in ("test", "dev", "train") if name in data.splits())
    indices = torch.arange(min(count, (run.network.spec.split(split) or run.network.spec.splits[0]).size))
    return [f"{split} {index}" for index in indices.tolist()], data.raw(split, indices), None  # type: ignore[union-attr]


def _columns(network: Network) -> list[str]:
    inputs = network.spec.inputs
    found = []
    for position, name in enumerate(inputs.columns):
        values = inputs.categories[position] if inputs.categories else ()
        found += [f"{name}={value}" for value in values] or [name]
    return found
