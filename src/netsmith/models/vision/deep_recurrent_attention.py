"""The deep recurrent attention model, DRAM (Ba, Mnih & Kavukcuoglu 2015, arXiv:1412.7755): several objects, in turn."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.glimpse import glimpse
from netsmith.layers.initialization import he_initialize
from netsmith.layers.looks import Looks

__all__ = ["DeepRecurrentAttention"]

_Width = Annotated[int, Field(ge=1)]


class DeepRecurrentAttention(nn.Module):
    r"""An eye that reads one object after the other: a coarse view says where to begin, a few looks read each object.

    .. math::
        g_n &= G_{image}(x_n) \odot G_{loc}(l_n) \\
        r^{(1)}_n &= LSTM(g_n, r^{(1)}_{n-1}), \qquad r^{(2)}_n = LSTM(r^{(1)}_n, r^{(2)}_{n-1}), \qquad
        r^{(2)}_0 = C(I_{coarse}) \\
        \mu_{n+1} &= E(r^{(2)}_n), \qquad P(y_s) = O(r^{(1)}_n) \text{ after the last look at object s}

    (section 3). The upper state alone knows the coarse image and decides where to look; the lower one alone reads, so
    that an answer must come from what was looked at. Train it with
    :class:`~netsmith.methods.hard_attention.HardAttention`; called as a module it looks where the policy's mean says.

    The glimpse network has three convolutions without pooling, the context network three of stride 2, each with a
    linear layer behind. Sizes are ours, for two digits on 100 x 100 pixels.

    Attributes:
        looks: How often it looks in all.

    Shapes:
        ``(B, in_channels, image_size, image_size)`` to ``(B, objects, num_classes)``.

    Example:
        >>> facts = {"in_channels": 1, "image_size": 100, "num_classes": 10}
        >>> network = DeepRecurrentAttention.Config(**facts).build()
        >>> network(torch.zeros(2, 1, 100, 100)).shape
        torch.Size([2, 2, 10])
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            objects: Objects of an image, read in turn.
            glimpses: Looks for each of them.
            size: Side of the sharpest patch in pixels.
            scales: Patches of a glimpse, each twice as wide as the one before.
            channels: Channels of the three convolutions of the glimpse network.
            context_channels: Channels of the three convolutions of the context network.
            coarseness: Side in pixels of what is one pixel of the coarse image.
            hidden_size: Numbers of a glimpse and of each state.
            in_channels: Channels of an image.
            image_size: Height and width in pixels.
            num_classes: Number of classes.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image",)
        widths: ClassVar[tuple[str, ...]] = ("channels", "context_channels", "hidden_size")
        published: ClassVar[Mapping[str, int]] = {"in_channels": 1, "image_size": 100, "num_classes": 10}

        objects: int = Field(default=2, ge=1)
        glimpses: int = Field(default=4, ge=1)
        size: int = Field(default=12, ge=1)
        scales: int = Field(default=2, ge=1, le=8)
        channels: tuple[_Width, _Width, _Width] = (16, 16, 32)
        context_channels: tuple[_Width, _Width, _Width] = (8, 16, 16)
        coarseness: int = Field(default=4, ge=1)
        hidden_size: int = Field(default=256, ge=1)
        in_channels: int | Auto = AUTO
        image_size: int | Auto = AUTO
        num_classes: int | Auto = AUTO

    def __init__(self, config: DeepRecurrentAttention.Config) -> None:
        super().__init__()
        self.config = config
        self.looks = config.objects * config.glimpses
        channels, hidden = int(config.in_channels), config.hidden_size
        self.what = _convolutions(config.scales * channels, config.channels, stride=1)
        self.what_out = nn.Linear(config.channels[-1] * config.size**2, hidden)
        self.where = nn.Linear(2, hidden)
        self.context = _convolutions(channels, config.context_channels, stride=2)
        side = -(-int(config.image_size) // config.coarseness)
        for _ in config.context_channels:
            side = -(-side // 2)
        self.context_out = nn.Linear(config.context_channels[-1] * side**2, hidden)
        self.reader = nn.LSTMCell(hidden, hidden)
        self.planner = nn.LSTMCell(hidden, hidden)
        self.policy = nn.Linear(hidden, 2)
        self.baseline = nn.Linear(hidden, 1)
        self.classifier = nn.Linear(hidden, hidden)
        self.head = nn.Linear(hidden, int(config.num_classes))
        he_initialize(self)
        with torch.no_grad():
            for layer in (self.policy, self.baseline):  # first looks near the center, first estimates near no reward
                layer.weight.mul_(0.1)
            # A product of two streams that start near zero learns from neither: where starts as a factor of one.
            self.where.bias.fill_(1.0)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of each object after looking where the policy's mean says."""
        return self.look(images).output

    def look(self, images: Tensor, noise: Tensor | None = None) -> Looks:
        """Look ``objects * glimpses`` times and answer after every ``glimpses``.

        Args:
            images: ``(B, C, H, W)``.
            noise: ``(B, objects * glimpses, 2)``, added to the means of the places; None adds none.

        Returns:
            The logits ``(B, objects, num_classes)``, and the places, their means and the baselines by look.
        """
        config, batch = self.config, images.shape[0]
        upper = self._context(images)  # r2_0
        upper_memory = torch.zeros_like(upper)
        lower = images.new_zeros(batch, self.reader.hidden_size)
        lower_memory = torch.zeros_like(lower)
        answers, means, places, baselines = [], [], [], []
        for at in range(self.looks):
            mean = F.hardtanh(self.policy(upper))
            place = mean.detach() if noise is None else mean.detach() + noise[:, at]
            # The estimate must not change the state that it judges.
            baselines.append(self.baseline(upper.detach())[:, 0])
            means.append(mean)
            places.append(place)
            lower, lower_memory = self.reader(self._glimpse(images, F.hardtanh(place)), (lower, lower_memory))
            upper, upper_memory = self.planner(lower, (upper, upper_memory))
            if (at + 1) % config.glimpses == 0:
                answers.append(self.head(F.relu(self.classifier(lower))))
        return Looks(torch.stack(answers, 1), torch.stack(places, 1), torch.stack(means, 1), torch.stack(baselines, 1))

    def _context(self, images: Tensor) -> Tensor:
        coarse = F.avg_pool2d(images, self.config.coarseness, ceil_mode=True)
        return torch.tanh(self.context_out(self.context(coarse).flatten(1)))

    def _glimpse(self, images: Tensor, place: Tensor) -> Tensor:
        patches = glimpse(images, place, size=self.config.size, scales=self.config.scales)
        what = F.relu(self.what_out(self.what(patches).flatten(1)))
        return what * F.relu(self.where(place))

    def landmarks(self) -> dict[str, str]:
        """Return where what is seen comes in, the last map of a glimpse, and the head."""
        return {"stem": "what.conv1", "features": "what.relu3", "head": "head"}


def _convolutions(in_channels: int, channels: tuple[int, ...], *, stride: int) -> nn.Sequential:
    layers = OrderedDict[str, nn.Module]()
    for number, width in enumerate(channels, start=1):
        layers[f"conv{number}"] = nn.Conv2d(in_channels, width, 3, stride=stride, padding=1)
        layers[f"relu{number}"] = nn.ReLU()
        in_channels = width
    return nn.Sequential(layers)
