"""What MNIST and Fashion-MNIST share: four idx files, 28 x 28 gray pixels, ten classes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from netsmith.data._arrays import Part, array_part, check_bytes, with_dev
from netsmith.data._download import OfficialFile, official_files
from netsmith.data._idx import read_idx
from netsmith.data._twin import twin_images

__all__ = ["SHAPE", "idx_parts"]

SHAPE = (1, 28, 28)


def _read(name: str, files: Sequence[OfficialFile], mirrors: Sequence[str]) -> dict[str, tuple[Tensor, Tensor]]:
    """Read ``train`` and ``test``; ``files`` are train images, train labels, test images, test labels."""
    paths = official_files(name, files, mirrors=mirrors)
    result = {}
    for split, (image_file, label_file) in zip(("train", "test"), (files[:2], files[2:]), strict=True):
        images = read_idx(paths[image_file.name], axes=3)[:, None]  # (N, 1, 28, 28)
        labels = read_idx(paths[label_file.name], axes=1).to(torch.int64)
        check_bytes(images, labels, size=SHAPE[1:], classes=10, path=label_file.name)
        result[split] = images, labels
    return result


def idx_parts(
    name: str, files: Sequence[OfficialFile], *, mirrors: Sequence[str], twin: bool, dev: float, seed: int
) -> dict[str, Part]:
    """Return train, dev (drawn from train) and the official test part, or those of the twin."""
    if twin:
        train = twin_images(f"{name}/train", count=640, classes=10, shape=SHAPE)
        test = twin_images(f"{name}/test", count=256, classes=10, shape=SHAPE)
    else:
        arrays = _read(name, files, mirrors)
        train, test = arrays["train"], arrays["test"]
    return with_dev(*train, dev=dev, seed=seed) | {"test": array_part(*test)}
