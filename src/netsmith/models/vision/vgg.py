"""VGG (Simonyan & Zisserman 2015, arXiv:1409.1556)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field, model_validator
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.errors import ConfigError
from netsmith.core.roles import ModelConfig, Renaming
from netsmith.core.spec import InputKind
from netsmith.layers.hidden import hidden_layers
from netsmith.layers.initialization import he_initialize

__all__ = ["VGG"]

SIZES = {
    "vgg11": {"layers": [1, 1, 2, 2, 2]},
    "vgg13": {"layers": [2, 2, 2, 2, 2]},
    "vgg16": {"layers": [2, 2, 3, 3, 3]},
    "vgg16_c": {"layers": [2, 2, 3, 3, 3], "pointwise": True},
    "vgg19": {"layers": [2, 2, 4, 4, 4]},
    "vgg11_bn": {"layers": [1, 1, 2, 2, 2], "batch_norm": True},
    "vgg13_bn": {"layers": [2, 2, 2, 2, 2], "batch_norm": True},
    "vgg16_bn": {"layers": [2, 2, 3, 3, 3], "batch_norm": True},
    "vgg19_bn": {"layers": [2, 2, 4, 4, 4], "batch_norm": True},
}


class VGG(nn.Module):
    """Stages of 3 x 3 convolutions with 2 x 2 max-pools between, and three linear layers (Table 1).

    A stack of three 3 x 3 convolutions sees what one of 7 x 7 sees, with 27 C^2 weights in place of 49 C^2 (section
    2.3). Configurations A, B, C, D and E are ``vgg11``, ``vgg13``, ``vgg16_c``, ``vgg16`` and ``vgg19``: 132,863,336,
    133,047,848, 133,638,952, 138,357,544 and 143,667,240 parameters at 224 x 224 pixels and 1,000 classes.

    Weights are drawn by :func:`~netsmith.layers.initialization.he_initialize`; the paper starts from a shallower
    network that was trained before, and names Glorot's rule as the way without.

    Shapes:
        ``(B, in_channels, S, S)`` to ``(B, num_classes)`` with S = ``image_size``, at least ``2 ** len(channels)``.

    Raises:
        ConfigError: The images are too small for the pools.
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            layers: Convolutions in each stage.
            channels: Channels of each stage.
            hidden: Units of the two hidden linear layers.
            pointwise: The last convolution of the third stage and of those behind it is 1 x 1 (configuration C).
            batch_norm: Batch normalization after each convolution (not in the paper); its bias stays, as in the
                weights that are public.
            dropout: Share of the hidden units dropped in training.
            in_channels: Channels of an image.
            image_size: Height and width in pixels.
            num_classes: Number of classes.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image",)
        widths: ClassVar[tuple[str, ...]] = ("channels", "hidden")
        depths: ClassVar[tuple[str, ...]] = ("layers",)
        per_stage: ClassVar[tuple[str, ...]] = ("layers",)
        published: ClassVar[Mapping[str, int]] = {"in_channels": 3, "image_size": 224, "num_classes": 1000}

        layers: tuple[int, ...] = (2, 2, 3, 3, 3)
        channels: tuple[int, ...] = (64, 128, 256, 512, 512)
        hidden: int = Field(default=4096, ge=1)
        pointwise: bool = False
        batch_norm: bool = False
        dropout: float = Field(default=0.5, ge=0, lt=1)
        in_channels: int | Auto = AUTO
        image_size: int | Auto = AUTO
        num_classes: int | Auto = AUTO

        def public_names(self) -> Mapping[str, Renaming]:
            """Return the names of torchvision, which numbers every layer and pool."""
            rules, number = [(r"^classifier\.6\.", "head.")], 0
            for stage, layers in enumerate(self.layers):
                for at in range(1, layers + 1):
                    rules.append((rf"^features\.{number}\.", f"stages.{stage}.conv{at}."))
                    if self.batch_norm:
                        rules.append((rf"^features\.{number + 1}\.", f"stages.{stage}.norm{at}."))
                    number += 3 if self.batch_norm else 2
                number += 1
            rules += [(r"^classifier\.0\.", "classifier.linear1."), (r"^classifier\.3\.", "classifier.linear2.")]
            return {"torchvision": tuple(rules)}

        @model_validator(mode="after")
        def _check(self) -> VGG.Config:
            if len(self.layers) != len(self.channels) or not self.layers:
                raise ValueError(
                    f"layers and channels need one entry for each stage; they have {len(self.layers)} and "
                    f"{len(self.channels)}"
                )
            if min(*self.layers, *self.channels) < 1:
                raise ValueError("layers and channels must be positive")
            return self

    def __init__(self, config: VGG.Config) -> None:
        super().__init__()
        size = int(config.image_size) // 2 ** len(config.channels)
        if not size:
            raise ConfigError(
                f"VGG.Config.image_size: expected at least {2 ** len(config.channels)} for {len(config.channels)} "
                f"pools, got {config.image_size}; use fewer stages"
            )
        width = int(config.in_channels)
        stages = []
        for place, (layers, channels) in enumerate(zip(config.layers, config.channels, strict=True)):
            stage = OrderedDict[str, nn.Module]()
            for at in range(1, layers + 1):
                kernel = 1 if config.pointwise and place >= 2 and at == layers else 3
                stage[f"conv{at}"] = nn.Conv2d(width, channels, kernel, padding=kernel // 2)
                if config.batch_norm:
                    stage[f"norm{at}"] = nn.BatchNorm2d(channels)
                stage[f"relu{at}"] = nn.ReLU()
                width = channels
            stage["pool"] = nn.MaxPool2d(2)
            stages.append(nn.Sequential(stage))
        self.stages = nn.Sequential(*stages)
        self.classifier = hidden_layers(width * size * size, config.hidden, dropout=config.dropout)
        self.head = nn.Linear(config.hidden, config.num_classes)
        he_initialize(self)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        return self.head(self.classifier(self.stages(images)))

    def landmarks(self) -> dict[str, str]:
        """Return where the stem, the last feature map and the head are."""
        last = len(self.stages) - 1
        relu = [name for name, _ in self.stages[last].named_children() if name.startswith("relu")][-1]
        return {"stem": "stages.0.conv1", "features": f"stages.{last}.{relu}", "head": "head"}
