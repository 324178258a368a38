"""What biases start at: rules that say what a network answers before it has learned."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from netsmith.core.errors import ConfigError

__all__ = ["constant_biases", "forget_gate_biases", "prior_bias"]


@torch.no_grad()
def constant_biases(module: nn.Module, value: float = 0.1) -> int:
    """Set the biases of linear and convolution layers; a little above 0, every ReLU works at the start.

    Frozen ones stay.

    Goodfellow, Bengio & Courville (2016), section 8.4.

    Args:
        module: Whose layers are set, in place.
        value: The bias of every unit.

    Returns:
        How many layers were set.
    """
    layers = [m for m in module.modules() if isinstance(m, (nn.Linear, nn.modules.conv._ConvNd))]
    biased = [layer for layer in layers if layer.bias is not None and layer.bias.requires_grad]
    for layer in biased:
        layer.bias.fill_(value)  # type: ignore[union-attr]
    return len(biased)


@torch.no_grad()
def forget_gate_biases(module: nn.Module, value: float = 1.0) -> int:
    """Set the forget gates' biases of LSTMs, so that their cells keep what they hold until they learn not to.

    Gers, Schmidhuber & Cummins (2000); Jozefowicz, Zaremba & Sutskever (2015). Torch adds two biases: one becomes the
    value, the other 0.

    Args:
        module: Whose ``nn.LSTM`` and ``nn.LSTMCell`` are set, in place.
        value: The bias of every forget gate.

    Returns:
        How many biases were set: one for each layer and direction.
    """
    count = 0
    for layer in module.modules():
        if not isinstance(layer, (nn.LSTM, nn.LSTMCell)):
            continue
        for name, parameter in layer.named_parameters(recurse=False):
            if name.startswith("bias") and parameter.requires_grad:
                gate = parameter.chunk(4)[1]  # torch's order: input, forget, cell, output
                gate.fill_(value if name.startswith("bias_ih") else 0.0)
                count += name.startswith("bias_ih")
    return count


@torch.no_grad()
def prior_bias(layer: nn.Linear, probabilities: Sequence[float] | Tensor) -> None:
    r"""Set the biases of a softmax layer so that, where its weights say nothing, it answers how frequent classes are.

    .. math:: b_k = \log p_k

    Goodfellow, Bengio & Courville (2016), section 8.4.

    Args:
        layer: The layer before the softmax, in place.
        probabilities: ``(K,)`` frequencies of the classes, above 0; they are divided by their sum.

    Raises:
        ConfigError: The layer has no bias, or not one for each class; a frequency is not above 0.
    """
    prior = torch.as_tensor(probabilities, dtype=torch.float64)
    if layer.bias is None or layer.bias.shape != prior.shape:
        has = "no bias" if layer.bias is None else f"{len(layer.bias)} biases"
        raise ConfigError(
            f"the layer has {has}, and {tuple(prior.shape)} frequencies were given; expected one for each"
        )
    if not bool((prior > 0).all()):
        raise ConfigError(f"expected frequencies above 0, got {float(prior.min()):g}; add one to every count")
    layer.bias.copy_((prior / prior.sum()).log())
