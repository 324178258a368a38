"""Convolutional maxout networks (Goodfellow et al. 2013, arXiv:1302.4389), thin and deep as in FitNets (1412.6550)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field, model_validator
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.errors import ConfigError
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.initialization import he_initialize
from netsmith.layers.maxout import Maxout

__all__ = ["MaxoutCNN"]


class MaxoutCNN(nn.Module):
    """Layers of convolution, maxout and max-pooling without any normalization, and one linear layer on the last map.

    The default is the student of Romero et al. (2015) on MNIST: six layers of 16, 16, 16, 16, 12 and 12 units, after
    the configuration that its authors published; 36,226 parameters at one channel and ten classes. Without
    normalization such a thin, deep network is hard to train, which is what hints were made for.

    Deviations from the published configuration: one bias for each piece, not for each of its places; the norms of the
    kernels are not bounded.

    Shapes:
        ``(B, in_channels, S, S)`` to ``(B, num_classes)`` with S = ``image_size``.

    Raises:
        ConfigError: The images are too small for the layers.
    """

    class Config(ModelConfig):
        """The network's form; one entry for each layer.

        Attributes:
            channels: Units of each layer.
            pieces: Pieces of each unit.
            kernels: Height and width of each kernel.
            paddings: Zeros around each map.
            pools: Size and stride of each max-pool; 1 and 1 for none. A pool at the edge may be smaller.
            init_range: Weights are drawn uniformly between plus and minus this; 0 draws them by
                :func:`~netsmith.layers.initialization.he_initialize`.
            in_channels: Channels of an image.
            image_size: Height and width in pixels.
            num_classes: Number of classes.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image",)
        widths: ClassVar[tuple[str, ...]] = ("channels",)
        published: ClassVar[Mapping[str, int]] = {"in_channels": 1, "image_size": 28, "num_classes": 10}

        channels: tuple[int, ...] = (16, 16, 16, 16, 12, 12)
        pieces: tuple[int, ...] = (2, 2, 2, 2, 4, 4)
        kernels: tuple[int, ...] = (5, 3, 5, 3, 3, 3)
        paddings: tuple[int, ...] = (0, 0, 3, 0, 3, 0)
        pools: tuple[tuple[int, int], ...] = ((1, 1), (4, 2), (1, 1), (4, 2), (1, 1), (2, 2))
        init_range: float = Field(default=0.005, ge=0)
        in_channels: int | Auto = AUTO
        image_size: int | Auto = AUTO
        num_classes: int | Auto = AUTO

        @model_validator(mode="after")
        def _check(self) -> MaxoutCNN.Config:
            columns = (self.channels, self.pieces, self.kernels, self.paddings, self.pools)
            if not self.channels or len({len(column) for column in columns}) > 1:
                lengths = ", ".join(str(len(column)) for column in columns)
                raise ValueError(
                    f"channels, pieces, kernels, paddings and pools need one entry for each layer; they have {lengths}"
                )
            if min(*self.channels, *self.pieces, *self.kernels, *(side for pool in self.pools for side in pool)) < 1:
                raise ValueError("channels, pieces, kernels and pools must be positive")
            if any(stride > size for size, stride in self.pools):
                raise ValueError(f"a pool's stride must not be larger than its size, got {self.pools}")
            if min(self.paddings) < 0:
                raise ValueError(f"paddings must not be negative, got {self.paddings}")
            return self

    def __init__(self, config: MaxoutCNN.Config) -> None:
        super().__init__()
        width, size = int(config.in_channels), int(config.image_size)
        layers: list[nn.Module] = []
        rows = zip(config.channels, config.pieces, config.kernels, config.paddings, config.pools, strict=True)
        for channels, pieces, kernel, padding, (pool, stride) in rows:
            layer = OrderedDict[str, nn.Module](
                conv=nn.Conv2d(width, channels * pieces, kernel, padding=padding), maxout=Maxout(pieces)
            )
            width, size = channels, size + 2 * padding - kernel + 1
            if (pool, stride) != (1, 1) and size >= 1:
                layer["pool"] = nn.MaxPool2d(pool, stride, ceil_mode=True)
                size = -(-max(size - pool, 0) // stride) + 1
            if size < 1:
                raise ConfigError(
                    f"MaxoutCNN: images of {config.image_size} pixels leave nothing after layer {len(layers)}; use "
                    "larger images, smaller kernels or fewer pools, or small_cnn, which takes any size"
                )
            layers.append(nn.Sequential(layer))
        self.layers = nn.Sequential(*layers)
        self.flatten = nn.Flatten()
        self.head = nn.Linear(width * size * size, config.num_classes)
        he_initialize(self)
        if config.init_range:
            for name, parameter in self.named_parameters():
                if name.endswith("weight"):
                    nn.init.uniform_(parameter, -config.init_range, config.init_range)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        return self.head(self.flatten(self.layers(images)))

    def landmarks(self) -> dict[str, str]:
        """Return where the stem, the last feature map and the head are."""
        return {"stem": "layers.0", "features": "layers", "head": "head"}
