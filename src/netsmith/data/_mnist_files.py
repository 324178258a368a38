"""What MNIST and Fashion-MNIST share: four idx files, 28 x 28 gray pixels, ten classes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from netsmith.data._arrays import Part, array_part, check_bytes, with_dev
from netsmith.data._download import OfficialFile, official_files
from netsmith.data._idx import read_idx
from netsmith.data._twin import twin_images

__all__ = ["MNIST_FILES", "MNIST_MIRRORS", "SHAPE", "idx_parts"]

SHAPE = (1, 28, 28)
MNIST_FILES = (
    OfficialFile(
        "train-images-idx3-ubyte.gz", 9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
    ),
    OfficialFile(
        "train-labels-idx1-ubyte.gz", 28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"
    ),
    OfficialFile(
        "t10k-images-idx3-ubyte.gz", 1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
    ),
    OfficialFile("t10k-labels-idx1-ubyte.gz", 4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
)
MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist",
    "https://storage.googleapis.com/cvdf-datasets/mnist",
)


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
