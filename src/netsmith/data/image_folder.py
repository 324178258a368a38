"""One's own pictures: a folder or archive with a folder per class, or a ``metadata.csv``."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from netsmith.core.errors import ConfigError
from netsmith.core.spec import Step
from netsmith.data._arrays import ImageFields, ImageSource, Part, array_part
from netsmith.data._files import open_tree
from netsmith.data._listing import divide, list_pictures
from netsmith.data._picture_parts import HELD_LIMIT, common_channels, picture_part
from netsmith.data._twin import twin_images

__all__ = ["ImageFolder"]

_TWIN_NAMES = ("circle", "square", "triangle", "star")


class ImageFolder(ImageSource):
    """Pictures in the shapes people have them: ``class/*``, ``train|val|test/class/*``, or ``metadata.csv``.

    ``metadata.csv`` has the columns ``file_name`` and ``label`` and may have ``split`` (train, val, test). Splits that
    are missing are drawn, class by class. Every picture is decoded once at the start (a damaged one is named there and
    not in the middle of a training); up to 1 GiB of them stay in memory, beyond that they are read when needed.

    Raises:
        ConfigError: No ``path`` and no ``twin``.
        DataError: Another layout, or a damaged file; see :func:`netsmith.data._listing.list_pictures`.
        MissingExtraError: Pillow is not installed.
    """

    class Config(ImageFields):
        """A folder or archive of pictures.

        Attributes:
            path: The folder, ``.zip`` or ``.tar``.
            image_size: Height and width in pixels that every picture is squashed to.
            channels: ``gray`` or ``rgb``; ``auto`` is gray where all pictures of the training part are.
            test: Share held out as ``test`` where there is no such split; ``dev`` alike.
        """

        path: str = ""
        image_size: Annotated[int, Field(ge=4, le=2048)] = 64
        channels: Literal["auto", "gray", "rgb"] = "auto"
        test: Annotated[float, Field(ge=0, lt=0.5)] = 0.1

    def __init__(self, config: Config) -> None:
        size = config.image_size
        if config.twin:
            channels = 1 if config.channels == "gray" else 3
            parts, names = _twin_parts(config, channels), _TWIN_NAMES
        elif not config.path:
            raise ConfigError("ImageFolder.Config.path is empty; expected a folder or archive (--data PATH)")
        else:
            tree = open_tree(Path(config.path))
            listing = list_pictures(tree, dev=config.dev, test=config.test, seed=config.split_seed)
            names = listing.names
            channels = common_channels(config.channels, tree, listing.files["train"])
            count = sum(len(files) for files in listing.files.values())
            held = count * channels * size * size <= HELD_LIMIT
            parts = {}
            for split, files in listing.files.items():
                part = picture_part(tree, files, listing.labels[split], channels=channels, size=size, held=held)
                seed = config.split_seed if listing.made[split] != "given" else 0
                parts[split] = Part(part.fetch, part.targets, part.sha256, made=listing.made[split], seed=seed)
        before = (Step(name="gray"),) if channels == 1 else ()
        super().__init__(
            config,
            dataset=Path(config.path).name or "image_folder",
            parts=parts,
            shape=(channels, size, size),
            names=names,
            before=(Step(name="resize", size=(size, size)), *before),
        )


def _twin_parts(config: ImageFolder.Config, channels: int) -> dict[str, Part]:
    make = functools.partial(
        twin_images, classes=len(_TWIN_NAMES), shape=(channels, config.image_size, config.image_size)
    )
    images, labels = make("image_folder", count=640)
    at, made = divide({"train": labels}, dev=config.dev, test=config.test, seed=config.split_seed)
    return {
        split: array_part(images[where], labels[where], made=made[split], seed=config.split_seed)
        for split, (_, where) in at.items()
    }
