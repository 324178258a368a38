"""WaveNet (van den Oord et al. 2016, arXiv:1609.03499)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from netsmith.core.config import AUTO, Auto
from netsmith.core.errors import DataError, UnsupportedError
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.causal import CausalConv1d, receptive_field
from netsmith.layers.initialization import he_initialize
from netsmith.layers.mu_law import mu_law_decode, mu_law_encode

__all__ = ["ResidualLayer", "WaveNet"]


class ResidualLayer(nn.Module):
    r"""A gated dilated convolution with a residual and a skip output (section 2.3 and 2.4, Fig. 4).

    .. math:: z = \tanh(W_f * x) \odot \sigma(W_g * x), \quad x' = x + W_r z, \quad s = W_s z

    ``gated`` holds W_f and W_g one after the other.

    Args:
        channels: Channels of x and z.
        skip_channels: Channels of s.
        kernel: Taps of the dilated convolution.
        dilation: Steps between them.
        last: Nothing reads x' of a network's last layer: it has no W_r.

        frame: Samples over which s is averaged; 1 for every sample.

    Shapes:
        ``(B, channels, T)`` to ``(B, channels, T)`` and ``(B, skip_channels, T // frame)``.
    """

    def __init__(
        self, channels: int, skip_channels: int, *, kernel: int, dilation: int, last: bool = False, frame: int = 1
    ) -> None:
        super().__init__()
        self.frame = frame
        self.gated = CausalConv1d(channels, 2 * channels, kernel, dilation=dilation)
        self.residual = None if last else nn.Conv1d(channels, channels, 1)
        self.skip = nn.Conv1d(channels, skip_channels, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return x' and s of a whole sequence."""
        return self._outputs(x, self.gated(x))

    def step(self, x: Tensor, memory: Tensor, time: int) -> tuple[Tensor, Tensor]:
        """Return x' and s of one time step; see :meth:`~netsmith.layers.causal.CausalConv1d.step`."""
        return self._outputs(x, self.gated.step(x, memory, time))

    def _outputs(self, x: Tensor, gated: Tensor) -> tuple[Tensor, Tensor]:
        filtered, gate = gated.chunk(2, dim=1)
        z = torch.tanh(filtered) * torch.sigmoid(gate)  # Eq. 2
        mean = z if self.frame == 1 else F.avg_pool1d(z, self.frame)  # before W_s: as after it, for less work
        return x if self.residual is None else x + self.residual(z), self.skip(mean)


class WaveNet(nn.Module):
    r"""Read sound sample by sample with causal convolutions whose dilation doubles from layer to layer.

    A causal convolution, ``blocks`` times ``layers`` residual layers of dilations 1, 2, 4, ..., the sum of their skip
    outputs, ReLU, a 1 x 1 convolution, ReLU and another (Fig. 4). Ten layers of kernel 2 see 1,024 samples, three
    blocks of them 3,070, the first convolution one more.

    ``generate`` models the next sample (Eq. 1): the output at time t are logits of the level of sample t + 1, a softmax
    over mu-law levels (section 2.2). :meth:`generate` draws from it. ``classify`` gives one answer for the whole sound:
    with ``frame`` as in section 3.4, where the skip outputs are averaged over frames of 10 ms, and a few non-causal
    convolutions of three frames with ReLU follow. Samples after the last whole frame are not seen.

    Deviations: section 3.4 classifies each frame, and a second loss predicts the next sample; here one mean over time
    stands before the last layer, and there is one loss. Silence that pads a sound counts in that mean. Conditioning
    (section 2.5) is left out. The paper names no rule for first weights: they are drawn by
    :func:`~netsmith.layers.initialization.he_initialize` for tanh.

    Shapes:
        ``(B, 1, T)`` samples in -1..1 to ``(B, num_classes)``; with ``output="generate"`` to ``(B, levels, T)``.

    Raises:
        DataError: Inputs of another shape.

    Example:
        >>> WaveNet.Config(num_classes=10).build()(torch.zeros(2, 1, 4000)).shape
        torch.Size([2, 10])
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            blocks: How often the dilations start again at 1.
            layers: Layers of each block: dilations 1, 2, ..., ``2 ** (layers - 1)``.
            channels: Channels of the residual layers.
            skip_channels: Channels of the skip outputs and of what follows them.
            kernel: Taps of the causal convolutions.
            encoding: What a sample is to the first convolution: one of ``levels`` mu-law levels (one-hot), or the
                number itself (``raw``).
            levels: Mu-law levels of the encoding and of what is generated.
            output: ``classify`` a sound, or ``generate`` the next sample after each.
            frame: Samples of a frame, for a classifier: 10 ms are 80 at 8 kHz, 160 at 16 kHz; 1 for no frames.
            frame_layers: Convolutions over three frames each.
            num_classes: Number of classes; of a generator the ``levels``.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("audio",)
        widths: ClassVar[tuple[str, ...]] = ("channels", "skip_channels")
        depths: ClassVar[tuple[str, ...]] = ("blocks",)
        published: ClassVar[Mapping[str, int]] = {"samples": 16_000}

        blocks: int = Field(default=2, ge=1)
        layers: int = Field(default=9, ge=1, le=20)
        channels: int = Field(default=32, ge=1)
        skip_channels: int = Field(default=64, ge=1)
        kernel: int = Field(default=2, ge=2)
        encoding: Literal["mu_law", "raw"] = "mu_law"
        levels: int = Field(default=256, ge=2)
        output: Literal["classify", "generate"] = "classify"
        frame: int = Field(default=1, ge=1)
        frame_layers: int = Field(default=0, ge=0)
        num_classes: int | Auto = AUTO

        @property
        def dilations(self) -> tuple[int, ...]:
            """The dilation of each residual layer."""
            return tuple(2**layer for layer in range(self.layers)) * self.blocks

        @property
        def receptive_field(self) -> int:
            """How many samples one output depends on."""
            dilations = (1, *self.dilations)
            return receptive_field([self.kernel] * len(dilations), dilations=dilations)

        @model_validator(mode="after")
        def _check(self) -> WaveNet.Config:
            if self.output == "generate" and self.num_classes not in (AUTO, self.levels):
                raise ValueError(
                    f"a generator chooses among levels={self.levels}, so num_classes must be the same, got "
                    f"{self.num_classes}"
                )
            if self.output == "classify" and self.encoding == "raw" and self.levels != 256:
                raise ValueError(f"levels={self.levels} means nothing to a classifier of raw samples; leave it out")
            if self.output == "generate" and (self.frame > 1 or self.frame_layers):
                raise ValueError("frame and frame_layers are a classifier's; a generator answers for each sample")
            return self

    def __init__(self, config: WaveNet.Config) -> None:
        super().__init__()
        self.config = config
        in_channels = config.levels if config.encoding == "mu_law" else 1
        self.input = CausalConv1d(in_channels, config.channels, config.kernel)
        last = len(config.dilations) - 1
        self.layers = nn.ModuleList(
            ResidualLayer(
                config.channels,
                config.skip_channels,
                kernel=config.kernel,
                dilation=dilation,
                last=place == last,
                frame=config.frame,
            )
            for place, dilation in enumerate(config.dilations)
        )
        width = config.skip_channels
        self.frames = nn.ModuleList(nn.Conv1d(width, width, 3, padding=1) for _ in range(config.frame_layers))
        self.post = nn.Conv1d(config.skip_channels, config.skip_channels, 1)
        if config.output == "classify":
            self.head: nn.Module = nn.Linear(config.skip_channels, config.num_classes)
        else:
            self.head = nn.Conv1d(config.skip_channels, config.levels, 1)
        he_initialize(self, nonlinearity="linear")

    def forward(self, samples: Tensor) -> Tensor:
        """Return the logits."""
        if samples.dim() != 3 or samples.shape[1] != 1:
            raise DataError(f"WaveNet takes samples of shape (B, 1, T), got {tuple(samples.shape)}")
        if samples.shape[2] < self.config.frame:
            raise DataError(f"a frame takes {self.config.frame} samples, got a sound of {samples.shape[2]}")
        x = self.input(self._encoded(samples))
        skips = []
        for layer in self.layers:
            x, skip = layer(x)
            skips.append(skip)
        features = self._features(skips)  # (B, S, T // frame)
        return self.head(features.mean(2) if self.config.output == "classify" else features)

    def memory(self, batch: int) -> list[Tensor]:
        """Return what :meth:`step` keeps of the time before the first sample, one tensor for each convolution."""
        return [self.input.memory(batch), *(layer.gated.memory(batch) for layer in self.layers)]

    def step(self, samples: Tensor, memory: list[Tensor], time: int) -> Tensor:
        """Return a generator's logits after one more sample; the work does not grow with time.

        Args:
            samples: ``(B, 1, 1)``, the sample of now.
            memory: What :meth:`memory` returned; changed in place.
            time: Samples given before this one.

        Returns:
            ``(B, levels, 1)``.

        Raises:
            UnsupportedError: The network classifies.
        """
        if self.config.output != "generate":
            raise UnsupportedError("this WaveNet classifies; only one with output='generate' goes step by step")
        x = self.input.step(self._encoded(samples), memory[0], time)
        skips = []
        for layer, kept in zip(self.layers, memory[1:], strict=True):
            x, skip = layer.step(x, kept, time)
            skips.append(skip)
        return self.head(self._features(skips))

    @torch.no_grad()
    def generate(self, steps: int, *, start: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        """Return new samples, each drawn given all before it (Eq. 1).

        Args:
            steps: How many.
            start: ``(B, 1, T)``, what they follow; None for one sample of silence.
            generator: Where the draws come from; None takes the most likely level each time.

        Returns:
            ``(B, 1, steps)``, without the start.

        Raises:
            UnsupportedError: The network classifies.
            DataError: A start of another shape.

        Example:
            >>> net = WaveNet.Config(output="generate", num_classes=256, layers=2).build()
            >>> net.generate(3, generator=torch.Generator().manual_seed(0)).shape
            torch.Size([1, 1, 3])
        """
        sample = self.post.weight.new_zeros(1, 1, 1) if start is None else start
        if sample.dim() != 3 or sample.shape[1] != 1 or not sample.shape[2]:
            raise DataError(f"a start needs the shape (B, 1, T) with T >= 1, got {tuple(sample.shape)}")
        given = list(sample.split(1, dim=2))
        memory, made = self.memory(len(sample)), list[Tensor]()
        for time in range(len(given) + steps - 1):
            logits = self.step(given[time] if time < len(given) else made[-1], memory, time)[:, :, 0]  # (B, levels)
            if time < len(given) - 1:
                continue
            if generator is None:
                level = logits.argmax(1, keepdim=True)
            else:
                level = torch.multinomial(logits.softmax(1), 1, generator=generator)
            made.append(mu_law_decode(level[:, None], levels=self.config.levels, dtype=sample.dtype))
        return torch.cat(made, dim=2) if made else sample[:, :, :0]

    def landmarks(self) -> dict[str, str]:
        """Return where the first convolution, the last features over time and the head are."""
        return {"stem": "input", "features": "post", "head": "head"}

    def _encoded(self, samples: Tensor) -> Tensor:
        """Return what the first convolution sees, ``(B, levels or 1, T)``."""
        if self.config.encoding == "raw":
            return samples
        levels = mu_law_encode(samples[:, 0], levels=self.config.levels)  # (B, T)
        return F.one_hot(levels, self.config.levels).transpose(1, 2).to(self.input.conv.weight.dtype)

    def _features(self, skips: list[Tensor]) -> Tensor:
        x = torch.stack(skips).sum(0).relu()  # (B, S, T // frame)
        for frames in self.frames:
            x = frames(x).relu()
        return self.post(x).relu()
