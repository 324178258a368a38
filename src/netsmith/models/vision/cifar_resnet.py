"""The residual networks for small images (He et al. 2016, arXiv:1512.03385, section 4.2)."""

from __future__ import annotations

from collections import OrderedDict
from typing import ClassVar

from pydantic import Field, model_validator
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto, later
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.initialization import he_initialize
from netsmith.layers.shortcut import PadShortcut
from netsmith.layers.stochastic_depth import StochasticDepth, survivals

__all__ = ["CifarResNet"]

SIZES = {
    "resnet20": {"depth": 20},
    "resnet32": {"depth": 32},
    "resnet44": {"depth": 44},
    "resnet56": {"depth": 56},
    "resnet110": {"depth": 110},
    "plain20": {"depth": 20, "residual": False},
    "plain32": {"depth": 32, "residual": False},
    "plain44": {"depth": 44, "residual": False},
    "plain56": {"depth": 56, "residual": False},
}


class _Block(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut: ``relu(F(x) + shortcut(x))`` (Eq. 1, Fig. 2); plain: ``relu(F(x))``."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: int, residual: bool, survival: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(out_channels)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)
        same = stride == 1 and in_channels == out_channels
        if residual:
            self.shortcut = nn.Identity() if same else PadShortcut(in_channels, out_channels, stride=stride)
        self.residual = residual
        self.relu2 = nn.ReLU()
        self.depth = StochasticDepth(survival) if survival < 1 else None

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        y = self._branch(x) if self.depth is None else self.depth(x, self._branch)
        return self.relu2(y + self.shortcut(x) if self.residual else y)  # Eq. 1

    def _branch(self, x: Tensor) -> Tensor:
        return self.norm2(self.conv2(self.relu1(self.norm1(self.conv1(x)))))  # F(x)


class CifarResNet(nn.Module):
    """A narrow, deep residual network for images of about 32 x 32 pixels; any other size works too.

    A 3 x 3 stem, three stages of ``n = (depth - 2) / 6`` blocks with 16, 32 and 64 channels (the second and third begin
    with stride 2), global average pooling, one linear layer. Shortcuts are all identities (option A). With three
    channels and ten classes: 269,722 parameters at depth 20, 464,154 at 32, 658,586 at 44, 853,018 at 56 and 1,727,962
    at 110. ``residual=False`` leaves the shortcuts out: the plain network of Fig. 6, with as many parameters, whose
    training error rises with its depth. ``stochastic_depth`` skips residual branches in training, the deeper the more
    often (Huang et al. 2016, arXiv:1603.09382; 0.5 there).

    Weights are drawn by :func:`~netsmith.layers.initialization.he_initialize`, the paper's reference [13].

    Shapes:
        ``(B, in_channels, H, W)`` to ``(B, num_classes)``.
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            depth: Number of layers with weights: ``6 n + 2``.
            width: Channels of the first stage; the second has twice, the third four times as many.
            residual: Add the shortcuts.
            stochastic_depth: How likely the last residual branch is skipped in training; the others less, linearly.
            in_channels: Channels of an image.
            num_classes: Number of classes.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image",)
        widths: ClassVar[tuple[str, ...]] = ("width",)
        depths: ClassVar[tuple[str, ...]] = ("depth",)

        depth: int = Field(default=20, ge=8)
        width: int = Field(default=16, ge=1)
        residual: bool = later(True)
        stochastic_depth: float = later(0.0, ge=0, lt=1)
        in_channels: int | Auto = AUTO
        num_classes: int | Auto = AUTO

        def _times(self, name: str, value: int, factor: float) -> int:
            """Scale the number of blocks of a stage, not of layers."""
            if name == "depth":
                return 6 * max(1, round((value - 2) / 6 * factor)) + 2
            return super()._times(name, value, factor)

        @model_validator(mode="after")
        def _check(self) -> CifarResNet.Config:
            if (self.depth - 2) % 6:
                below = self.depth - (self.depth - 2) % 6
                raise ValueError(f"depth must be 6 n + 2, got {self.depth}; the nearest are {below} and {below + 6}")
            if self.stochastic_depth and not self.residual:
                raise ValueError("stochastic_depth skips residual branches; it needs residual=true")
            return self

    def __init__(self, config: CifarResNet.Config) -> None:
        super().__init__()
        width, blocks, residual = config.width, (config.depth - 2) // 6, config.residual
        survive = survivals(3 * blocks, config.stochastic_depth)
        self.stem = nn.Sequential(
            OrderedDict(
                conv=nn.Conv2d(config.in_channels, width, 3, padding=1, bias=False),
                norm=nn.BatchNorm2d(width),
                relu=nn.ReLU(),
            )
        )
        self.stages = nn.Sequential(
            _stage(width, width, survive[:blocks], stride=1, residual=residual),  # (B, 16, 32, 32) for 32 x 32 images
            _stage(width, 2 * width, survive[blocks:-blocks], stride=2, residual=residual),  # (B, 32, 16, 16)
            _stage(2 * width, 4 * width, survive[-blocks:], stride=2, residual=residual),  # (B, 64, 8, 8)
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.head = nn.Linear(4 * width, config.num_classes)
        he_initialize(self)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        return self.head(self.flatten(self.pool(self.stages(self.stem(images)))))

    def landmarks(self) -> dict[str, str]:
        """Return where the stem, the last feature map and the head are."""
        return {"stem": "stem", "features": "stages.2", "head": "head"}


def _stage(
    in_channels: int, out_channels: int, survive: tuple[float, ...], *, stride: int, residual: bool
) -> nn.Sequential:
    strides = [stride] + [1] * (len(survive) - 1)
    widths = [in_channels] + [out_channels] * (len(survive) - 1)
    return nn.Sequential(
        *(
            _Block(width, out_channels, stride=s, residual=residual, survival=p)
            for width, s, p in zip(widths, strides, survive, strict=True)
        )
    )
