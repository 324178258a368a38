"""The 1,797 scanned digits that come with scikit-learn: 8 x 8 pixels, values 0..16; nothing is downloaded.

Data: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI 1998 (scikit-learn holds its test part).
"""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field

from netsmith.core.config import later
from netsmith.core.extras import require
from netsmith.data._arrays import ImageFields, ImageSource, array_part
from netsmith.data._resized import resized
from netsmith.data._splits import draw_splits, share_text
from netsmith.data._twin import twin_images

__all__ = ["Digits"]


class Digits(ImageSource):
    """Real scans, small enough to train on in seconds; the data of the demo and of quick trials.

    There is no official split: it is drawn, class by class, from ``split_seed``.

    Raises:
        MissingExtraError: scikit-learn is not installed and ``twin`` is not set.
    """

    class Config(ImageFields):
        """Scikit-learn's digits.

        Attributes:
            dev: Share of all images held out as ``dev``.
            test: Share of all images held out as ``test``.
            size: Height and width in pixels that every image is squashed to.
        """

        test: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
        size: int = later(8, ge=4, le=256)

    def __init__(self, config: Config) -> None:
        if config.twin:
            images, labels = twin_images("digits", count=640, classes=10, shape=(1, 8, 8), high=16)
        else:
            data = require("sklearn.datasets", extra="classic").load_digits()
            images = torch.from_numpy(data.images).to(torch.uint8)[:, None]  # (1797, 1, 8, 8)
            labels = torch.from_numpy(data.target).to(torch.int64)
        shares = {"dev": config.dev, "test": config.test}
        drawn = draw_splits(labels, shares, seed=config.split_seed)
        made = f"seeded {share_text(shares)}"
        parts = {
            name: array_part(images[at], labels[at], made=made, seed=config.split_seed) for name, at in drawn.items()
        }
        before, size = (), config.size
        if size != 8:
            parts, before = resized(parts, size)
        names = [str(digit) for digit in range(10)]
        super().__init__(
            config, dataset="digits", parts=parts, shape=(1, size, size), names=names, high=16, before=before
        )
