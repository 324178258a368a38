"""One's own pictures with captions, in the layouts of Flickr8k and of COCO."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.errors import ConfigError, DataError
from netsmith.core.spec import Step
from netsmith.data._arrays import Part, array_part
from netsmith.data._caption_files import Captioned, read_captions
from netsmith.data._captions import CaptionFields, CaptionSource
from netsmith.data._files import open_tree
from netsmith.data._listing import divide
from netsmith.data._picture_parts import HELD_LIMIT, common_channels, picture_part
from netsmith.data.shape_captions import ShapeCaptions

__all__ = ["Captions"]


class Captions(CaptionSource):
    """Pictures to describe: a folder or archive as Flickr8k's or COCO's; see
    :func:`~netsmith.data._caption_files.read_captions`.

    Hodosh, Young, Hockenmaier 2013 (Flickr8k: 8,000 pictures, five captions each); Lin et al. 2014, arXiv:1405.0312
    (COCO). Splits that are not given are drawn picture by picture.

    Raises:
        ConfigError: No ``path`` and no ``twin``.
        DataError: Another layout, a bad line (file and line are named), a picture that is missing or damaged.
        MissingExtraError: Pillow is not installed.
    """

    class Config(CaptionFields):
        """Where the pictures and captions are.

        Attributes:
            path: The folder, ``.zip`` or ``.tar``.
            image_size: Height and width in pixels that every picture is squashed to.
            channels: ``gray`` or ``rgb``; ``auto`` is gray where all pictures of the training part are.
            test: Share held out as ``test`` where there is no such split; ``dev`` alike.
        """

        path: str = ""
        image_size: Annotated[int, Field(ge=4, le=2048)] = 64
        channels: Literal["auto", "gray", "rgb"] = "rgb"
        test: Annotated[float, Field(ge=0, lt=0.5)] = 0.1

    def __init__(self, config: Config) -> None:
        size = config.image_size
        if config.twin:
            source = ShapeCaptions.Config(twin=True).build()
            images = {split: _resized(source, split, size) for split in source.splits()}
            super().__init__(
                config,
                dataset="captions",
                captions={
                    split: [source.captions(split, at) for at in range(len(found))] for split, found in images.items()
                },
                part=lambda split, targets: array_part(images[split], targets, made="drawn"),
                shape=(3, size, size),
            )
            return
        if not config.path:
            raise ConfigError("Captions.Config.path is empty; expected a folder or archive (--data PATH)")
        tree = open_tree(Path(config.path))
        given = read_captions(tree)
        kinds = {split: torch.zeros(len(found.files), dtype=torch.int64) for split, found in given.items()}
        at, made = divide(kinds, dev=config.dev, test=config.test, seed=config.split_seed)
        few = next((split for split, (_, where) in at.items() if not len(where)), "")
        if few:
            raise DataError(f"{len(given['train'].files)} pictures are too few to draw a {few} split", tree.path)
        listed = {split: _taken(given[origin], where.tolist()) for split, (origin, where) in at.items()}
        channels = common_channels(config.channels, tree, listed["train"].files)
        held = sum(len(found.files) for found in listed.values()) * channels * size * size <= HELD_LIMIT

        def part(split: str, targets: Tensor) -> Part:
            found = picture_part(tree, listed[split].files, targets, channels=channels, size=size, held=held)
            seed = config.split_seed if made[split] != "given" else 0
            return Part(found.fetch, found.targets, found.sha256, made=made[split], seed=seed)

        before = (Step(name="gray"),) if channels == 1 else ()
        super().__init__(
            config,
            dataset=Path(config.path).name,
            captions={split: found.captions for split, found in listed.items()},
            part=part,
            shape=(channels, size, size),
            before=(Step(name="resize", size=(size, size)), *before),
        )


def _taken(found: Captioned, where: Sequence[int]) -> Captioned:
    return Captioned(tuple(found.files[at] for at in where), tuple(found.captions[at] for at in where))


def _resized(source: ShapeCaptions, split: str, size: int) -> Tensor:
    known = source.spec.split(split)
    assert known is not None
    images = source.raw(split, torch.arange(known.size)).float()
    return torch.nn.functional.interpolate(images, (size, size)).to(torch.uint8)
