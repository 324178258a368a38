"""A multilayer perceptron with its backpropagation written out in numpy (Rumelhart, Hinton & Williams 1986)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.errors import ConfigError, DataError
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.engine.batch import Batch
from netsmith.models.tabular.mlp import MLP

__all__ = ["Activation", "Gradients", "NumpyMLP", "activate", "back_propagate", "forward", "softmax_cross_entropy"]

Activation = Literal["sigmoid", "tanh", "relu"]
Array = NDArray[Any]


class Gradients(NamedTuple):
    """What each number adds to the loss.

    Attributes:
        weights: By layer, ``(out, in)``.
        biases: By layer, ``(out,)``.
    """

    weights: list[Array]
    biases: list[Array]


def activate(z: Array, activation: Activation) -> Array:
    """Return the hidden units' answers to their net inputs, of any shape."""
    if activation == "relu":
        return np.maximum(z, 0)
    if activation == "tanh":
        return np.tanh(z)
    return 0.5 * (1 + np.tanh(0.5 * z))  # the logistic function, without the overflow of exp


def _slope(answer: Array, activation: Activation) -> Array:
    """Return the derivative of an activation where it answers so: none of the three needs its net input."""
    if activation == "relu":
        return (answer > 0).astype(answer.dtype)
    return 1 - answer**2 if activation == "tanh" else answer * (1 - answer)


def forward(x: Array, weights: Sequence[Array], biases: Sequence[Array], *, activation: Activation) -> list[Array]:
    """Return what each layer answers, ``x`` itself first and the logits last.

    Args:
        x: ``(B, F)``.
        weights: By layer, ``(out, in)``.
        biases: By layer, ``(out,)``.
        activation: Of every layer but the last.
    """
    answers = [x]
    for number, (weight, bias) in enumerate(zip(weights, biases, strict=True), 1):
        z = answers[-1] @ weight.T + bias  # (B, out)
        answers.append(z if number == len(weights) else activate(z, activation))
    return answers


def softmax_cross_entropy(logits: Array, targets: Array, shares: Array) -> tuple[float, Array]:
    r"""Return the mean cross entropy in nats, and its gradient by the logits.

    .. math:: L = -\sum_b s_b \log p_{b, y_b}, \qquad \partial L / \partial z_{bk} = s_b (p_{bk} - [k = y_b])

    Args:
        logits: ``(B, K)``.
        targets: ``(B,)`` classes.
        shares: ``(B,)`` weights s of the examples, whose sum is 1.
    """
    rows = np.arange(len(logits))
    shifted = logits - logits.max(1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    error = np.exp(log_p)
    error[rows, targets] -= 1
    return float(-(shares * log_p[rows, targets]).sum()), error * shares[:, None]


def back_propagate(
    error: Array, answers: Sequence[Array], weights: Sequence[Array], *, activation: Activation
) -> Gradients:
    r"""Carry the error at the logits back through every layer.

    .. math:: \partial L / \partial W_l = \delta_l^T a_{l-1}, \qquad
              \partial L / \partial b_l = \sum_b \delta_{l,b}, \qquad
              \delta_{l-1} = (\delta_l W_l) \odot f'(a_{l-1})

    Args:
        error: ``(B, K)``, the gradient of the loss by the logits, :math:`\delta` of the last layer.
        answers: What :func:`forward` returned.
        weights: By layer, ``(out, in)``.
        activation: As in :func:`forward`.
    """
    gradients = Gradients([], [])
    for layer in reversed(range(len(weights))):
        gradients.weights.insert(0, error.T @ answers[layer])  # (out, in)
        gradients.biases.insert(0, error.sum(0))
        if layer:
            error = (error @ weights[layer]) * _slope(answers[layer], activation)  # (B, in)
    return gradients


class NumpyMLP(nn.Module):
    r"""Learn by gradients that numpy computes step by step; no automatic differentiation takes part.

    It is there to be read: :func:`forward`, :func:`softmax_cross_entropy` and :func:`back_propagate` are all that
    back-propagation is, and their gradients are autograd's to 1e-10. A step is stochastic gradient descent with
    momentum, as the 1986 paper has it but for the mean over the batch:

    .. math:: v \leftarrow \mu v + \partial L / \partial w, \qquad w \leftarrow w - \eta v

    The layers are those of :class:`~netsmith.models.tabular.mlp.MLP`, first weights too, and want no gradient: numpy
    writes into their memory, and predict, explain and export see the network that any other is.

    Shapes:
        ``(B, ...)`` with ``in_features`` numbers per example to ``(B, num_classes)`` logits.

    Raises:
        ConfigError: In ``learn``: the network does not lie in the main memory.
        DataError: In ``learn``: targets that are not one class of ``0..num_classes - 1`` per example.
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            hidden: Units of each hidden layer.
            activation: After each hidden layer.
            momentum: mu, in [0, 1).
            in_features: Numbers per example.
            num_classes: Number of classes.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image", "table", "series", "audio", "state")
        widths: ClassVar[tuple[str, ...]] = ("hidden",)
        depths: ClassVar[tuple[str, ...]] = ("hidden",)

        hidden: tuple[int, ...] = (64,)
        activation: Activation = "relu"
        momentum: float = Field(default=0.9, ge=0, lt=1)
        in_features: int | Auto = AUTO
        num_classes: int | Auto = AUTO

    def __init__(self, config: NumpyMLP.Config) -> None:
        super().__init__()
        self.config = config
        self.network: MLP = MLP.Config(
            hidden=config.hidden,
            activation=config.activation,
            in_features=config.in_features,
            num_outputs=config.num_classes,
        ).build()
        self.requires_grad_(False)
        for name, parameter in list(self.network.named_parameters()):
            self.register_buffer(_velocity(name), torch.zeros_like(parameter))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the logits."""
        return self.network(inputs)

    def learn(self, batch: Batch, *, rate: float) -> dict[str, float]:
        """Take one step down the gradient of the batch's mean loss.

        Args:
            batch: Inputs ``(B, ...)`` and targets ``(B,)`` int64, with weights of the examples or without.
            rate: eta.
        """
        parameters = {name: _array(parameter) for name, parameter in self.network.named_parameters()}
        weights = [array for name, array in parameters.items() if name.endswith("weight")]
        biases = [array for name, array in parameters.items() if name.endswith("bias")]
        x = batch.inputs.flatten(1).numpy().astype(weights[0].dtype, copy=False)
        targets = batch.targets.numpy()
        if targets.ndim != 1 or targets.dtype != np.int64 or not ((targets >= 0) & (targets < len(biases[-1]))).all():
            raise DataError(f"expected one class in 0..{len(biases[-1]) - 1} per example, got {targets.shape} targets")
        shares = np.ones(len(x)) if batch.weights is None else batch.weights.double().numpy()
        shares = (shares / shares.sum()).astype(x.dtype)
        activation = self.config.activation
        answers = forward(x, weights, biases, activation=activation)
        loss, error = softmax_cross_entropy(answers[-1], targets, shares)
        gradients = back_propagate(error, answers, weights, activation=activation)
        slopes = [one for pair in zip(gradients.weights, gradients.biases, strict=True) for one in pair]
        for (name, value), slope in zip(parameters.items(), slopes, strict=True):
            velocity = _array(self.get_buffer(_velocity(name)))
            velocity *= self.config.momentum
            velocity += slope
            value -= rate * velocity
        return {"loss": loss}

    def landmarks(self) -> dict[str, str]:
        """Return where the first layer, the last hidden layer and the head are."""
        return {what: f"network.{place}" for what, place in self.network.landmarks().items()}


def _array(tensor: Tensor) -> Array:
    """Return a tensor's memory as numpy sees it."""
    if tensor.device.type != "cpu":
        raise ConfigError(f"numpy computes in the main memory, and the network is on {tensor.device}; set device='cpu'")
    return tensor.detach().numpy()


def _velocity(name: str) -> str:
    return f"velocity_{name.replace('.', '_')}"
