"""ZFNet (Zeiler & Fergus 2014, arXiv:1311.2901)."""

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
from netsmith.layers.hidden import hidden_layers
from netsmith.layers.initialization import he_initialize
from netsmith.layers.response_norm import response_norm

__all__ = ["ZFNet"]

SIZES = {
    "zfnet": {"channels": [96, 256, 384, 384, 256]},
    "zfnet_wide": {"channels": [96, 256, 512, 1024, 512]},
}


class ZFNet(nn.Module):
    """AlexNet after a look inside: a first layer of 7 x 7 with stride 2 keeps what 11 x 11 with stride 4 lost (Fig. 3).

    Maps are 224-110-55-26-13-13-13-13-6 pixels wide; the first two are normalized across channels, as in AlexNet, and
    every convolution sees all maps. 62,357,608 parameters at 1,000 classes, 107,627,624 with 512, 1,024 and 512
    channels in the last three convolutions (Table 3). Deconvolution and occlusion, the paper's ways to look inside,
    are in ``explain/``.

    Deviations: weights are drawn by :func:`~netsmith.layers.initialization.he_initialize` (the paper: all at 0.01,
    filters renormalized to a root mean square of 0.1).

    Shapes:
        ``(B, in_channels, S, S)`` to ``(B, num_classes)`` with S = ``image_size``.

    Raises:
        ConfigError: The images are too small for the layers.
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            channels: Of each convolution.
            hidden: Units of the two hidden linear layers.
            dropout: Share of the hidden units dropped in training.
            in_channels: Channels of an image.
            image_size: Height and width in pixels.
            num_classes: Number of classes.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image",)
        widths: ClassVar[tuple[str, ...]] = ("channels", "hidden")
        published: ClassVar[Mapping[str, int]] = {"in_channels": 3, "image_size": 224, "num_classes": 1000}

        channels: tuple[int, int, int, int, int] = (96, 256, 384, 384, 256)
        hidden: int = Field(default=4096, ge=1)
        dropout: float = Field(default=0.5, ge=0, lt=1)
        in_channels: int | Auto = AUTO
        image_size: int | Auto = AUTO
        num_classes: int | Auto = AUTO

        @model_validator(mode="after")
        def _check(self) -> ZFNet.Config:
            if min(self.channels) < 1:
                raise ValueError(f"channels must be positive, got {self.channels}")
            return self

    def __init__(self, config: ZFNet.Config) -> None:
        super().__init__()
        size = _last_map(int(config.image_size))
        if size < 1:
            raise ConfigError(
                f"ZFNet.Config.image_size: {config.image_size} pixels leave nothing after three pools; expected at "
                "least 63"
            )
        first, second, third, fourth, fifth = config.channels
        layers = OrderedDict[str, nn.Module](conv1=nn.Conv2d(config.in_channels, first, 7, stride=2, padding=1))
        layers |= {"relu1": nn.ReLU(), "pool1": nn.MaxPool2d(3, 2, ceil_mode=True), "norm1": response_norm()}
        layers |= {"conv2": nn.Conv2d(first, second, 5, stride=2), "relu2": nn.ReLU()}
        layers |= {"pool2": nn.MaxPool2d(3, 2, ceil_mode=True), "norm2": response_norm()}
        layers |= {"conv3": nn.Conv2d(second, third, 3, padding=1), "relu3": nn.ReLU()}
        layers |= {"conv4": nn.Conv2d(third, fourth, 3, padding=1), "relu4": nn.ReLU()}
        layers |= {"conv5": nn.Conv2d(fourth, fifth, 3, padding=1), "relu5": nn.ReLU(), "pool5": nn.MaxPool2d(3, 2)}
        self.layers = nn.Sequential(layers)
        self.classifier = hidden_layers(fifth * size * size, config.hidden, dropout=config.dropout)
        self.head = nn.Linear(config.hidden, config.num_classes)
        he_initialize(self)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        return self.head(self.classifier(self.layers(images)))

    def landmarks(self) -> dict[str, str]:
        """Return where the stem, the last feature map and the head are."""
        return {"stem": "layers.conv1", "features": "layers.relu5", "head": "head"}


def _last_map(size: int) -> int:
    """Return the height and width of the last map."""
    size = (size + 2 - 7) // 2 + 1
    size = -(-(size - 3) // 2) + 1
    size = (size - 5) // 2 + 1
    size = -(-(size - 3) // 2) + 1
    return (size - 3) // 2 + 1
