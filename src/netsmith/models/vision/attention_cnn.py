"""A convolutional network written as multi-head self-attention (Cordonnier, Loukas & Jaggi 2020, arXiv:1911.03584)."""

from __future__ import annotations

from collections import OrderedDict
from typing import ClassVar, Self

from pydantic import Field, model_validator
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.errors import UnsupportedError
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.conv_attention import ConvAttention
from netsmith.layers.initialization import he_initialize
from netsmith.models.vision.small_cnn import SmallCNN

__all__ = ["AttentionCNN"]


class AttentionCNN(nn.Module):
    r"""A plain :class:`~netsmith.models.vision.small_cnn.SmallCNN` whose 3 x 3 convolutions are attention layers.

    Each layer has nine heads of :class:`~netsmith.layers.conv_attention.ConvAttention`, as many as a kernel has
    weights, of :math:`D_h = \min(D_{in}, D_{out})`: enough for any 3 x 3 convolution (Theorem 1).
    :meth:`from_convolutions` makes a trained CNN one, answer for answer. Drawn at random, it learns where each head
    looks and how sharply: nothing tells it that the pixels next to one matter most.

    Weights are drawn as in :class:`~netsmith.layers.conv_attention.ConvAttention` and, of the head, by
    :func:`~netsmith.layers.initialization.he_initialize`.

    Deviations: the paper's network for pictures has six layers of one width, residual, on patches of 2 x 2 pixels.

    Shapes:
        ``(B, in_channels, H, W)`` to ``(B, num_classes)``; H and W at least ``2 ** (len(channels) - 1)``.

    Example:
        >>> import torch
        >>> cnn = SmallCNN.Config(channels=(4, 8), normalization="none", in_channels=1, num_classes=3).build()
        >>> images = torch.randn(2, 1, 8, 8)
        >>> torch.allclose(AttentionCNN.from_convolutions(cnn)(images), cnn(images), atol=1e-5)
        True
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            channels: Channels of each stage; a 2 x 2 max-pool stands between two stages.
            depth: Attention layers in each stage.
            in_channels: Channels of an image.
            num_classes: Number of classes.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image",)
        widths: ClassVar[tuple[str, ...]] = ("channels",)
        depths: ClassVar[tuple[str, ...]] = ("depth",)

        channels: tuple[int, ...] = (16, 32)
        depth: int = Field(default=1, ge=1)
        in_channels: int | Auto = AUTO
        num_classes: int | Auto = AUTO

        @model_validator(mode="after")
        def _check(self) -> AttentionCNN.Config:
            if not self.channels or min(self.channels) < 1:
                raise ValueError("channels needs at least one stage, all positive")
            return self

    def __init__(self, config: AttentionCNN.Config) -> None:
        super().__init__()
        width = int(config.in_channels)
        stages: list[nn.Module] = []
        for number, channels in enumerate(config.channels):
            layers = OrderedDict[str, nn.Module]()
            if number:
                layers["pool"] = nn.MaxPool2d(2)
            for at in range(1, config.depth + 1):
                size = min(width, channels)
                layers[f"conv{at}"] = ConvAttention(width, channels, heads=9, head_channels=size, padding=(1, 1))
                layers[f"relu{at}"] = nn.ReLU()
                width = channels
            stages.append(nn.Sequential(layers))
        self.stages = nn.Sequential(*stages)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.head = nn.Linear(width, int(config.num_classes))
        he_initialize(self.head, nonlinearity="linear")

    @classmethod
    def from_convolutions(cls, cnn: SmallCNN) -> Self:
        """Return the network that computes what a CNN does.

        Args:
            cnn: Without normalization, shortcuts and dropout, its images padded.

        Raises:
            UnsupportedError: A CNN of another form.
        """
        convolutions = {name: layer for name, layer in cnn.named_modules() if isinstance(layer, nn.Conv2d)}
        stages = [
            [at for at in convolutions if at.startswith(f"stages.{number}.")] for number in range(len(cnn.stages))
        ]
        config = cls.Config(
            channels=tuple(convolutions[names[0]].out_channels for names in stages),
            depth=len(stages[0]),
            in_channels=convolutions[stages[0][0]].in_channels,
            num_classes=cnn.head.out_features,
        )
        network = cls(config).to(cnn.head.weight)
        known = {name for name, _ in network.named_modules()}
        foreign = [
            name for name, _ in cnn.named_modules() if name not in known and (name != "dropout" or cnn.dropout.p)
        ]
        if foreign:
            raise UnsupportedError(
                "expected a SmallCNN without normalization, shortcuts and dropout (normalization='none'), got one with "
                f"{foreign[0]}"
            )
        for name, layer in convolutions.items():
            network.get_submodule(name).load_state_dict(ConvAttention.from_convolution(layer).state_dict())
        network.head.load_state_dict(cnn.head.state_dict())
        return network.train(cnn.training)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        return self.head(self.flatten(self.pool(self.stages(images))))

    def landmarks(self) -> dict[str, str]:
        """Return where the stem, the last feature map and the head are."""
        return {"stem": "stages.0", "features": "stages", "head": "head"}
