"""The recurrent model of visual attention, RAM (Mnih, Heess, Graves & Kavukcuoglu 2014, arXiv:1406.6247)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

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

__all__ = ["RecurrentAttention"]


class RecurrentAttention(nn.Module):
    r"""An eye that moves: it sees a small part of the image, decides where to look next, and answers after a few looks.

    .. math::
        g_t &= Rect(W_g^h \, Rect(W_h \rho(x, l_{t-1})) + W_g^l \, Rect(W_l l_{t-1})) \\
        h_t &= Rect(W_c h_{t-1} + W_c' g_t), \qquad
        l_t \sim \mathcal N(\mu_t, \sigma^2), \quad \mu_t = clip(W_\mu h_t)

    and the answer is a softmax on the last h (section 4). What it costs does not grow with the image. Where to look has
    no gradient: train it with :class:`~netsmith.methods.hard_attention.HardAttention`, which needs :meth:`look`. Called
    as a module it looks where the policy's mean says, so that an answer is a function of the image alone.

    The first place is the policy's answer to a state of zeros: learned, and the same for every image. The ``baseline``
    is the paper's :math:`b_t`, an estimate of the reward that the method alone uses.

    Attributes:
        looks: How often it looks.

    Shapes:
        ``(B, in_channels, H, W)`` to ``(B, num_classes)``.

    Example:
        >>> network = RecurrentAttention.Config(in_channels=1, num_classes=10).build()
        >>> network(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 10])
        >>> network.look(torch.zeros(2, 1, 28, 28)).places.shape
        torch.Size([2, 6, 2])
    """

    class Config(ModelConfig):
        """The network's form; the defaults are the paper's for MNIST, with 6 glimpses of 8 x 8 pixels.

        Attributes:
            glimpses: How often it looks.
            size: Side of the sharpest patch in pixels.
            scales: Patches of a glimpse, each twice as wide as the one before.
            sensor_size: Units for what is seen and for where, each (the paper's 128).
            hidden_size: Numbers of a glimpse and of the state (the paper's 256).
            in_channels: Channels of an image.
            num_classes: Number of classes.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image",)
        widths: ClassVar[tuple[str, ...]] = ("sensor_size", "hidden_size")
        published: ClassVar[Mapping[str, int]] = {"in_channels": 1, "image_size": 28, "num_classes": 10}

        glimpses: int = Field(default=6, ge=1)
        size: int = Field(default=8, ge=1)
        scales: int = Field(default=1, ge=1, le=8)
        sensor_size: int = Field(default=128, ge=1)
        hidden_size: int = Field(default=256, ge=1)
        in_channels: int | Auto = AUTO
        num_classes: int | Auto = AUTO

    def __init__(self, config: RecurrentAttention.Config) -> None:
        super().__init__()
        self.config = config
        self.looks = config.glimpses
        seen = config.scales * int(config.in_channels) * config.size**2
        self.what = nn.Linear(seen, config.sensor_size)
        self.where = nn.Linear(2, config.sensor_size)
        self.from_what = nn.Linear(config.sensor_size, config.hidden_size)
        self.from_where = nn.Linear(config.sensor_size, config.hidden_size)
        self.core = nn.Linear(config.hidden_size, config.hidden_size)
        self.core_input = nn.Linear(config.hidden_size, config.hidden_size)
        self.policy = nn.Linear(config.hidden_size, 2)
        self.baseline = nn.Linear(config.hidden_size, 1)
        self.features = nn.Identity()  # the last state has a name: every layer before it runs once a look
        self.head = nn.Linear(config.hidden_size, int(config.num_classes))
        he_initialize(self)
        # Two streams are added, twice: with half the variance each the sum has what the rule wants. Policy and baseline
        # start near zero, so that the first looks are near the center and the first estimates near no reward.
        for layer, factor in (
            *((one, 0.5**0.5) for one in (self.from_what, self.from_where, self.core, self.core_input)),
            (self.policy, 0.1),
            (self.baseline, 0.1),
        ):
            with torch.no_grad():
                layer.weight.mul_(factor)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits after looking where the policy's mean says."""
        return self.look(images).output

    def look(self, images: Tensor, noise: Tensor | None = None) -> Looks:
        """Look ``glimpses`` times and answer.

        Args:
            images: ``(B, C, H, W)``.
            noise: ``(B, glimpses, 2)``, added to the means of the places; None adds none.

        Returns:
            The logits ``(B, num_classes)``, and the places, their means and the baselines by glimpse.
        """
        config = self.config
        state = images.new_zeros(images.shape[0], self.core.in_features)
        means, places, baselines = [], [], []
        for at in range(config.glimpses):
            mean = F.hardtanh(self.policy(state))
            place = mean.detach() if noise is None else mean.detach() + noise[:, at]
            # The estimate must not change the state that it judges.
            baselines.append(self.baseline(state.detach())[:, 0])
            means.append(mean)
            places.append(place)
            state = F.relu(self.core(state) + self.core_input(self._glimpse(images, F.hardtanh(place))))
        return Looks(
            self.head(self.features(state)), torch.stack(places, 1), torch.stack(means, 1), torch.stack(baselines, 1)
        )

    def _glimpse(self, images: Tensor, place: Tensor) -> Tensor:
        patches = glimpse(images, place, size=self.config.size, scales=self.config.scales)
        what = F.relu(self.what(patches.flatten(1)))
        where = F.relu(self.where(place))
        return F.relu(self.from_what(what) + self.from_where(where))

    def landmarks(self) -> dict[str, str]:
        """Return where what is seen comes in, the last state, and the head."""
        return {"stem": "what", "features": "features", "head": "head"}
