"""The time-delay neural network (Waibel, Hanazawa, Hinton, Shikano & Lang 1989)."""

from __future__ import annotations

from collections import OrderedDict
from typing import ClassVar, Literal

from pydantic import Field, model_validator
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind, Spec
from netsmith.layers.causal import receptive_field
from netsmith.layers.initialization import he_initialize
from netsmith.layers.log_mel import LogMel

__all__ = ["TDNN"]


class TDNN(nn.Module):
    r"""Units that see a few frames, the same ones at every time: it does not matter when a sound begins.

    Waibel et al. (1989), "Phoneme recognition using time-delay neural networks"; with delays that lie apart Peddinti,
    Povey & Khudanpur (2015). A unit with delays is a one-dimensional convolution:

    .. math:: y_t = f\Bigl(b + \sum_{k} W_k\, x_{t + k d}\Bigr)

    Frames of log mel energies, normalized over each sound; layers with their own kernels k and dilations d; class units
    at every time, whose mean over time is the answer (the paper integrates the squares of its class units).

    Shapes:
        ``(B, 1, T)`` samples in -1..1 to ``(B, num_classes)``.

    Example:
        >>> config = TDNN.Config(channels=(8,), kernels=(3, 5), dilations=(1, 1), num_classes=3)  # the paper's
        >>> config.receptive_field
        7
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            channels: Units of each hidden layer.
            kernels: Delays of each layer, the class units' last.
            dilations: Frames between two delays, likewise.
            activation: Of the hidden units; the paper's are ``sigmoid``.
            dropout: Share of the last hidden layer's units dropped in training.
            bands: Filters on the mel scale.
            coefficients: Cepstral coefficients in place of their energies; 0 for the energies.
            frame: Samples of a frame.
            hop: Samples from frame to frame.
            floor: What silence counts as, in squared samples.
            rate: Samples per second.
            num_classes: Number of classes.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("audio",)
        widths: ClassVar[tuple[str, ...]] = ("channels",)

        channels: tuple[int, ...] = (64, 64, 64)
        kernels: tuple[int, ...] = (5, 3, 3, 1)
        dilations: tuple[int, ...] = (1, 2, 4, 1)
        activation: Literal["relu", "sigmoid", "tanh"] = "relu"
        dropout: float = Field(default=0.0, ge=0, lt=1)
        bands: int = Field(default=24, ge=1)
        coefficients: int = Field(default=0, ge=0)
        frame: int = Field(default=200, ge=2)
        hop: int = Field(default=80, ge=1)
        floor: float = Field(default=1e-3, gt=0)
        rate: int = Field(default=8000, ge=1)
        num_classes: int | Auto = AUTO

        @property
        def receptive_field(self) -> int:
            """How many frames one class unit sees."""
            return receptive_field(self.kernels, dilations=self.dilations)

        @model_validator(mode="after")
        def _check(self) -> TDNN.Config:
            count = len(self.channels) + 1
            if not len(self.kernels) == len(self.dilations) == count:
                raise ValueError(
                    f"{count - 1} layers and the class units need {count} kernels and dilations, got "
                    f"{len(self.kernels)} and {len(self.dilations)}"
                )
            if min(*self.channels, *self.kernels, *self.dilations) < 1:
                raise ValueError("expected channels, kernels and dilations of at least 1")
            return self

        def misfit(self, spec: Spec) -> str:
            """Return why the network could not work on data of this schema, ``""`` if it can."""
            problem = super().misfit(spec)
            if not problem and spec.inputs.rate not in (0, self.rate):
                problem = f"{spec.dataset} has {spec.inputs.rate} samples per second; set rate to that"
            samples = self.frame + (self.receptive_field - 1) * self.hop
            if not problem and 0 < spec.inputs.shape[-1] < samples:
                problem = f"{spec.dataset} has sounds of {spec.inputs.shape[-1]} samples; the network sees {samples}"
            return problem

    def __init__(self, config: TDNN.Config) -> None:
        super().__init__()
        self.config = config
        activations = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}
        self.frames = LogMel(
            rate=config.rate,
            frame=config.frame,
            hop=config.hop,
            bands=config.bands,
            coefficients=config.coefficients,
            floor=config.floor,
        )
        width = config.coefficients or config.bands
        self.normalize = nn.InstanceNorm1d(width)  # of each band over the time of the sound
        layers = []
        for units, kernel, dilation in zip(config.channels, config.kernels, config.dilations, strict=False):
            conv = nn.Conv1d(width, units, kernel, dilation=dilation)
            layers.append(nn.Sequential(OrderedDict(conv=conv, activation=activations[config.activation]())))
            width = units
        self.layers = nn.Sequential(*layers)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Conv1d(width, int(config.num_classes), config.kernels[-1], dilation=config.dilations[-1])
        he_initialize(self, nonlinearity="relu" if config.activation == "relu" else "linear")

    def forward(self, samples: Tensor) -> Tensor:
        """Return the logits."""
        return self.evidence(self.normalize(self.frames(samples))).mean(2)

    def evidence(self, frames: Tensor) -> Tensor:
        """Return the class units at every time: ``(B, bands, F)`` to ``(B, num_classes, F - receptive field + 1)``."""
        return self.head(self.dropout(self.layers(frames)))

    def landmarks(self) -> dict[str, str]:
        """Return where the first layer, the last hidden layer and the class units are."""
        return {"stem": "layers.0" if len(self.layers) else "head", "features": "layers", "head": "head"}
