"""Explanation pictures of images: heat maps per example, class prototypes, the most confused pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from netsmith.core.errors import UnsupportedError
from netsmith.explain.grad_cam import grad_cam, spatial_layers
from netsmith.explain.integrated_gradients import integrated_gradients
from netsmith.explain.occlusion import occlusion
from netsmith.explain.prototypes import activation_maximization, features_at, nearest_examples
from netsmith.explain.saliency import gradient, heat_maps, saliency, smooth_grad
from netsmith.explain.sanity import pixel_curve
from netsmith.report.page import Picture
from netsmith.report.pictures import heat_pixels, overlay, png, to_pixels
from netsmith.report.run_page import PictureGroup
from netsmith.workflows.judging import Judged

if TYPE_CHECKING:
    from netsmith.api.network import Network

__all__ = ["METHODS", "has_gradient", "mistakes_group", "picture_groups"]

METHODS = ("saliency", "smooth_grad", "integrated_gradients", "grad_cam", "occlusion", "prototypes")
_BY_GRADIENT = ("saliency", "smooth_grad", "integrated_gradients", "grad_cam")
_SIDE = 112  # pixels of a picture on the page


class _Unit(nn.Module):
    """A shipped network that takes values in 0..1: there all maps and priors are comparable between data sets."""

    def __init__(self, network: Network, raw: Tensor) -> None:
        """Take the range of the schema, or of ``raw`` where the schema has none (a module of one's own)."""
        super().__init__()
        inputs = network.spec.inputs
        self.low = float(raw.min()) if inputs.low is None else inputs.low
        self.span = (float(raw.max()) if inputs.high is None else inputs.high) - self.low or 1.0
        self.shipped = network.shipped

    def forward(self, unit: Tensor) -> Tensor:
        """Return the logits."""
        return self.shipped(unit * self.span + self.low)

    def to_unit(self, raw: Tensor) -> Tensor:
        """Return raw values in 0..1."""
        return (raw.float() - self.low) / self.span


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
    unit = _Unit(network, raw)
    images = unit.to_unit(raw)  # (B, C, H, W) in 0..1
    logits = unit(images).detach()
    targets = logits.argmax(1)
    maps: dict[str, Tensor] = {}
    notes: list[str] = []
    slopes = has_gradient(unit, images, targets)
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
                "without a gradient, prototypes are real examples of known classes, and what was given names none"
            )
    return groups, notes


def has_gradient(module: nn.Module, inputs: Tensor, targets: Tensor) -> bool:
    """Say whether the scores of ``targets`` depend on the inputs by a differentiable path."""
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
        pictures.append(Picture(_photo(images[row]), caption))
        for name, heat in maps.items():
            if name in ("grad_cam", "occlusion"):
                pixels = overlay(_visible(images[row]), heat[row])
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
    pictures = [Picture(_photo(drawn.images[k]), labels[k]) for k in range(len(labels))]
    start = "the mean image" if judged is not None else "zero"
    text = (
        f"What each class likes best: a picture climbed from {start} to the highest score, held back by L2, "
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
            typical.append(Picture(_photo(images[index]), label, f"typical {label}"))
    space = "feature space" if features else "the space of pixels"
    return [
        PictureGroup("Typical examples", f"The real example nearest to the center of its class in {space}.", typical)
    ]


def mistakes_group(network: Network, judged: Judged, *, count: int = 5, each: int = 4) -> PictureGroup | None:
    """Return pictures of the most confused pairs, or None where nothing is confused."""
    unit, labels = _Unit(network, judged.raw), network.spec.outputs.names
    pictures = []
    for pair in judged.pairs(count=count):
        for index in pair.indices[:each]:
            confidence = float(judged.logits[index].softmax(0).max())
            caption = f"{labels[pair.truth]} taken for {labels[pair.prediction]} ({confidence:.0%})"
            pictures.append(Picture(_photo(unit.to_unit(judged.raw[index])), caption))
    if not pictures:
        return None
    return PictureGroup("Most confused pairs", "The commonest mistakes, the most confident first.", pictures)


def _visible(image: Tensor) -> Tensor:
    """Return an image with one or three channels: the mean of its channels where it has another number."""
    return image if len(image) in (1, 3) else image.mean(0, keepdim=True)


def _photo(image: Tensor) -> bytes:
    return _png(to_pixels(_visible(image), low=0.0, high=1.0))


def _png(pixels: np.ndarray) -> bytes:
    return png(pixels, scale=max(1, _SIDE // pixels.shape[0]))
