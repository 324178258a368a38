"""Deep residual networks for ImageNet (He et al. 2016, arXiv:1512.03385), with pre-activation too (1603.05027)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, model_validator
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig, Renaming
from netsmith.core.spec import InputKind
from netsmith.layers.initialization import he_initialize

__all__ = ["ResNet"]

SIZES = {
    "resnet18": {"block": "basic", "layers": [2, 2, 2, 2]},
    "resnet34": {"block": "basic", "layers": [3, 4, 6, 3]},
    "resnet50": {"block": "bottleneck", "layers": [3, 4, 6, 3]},
    "resnet101": {"block": "bottleneck", "layers": [3, 4, 23, 3]},
    "resnet152": {"block": "bottleneck", "layers": [3, 8, 36, 3]},
    "plain18": {"block": "basic", "layers": [2, 2, 2, 2], "residual": False},
    "plain34": {"block": "basic", "layers": [3, 4, 6, 3], "residual": False},
    "preact_resnet18": {"block": "basic", "layers": [2, 2, 2, 2], "preactivation": True},
    "preact_resnet50": {"block": "bottleneck", "layers": [3, 4, 6, 3], "preactivation": True},
    "preact_resnet152": {"block": "bottleneck", "layers": [3, 8, 36, 3], "preactivation": True},
}

_EXPANSION = {"basic": 1, "bottleneck": 4}

_PUBLIC: Mapping[str, Renaming] = {
    "torchvision": (  # timm's are the same
        (r"^conv1\.", "stem.conv."),
        (r"^bn1\.", "stem.norm."),
        *((rf"^layer{stage + 1}\.", f"stages.{stage}.") for stage in range(4)),
        (r"\.conv(\d)\.", r".branch.conv\1."),
        (r"\.bn(\d)\.", r".branch.norm\1."),
        (r"\.downsample\.0\.", ".shortcut.conv."),
        (r"\.downsample\.1\.", ".shortcut.norm."),
        (r"^fc\.", "head."),
    ),
    "transformers": (
        (r"^resnet\.embedder\.embedder\.", "stem."),
        (r"^resnet\.encoder\.stages\.(\d+)\.layers\.", r"stages.\1."),
        (r"\.convolution\.", ".conv."),
        (r"\.normalization\.", ".norm."),
        *((rf"\.layer\.{at}\.(conv|norm)\.", rf".branch.\g<1>{at + 1}.") for at in range(3)),
        (r"^classifier\.1\.", "head."),
    ),
}


class _Block(nn.Module):
    """A residual function F beside a shortcut: two 3 x 3 convolutions, or 1 x 1, 3 x 3, 1 x 1 (Fig. 5).

    The stride is the 3 x 3 convolution's; the paper has it in the first 1 x 1.
    """

    def __init__(self, in_channels: int, width: int, *, stride: int, first: bool, config: ResNet.Config) -> None:
        super().__init__()
        out_channels = width * _EXPANSION[config.block]
        kernels = (3, 3) if config.block == "basic" else (1, 3, 1)
        widths = [in_channels, *[width] * (len(kernels) - 1), out_channels]
        strided = kernels.index(3)
        before, branch = OrderedDict[str, nn.Module](), OrderedDict[str, nn.Module]()
        for at, kernel in enumerate(kernels, start=1):
            inner, outer = widths[at - 1], widths[at]
            step = stride if at - 1 == strided else 1
            conv = nn.Conv2d(inner, outer, kernel, stride=step, padding=kernel // 2, bias=False)
            if config.preactivation:
                if at > 1 or not first:  # the stem has activated what comes into the first block
                    place = before if at == 1 else branch
                    place |= {f"norm{at}": nn.BatchNorm2d(inner), f"relu{at}": nn.ReLU()}
                branch[f"conv{at}"] = conv
            else:
                branch |= {f"conv{at}": conv, f"norm{at}": nn.BatchNorm2d(outer)}
                if at < len(kernels):
                    branch[f"relu{at}"] = nn.ReLU()
        self.before, self.branch = nn.Sequential(before), nn.Sequential(branch)
        same = stride == 1 and in_channels == out_channels
        self.residual = config.residual
        self.shortcut = None if same or not config.residual else _projection(in_channels, out_channels, stride, config)
        self.relu = nn.Identity() if config.preactivation else nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        activated = self.before(x)
        y = self.branch(activated)
        if self.residual:
            y = y + (x if self.shortcut is None else self.shortcut(activated))  # Eq. 1
        return self.relu(y)


def _projection(in_channels: int, out_channels: int, stride: int, config: ResNet.Config) -> nn.Module:
    """Return a shortcut where the shape changes: option B of section 3.3; its normalization goes with what follows."""
    conv = nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False)
    if config.preactivation:
        return nn.Sequential(OrderedDict(conv=conv))
    return nn.Sequential(OrderedDict(conv=conv, norm=nn.BatchNorm2d(out_channels)))


class ResNet(nn.Module):
    r"""A stem, four stages of residual blocks, global average pooling and one linear layer (Table 1).

    .. math:: y = F(x, \{W_i\}) + x \qquad \text{(Eq. 1)}

    Parameters at 1,000 classes: 11,689,512 (18 layers), 21,797,672 (34), 25,557,032 (50), 44,549,160 (101) and
    60,192,808 (152). ``residual=False`` is the plain network of the same depth. With ``preactivation`` normalization
    and ReLU stand before the convolutions, nothing stands behind the addition, and one more normalization and ReLU end
    the last stage (He et al. 2016, "Identity mappings in deep residual networks").

    Deviations: the stride of a bottleneck is in its 3 x 3 convolution (the paper: in its first 1 x 1), as in the
    weights of torchvision, timm and transformers. In pre-activation blocks whose shape changes both ways take what was
    activated, as in their authors' code.

    Weights are drawn by :func:`~netsmith.layers.initialization.he_initialize`, the paper's reference [13].

    Shapes:
        ``(B, in_channels, H, W)`` to ``(B, num_classes)``, images of any size; maps of H / 32 with the stem
        ``imagenet``, of H / 8 with ``small``.
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            block: Two 3 x 3 convolutions, or a bottleneck of 1 x 1, 3 x 3 and 1 x 1 that ends four times as wide.
            layers: Blocks in each stage.
            width: Channels of the first stage's 3 x 3 convolutions; each further stage has twice as many.
            stem: 7 x 7 with stride 2 and a max-pool, or one 3 x 3 for images of about 32 x 32.
            residual: Add the shortcuts.
            preactivation: Normalize and activate before each convolution.
            in_channels: Channels of an image.
            num_classes: Number of classes.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image",)
        widths: ClassVar[tuple[str, ...]] = ("width",)
        depths: ClassVar[tuple[str, ...]] = ("layers",)
        per_stage: ClassVar[tuple[str, ...]] = ("layers",)
        published: ClassVar[Mapping[str, int]] = {"in_channels": 3, "image_size": 224, "num_classes": 1000}
        block: Literal["basic", "bottleneck"] = "basic"
        layers: tuple[int, ...] = (2, 2, 2, 2)
        width: int = Field(default=64, ge=1)
        stem: Literal["imagenet", "small"] = "imagenet"
        residual: bool = True
        preactivation: bool = False
        in_channels: int | Auto = AUTO
        num_classes: int | Auto = AUTO

        def public_names(self) -> Mapping[str, Renaming]:
            """Return the names of torchvision (and timm) and of transformers; they have no pre-activation."""
            return {} if self.preactivation else _PUBLIC

        @model_validator(mode="after")
        def _check(self) -> ResNet.Config:
            if not self.layers or min(self.layers) < 1:
                raise ValueError(f"layers needs at least one stage, each of at least one block, got {self.layers}")
            return self

    def __init__(self, config: ResNet.Config) -> None:
        super().__init__()
        width = config.width
        self.stem = nn.Sequential(_stem(config))
        stages = []
        for place, blocks in enumerate(config.layers):
            inner = config.width * 2**place
            stage = []
            for at in range(blocks):
                stride, first = 2 if place and not at else 1, not place and not at
                stage.append(_Block(width, inner, stride=stride, first=first, config=config))
                width = inner * _EXPANSION[config.block]
            stages.append(nn.Sequential(*stage))
        self.stages = nn.Sequential(*stages)
        last = OrderedDict[str, nn.Module](norm=nn.BatchNorm2d(width), relu=nn.ReLU()) if config.preactivation else {}
        self.last = nn.Sequential(OrderedDict(last))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.head = nn.Linear(width, config.num_classes)
        he_initialize(self)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        return self.head(self.flatten(self.pool(self.last(self.stages(self.stem(images))))))

    def landmarks(self) -> dict[str, str]:
        """Return where the stem, the last feature map and the head are."""
        features = "last" if len(self.last) else f"stages.{len(self.stages) - 1}"
        return {"stem": "stem.conv", "features": features, "head": "head"}


def _stem(config: ResNet.Config) -> OrderedDict[str, nn.Module]:
    kernel, stride = (7, 2) if config.stem == "imagenet" else (3, 1)
    width = config.width
    conv = nn.Conv2d(config.in_channels, width, kernel, stride=stride, padding=kernel // 2, bias=False)
    layers = OrderedDict[str, nn.Module](conv=conv, norm=nn.BatchNorm2d(width), relu=nn.ReLU())
    if config.stem == "imagenet":
        layers["pool"] = nn.MaxPool2d(3, stride=2, padding=1)
    return layers
