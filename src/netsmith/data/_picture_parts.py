"""A split of pictures that lie in a folder or an archive: decoded once and held, or each time they are needed."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from netsmith.data._arrays import Part, array_part, digest
from netsmith.data._files import Tree
from netsmith.data._pictures import decode_picture, is_gray

__all__ = ["HELD_LIMIT", "common_channels", "picture_part"]

HELD_LIMIT = 2**30
"""Bytes of decoded pictures that a source keeps in memory."""


def common_channels(wanted: Literal["auto", "gray", "rgb"], tree: Tree, files: Sequence[str]) -> int:
    """Return the channels of some pictures: 1 where all are gray, unless something else is wanted.

    Raises:
        DataError: A file is no picture.
    """
    if wanted != "auto":
        return 1 if wanted == "gray" else 3
    return 1 if all(is_gray(tree.read(name), name=name) for name in files) else 3


def picture_part(tree: Tree, files: tuple[str, ...], targets: Tensor, *, channels: int, size: int, held: bool) -> Part:
    """Return a split of pictures, each decoded once here, so that a damaged one is named at the start.

    Args:
        tree: Where they lie.
        files: Their names.
        targets: One per picture.
        channels: 1 or 3.
        size: Height and width that every picture is squashed to.
        held: Whether they stay in memory.

    Raises:
        DataError: A damaged picture.
    """
    fetch = functools.partial(_decode, tree=tree, files=files, channels=channels, size=size)
    if held:
        return array_part(fetch(torch.arange(len(files))), targets)
    hashes = [digest(fetch(at)) for at in torch.arange(len(files)).split(1)]
    return Part(fetch, targets, digest("\n".join(hashes), targets))


def _decode(at: Tensor, *, tree: Tree, files: tuple[str, ...], channels: int, size: int) -> Tensor:
    """Return the pictures at some positions: ``(B, C, size, size)`` uint8."""
    names = [files[index] for index in at.tolist()]
    return torch.stack(
        [decode_picture(tree.read(name), channels=channels, size=(size, size), name=name) for name in names]
    )
