"""A copy of a network that computes in full precision as if in 8 bits or fewer, to be trained so."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from netsmith.compress._quantized_graph import channel_axis, fold_norms, place, quantized_layers, traced
from netsmith.core.errors import CheckpointError, UnsupportedError
from netsmith.measure.example import Example, arguments, called

__all__ = ["FakeQuantize", "FakeQuantizeLog", "FakeQuantizeWeight", "fake_quantized", "frozen", "is_fake", "observe"]


class FakeQuantize(nn.Module):
    r"""Round activations to the grid of ``2 ** bits`` levels that spans the range seen in training.

    .. math:: q(x) = \Big(\mathrm{clip}\big(\mathrm{round}(x / s) + z,\ 0,\ 2^b - 1\big) - z\Big)\, s,
              \qquad s = \frac{h - l}{2^b - 1},\ z = \mathrm{round}(-l / s) \qquad \text{(Eq. 12)}

    Jacob et al. 2018 (arXiv:1712.05877, section 3): :math:`l` and :math:`h` are moving averages of each batch's minimum
    and maximum, 0 always within them, so that it is exact. Their decay is near 1 and quantization begins late; here the
    first batch sets the range, and later ones move it by ``momentum``. The gradient is the straight-through estimator:
    1 where ``x`` is within the grid, else 0. In evaluation mode the range stands still. The range follows the batches
    that pass, so micro-batches are refused, and each of several processes keeps its own.

    Args:
        bits: 2 to 8.
        momentum: Weight of the newest batch.
    """

    couples_batch = "the range of fake quantization follows each batch"

    low: Tensor
    high: Tensor
    seen: Tensor

    def __init__(self, *, bits: int = 8, momentum: float = 0.01) -> None:
        super().__init__()
        self.levels = 2**bits - 1
        self.momentum = momentum
        self.register_buffer("low", torch.zeros(()))
        self.register_buffer("high", torch.zeros(()))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))  # batches

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` on the grid; its shape."""
        if self.training:
            self._observe(x.detach())
        x = x.float() if x.dtype in (torch.bfloat16, torch.float16) else x  # half as wide, steps would be uneven
        scale, zero = self.grid()
        return torch.fake_quantize_per_tensor_affine(x, scale, zero, 0, self.levels)

    def grid(self) -> tuple[Tensor, Tensor]:
        """Return the step and the level of 0."""
        scale = ((self.high - self.low) / self.levels).clamp(min=torch.finfo(torch.float32).tiny).float()
        zero = (-self.low / scale).round().clamp(0, self.levels).to(torch.int32)  # the nudged zero-point
        return scale, zero

    @torch.no_grad()
    def _observe(self, x: Tensor) -> None:
        low, high = x.amin().clamp(max=0), x.amax().clamp(min=0)
        share = torch.where(self.seen == 0, 1.0, self.momentum).to(self.low.dtype)
        self.low.lerp_(low.to(self.low.dtype), share)
        self.high.lerp_(high.to(self.high.dtype), share)
        self.seen += 1

    def extra_repr(self) -> str:
        return f"levels={self.levels + 1}, momentum={self.momentum}"


class FakeQuantizeWeight(nn.Module):
    """Round weights to whole multiples of a step, at most ``2 ** (bits - 1) - 1`` of them.

    Symmetric (0 is level 0), the range that of the weights as they are; gradients go straight through.

    Args:
        bits: 2 to 8.
        axis: Each position along it, an output channel, has a step of its own; None for one step for all.
    """

    def __init__(self, *, bits: int = 8, axis: int | None = 0) -> None:
        super().__init__()
        self.largest = 2 ** (bits - 1) - 1
        self.axis = axis

    def forward(self, weight: Tensor) -> Tensor:
        """Return the weights on their grids; their shape."""
        return _on_grid(weight, *self.grid(weight), self.axis)

    def grid(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return the step of each output channel, or of all, and zeros."""
        sizes = weight.detach().abs()
        highest = sizes.amax() if self.axis is None else sizes.movedim(self.axis, 0).flatten(1).amax(1)
        scale = highest / self.largest
        # of a channel without weights any step will do; a bias is stored in multiples of it too
        scale = torch.where(scale > 0, scale, scale.amax()).clamp(min=torch.finfo(torch.float32).tiny).float()
        return scale, torch.zeros_like(scale, dtype=torch.int32)

    def extra_repr(self) -> str:
        return f"largest={self.largest}, axis={self.axis}"


def _on_grid(weight: Tensor, scale: Tensor, zero: Tensor, axis: int | None) -> Tensor:
    # no weight lies beyond +-largest steps, so that the limits need not be those of the bits
    if axis is None:
        return torch.fake_quantize_per_tensor_affine(weight, scale, zero, -128, 127)
    return torch.fake_quantize_per_channel_affine(weight, scale, zero, axis, -128, 127)


@dataclass(frozen=True)
class FakeQuantizeLog:
    """What :func:`fake_quantized` was told; with the original's class it rebuilds the network.

    Attributes:
        weight_bits: 2 to 8.
        activation_bits: 2 to 8.
    """

    weight_bits: int = 8
    activation_bits: int = 8

    def to_json(self) -> dict[str, Any]:
        """Return the log as JSON values."""
        return {"format": 1, "fake_quantize": asdict(self)}

    @staticmethod
    def from_json(value: Any) -> FakeQuantizeLog:
        """Read a log, trusting nothing.

        Raises:
            CheckpointError: It is not one.
        """
        found = value.get("fake_quantize") if isinstance(value, dict) and value.get("format") == 1 else None
        if not isinstance(found, dict) or found.keys() != {"weight_bits", "activation_bits"}:
            raise CheckpointError("not a log of fake quantization: expected format 1 with weight_bits, activation_bits")
        if any(type(bits) is not int or not 2 <= bits <= 8 for bits in found.values()):
            raise CheckpointError(f"not a log of fake quantization: bits must be 2 to 8, got {found}")
        return FakeQuantizeLog(**found)

    def apply(self, module: nn.Module) -> nn.Module:
        """Return the fake-quantized form of a network of the original's class, so that weights can be loaded."""
        return fake_quantized(module, weight_bits=self.weight_bits, activation_bits=self.activation_bits)


def is_fake(module: nn.Module) -> bool:
    """Return whether a network is, or holds, one from :func:`fake_quantized`."""
    return any(isinstance(part, FakeQuantize) for part in module.modules())


def fake_quantized(
    module: nn.Module, *, weight_bits: int = 8, activation_bits: int = 8, momentum: float = 0.01
) -> nn.Module:
    """Return a copy that quantizes the weights of convolutions and linear layers and what they read, on the way.

    The projections of torch's attention and transformers are linear layers too; products of two activations stay in
    full precision. Of transposed convolutions (one step for each output channel) and embeddings (one step for all) the
    weights alone are quantized: that is how a runtime on a CPU has them, smaller but not faster. Recurrent layers are
    refused: dynamic int8 is what runtimes have for them.

    Train it like any network (a little, at a small learning rate, from trained weights): it learns weights that bear
    rounding. Then :func:`frozen`, export, and :func:`~netsmith.compress.folded.fold_int8`.

    Batch normalizations that follow a convolution are folded into it beforehand, with the statistics
    they have; from then on the folded weights are trained (Jacob et al. keep the normalization, and fold in each step).
    So begin from a trained network. Where an addition, a concatenation or an average pool reads what a convolution
    made, its inputs are quantized too: a runtime computes in int8 only between two quantizations.

    The copy is traced by torch.fx: it keeps the names of modules, but for the parts of torch's attention, and takes the
    branches that do not depend on data.

    Args:
        module: Any module that torch.fx can trace; left as found. Modules without such layers are taken as a whole.
        weight_bits: 2 to 8.
        activation_bits: 2 to 8.
        momentum: Weight of the newest batch in the range of an activation.

    Raises:
        UnsupportedError: It is recurrent, cannot be traced, has nothing to quantize, or an argument is out of range.
    """
    for name, bits in (("weight_bits", weight_bits), ("activation_bits", activation_bits)):
        if not 2 <= bits <= 8:
            raise UnsupportedError(f"{name} must be 2 to 8, got {bits}")
    if not 0 < momentum <= 1:
        raise UnsupportedError(f"momentum must be above 0 and at most 1, got {momentum}")
    graph = traced(module)
    fold_norms(graph)
    place(graph, lambda: FakeQuantize(bits=activation_bits, momentum=momentum).train(module.training))
    for layer in quantized_layers(graph):
        quantizer = FakeQuantizeWeight(bits=weight_bits, axis=channel_axis(layer))
        parametrize.register_parametrization(layer, "weight", quantizer)
    found = next((p.device for p in module.parameters()), None)
    return graph.to(found)


@torch.no_grad()
def observe(network: nn.Module, examples: Iterable[Example]) -> None:
    """Set the ranges of activations to all that examples span, without training: post-training quantization.

    Args:
        network: From :func:`fake_quantized`; left in its mode, its ranges set anew.
        examples: Batches as the network takes them.
    """
    quantizers = [part for part in network.modules() if isinstance(part, FakeQuantize)]
    modes = {part: part.training for part in network.modules()}
    low, high = ({part: torch.zeros_like(part.low) for part in quantizers} for _ in range(2))
    network.eval()
    try:
        for batch in examples:
            for part in quantizers:
                part.train()
                part.seen.zero_()
            called(network, arguments(batch, network))
            for part in quantizers:
                low[part], high[part] = torch.minimum(low[part], part.low), torch.maximum(high[part], part.high)
    finally:
        for part, mode in modes.items():
            part.training = mode
    for part in quantizers:
        part.low.copy_(low[part])
        part.high.copy_(high[part])


def frozen(network: nn.Module) -> nn.Module:
    """Return a copy for export: every grid a constant, in evaluation mode, the answers those of ``network.eval()``.

    The TorchScript exporter writes it (torch.export has no kernel to trace fake quantization with). A sum that falls
    between two steps may be rounded to either, so allow ``tolerance=0.05`` at 8 bits.

    Raises:
        UnsupportedError: A range was never set, or there is nothing fake about the network.
    """
    found = copy.deepcopy(network).eval()
    count = 0
    for name, part in list(found.named_modules()):
        if isinstance(part, FakeQuantize):
            if not part.seen:
                raise UnsupportedError(f"{name} has seen no activations; train the network, or call observe")
            found.set_submodule(name, _Frozen(part))
            count += 1
        elif parametrize.is_parametrized(part, "weight"):
            (quantizer,) = part.parametrizations["weight"]  # type: ignore[index]
            if isinstance(quantizer, FakeQuantizeWeight):
                scale, zero = quantizer.grid(part.parametrizations["weight"].original)  # type: ignore[index]
                part.parametrizations["weight"][0] = _FrozenWeight(scale, zero, quantizer.axis)  # type: ignore[index]
    if not count:
        raise UnsupportedError("expected a network from fake_quantized, found no fake quantizer in it")
    return found


class _Frozen(nn.Module):
    """A :class:`FakeQuantize` as exporters know it: 8 bits, with a clip before it where there are fewer."""

    def __init__(self, part: FakeQuantize) -> None:
        super().__init__()
        scale, zero = part.grid()
        self.scale, self.zero = scale.item(), int(zero)
        self.low, self.high = -self.zero * self.scale, (part.levels - self.zero) * self.scale
        self.whole = part.levels == 255

    def forward(self, x: Tensor) -> Tensor:
        x = x if self.whole else x.clamp(self.low, self.high)
        return torch.fake_quantize_per_tensor_affine(x, self.scale, self.zero, 0, 255)


class _FrozenWeight(nn.Module):
    scale: Tensor
    zero: Tensor

    def __init__(self, scale: Tensor, zero: Tensor, axis: int | None) -> None:
        super().__init__()
        self.register_buffer("scale", scale)
        self.register_buffer("zero", zero)
        self.axis = axis

    def forward(self, weight: Tensor) -> Tensor:
        return _on_grid(weight, self.scale, self.zero, self.axis)
