"""Fashion-MNIST: 70,000 pictures of clothes, 28 x 28 gray pixels, a drop-in for MNIST that is harder.

Xiao, Rasul, Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms",
arXiv:1708.07747.
"""

from __future__ import annotations

from netsmith.core.config import later
from netsmith.data._arrays import ImageFields, ImageSource
from netsmith.data._download import OfficialFile
from netsmith.data._mnist_files import SHAPE, idx_parts
from netsmith.data._resized import resized

__all__ = ["FashionMnist"]

_FILES = (
    OfficialFile(
        "train-images-idx3-ubyte.gz", 26421880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"
    ),
    OfficialFile(
        "train-labels-idx1-ubyte.gz", 29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"
    ),
    OfficialFile(
        "t10k-images-idx3-ubyte.gz", 4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"
    ),
    OfficialFile("t10k-labels-idx1-ubyte.gz", 5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
)
_MIRRORS = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion",
)
_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)  # fmt: skip


class FashionMnist(ImageSource):
    """60,000 training and 10,000 test images of ten kinds of clothes; ``dev`` is drawn from the training part.

    Raises:
        DataError: The official files are neither at hand nor to be downloaded, or are damaged.
    """

    class Config(ImageFields):
        """The official files, from ``$NETSMITH_DATA/fashion-mnist``, the cache, or the network.

        Attributes:
            size: Height and width in pixels that every image is squashed to.
        """

        size: int = later(28, ge=4, le=256)

    def __init__(self, config: Config) -> None:
        parts = idx_parts(
            "fashion-mnist", _FILES, mirrors=_MIRRORS, twin=config.twin, dev=config.dev, seed=config.split_seed
        )
        before, size = (), config.size
        if size != SHAPE[1]:
            parts, before = resized(parts, size)
        super().__init__(
            config, dataset="fashion-mnist", parts=parts, shape=(1, size, size), names=_NAMES, before=before
        )
