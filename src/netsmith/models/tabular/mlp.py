"""A multilayer perceptron (Rosenblatt 1958; trained by back-propagation: Rumelhart, Hinton & Williams 1986)."""

from __future__ import annotations

from collections import OrderedDict
from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto, later
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.drop_connect import DropConnect
from netsmith.layers.dropout import dropout
from netsmith.layers.initialization import he_initialize

__all__ = ["MLP"]


class MLP(nn.Module):
    """Linear layers with an activation between them: the first network to try on a table.

    Every axis but the first is flattened, so small images and windows of a series work too. Without hidden layers it is
    linear (softmax) regression.

    Weights are drawn by :func:`~netsmith.layers.initialization.he_initialize`: g^2 = 2 for ReLU and GELU, 1 for tanh
    and sigmoid.

    Shapes:
        ``(B, ...)`` with ``in_features`` numbers per example to ``(B, num_outputs)``.
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            hidden: Units of each hidden layer.
            activation: After each hidden layer.
            dropout: Share of each hidden layer's units dropped in training.
            dropout_scaled: When units are scaled for it: in ``training`` (inverted dropout), or at ``test`` time.
            drop_connect: Share of each hidden layer's weights dropped in training
                (:class:`~netsmith.layers.drop_connect.DropConnect`).
            in_features: Numbers per example.
            num_outputs: Classes, or values.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image", "table", "series", "audio", "state")
        widths: ClassVar[tuple[str, ...]] = ("hidden",)
        depths: ClassVar[tuple[str, ...]] = ("hidden",)

        hidden: tuple[int, ...] = (64,)
        activation: Literal["relu", "gelu", "tanh", "sigmoid"] = "relu"
        dropout: float = Field(default=0.0, ge=0, lt=1)
        dropout_scaled: Literal["training", "test"] = later("training")
        drop_connect: float = later(0.0, ge=0, lt=1)
        in_features: int | Auto = AUTO
        num_outputs: int | Auto = AUTO

    def __init__(self, config: MLP.Config) -> None:
        super().__init__()
        activations = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}
        self.flatten = nn.Flatten()
        layers: list[nn.Module] = []
        width = config.in_features
        for units in config.hidden:
            parts = OrderedDict[str, nn.Module]()
            if config.drop_connect:
                parts["drop_connect"] = DropConnect(
                    width, units, drop=config.drop_connect, activation=config.activation
                )
            else:
                parts |= {"linear": nn.Linear(width, units), "activation": activations[config.activation]()}
            parts["dropout"] = dropout(config.dropout, scaled=config.dropout_scaled)
            layers.append(nn.Sequential(parts))
            width = units
        self.hidden = nn.Sequential(*layers)
        self.head = nn.Linear(width, config.num_outputs)
        he_initialize(self, nonlinearity="relu" if config.activation in ("relu", "gelu") else "linear")

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the logits, or the values."""
        return self.head(self.hidden(self.flatten(inputs)))

    def landmarks(self) -> dict[str, str]:
        """Return where the first layer, the last hidden layer and the head are."""
        return {"stem": "hidden.0" if len(self.hidden) else "head", "features": "hidden", "head": "head"}
