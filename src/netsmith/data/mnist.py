"""MNIST: 70,000 handwritten digits of 28 x 28 gray pixels.

LeCun, Bottou, Bengio, Haffner, "Gradient-Based Learning Applied to Document Recognition", Proc. IEEE 1998.
"""

from __future__ import annotations

from netsmith.data._arrays import ImageFields, ImageSource
from netsmith.data._download import OfficialFile
from netsmith.data._mnist_files import SHAPE, idx_parts

__all__ = ["Mnist"]

_FILES = (
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
_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist",
    "https://storage.googleapis.com/cvdf-datasets/mnist",
)


class Mnist(ImageSource):
    """The classic benchmark: 60,000 training and 10,000 test images; ``dev`` is drawn from the training part.

    Raises:
        DataError: The official files are neither at hand nor to be downloaded, or are damaged.
    """

    class Config(ImageFields):
        """The official files, from ``$NETSMITH_DATA/mnist``, the cache, or the network."""

    def __init__(self, config: Config) -> None:
        parts = idx_parts("mnist", _FILES, mirrors=_MIRRORS, twin=config.twin, dev=config.dev, seed=config.split_seed)
        super().__init__(config, dataset="mnist", parts=parts, shape=SHAPE, names=[str(digit) for digit in range(10)])
