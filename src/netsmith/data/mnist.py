"""MNIST: 70,000 handwritten digits of 28 x 28 gray pixels.

LeCun, Bottou, Bengio, Haffner, "Gradient-Based Learning Applied to Document Recognition", Proc. IEEE 1998.
"""

from __future__ import annotations

from netsmith.data._arrays import ImageFields, ImageSource
from netsmith.data._mnist_files import MNIST_FILES, MNIST_MIRRORS, SHAPE, idx_parts

__all__ = ["Mnist"]


class Mnist(ImageSource):
    """The classic benchmark: 60,000 training and 10,000 test images; ``dev`` is drawn from the training part.

    Raises:
        DataError: The official files are neither at hand nor to be downloaded, or are damaged.
    """

    class Config(ImageFields):
        """The official files, from ``$NETSMITH_DATA/mnist``, the cache, or the network."""

    def __init__(self, config: Config) -> None:
        parts = idx_parts(
            "mnist", MNIST_FILES, mirrors=MNIST_MIRRORS, twin=config.twin, dev=config.dev, seed=config.split_seed
        )
        super().__init__(config, dataset="mnist", parts=parts, shape=SHAPE, names=[str(digit) for digit in range(10)])
