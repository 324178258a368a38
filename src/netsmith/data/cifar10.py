"""CIFAR-10: 60,000 color pictures of 32 x 32 pixels, ten kinds of animals and vehicles.

Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", technical report, University of Toronto 2009.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from netsmith.core.errors import DataError
from netsmith.data._arrays import ImageFields, ImageSource, array_part, check_bytes, with_dev
from netsmith.data._download import OfficialFile, official_members
from netsmith.data._twin import twin_images

__all__ = ["Cifar10"]

_ARCHIVE = OfficialFile(
    "cifar-10-binary.tar.gz", 170052171, "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
)
_FOLDER = "cifar-10-batches-bin"
_TRAIN = (
    OfficialFile(
        f"{_FOLDER}/data_batch_1.bin", 30730000, "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"
    ),
    OfficialFile(
        f"{_FOLDER}/data_batch_2.bin", 30730000, "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"
    ),
    OfficialFile(
        f"{_FOLDER}/data_batch_3.bin", 30730000, "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"
    ),
    OfficialFile(
        f"{_FOLDER}/data_batch_4.bin", 30730000, "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"
    ),
    OfficialFile(
        f"{_FOLDER}/data_batch_5.bin", 30730000, "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"
    ),
)
_TEST = OfficialFile(
    f"{_FOLDER}/test_batch.bin", 30730000, "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"
)
_MIRRORS = ("https://www.cs.toronto.edu/~kriz",)
_SHAPE = (3, 32, 32)
_RECORD = 1 + 3 * 32 * 32  # the label, then red, green and blue, each row by row
_NAMES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)  # fmt: skip


class Cifar10(ImageSource):
    """The benchmark of small color pictures: 50,000 for training, 10,000 for test; ``dev`` is drawn from training.

    Read from the binary archive, which holds plain bytes (the one for Python is a pickle).

    Raises:
        DataError: The official files are neither at hand nor to be downloaded, or are damaged.
    """

    class Config(ImageFields):
        """The official archive (or its ``.bin`` files), from ``$NETSMITH_DATA/cifar-10``, the cache, or the network."""

    def __init__(self, config: Config) -> None:
        if config.twin:
            train = twin_images("cifar-10/train", count=640, classes=10, shape=_SHAPE)
            test = twin_images("cifar-10/test", count=256, classes=10, shape=_SHAPE)
        else:
            found = official_members("cifar-10", (*_TRAIN, _TEST), archive=_ARCHIVE, mirrors=_MIRRORS)
            pairs = [_records(found[file.name], name=file.name) for file in _TRAIN]
            train = torch.cat([images for images, _ in pairs]), torch.cat([labels for _, labels in pairs])
            test = _records(found[_TEST.name], name=_TEST.name)
        parts = with_dev(*train, dev=config.dev, seed=config.split_seed) | {"test": array_part(*test)}
        super().__init__(config, dataset="cifar-10", parts=parts, shape=_SHAPE, names=_NAMES)


def _records(data: bytes, *, name: str) -> tuple[Tensor, Tensor]:
    """Return the pictures ``(N, 3, 32, 32)`` uint8 and labels ``(N,)`` of a batch file."""
    if not data or len(data) % _RECORD:
        raise DataError(f"has {len(data)} bytes; expected records of {_RECORD}; get the official archive again", name)
    records = torch.from_numpy(np.frombuffer(data, dtype=np.uint8).copy()).reshape(-1, _RECORD)
    images, labels = records[:, 1:].reshape(-1, *_SHAPE), records[:, 0].to(torch.int64)
    check_bytes(images, labels, size=_SHAPE[1:], classes=len(_NAMES), path=name)
    return images, labels
