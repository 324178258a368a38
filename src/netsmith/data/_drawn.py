"""What sources of images drawn around MNIST digits share: fixed drawings for evaluation, fresh ones for training."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from netsmith.core.keys import key as named_key
from netsmith.core.spec import OutputKind
from netsmith.data._arrays import ImageFields, ImageSource, Part, array_part, digest, with_dev
from netsmith.data._mnist_files import MNIST_FILES, MNIST_MIRRORS, idx_parts
from netsmith.data._twin import twin_digits
from netsmith.engine.random import example_keys, keyed_uniform

__all__ = ["DIGIT_NAMES", "Answer", "Draw", "DrawnFields", "DrawnSource", "paste", "place", "scatter_pieces"]

DIGIT_NAMES = tuple(str(digit) for digit in range(10))
_AT_ONCE = 256  # examples drawn at once: their numbers stay in the processor's cache
_SIDE = 28

Draw = Callable[[Tensor, Tensor, Tensor], Tensor]
"""``draw(digits, at, keys)``: images ``(B, 1, S, S)`` uint8 around the digits ``at``, each a function of its key alone.

``digits`` ``(N, 1, 28, 28)`` uint8 are the whole split, from which others may be taken.
"""
Answer = Callable[[Tensor, Tensor, Tensor], Tensor]
"""``answer(labels, at, keys)``: the targets of those images, where it is not the label of the digit."""


class DrawnFields(ImageFields):
    """The fields of every source that draws images around digits.

    Attributes:
        fresh: Draw each training image anew in every epoch; else it has one drawing, as those of dev and test have.
    """

    fresh: bool = True


class DrawnSource(ImageSource):
    """Abstract: every example is one digit of MNIST, drawn into an image with numbers from a key.

    The key of an example of ``dev`` or ``test`` is one of ``split_seed`` and its position: every run sees the same
    images. Those of ``train`` depend on the run's seed and on the epoch too, where ``fresh`` is set.

    Args:
        config: The reader's config.
        dataset: Name of the data set.
        draw: Makes the images.
        answer: Makes the targets; None for the labels of the digits.
        size: Height and width of an image, in pixels.
        names: Names of the classes, or of the tags of an image.
        answers: ``classes``, or ``tags`` where an image has several targets.
    """

    def __init__(
        self,
        config: DrawnFields,
        *,
        dataset: str,
        draw: Draw,
        answer: Answer | None = None,
        size: int,
        names: Sequence[str] = DIGIT_NAMES,
        answers: OutputKind = "classes",
    ) -> None:
        parts = {
            split: _drawn(
                part, draw, answer or _own_label, split=split, config=config, fresh=config.fresh and split == "train"
            )
            for split, part in _digits(config).items()
        }
        super().__init__(config, dataset=dataset, parts=parts, shape=(1, size, size), names=names, answers=answers)


def _digits(config: DrawnFields) -> Mapping[str, Part]:
    """Return the splits of MNIST, or of its twin whose digits keep their class however they are moved."""
    if config.twin:
        train, test = twin_digits("drawn/train", count=640), twin_digits("drawn/test", count=256)
        return with_dev(*train, dev=config.dev, seed=config.split_seed) | {"test": array_part(*test)}
    return idx_parts("mnist", MNIST_FILES, mirrors=MNIST_MIRRORS, twin=False, dev=config.dev, seed=config.split_seed)


def _own_label(labels: Tensor, at: Tensor, keys: Tensor) -> Tensor:  # noqa: ARG001
    return labels[at]


@dataclasses.dataclass(frozen=True)
class _Drawer:
    """One split's digits, and how images are drawn around them."""

    digits: Tensor
    labels: Tensor
    fixed: Tensor  # keys of the drawings that never change
    draw: Draw
    answer: Answer

    def fetch(self, at: Tensor) -> Tensor:
        return torch.cat([self.draw(self.digits, piece, self.fixed[piece]) for piece in at.split(_AT_ONCE)])

    def redraw(self, at: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
        return self.draw(self.digits, at, keys), self.answer(self.labels, at, keys)


def _drawn(part: Part, draw: Draw, answer: Answer, *, split: str, config: DrawnFields, fresh: bool) -> Part:
    everything = torch.arange(len(part.targets))
    digits = part.fetch(everything)
    fixed = example_keys(named_key(config.split_seed, "draw", split), everything)
    drawer = _Drawer(digits, part.targets, fixed, draw, answer)
    targets = answer(part.targets, everything, fixed)
    if not fresh:
        made = f"{part.made}; each drawn once"
        return array_part(drawer.fetch(everything), targets, made=made, seed=config.split_seed)
    return Part(  # its fixed drawings are seldom looked at, and may be large: they are made when they are
        drawer.fetch,
        targets,
        digest(digits, targets, drawer.fetch(everything[:_AT_ONCE])),
        made=f"{part.made}; drawn anew in every epoch",
        seed=config.split_seed,
        redraw=drawer.redraw,
    )


def place(keys: Tensor, *, size: int, side: int, stream: str, count: int = 1) -> Tensor:
    """Draw where squares of ``side`` pixels lie in an image of ``size``: ``(B, count, 2)`` rows and columns, int64."""
    return (keyed_uniform(keys, count, 2, stream=stream) * (size - side + 1)).long()


def paste(canvas: Tensor, pieces: Tensor, corners: Tensor) -> None:
    """Put a square on each image, in place; where something is already, the brighter value stays.

    Args:
        canvas: ``(B, S, S)``.
        pieces: ``(B, P, P)``.
        corners: ``(B, 2)``, the row and the column of each piece's first pixel.
    """
    side = torch.arange(pieces.shape[-1])
    at = torch.arange(len(canvas))[:, None, None]
    rows, columns = corners[:, 0, None, None] + side[:, None], corners[:, 1, None, None] + side  # (B, P, 1), (B, 1, P)
    canvas[at, rows, columns] = torch.maximum(canvas[at, rows, columns], pieces)


def scatter_pieces(canvas: Tensor, digits: Tensor, keys: Tensor, *, count: int, side: int) -> None:
    """Put ``count`` squares cut out of random places of random digits on random places of each image, in place.

    Args:
        canvas: ``(B, S, S)`` uint8.
        digits: ``(N, 1, 28, 28)`` uint8, from which they are cut.
        keys: ``(B,)``.
        count: Squares on each image.
        side: Their height and width in pixels.
    """
    if not count:
        return
    which = (keyed_uniform(keys, count, stream="clutter/digit") * len(digits)).long()  # (B, count)
    cuts = place(keys, size=_SIDE, side=side, stream="clutter/from", count=count)
    corners = place(keys, size=canvas.shape[-1], side=side, stream="clutter/to", count=count)
    span = torch.arange(side)
    for number in range(count):
        rows = cuts[:, number, 0, None, None] + span[:, None]
        columns = cuts[:, number, 1, None, None] + span
        pieces = digits[which[:, number, None, None], 0, rows, columns]  # (B, side, side)
        paste(canvas, pieces, corners[:, number])
