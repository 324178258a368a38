"""AlexNet (Krizhevsky, Sutskever & Hinton 2012): in two columns, as on two GPUs, and in one (arXiv:1404.5997)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, model_validator
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.errors import ConfigError
from netsmith.core.roles import ModelConfig, Renaming
from netsmith.core.spec import InputKind
from netsmith.layers.hidden import hidden_layers
from netsmith.layers.initialization import he_initialize
from netsmith.layers.response_norm import response_norm

__all__ = ["AlexNet"]

SIZES = {
    "alexnet": {"columns": 2, "channels": [96, 256, 384, 384, 256], "response_norm": True},
    "alexnet_ungrouped": {"columns": 1, "channels": [96, 256, 384, 384, 256], "response_norm": True},
    "alexnet_one_column": {
        "columns": 1,
        "channels": [64, 192, 384, 256, 256],
        "response_norm": False,
        "padding": 2,
        "image_size": 224,
    },
}

_TORCHVISION: Renaming = (
    *((rf"^features\.{number}\.", f"layers.conv{at}.") for at, number in enumerate((0, 3, 6, 8, 10), start=1)),
    (r"^classifier\.6\.", "head."),
    (r"^classifier\.1\.", "classifier.linear1."),
    (r"^classifier\.4\.", "classifier.linear2."),
)


class AlexNet(nn.Module):
    """Five convolutions, overlapping max-pools and three linear layers: what won ImageNet in 2012 (Fig. 2).

    In two columns (``alexnet``) the second, fourth and fifth convolutions see the maps of their own half, as on two
    GPUs; maps are 227-55-27-27-13-13-13-13-6 pixels wide, and the first two are normalized across channels
    (:func:`~netsmith.layers.response_norm.response_norm`). 60,965,224 parameters at 1,000 classes; 62,378,344 if every
    convolution sees all maps (``alexnet_ungrouped``). ``alexnet_one_column`` is the later form without normalization
    that public weights have: 61,100,840 at 224 pixels.

    Weights are drawn as in section 5: normal, of standard deviation 0.01, with biases of 1 in the second, fourth and
    fifth convolution and the hidden layers, else 0; ``initial="he"`` is surer at first for short trainings.

    Shapes:
        ``(B, in_channels, S, S)`` to ``(B, num_classes)`` with S = ``image_size``.

    Raises:
        ConfigError: The images are too small for the layers.
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            columns: Groups of the second, fourth and fifth convolution.
            channels: Of each convolution.
            hidden: Units of the two hidden linear layers.
            response_norm: Normalize the first two maps across channels.
            padding: Zeros around the image.
            initial: How weights are drawn: ``paper`` or ``he``.
            dropout: Share of the hidden units dropped in training.
            in_channels: Channels of an image.
            image_size: Height and width in pixels.
            num_classes: Number of classes.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image",)
        widths: ClassVar[tuple[str, ...]] = ("channels", "hidden")
        published: ClassVar[Mapping[str, int]] = {"in_channels": 3, "image_size": 227, "num_classes": 1000}

        columns: int = Field(default=2, ge=1)
        channels: tuple[int, int, int, int, int] = (96, 256, 384, 384, 256)
        hidden: int = Field(default=4096, ge=1)
        response_norm: bool = True
        padding: int = Field(default=0, ge=0)
        initial: Literal["paper", "he"] = "paper"
        dropout: float = Field(default=0.5, ge=0, lt=1)
        in_channels: int | Auto = AUTO
        image_size: int | Auto = AUTO
        num_classes: int | Auto = AUTO

        def public_names(self) -> Mapping[str, Renaming]:
            """Return the names of torchvision, which has one column."""
            return {"torchvision": _TORCHVISION} if self.columns == 1 else {}

        def _times(self, name: str, value: int, factor: float) -> int:
            """Keep channels a multiple of the columns."""
            if name == "channels":
                return self.columns * max(1, round(value * factor / self.columns))
            return super()._times(name, value, factor)

        @model_validator(mode="after")
        def _check(self) -> AlexNet.Config:
            if min(self.channels) < 1 or any(channels % self.columns for channels in self.channels):
                raise ValueError(f"channels must be positive multiples of columns={self.columns}, got {self.channels}")
            return self

    def __init__(self, config: AlexNet.Config) -> None:
        super().__init__()
        size = _last_map(config)
        if size < 1:
            raise ConfigError(
                f"AlexNet.Config.image_size: {config.image_size} pixels leave nothing after three pools; expected at "
                f"least {67 - 2 * config.padding}"
            )
        first, second, third, fourth, fifth = config.channels
        columns = config.columns
        layers = OrderedDict[str, nn.Module]()
        layers["conv1"] = nn.Conv2d(config.in_channels, first, 11, stride=4, padding=config.padding)
        layers |= _activated(1, config) | {"pool1": nn.MaxPool2d(3, 2)}
        layers["conv2"] = nn.Conv2d(first, second, 5, padding=2, groups=columns)
        layers |= _activated(2, config) | {"pool2": nn.MaxPool2d(3, 2)}
        layers |= {"conv3": nn.Conv2d(second, third, 3, padding=1), "relu3": nn.ReLU()}
        layers |= {"conv4": nn.Conv2d(third, fourth, 3, padding=1, groups=columns), "relu4": nn.ReLU()}
        layers |= {"conv5": nn.Conv2d(fourth, fifth, 3, padding=1, groups=columns), "relu5": nn.ReLU()}
        layers["pool5"] = nn.MaxPool2d(3, 2)
        self.layers = nn.Sequential(layers)
        self.classifier = hidden_layers(fifth * size * size, config.hidden, dropout=config.dropout)
        self.head = nn.Linear(config.hidden, config.num_classes)
        _initialize(self, config)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        return self.head(self.classifier(self.layers(images)))

    def landmarks(self) -> dict[str, str]:
        """Return where the stem, the last feature map and the head are."""
        return {"stem": "layers.conv1", "features": "layers.relu5", "head": "head"}


def _activated(place: int, config: AlexNet.Config) -> OrderedDict[str, nn.Module]:
    """Return ReLU and, if asked for, the normalization behind it."""
    layers = OrderedDict[str, nn.Module]({f"relu{place}": nn.ReLU()})
    if config.response_norm:
        layers[f"norm{place}"] = response_norm()
    return layers


def _last_map(config: AlexNet.Config) -> int:
    """Return the height and width of the last map."""
    size = (int(config.image_size) + 2 * config.padding - 11) // 4 + 1
    for _ in range(3):
        size = (size - 3) // 2 + 1
    return size


def _initialize(model: AlexNet, config: AlexNet.Config) -> None:
    if config.initial == "he":
        he_initialize(model)
        return
    ones = ("layers.conv2", "layers.conv4", "layers.conv5", "classifier.linear1", "classifier.linear2")
    for name, layer in model.named_modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.normal_(layer.weight, std=0.01)
            assert layer.bias is not None
            nn.init.constant_(layer.bias, 1.0 if name in ones else 0.0)
