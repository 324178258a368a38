"""LeNet-5 in its modern form (after LeCun et al. 1998, "Gradient-based learning applied to document recognition")."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.errors import ConfigError
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.initialization import he_initialize

__all__ = ["LeNet5"]

_PADDING = {28: 2, 32: 0}


class LeNet5(nn.Module):
    """Two 5 x 5 convolutions with pooling and three linear layers: the first network to try on handwritten digits.

    The form most courses teach, with 61,706 parameters at one channel and ten classes:
    156 + 2,416 + 48,120 + 10,164 + 850. The layers are the paper's C1, S2, C3, S4, C5, F6 and output.

    Deviations from the 1998 network (60,000 parameters): C3 sees all six maps (the paper: a table of connections), the
    subsampling has no weights, the output is a linear layer (the paper: Euclidean radial basis functions), the default
    is ReLU and max-pooling (``activation="tanh", pooling="average"`` is nearer to the paper), and 28 x 28 images are
    padded by 2 in C1 rather than before it, which is the same.

    Weights are drawn by :func:`~netsmith.layers.initialization.he_initialize` (for tanh: LeCun's rule, g = 1).

    Shapes:
        ``(B, in_channels, S, S)`` to ``(B, num_classes)`` with S = 28 or 32.

    Raises:
        ConfigError: Images of another size.
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            in_channels: Channels of an image.
            image_size: Height and width in pixels: 28 or 32.
            num_classes: Number of classes.
            activation: After each layer but the last.
            pooling: How each 2 x 2 patch becomes one number.
            dropout: Share of the 120 and 84 hidden units dropped in training.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image",)
        published: ClassVar[Mapping[str, int]] = {"in_channels": 1, "image_size": 28, "num_classes": 10}

        in_channels: int | Auto = AUTO
        image_size: int | Auto = AUTO
        num_classes: int | Auto = AUTO
        activation: Literal["relu", "tanh"] = "relu"
        pooling: Literal["max", "average"] = "max"
        dropout: float = Field(default=0.0, ge=0, lt=1)

    def __init__(self, config: LeNet5.Config) -> None:
        super().__init__()
        if config.image_size not in _PADDING:
            raise ConfigError(
                f"LeNet5.Config.image_size: expected 28 or 32, got {config.image_size}; "
                "resize the images, or use small_cnn, which takes any size"
            )
        activation = nn.ReLU if config.activation == "relu" else nn.Tanh
        pooling = nn.MaxPool2d if config.pooling == "max" else nn.AvgPool2d
        self.features = nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(config.in_channels, 6, 5, padding=_PADDING[config.image_size]),  # C1: (B, 6, 28, 28)
                activation1=activation(),
                pool1=pooling(2),  # S2: (B, 6, 14, 14)
                conv2=nn.Conv2d(6, 16, 5),  # C3: (B, 16, 10, 10)
                activation2=activation(),
                pool2=pooling(2),  # S4: (B, 16, 5, 5)
            )
        )
        self.classifier = nn.Sequential(
            OrderedDict(
                flatten=nn.Flatten(),
                linear1=nn.Linear(16 * 5 * 5, 120),  # C5
                activation1=activation(),
                dropout1=nn.Dropout(config.dropout),
                linear2=nn.Linear(120, 84),  # F6
                activation2=activation(),
                dropout2=nn.Dropout(config.dropout),
            )
        )
        self.head = nn.Linear(84, config.num_classes)
        he_initialize(self, nonlinearity="relu" if config.activation == "relu" else "linear")

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        return self.head(self.classifier(self.features(images)))

    def landmarks(self) -> dict[str, str]:
        """Return where the stem, the last feature map and the head are."""
        return {"stem": "features.conv1", "features": "features.activation2", "head": "head"}
