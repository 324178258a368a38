"""Does show, attend and tell look at what it names: attention inside the named shape's box, word by word."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.errors import ConfigError
from netsmith.core.findings import Bar, Bars, Findings, Grid, Number, Picture, Pictures
from netsmith.core.roles import LabConfig, ModelConfig
from netsmith.data.shape_captions import ShapeCaptions
from netsmith.engine.experiment import Experiment
from netsmith.labs._training import train
from netsmith.layers.shape_scenes import is_true, named
from netsmith.layers.writing import Writing
from netsmith.methods.teacher_forcing import TeacherForcing
from netsmith.models.captioning.show_attend_and_tell import ShowAttendAndTell
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.optim.adam import Adam
from netsmith.optim.schedules.cosine import Cosine
from netsmith.tasks.caption import Caption

__all__ = ["CARD", "AttentionMaps", "inside_boxes"]

CARD = {
    "title": "Where a captioning network looks",
    "paper": "Xu et al. 2015, arXiv:1502.03044, section 5.4",
    "shows": "attention inside the box of the shape that is named, by word, beside other shapes and the box's area",
    "quick": {"data": {"kind": "shape_captions", "twin": True}, "epochs": 12, "pictures": 60},
}

_WORDS = ("size", "color", "shape")
_SHOWN = 6


class AttentionMaps:
    """Train on drawn shapes, write captions of test pictures, and compare each word's attention with the true boxes.

    Counted are words of captions that are true, where the words name one thing of the scene alone. A gaze that is even
    has as much inside a box as the box has of the picture. About 70 s on one core.
    """

    class Config(LabConfig):
        """What is trained.

        Attributes:
            data: The pictures.
            model: A network that looks at the places of a grid.
            epochs: Passes over the training pictures.
            pictures: Test pictures that are described.
            seed: Of the run.
        """

        data: ShapeCaptions.Config = ShapeCaptions.Config(size=3000, batch=64)
        model: ModelConfig = ShowAttendAndTell.Config(
            encoder=SmallCNN.Config(channels=(16, 32, 64), num_classes=1),
            places=True,
            embedding_size=64,
            hidden_size=128,
            attention_size=64,
            penalty=0.01,
        )
        epochs: int = Field(default=16, ge=1)
        pictures: int = Field(default=500, ge=10, le=1000)
        seed: int = Field(default=0, ge=0)

    def __init__(self, config: AttentionMaps.Config) -> None:
        if config.data.shuffled:
            raise ConfigError("data.shuffled: the boxes are then of other pictures; leave it out")
        self.config = config

    def run(self) -> Findings:
        """Return the share of attention in the boxes by word, how many captions are true, and some maps."""
        config = self.config
        source = config.data.build()
        done = train(
            Experiment.Config(
                method=TeacherForcing.Config(model=config.model, task=Caption.Config(figures=()), beams=1, longest=20),
                data=config.data,
                optimizers={"model": Adam.Config(lr=3e-3, schedule=Cosine.Config())},
                epochs=config.epochs,
                clip_norm=5.0,
                seed=config.seed,
            ),
            source=source,
        )
        split = source.spec.split("test")
        assert split is not None
        at = torch.arange(min(config.pictures, split.size))
        writing = done.engine.method.eval().product()
        assert isinstance(writing, Writing)
        found = writing.search(source.load("test", at).inputs["source"], attention=True)
        if found.attention is None:
            raise ConfigError(f"{config.model.kind_name()} has no attention; take show_attend_and_tell")
        texts = [row["text"] for row in done.engine.method.task.decode(found.tokens[:, 0], source.spec.outputs)]
        boxes = source.boxes("test", at)
        side = source.spec.inputs.shape[-1]
        inside = inside_boxes(found.attention, boxes, side=side)  # (B, T, 3)
        true = [is_true(text, source.scene("test", row)) for row, text in enumerate(texts)]
        shares: dict[str, list[float]] = {word: [] for word in _WORDS}
        others: dict[str, list[float]] = {word: [] for word in _WORDS}
        areas: list[float] = []
        for row, text in enumerate(texts):
            scene = source.scene("test", row)
            for noun in named(text.split()) if true[row] else ():
                fits = [n for n, thing in enumerate(scene) if thing[:3] == noun[1:4]]
                if len(fits) != 1:
                    continue
                top, left, bottom, right = boxes[row, fits[0]].tolist()
                areas.append((bottom - top) * (right - left) / side**2)
                for place, word in enumerate(_WORDS, start=noun.at + 1):
                    shares[word].append(float(inside[row, place, fits[0]]))
                    rest = [float(inside[row, place, n]) for n in range(len(scene)) if n != fits[0]]
                    others[word] += [sum(rest)] if rest else []
        new = [
            any((thing.shape + thing.place) % 4 == 0 for thing in source.scene("test", row))
            for row in range(len(texts))
        ]
        by_newness = {
            name: _mean([float(value) for value, is_new in zip(true, new, strict=True) if is_new == wanted])
            for name, wanted in (("seen", False), ("new", True))
        }
        return self._findings(texts, shares, others, areas, true, by_newness, self._maps(texts, found.attention, true))

    def _findings(
        self,
        texts: list[str],
        shares: dict[str, list[float]],
        others: dict[str, list[float]],
        areas: list[float],
        true: list[bool],
        by_newness: dict[str, float | None],
        maps: tuple[Pictures, ...],
    ) -> Findings:
        area = _mean(areas)
        mine = {word: _mean(values) for word, values in shares.items()}
        theirs = {word: _mean(values) for word, values in others.items()}
        numbers: dict[str, Number | tuple[Number, ...]] = {"true": sum(true) / len(true), "area": area}
        numbers |= {f"true/{name}": value for name, value in by_newness.items()}
        numbers |= {f"inside/{word}": value for word, value in mine.items()}
        numbers |= {f"inside_others/{word}": value for word, value in theirs.items()}
        remarks = [
            f"{sum(true)} of {len(texts)} captions of test pictures are true; {len(areas)} of their shapes are named "
            "without doubt."
        ]
        if by_newness["seen"] is not None and by_newness["new"] is not None:
            remarks.append(
                f"True are {100 * by_newness['seen']:.1f} % of the captions where training showed every pair of shape "
                f"and place, and {100 * by_newness['new']:.1f} % where one is new."
            )
        for word in _WORDS:
            share = mine[word]
            if share is not None and area:
                remarks.append(
                    f"For the word of the {word}, {100 * share:.1f} % of the attention is inside the box of the shape "
                    f"that is named, {share / area:.1f} times the box's share of the picture."
                )
        chart = Bars(
            "inside",
            "Attention inside boxes, by the word that is written",
            "share of the attention",
            _WORDS,
            (
                Bar("the named shape's box", tuple(mine[word] for word in _WORDS)),
                Bar("the other shapes' boxes", tuple(theirs[word] for word in _WORDS)),
                Bar("an even gaze, named box", (area,) * len(_WORDS)),
            ),
            caption="A box is that of the shape's radius, a little larger than the shape; of the others' boxes, means "
            "over pictures that have others.",
        )
        table = Grid(
            "Means over the shapes that are named without doubt",
            ("word", "in the named box", "in the others' boxes", "the named box's area"),
            tuple((word, mine[word], theirs[word], area) for word in _WORDS),
        )
        return Findings(numbers, (*maps, chart), (table,), tuple(remarks))

    def _maps(self, texts: list[str], attention: Tensor, true: list[bool]) -> tuple[Pictures, ...]:
        """Return the maps of the shape words of some captions, true ones first; none where no caption names a shape."""
        side = round(attention.shape[2] ** 0.5)
        rows = sorted(range(len(texts)), key=lambda row: not true[row])[:_SHOWN]
        pictures = [
            Picture(word, tuple(map(tuple, attention[row, place].view(-1, side).tolist())))
            for row in rows
            for noun in named(texts[row].split())[:1]
            for place, word in enumerate(texts[row].split()[noun.at + 1 : noun.at + 4], start=noun.at + 1)
        ]
        if not pictures:
            return ()
        maps = Pictures(
            "maps",
            "Where it looked for size, color and shape of the first thing it names",
            tuple(pictures),
            0.0,
            max(max(map(max, picture.values)) for picture in pictures),
            columns=6,
            caption=f"The attention over {side} x {side} places, brighter is more; three pictures for each caption: "
            + "; ".join(texts[row] for row in rows if named(texts[row].split())),
        )
        return (maps,)


def inside_boxes(attention: Tensor, boxes: Tensor, *, side: int) -> Tensor:
    """Return how much of some attention is inside boxes; a place that a box covers in part counts by that part.

    Args:
        attention: ``(B, T, L)``, L places of a square grid row by row.
        boxes: ``(B, K, 4)``: top, left, bottom, right in pixels; -1 for none.
        side: Height and width of the picture in pixels.

    Returns:
        ``(B, T, K)``.

    Example:
        >>> weights = torch.tensor([[[0.1, 0.2, 0.3, 0.4]]])
        >>> inside_boxes(weights, torch.tensor([[[0.0, 0.0, 8.0, 6.0], [4.0, 4.0, 8.0, 8.0]]]), side=8)
        tensor([[[0.7000, 0.4000]]])
    """
    count = round(attention.shape[2] ** 0.5)
    edges = torch.linspace(0, side, count + 1, dtype=boxes.dtype)
    low, high = edges[:-1], edges[1:]

    def covered(start: Tensor, stop: Tensor) -> Tensor:
        overlap = torch.minimum(high, stop[..., None]) - torch.maximum(low, start[..., None])
        return overlap.clamp(min=0) / (high - low)  # (B, K, count)

    top, left, bottom, right = boxes.unbind(2)
    part = covered(top, bottom)[..., None] * covered(left, right)[..., None, :]  # (B, K, count, count)
    return torch.einsum("btl,bkl->btk", attention, part.flatten(2).to(attention.dtype))


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
