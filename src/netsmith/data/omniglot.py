"""Omniglot: 1,623 handwritten characters of 50 alphabets, each drawn by twenty people.

Lake, Salakhutdinov, Tenenbaum, "Human-level Concept Learning through Probabilistic Program Induction", Science 2015.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.errors import DataError
from netsmith.core.spec import Step
from netsmith.data._arrays import ImageFields, ImageSource, array_part, digest
from netsmith.data._download import OfficialFile, official_tree
from netsmith.data._files import Tree
from netsmith.data._listing import divide
from netsmith.data._pictures import decode_picture, resize_picture
from netsmith.data._splits import draw_splits
from netsmith.data._twin import twin_images

__all__ = ["Omniglot"]

_ARCHIVES = {
    "background": OfficialFile(
        "images_background.zip", 9464212, "ad41ab679c8b5d90b271ef46be6987cc81211774a695c29dcc5367b2b26ee640"
    ),
    "evaluation": OfficialFile(
        "images_evaluation.zip", 6462886, "1f61a8f3366785b057fc117d9228e78a16e3d976c8953b2a10fcc74cf0609cee"
    ),
}
_MIRRORS = (
    "https://raw.githubusercontent.com/brendenlake/omniglot/master/python",
    "https://github.com/brendenlake/omniglot/raw/master/python",
)
_CONTENTS = {
    "background": "bb531e447fcf90bf24b32d85d8c94f0edca0fd0b1d17d32f03b473406f43a648",
    "evaluation": "ce0c68f75c2a610f7895814c1d17ac580c314837537105497b7d1adc7302a802",
}
"""The SHA-256 of all drawings with their names, pixel by pixel, whatever archive they came in."""
_NAME = re.compile(r"([\w().-]+)/character(\d\d)/(\d{4})_(\d\d)\.png")
_SIDE = 105
_DRAWERS = 20
_LIMIT = 2**16  # bytes of a drawing
_TWIN_CHARACTERS = {"background": 40, "evaluation": 20}


class _Drawings(NamedTuple):
    names: tuple[str, ...]  # of the characters: alphabet/character01
    images: Tensor  # (characters * 20, 1, S, S) uint8
    labels: Tensor  # positions in names


class Omniglot(ImageSource):
    """Many classes with few examples each: black strokes on white.

    ``split="drawings"`` is a classification: 964 characters of the 30 background alphabets, whose drawings are divided
    into ``train``, ``dev`` and ``test``. ``split="characters"`` is material for few-shot learning: ``test`` holds the
    659 characters of the 20 evaluation alphabets, ``dev`` a share of the background characters, ``train`` the rest,
    each with all its drawings, so that no split has a character of another; the labels count through all 1,623.

    Drawings are 105 x 105; ``image_size`` shrinks them (28 in most of the papers). Nothing is inverted or rotated.

    Raises:
        DataError: The official files are neither at hand nor to be downloaded, or are damaged.
        MissingExtraError: Pillow is not installed and ``twin`` is not set.
    """

    class Config(ImageFields):
        """The official archives, from ``$NETSMITH_DATA/omniglot``, the cache, or the network.

        Attributes:
            split: What the splits divide.
            image_size: Height and width in pixels.
            test: Share of the drawings held out as ``test``; of ``characters`` the evaluation alphabets are.
        """

        split: Literal["drawings", "characters"] = "drawings"
        image_size: Annotated[int, Field(ge=8, le=_SIDE)] = 28
        test: Annotated[float, Field(gt=0, lt=0.5)] = 0.1

    def __init__(self, config: Config) -> None:
        background = _read("background", config)
        if config.split == "drawings":
            names = background.names
            at, made = divide({"train": background.labels}, dev=config.dev, test=config.test, seed=config.split_seed)
            parts = {
                split: array_part(
                    background.images[where], background.labels[where], made=made[split], seed=config.split_seed
                )
                for split, (_, where) in at.items()
            }
        else:
            evaluation = _read("evaluation", config)
            names = (*background.names, *evaluation.names)
            drawn = draw_splits(torch.zeros(len(background.names)), {"dev": config.dev}, seed=config.split_seed)
            parts = {}
            for split, characters in drawn.items():
                where = torch.isin(background.labels, characters)
                made_of = f"{len(characters)} background characters"
                parts[split] = array_part(
                    background.images[where], background.labels[where], made=made_of, seed=config.split_seed
                )
            labels = evaluation.labels + len(background.names)
            parts["test"] = array_part(evaluation.images, labels, made=f"{len(evaluation.names)} evaluation characters")
        size = config.image_size
        before = (Step(name="resize", size=(size, size)), Step(name="gray"))
        super().__init__(config, dataset="omniglot", parts=parts, shape=(1, size, size), names=names, before=before)


def _read(part: str, config: Omniglot.Config) -> _Drawings:
    if config.twin:
        return _twin(part, size=config.image_size)
    archive = _ARCHIVES[part]
    tree = official_tree("omniglot", archive, others=(archive.name.removesuffix(".zip"),), mirrors=_MIRRORS)
    return _drawings(tree, size=config.image_size, contents=_CONTENTS[part])


def _drawings(tree: Tree, *, size: int, contents: str) -> _Drawings:
    """Read an archive or folder; it may be packed anew, its drawings must be the official, pixel by pixel.

    Raises:
        DataError: A file that is no drawing, a damaged one, one of another size, or other drawings.
    """
    names: list[str] = []
    images: list[Tensor] = []
    labels: list[int] = []
    hashes: list[str] = []
    for name in tree.files:
        match = _NAME.fullmatch(name)
        if match is None:
            raise DataError(f"{name} is no drawing; expected alphabet/character01/0001_01.png", tree.path)
        character = f"{match[1]}/character{match[2]}"
        if not names or names[-1] != character:  # the files are sorted
            names.append(character)
        data = tree.read(name, limit=_LIMIT)
        whole = decode_picture(data, channels=1, size=None, name=name)
        if tuple(whole.shape[1:]) != (_SIDE, _SIDE):
            raise DataError(f"{name} has {tuple(whole.shape[1:])} pixels; expected {_SIDE} x {_SIDE}", tree.path)
        hashes.append(digest(name, whole))
        images.append(resize_picture(whole, (size, size)))
        labels.append(len(names) - 1)
    total = digest("\n".join(hashes))
    if total != contents:
        raise DataError(
            f"its {len(images)} drawings of {len(names)} characters have the SHA-256 {total[:12]}...; expected "
            f"{contents[:12]}...; get the official archive again",
            tree.path,
        )
    return _Drawings(tuple(names), torch.stack(images), torch.tensor(labels))


def _twin(part: str, *, size: int) -> _Drawings:
    """Make characters of the shapes and types of the real ones, twenty drawings of each, in two alphabets."""
    count = _TWIN_CHARACTERS[part]
    images, labels = twin_images(f"omniglot/{part}", count=count * _DRAWERS, classes=count, shape=(1, size, size))
    order = torch.argsort(labels, stable=True)
    names = tuple(f"Twin_{part}_{number // 20}/character{number % 20 + 1:02}" for number in range(count))
    return _Drawings(names, images[order], labels[order])
