"""What a class likes best among the pictures that a trained generator can draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from netsmith.core.errors import UnsupportedError, UserError
from netsmith.core.spec import Spec
from netsmith.explain.generated import generated_maximization
from netsmith.layers.preprocess import Preprocess
from netsmith.report.page import Picture
from netsmith.report.pictures import png, to_pixels, visible
from netsmith.report.run_page import PictureGroup

if TYPE_CHECKING:
    from netsmith.api.network import Network
    from netsmith.api.run import Run

__all__ = ["drawn_range", "generated_prototypes", "painted_prototypes", "require_generator"]

_SIDE = 112  # pixels of a small picture on the page


def painted_prototypes(network: Network, run: Run) -> tuple[list[PictureGroup], list[str]]:
    """Draw the prototypes of a network's classes with the generator of a run.

    Args:
        network: Takes pictures, answers with classes.
        run: Of a generator of such pictures.

    Raises:
        UnsupportedError: The run has no generator, or one of something else.
    """
    painter, data = run.network, run.data_spec
    require_generator(network, painter)
    low, high = drawn_range(data, painter.name)
    groups, notes = generated_prototypes(network, painter, low=low, high=high)
    if data.dataset != network.spec.dataset:
        notes.append(f"{painter.name} learned to draw {data.dataset}, {network.name} to tell {network.spec.dataset}")
    return groups, notes


def drawn_range(data: Spec, name: str) -> tuple[Tensor, Tensor]:
    """Return black and white as a generator draws them, ``(C, H, W)`` each: what its data's preparation makes of both.

    Args:
        data: The schema of what the generator imitates.
        name: The generator's, for messages.

    Raises:
        UnsupportedError: It imitates no pictures of one size and a known range.
    """
    inputs = data.inputs
    if inputs.kind != "image" or inputs.low is None or inputs.high is None or -1 in inputs.shape:
        raise UnsupportedError(
            f"{name} imitates {data.dataset}: {inputs.kind} inputs of shape {tuple(inputs.shape)} in "
            f"{inputs.low}..{inputs.high}; expected pictures of one size and a known range"
        )
    ends = torch.tensor([inputs.low, inputs.high]).view(2, 1, 1, 1).expand(2, *inputs.shape)
    low, high = Preprocess(inputs)(ends)
    return low, high


def generated_prototypes(
    network: Network, painter: Network, *, low: Tensor | float = -1.0, high: Tensor | float = 1.0, each: int = 3
) -> tuple[list[PictureGroup], list[str]]:
    """Draw what each class likes best among the pictures that a trained generator can draw.

    Args:
        network: Answers with classes.
        painter: A generator of samples as large as the network's pictures.
        low: The value of a sample that means black: a number, or one that broadcasts to ``(C, H, W)``.
        high: The value that means white.
        each: Pictures per class, from different codes.

    Raises:
        UnsupportedError: The painter is no generator, or draws something else.
    """
    require_generator(network, painter)
    inputs, labels = network.spec.inputs, network.spec.outputs.names
    dark, light = torch.as_tensor(low), torch.as_tensor(high)
    if not bool((light > dark).all()) or each < 1:
        raise UserError(f"low is {low}, high {high}, each {each}; expected low < high, and at least 1")
    with torch.no_grad():
        sample = painter.shipped(painter.noise(1, seed=0))
    shape = tuple(inputs.shape)
    if inputs.low is None or inputs.high is None or sample[0].numel() != torch.Size(shape).numel():
        raise UnsupportedError(
            f"{painter.name} draws {tuple(sample.shape[1:])}, {network.name} takes {shape} in "
            f"{inputs.low}..{inputs.high}; expected as many numbers, and a known range"
        )
    bottom, span = inputs.low, inputs.high - inputs.low

    def adapt(samples: Tensor) -> Tensor:
        unit = ((samples.reshape(-1, *shape) - dark) / (light - dark)).clamp(0, 1)
        return unit * span + bottom

    found = generated_maximization(
        network.shipped,
        [label for label in range(len(labels)) for _ in range(each)],
        painter=painter.shipped,
        code_shape=tuple(painter.spec.inputs.shape),
        generator=torch.Generator().manual_seed(0),
        adapt=adapt,
    )
    pictures = []
    for at, (image, score) in enumerate(zip(found.images, found.scores, strict=True)):
        pixels = to_pixels(visible(image), low=bottom, high=bottom + span)
        label = labels[at // each]
        drawn = f"drawn by {painter.name} for {label}"
        pictures.append(
            Picture(png(pixels, scale=max(1, _SIDE // pixels.shape[0])), f"{label}: {float(score):.1f}", drawn)
        )
    text = (
        f"What each class likes best among all that {painter.name} can draw, {each} searches each, with the score: "
        "pictures that look like data, and cannot show what the generator never learned to draw."
    )
    return [PictureGroup("Prototypes drawn by a generator", text, pictures, columns=2 * each)], []


def require_generator(network: Network, painter: Network) -> None:
    """Refuse what takes no pictures, or is no generator.

    Raises:
        UnsupportedError: One of them; both are named.
    """
    if network.spec.inputs.kind != "image" or network.spec.outputs.kind != "classes":
        raise UnsupportedError(
            f"a generator draws pictures for classes; {network.name} takes {network.spec.inputs.kind} inputs and "
            f"answers {network.spec.outputs.kind}"
        )
    if painter.spec.inputs.kind != "none" or painter.spec.outputs.kind != "samples":
        raise UnsupportedError(
            f"{painter.name} takes {painter.spec.inputs.kind} inputs and answers {painter.spec.outputs.kind}; expected "
            "a generator: samples from noise"
        )
