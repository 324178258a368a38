"""A spatial transformer before a small convolutional network (Jaderberg et al. 2015, arXiv:1506.02025)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.errors import ConfigError
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.initialization import he_initialize
from netsmith.layers.spatial_transformer import SpatialTransformer, Transformation

__all__ = ["SpatialTransformerNet"]

_Width = Annotated[int, Field(ge=1)]
_LEAST = {True: 28, False: 24}
"""The smallest images whose maps last, with the transformer and without."""


class SpatialTransformerNet(nn.Module):
    """ST-CNN for distorted digits: a spatial transformer moves the image, a network of two convolutions reads it.

    The classifier: a 9 x 9 convolution, a 7 x 7 one, each with ReLU and a 2 x 2 max-pool, and a linear layer. The
    localization network: twice a 2 x 2 max-pool and a 5 x 5 convolution with ReLU. No convolution pads. Nothing tells
    the transformer where the digit is: it learns from the classifier's loss alone.

    Weights are drawn by :func:`~netsmith.layers.initialization.he_initialize`, but for the layer that regresses theta
    (see :class:`~netsmith.layers.spatial_transformer.SpatialTransformer`) and the convolution before it, whose weights
    are divided by the root of the number of features. Deviations: thin plate splines and
    projective transformations are left out.

    Shapes:
        ``(B, in_channels, S, S)`` to ``(B, num_classes)`` with S = ``image_size``, at least 28, without the transformer
        24.

    Raises:
        ConfigError: The images are too small for the pools.

    Example:
        >>> import torch
        >>> network = SpatialTransformerNet.Config(in_channels=1, image_size=42, num_classes=10).build()
        >>> network.transformer(torch.zeros(2, 1, 42, 42)).shape
        torch.Size([2, 1, 42, 42])
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            transformer: A spatial transformer before the classifier; else the same classifier alone (the control).
            transformation: What it may do: ``affine``, or ``attention``, a scale and a translation.
            channels: Channels of the classifier's two convolutions.
            localization_channels: Channels of the localization network's two convolutions.
            localization_rate: Factor on the gradient of theta: the localization network learns more slowly, or it turns
                away from the digit before the classifier can read one.
            in_channels: Channels of an image.
            image_size: Height and width in pixels.
            num_classes: Number of classes.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image",)
        widths: ClassVar[tuple[str, ...]] = ("channels", "localization_channels")
        published: ClassVar[Mapping[str, int]] = {"in_channels": 1, "image_size": 42, "num_classes": 10}

        transformer: bool = True
        transformation: Transformation = "affine"
        channels: tuple[_Width, _Width] = (32, 32)
        localization_channels: tuple[_Width, _Width] = (20, 20)
        localization_rate: float = Field(default=0.1, gt=0, le=1)
        in_channels: int | Auto = AUTO
        image_size: int | Auto = AUTO
        num_classes: int | Auto = AUTO

        @model_validator(mode="after")
        def _check(self) -> SpatialTransformerNet.Config:
            for name in ("transformation", "localization_channels", "localization_rate"):
                value = getattr(self, name)
                if not self.transformer and value != type(self).model_fields[name].default:
                    raise ValueError(f"{name}={value!r} applies to transformer=True only; leave it out")
            return self

        def _scaled_field(self, name: str, factor: float, *, by_length: bool) -> Any:
            if name == "localization_channels" and not self.transformer:  # there is none to scale
                return self.localization_channels
            return super()._scaled_field(name, factor, by_length=by_length)

    def __init__(self, config: SpatialTransformerNet.Config) -> None:
        super().__init__()
        size, least = int(config.image_size), _LEAST[config.transformer]
        if size < least:
            other = "; transformer=False takes 24" if config.transformer and size >= _LEAST[False] else ""
            raise ConfigError(
                f"SpatialTransformerNet.Config.image_size: expected at least {least}, got {size}; enlarge the images"
                f"{other}"
            )
        channels = int(config.in_channels)
        first, second = config.channels
        self.features = nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(channels, first, 9),
                relu1=nn.ReLU(),
                pool1=nn.MaxPool2d(2),
                conv2=nn.Conv2d(first, second, 7),
                relu2=nn.ReLU(),
                pool2=nn.MaxPool2d(2),
            )
        )
        self.flatten = nn.Flatten()
        side = ((size - 8) // 2 - 6) // 2  # 5 at 42
        self.head = nn.Linear(second * side * side, config.num_classes)
        self.transformer: nn.Module = nn.Identity()
        he_initialize(self)
        if config.transformer:
            localization, features = _localization(config)
            he_initialize(localization)
            with torch.no_grad():  # features of norm 1 or so: with larger ones the first steps throw theta far away
                localization.get_submodule("conv2").weight.mul_(features**-0.5)
            self.transformer = SpatialTransformer(
                localization, features, transformation=config.transformation, rate=config.localization_rate
            )

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        return self.head(self.flatten(self.features(self.transformer(images))))

    def landmarks(self) -> dict[str, str]:
        """Return where the inputs enter, and where the stem, the last feature map and the head are."""
        entry = {} if isinstance(self.transformer, nn.Identity) else {"entry": "transformer"}
        return {**entry, "stem": "features.conv1", "features": "features.relu2", "head": "head"}


def _localization(config: SpatialTransformerNet.Config) -> tuple[nn.Sequential, int]:
    first, second = config.localization_channels
    layers = OrderedDict[str, nn.Module](
        pool1=nn.MaxPool2d(2),
        conv1=nn.Conv2d(int(config.in_channels), first, 5),
        relu1=nn.ReLU(),
        pool2=nn.MaxPool2d(2),
        conv2=nn.Conv2d(first, second, 5),
        relu2=nn.ReLU(),
        flatten=nn.Flatten(),
    )
    side = (int(config.image_size) // 2 - 4) // 2 - 4  # 4 at 42
    return nn.Sequential(layers), second * side * side
