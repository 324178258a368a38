"""Explanation pictures of images: heat maps per example, class prototypes, the most confused pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from netsmith.core.errors import UnsupportedError
from netsmith.explain.prototypes import Drawn, activation_maximization, features_at, nearest_examples
from netsmith.explain.segments import grid_segments, superpixels
from netsmith.layers.looks import Looker
from netsmith.report.page import Picture
from netsmith.report.pictures import heat_pixels, overlay, png, to_pixels, visible
from netsmith.report.run_page import PictureGroup
from netsmith.workflows.attributions import Asked, attribute, no_gradient
from netsmith.workflows.checks import Check, check
from netsmith.workflows.judging import Judged
from netsmith.workflows.method_tables import IMAGES, SEGMENTED

if TYPE_CHECKING:
    from netsmith.api.network import Network

__all__ = ["METHODS", "SEGMENTS", "Shown", "mistakes_group", "picture_groups", "value_range"]

METHODS = (*(name for name, method in IMAGES.items() if method.default), "prototypes")
SEGMENTS: Mapping[str, Callable[[Tensor], Tensor]] = MappingProxyType(
    {"grid": lambda images: grid_segments(*images.shape[2:]).to(images.device), "superpixels": superpixels}
)
"""Into which parts, switched off together, images ``(B, C, H, W)`` in 0..1 are cut."""
_SIDE = 112  # pixels of a picture on the page
_LABELS = 16  # of an image that are explained, at most
_DRAWN = 10  # classes whose prototypes are drawn, at most
_LARGE = 50_000  # numbers in a picture whose prototypes take minutes: they are drawn where they are asked for
_NUMBERS = 2_000_000  # in the pictures of one forward pass, about; the activations are many times as many


def value_range(network: Network, raw: Tensor) -> tuple[float, float]:
    """Return the least and the largest value: of the schema, or of ``raw`` where it has none (one's own module)."""
    inputs = network.spec.inputs
    low = float(raw.min()) if inputs.low is None else inputs.low
    high = float(raw.max()) if inputs.high is None else inputs.high
    return low, high if high > low else low + 1.0


class _Unit(nn.Module):
    """A shipped network that takes values in 0..1: there all maps and priors are comparable between data sets."""

    def __init__(self, network: Network, raw: Tensor, *, label: int | None = None) -> None:
        """Take the range of values from the schema, or else from ``raw``; with a ``label`` answer with it alone."""
        super().__init__()
        self.low, high = value_range(network, raw)
        self.span = high - self.low
        self.shipped = network.shipped
        self.class_axis, self.label = network.class_axis, label

    def forward(self, unit: Tensor) -> Tensor:
        """Return the logits ``(B, K)``, or of all labels of each image ``(B, S, K)``."""
        logits = self.shipped(unit * self.span + self.low).movedim(self.class_axis, -1)
        return logits if self.label is None else logits[:, self.label]

    def to_unit(self, raw: Tensor) -> Tensor:
        """Return raw values in 0..1."""
        return (raw.float() - self.low) / self.span


class Shown(NamedTuple):
    """Explanations of some images.

    Attributes:
        groups: Their pictures.
        notes: Lines that say what was seen and what to doubt.
        checks: How each map stood its checks.
    """

    groups: list[PictureGroup]
    notes: list[str]
    checks: list[Check]


def picture_groups(
    network: Network,
    names: Sequence[str],
    raw: Tensor,
    *,
    wanted: Sequence[str] = (),
    judged: Judged | None = None,
    segments: str = "grid",
) -> Shown:
    """Explain some images.

    Args:
        network: Takes images, answers with one class, or with a row of them (what it reads, one after the other).
        names: One per image.
        raw: ``(B, C, H, W)``.
        wanted: Methods; none for the fast ones that fit.
        judged: The split they are from, for the typical examples of each class.
        segments: The parts that LIME and SHAP values switch off together, a name in :data:`SEGMENTS`.

    Raises:
        UnsupportedError: Nothing of what is wanted fits the network; what does is told.
    """
    unit = _Unit(network, raw)
    images = unit.to_unit(raw)  # (B, C, H, W) in 0..1
    logits = unit(images).detach()  # (B, K), or (B, S, K)
    labels = _labels(network, logits)
    landmark = network.landmarks().get("features", "")
    asked = Asked(
        unit,
        images,
        logits.argmax(-1),
        fill=float(images.mean()),
        segments=SEGMENTS[segments](images),
        layer=f"shipped.network.{landmark}" if landmark else "",
        name=network.name,
        rows=max(1, min(512, _NUMBERS // images[:1].numel())) if len(images) else 1,
    )
    chosen = wanted or METHODS
    maps = [name for name in chosen if name in IMAGES]
    groups, notes, cases = [], _looked(network), []
    for label in labels:
        one = asked
        if label is not None:
            one = replace(asked, module=_Unit(network, raw, label=label), targets=asked.targets[:, label])
        found, more = attribute(IMAGES, one, maps, named=bool(wanted) and "prototypes" not in wanted)
        notes += [note for note in more if note not in notes]
        cases.append((one, found))
        if found:
            scores = {name: one.scores for name, one in found.items()}
            groups.append(_local_group(network, names, images, logits, scores, label))
    checks = check(IMAGES, cases)
    notes += [one.line() for one in checks]
    if "prototypes" in chosen and labels == [None]:
        slopes = not no_gradient(asked)
        if slopes and not wanted and images[:1].numel() > _LARGE:
            size = " x ".join(map(str, images.shape[1:]))
            notes.append(f"prototypes: left out, drawing {size} numbers takes minutes; method prototypes draws them")
        elif slopes:
            groups.append(_drawn(network, unit, judged, answers=logits.argmax(1), rows=asked.rows))
        groups += _typical(network, unit, judged, pixels=not slopes) if judged is not None else []
        if not groups:
            raise UnsupportedError(
                "without a gradient, prototypes are real examples of known classes, and what was given names none"
            )
    return Shown(groups, notes, checks)


def _labels(network: Network, logits: Tensor) -> list[int | None]:
    """Return which labels of an image are explained, one after the other; None where it has one."""
    if logits.dim() == 2:
        return [None]
    if logits.dim() != 3 or logits.shape[1] > _LABELS:
        places = " x ".join(map(str, logits.shape[1:-1]))
        raise UnsupportedError(
            f"explain works on a class, or on up to {_LABELS} labels in a row, for an image; {network.name} answers "
            f"with {places} of them"
        )
    return list(range(logits.shape[1]))


def _looked(network: Network) -> list[str]:
    if not isinstance(network.module, Looker):
        return []
    blind = ", ".join(name for name, method in IMAGES.items() if method.gradient and not method.soft)
    seeing = ", ".join(("occlusion", *SEGMENTED))
    return [
        f"{network.name} looks at whole pixels, and where it looks has no gradient: {blind} tell what mattered of what "
        f"it saw, and integrated_gradients need not add up; {seeing} tell also what drew its looks"
    ]


def _local_group(
    network: Network, names: Sequence[str], images: Tensor, logits: Tensor, maps: dict[str, Tensor], label: int | None
) -> PictureGroup:
    labels = network.spec.outputs.names
    title, which = "Single decisions", ""
    if label is not None:
        title, which, logits = f"Label {label + 1} of {logits.shape[1]}", f", label {label + 1}", logits[:, label]
    pictures = []
    for row in range(len(images)):
        caption = f"{names[row]}{which}: {labels[int(logits[row].argmax())]} ({network.sureness(logits[row])})"
        pictures.append(Picture(_photo(images[row]), caption))
        for name, heat in maps.items():
            soft = IMAGES[name].soft
            pixels = overlay(visible(images[row]), heat[row]) if soft else heat_pixels(heat[row], low=0.0)
            pictures.append(Picture(_png(pixels), name.replace("_", " "), f"{name} of {caption}"))
    text = "One row per example: the input with the answer, then one map per method; bright means: this mattered."
    return PictureGroup(title, text, pictures, columns=1 + len(maps))


def _drawn(network: Network, unit: _Unit, judged: Judged | None, *, answers: Tensor, rows: int) -> PictureGroup:
    """Draw what each class likes best, freely and held back; of many classes those that are ``answers``."""
    labels = network.spec.outputs.names
    shown = list(range(len(labels)))
    if len(labels) > _DRAWN:
        shown = list(dict.fromkeys(answers.tolist()))[:_DRAWN]
    shape = tuple(network.spec.inputs.shape)
    mean: Tensor | float = unit.to_unit(judged.raw).mean(0) if judged is not None else 0.0

    def climbed(draw: Callable[..., Drawn]) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        parts = [shown[at : at + rows] for at in range(0, len(shown), rows)]
        return torch.cat([draw(unit, part, start=mean, shape=shape, generator=generator).images for part in parts])

    free = partial(activation_maximization, l2=0.0, variation=0.0, blur_every=0)
    pictures = []
    for k, plain, held in zip(shown, climbed(free), climbed(activation_maximization), strict=True):
        pictures += [Picture(_photo(plain), f"{labels[k]}, plain"), Picture(_photo(held), f"{labels[k]}, with priors")]
    start = "the mean image" if judged is not None else "zero"
    few = f" Drawn for {len(shown)} of {len(labels)} classes, the first answered." if len(shown) < len(labels) else ""
    text = (
        f"What each class likes best: a picture climbed from {start} to the highest score, plain and held back by L2, "
        f"smoothness and blur. It is what the network looks for, not what the class looks like.{few}"
    )
    return PictureGroup("Class prototypes", text, pictures, columns=4)


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
            typical.append(Picture(_photo(images[index]), label, f"typical {label}"))
    space = "feature space" if features else "the space of pixels"
    return [
        PictureGroup("Typical examples", f"The real example nearest to the center of its class in {space}.", typical)
    ]


def mistakes_group(network: Network, judged: Judged, *, count: int = 5, each: int = 4) -> PictureGroup | None:
    """Return pictures of the most confused pairs, or None where nothing is confused."""
    unit, labels = _Unit(network, judged.raw), network.spec.outputs.names
    places = None if judged.labeled is None else torch.nonzero(judged.labeled).tolist()
    pictures = []
    for pair in judged.pairs(count=count):
        for index in pair.indices[:each]:
            sureness = network.sureness(judged.logits[index])
            row, which = (index, "") if places is None else (places[index][0], f"label {places[index][1] + 1}: ")
            caption = f"{which}{labels[pair.truth]} taken for {labels[pair.prediction]} ({sureness})"
            pictures.append(Picture(_photo(unit.to_unit(judged.raw[row])), caption))
    if not pictures:
        return None
    return PictureGroup("Most confused pairs", "The commonest mistakes, the most confident first.", pictures)


def _photo(image: Tensor) -> bytes:
    return _png(to_pixels(visible(image), low=0.0, high=1.0))


def _png(pixels: np.ndarray) -> bytes:
    return png(pixels, scale=max(1, _SIDE // pixels.shape[0]))
