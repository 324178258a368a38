"""The context module of dilated convolutions (Yu & Koltun 2016, arXiv:1511.07122), behind a small front end."""

from __future__ import annotations

from collections import OrderedDict
from typing import ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.branches import conv_unit
from netsmith.layers.initialization import he_initialize

__all__ = ["ContextModule", "ContextNet"]

_DILATIONS = (1, 1, 2, 4, 8, 16, 1)
_LARGE = (2, 2, 4, 8, 16, 32, 32)


class ContextModule(nn.Module):
    r"""Seven dilated 3 x 3 convolutions and one of 1 x 1: each pixel sees 67 x 67, and the map keeps its size.

    Dilations are 1, 1, 2, 4, 8, 16, 1 and receptive fields 3, 5, 9, 17, 33, 65, 67, 67 pixels wide (Table 1). A ReLU
    follows all but the last convolution. In the ``basic`` form each has C channels, 64 C^2 weights in all; in the
    ``large`` one 2C, 2C, 4C, 8C, 16C, 32C, 32C and C.

    At first each convolution hands on what comes in, so that the module does not harm a network it is put into
    (section 3). For the basic form

    .. math:: k^b(t, a) = 1_{[t = 0]}\, 1_{[a = b]}

    (Eq. 4), so the module **is** the identity on maps that are not negative. For the large form (Eq. 5), with channels
    c_i that come in and c_{i+1} that go out,

    .. math:: k^b(t, a) = C / c_{i+1} \text{ where } t = 0 \text{ and } \lfloor aC/c_i \rfloor = \lfloor bC/c_{i+1}
              \rfloor, \quad \varepsilon \sim \mathcal N(0, \sigma^2) \text{ elsewhere}

    so that channels which copy one differ; with sigma = 0 it is the identity too.

    Args:
        channels: C, of the maps that come in and go out.
        form: Which column of Table 1.
        sigma: Deviation of the large form's noise; the paper asks for much less than C / c_{i+1}, at least 1/32.

    Shapes:
        ``(B, C, H, W)`` to the same. Zeros pad the borders.

    Example:
        >>> x = torch.rand(1, 4, 8, 8)
        >>> torch.equal(ContextModule(4)(x), x)
        True
    """

    def __init__(self, channels: int, *, form: Literal["basic", "large"] = "basic", sigma: float = 1e-3) -> None:
        super().__init__()
        factors = _LARGE if form == "large" else (1,) * len(_DILATIONS)
        layers, width = OrderedDict[str, nn.Module](), channels
        for at, (dilation, factor) in enumerate(zip(_DILATIONS, factors, strict=True), start=1):
            layers[f"conv{at}"] = nn.Conv2d(width, factor * channels, 3, padding=dilation, dilation=dilation)
            layers[f"relu{at}"] = nn.ReLU()
            width = factor * channels
        layers["conv8"] = nn.Conv2d(width, channels, 1)
        self.layers = nn.Sequential(layers)
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                _hand_on(layer, channels, sigma if form == "large" else 0.0)

    def forward(self, maps: Tensor) -> Tensor:
        """Return the maps with what lies around each pixel."""
        return self.layers(maps)


@torch.no_grad()
def _hand_on(layer: nn.Conv2d, channels: int, sigma: float) -> None:
    """Draw a convolution by Eq. 5, which is Eq. 4 where all channels are C and sigma is 0."""
    nn.init.zeros_(layer.bias)
    if sigma:
        nn.init.normal_(layer.weight, std=sigma)
    else:
        nn.init.zeros_(layer.weight)
    given, made = torch.arange(layer.in_channels), torch.arange(layer.out_channels)
    same = (given * channels // layer.in_channels)[None] == (made * channels // layer.out_channels)[:, None]
    middle = layer.weight[:, :, layer.kernel_size[0] // 2, layer.kernel_size[1] // 2]
    middle[same] = channels / layer.out_channels  # Eq. 5


class ContextNet(nn.Module):
    """Classify images by features that have seen 67 x 67 pixels of context at full resolution.

    A front end (a 3 x 3 convolution and ReLU for each entry of ``front``, 2 x 2 max-pools between), the
    :class:`ContextModule`, global average pooling and a linear layer. At first it answers as it would without the
    module. :meth:`dense` gives the paper's form, logits for each pixel of the map.

    Deviations: the paper puts the module behind a VGG-16 whose score maps have one channel for each class, and trains
    on labeled pixels; here a small front end hands features to it, images have one label, and borders are padded with
    zeros (the paper's front end takes reflected ones). The front end and the head are drawn by
    :func:`~netsmith.layers.initialization.he_initialize`.

    Shapes:
        ``(B, in_channels, H, W)`` to ``(B, num_classes)``; H and W at least ``2 ** (len(front) - 1)``.
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            front: Channels of the front end's convolutions; the last is the C of the module.
            form: ``basic`` or ``large`` (Table 1).
            sigma: See :class:`ContextModule`.
            in_channels: Channels of an image.
            num_classes: Number of classes.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image",)
        widths: ClassVar[tuple[str, ...]] = ("front",)
        depths: ClassVar[tuple[str, ...]] = ()

        front: tuple[int, ...] = (32, 32)
        form: Literal["basic", "large"] = "basic"
        sigma: float = Field(default=1e-3, ge=0)
        in_channels: int | Auto = AUTO
        num_classes: int | Auto = AUTO

        @model_validator(mode="after")
        def _check(self) -> ContextNet.Config:
            if not self.front or min(self.front) < 1:
                raise ValueError("front needs at least one convolution, all of positive width")
            if self.form == "basic" and self.sigma != 1e-3:
                raise ValueError(f"sigma={self.sigma:g} is the noise of the large form; leave it out")
            return self

    def __init__(self, config: ContextNet.Config) -> None:
        super().__init__()
        layers, width = OrderedDict[str, nn.Module](), int(config.in_channels)
        for at, channels in enumerate(config.front, start=1):
            if at > 1:
                layers[f"pool{at - 1}"] = nn.MaxPool2d(2)
            layers[f"unit{at}"] = conv_unit(width, channels, 3, batch_norm=False)
            width = channels
        self.front = nn.Sequential(layers)
        he_initialize(self.front)
        self.context = ContextModule(width, form=config.form, sigma=config.sigma)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.head = nn.Linear(width, config.num_classes)
        he_initialize(self.head)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        return self.head(self.flatten(self.pool(self.context(self.front(images)))))

    def dense(self, images: Tensor) -> Tensor:
        """Return logits for each pixel of the map, ``(B, num_classes, h, w)``; their mean is :meth:`forward`."""
        return self.head(self.context(self.front(images)).movedim(1, -1)).movedim(-1, 1)

    def landmarks(self) -> dict[str, str]:
        """Return where the front end, the last feature map and the head are."""
        return {"stem": "front", "features": "context", "head": "head"}
