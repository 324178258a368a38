"""VGG (Simonyan & Zisserman 2015, arXiv:1409.1556)."""

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

__all__ = ["VGG"]

SIZES = {
    "vgg11": {"depths": [1, 1, 2, 2, 2]},
    "vgg13": {"depths": [2, 2, 2, 2, 2]},
    "vgg16": {"depths": [2, 2, 3, 3, 3]},
    "vgg16_c": {"depths": [2, 2, 3, 3, 3], "pointwise": True},
    "vgg19": {"depths": [2, 2, 4, 4, 4]},
    "vgg11_bn": {"depths": [1, 1, 2, 2, 2], "batch_norm": True},
    "vgg13_bn": {"depths": [2, 2, 2, 2, 2], "batch_norm": True},
    "vgg16_bn": {"depths": [2, 2, 3, 3, 3], "batch_norm": True},
    "vgg19_bn": {"depths": [2, 2, 4, 4, 4], "batch_norm": True},
}


class VGG(nn.Module):
    """Stages of 3 x 3 convolutions with 2 x 2 max-pools between, and three linear layers (Table 1).

    A stack of three 3 x 3 convolutions sees what one of 7 x 7 sees, with 27 C^2 weights in place of 49 C^2 (section
    2.3). Configurations A, B, C, D and E are ``vgg11``, ``vgg13``, ``vgg16_c``, ``vgg16`` and ``vgg19``: 132,863,336,
    133,047,848, 133,638,952, 138,357,544 and 143,667,240 parameters at 224 x 224 pixels and 1,000 classes.

    Weights are drawn by :func:`~netsmith.layers.initialization.he_initialize`; the paper starts from a shallower
    network that was trained before, and names Glorot's rule as the way without.

    Shapes:
        ``(B, in_channels, S, S)`` to ``(B, num_classes)`` with S = ``image_size``, at least ``2 ** len(depths)``.

    Raises:
        ConfigError: The images are too small for the pools.
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            depths: Convolutions in each stage.
            channels: Channels of each stage.
            hidden: Units of the two hidden linear layers.
            pointwise: The last convolution of the third stage and of those behind it is 1 x 1 (configuration C).
            batch_norm: Batch normalization after each convolution, which then has no bias (not in the paper).
            dropout: Share of the hidden units dropped in training.
            in_channels: Channels of an image.
            image_size: Height and width in pixels.
            num_classes: Number of classes.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image",)
        widths: ClassVar[tuple[str, ...]] = ("channels", "hidden")
        depths_: ClassVar[tuple[str, ...]] = ()
        published: ClassVar[Mapping[str, int]] = {"in_channels": 3, "image_size": 224, "num_classes": 1000}
