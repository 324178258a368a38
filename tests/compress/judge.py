"""The judge of surgery: the original with all that was cut set to zero, told by the positions that stayed alone.

It shares no code with the tracer. It knows, for each layer of PyTorch, which axis of which parameter makes positions,
and that a normalization takes its statistics over the positions that stayed.
"""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

from netsmith.compress.prune import prune
from netsmith.compress.surgery import SurgeryLog, apply_surgery
from netsmith.core.errors import NetsmithError
from netsmith.layers.shortcut import PadShortcut

__all__ = ["Masked", "Verdict", "difference", "draw", "judge", "kept_of", "parameters", "run", "same_network", "wide"]

Kept = Mapping[str, Mapping[int, tuple[int, ...]]]
"""By full name of a tensor and axis, the positions that stayed."""

_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_ROWS = (nn.Linear, nn.Bilinear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.RNNBase, nn.RNNCellBase, nn.MultiheadAttention)


def kept_of(log: SurgeryLog) -> dict[str, dict[int, tuple[int, ...]]]:
    """Return the positions that stayed, by tensor and axis, of a log of one surgery."""
    kept: dict[str, dict[int, tuple[int, ...]]] = {}
    for step in log.steps:
        for own, cut in step.tensors.items():
            name = f"{step.module}.{own}" if step.module else own
            assert name not in kept, f"{name} is cut twice in one surgery"
            kept[name] = dict(cut.kept)
    return kept


class Masked:
    """A copy of a network, in float64 and evaluation mode, whose cut positions are zero; call it to get its answer.

    Args:
        net: The original.
        kept: What stayed; by default everything.
    """

    def __init__(self, net: nn.Module, kept: Kept) -> None:
        self.net = copy.deepcopy(net).double().eval()
        held = dict(self.net.named_parameters(remove_duplicate=False))
        held |= dict(self.net.named_buffers(remove_duplicate=False))
        self.alive: dict[int, dict[int, torch.Tensor]] = {}  # by tensor: which positions of an axis stayed
        for name, axes in kept.items():
            tensor = held[name]
            for axis, positions in axes.items():
                stays = torch.zeros(tensor.shape[axis], dtype=torch.bool)
                stays[list(positions)] = True
                self.alive.setdefault(id(tensor), {})[axis] = stays
        modules = dict(self.net.named_modules())
        with torch.no_grad():
            for name, tensor in held.items():  # a shared tensor once for each of its owners
                owner, _, own = name.rpartition(".")
                for axis, stays in self.alive.get(id(tensor), {}).items():
                    _zero(modules[owner], own, tensor, axis, ~stays)

    def __call__(self, *given: Any) -> list[torch.Tensor]:
        """Return the answers, as float64."""
        with _Statistics(self.alive):
            return run(self.net, given)


def _zero(owner: nn.Module, own: str, tensor: torch.Tensor, axis: int, gone: torch.Tensor) -> None:
    """Set to zero what a tensor makes at the positions that are gone; leave what it reads there."""
    rows = tensor.movedim(axis, 0)
    if own == "running_var":
        return
    if isinstance(owner, PadShortcut):
        rows[gone] = -1
    elif isinstance(owner, _TRANSPOSED) and own == "weight":
        if axis == 0 and owner.groups > 1:  # groups that are gone altogether are gone with what they made
            whole = gone.view(owner.groups, -1).all(1, keepdim=True).expand(owner.groups, len(gone) // owner.groups)
            gone = whole.reshape(-1)
        if axis == 1 or owner.groups > 1:
            rows[gone] = 0
    elif isinstance(owner, (nn.Embedding, nn.EmbeddingBag)):
        if axis == 1:
            rows[gone] = 0
    elif tensor.dim() == 1 or axis == 0 or not isinstance(owner, _ROWS) or own in ("bias_k", "bias_v"):
        rows[gone] = 0


class _Statistics(TorchFunctionMode):
    """Normalize over the positions that stayed.

    They are known from the scale of the normalization; one without a scale normalizes over the positions that are not
    zero in the whole batch.
    """

    def __init__(self, alive: Mapping[int, Mapping[int, torch.Tensor]]) -> None:
        super().__init__()
        self.alive = alive

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in (F.layer_norm, torch.layer_norm):
            return self.layer(*_bind(("input", "shape", "weight", "bias", "eps"), args, kwargs), center=True)
        if func in (F.rms_norm, torch.rms_norm):
            x, shape, weight, eps = _bind(("input", "shape", "weight", "eps"), args, kwargs)
            return self.layer(x, shape, weight, None, torch.finfo(x.dtype).eps if eps is None else eps, center=False)
        if func in (F.group_norm, torch.group_norm):
            return self.group(*_bind(("input", "num_groups", "weight", "bias", "eps"), args, kwargs))
        return func(*args, **kwargs)

    def layer(self, x: Any, shape: Any, weight: Any, bias: Any, eps: Any, *, center: bool) -> torch.Tensor:
        eps = 1e-5 if eps is None else eps
        axes = tuple(range(-len(shape), 0))
        if weight is None:
            stays = (x != 0).flatten(0, x.dim() - len(shape) - 1).any(0)
        else:
            stays = torch.ones(tuple(shape), dtype=torch.bool)
            for axis, some in self.alive.get(id(weight), {}).items():
                stays = stays & some.view([-1 if a == axis else 1 for a in range(len(shape))])
        count = stays.sum()
        mean = (x * stays).sum(axes, keepdim=True) / count if center else 0.0
        moved = (x - mean) * stays
        y = moved / (moved.square().sum(axes, keepdim=True) / count + eps).sqrt()
        y = y if weight is None else y * weight
        return y if bias is None else y + bias

    def group(self, x: Any, groups: Any, weight: Any, bias: Any, eps: Any) -> torch.Tensor:
        eps = 1e-5 if eps is None else eps
        n, c = x.shape[:2]
        if weight is None:
            stays = (x != 0).transpose(0, 1).flatten(1).any(1)
        else:
            stays = self.alive.get(id(weight), {}).get(0, torch.ones(c, dtype=torch.bool))
        grouped = x.reshape(n, groups, c // groups, -1)
        mask = stays.view(1, groups, c // groups, 1)
        count = (mask.sum(2, keepdim=True) * grouped.shape[3]).clamp(min=1)
        mean = (grouped * mask).sum((2, 3), keepdim=True) / count
        moved = (grouped - mean) * mask
        y = (moved / (moved.square().sum((2, 3), keepdim=True) / count + eps).sqrt()).reshape(x.shape)
        form = (1, c) + (1,) * (x.dim() - 2)
        y = y if weight is None else y * weight.view(form)
        return y if bias is None else y + bias.view(form)


def _bind(names: tuple[str, ...], args: Any, kwargs: Mapping[str, Any]) -> list[Any]:
    kwargs = {"shape" if key == "normalized_shape" else key: value for key, value in kwargs.items()}
    return [args[i] if i < len(args) else kwargs.get(name) for i, name in enumerate(names)]


# -- running and comparing --------------------------------------------------------------------------------------------


@contextlib.contextmanager
def wide() -> Iterator[None]:
    """Make ``torch.zeros`` float64, as a network in float64 would want it."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def run(net: nn.Module, given: Any) -> list[torch.Tensor]:
    """Return a network's answers to float64 inputs."""
    doubled = [t.double() if isinstance(t, torch.Tensor) and t.is_floating_point() else t for t in given]
    with torch.no_grad(), wide():
        return [t for t in pytree.tree_leaves(net(*doubled)) if isinstance(t, torch.Tensor)]


def draw(example: Any, seed: int, batch: int | None = None) -> tuple[torch.Tensor, ...]:
    """Return new inputs of an example's form, with another batch size if one is given."""
    generator = torch.Generator().manual_seed(seed)

    def like(t: torch.Tensor) -> torch.Tensor:
        shape = (batch or len(t), *t.shape[1:])
        if t.dtype == torch.bool:
            return torch.rand(shape, generator=generator) < 0.3
        if not t.is_floating_point():
            return torch.randint(0, int(t.max()) + 1, shape, generator=generator)
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    return tuple(like(t) for t in (example if isinstance(example, tuple) else (example,)))


def difference(expected: list[torch.Tensor], got: list[torch.Tensor]) -> float:
    """Return the largest difference, relative to the largest number expected; infinite where forms differ."""
    if [t.shape for t in expected] != [t.shape for t in got]:
        return float("inf")
    worst = 0.0
    for a, b in zip(expected, got, strict=True):
        if not (bool(a.isfinite().all()) and bool(b.isfinite().all())):
            return float("inf")
        worst = max(worst, float((a - b).abs().max()) / max(float(a.abs().max()), 1e-30))
    return worst


def parameters(net: nn.Module) -> int:
    """Return how many parameters a network has."""
    return sum(p.numel() for p in net.parameters())


def same_network(a: nn.Module, b: nn.Module, given: Any) -> bool:
    """Return whether two networks have the same forms, the same numbers, and give the same answer.

    The answers may differ in the last bits: a matrix product depends on where in memory its operands lie.
    """
    if [str(m) for m in a.modules()] != [str(m) for m in b.modules()]:
        return False
    one, other = a.state_dict(), b.state_dict()
    if list(one) != list(other) or not all(torch.equal(one[name], other[name]) for name in one):
        return False
    a, b = copy.deepcopy(a).double().eval(), copy.deepcopy(b).double().eval()
    return difference(run(a, given), run(b, given)) <= 1e-13


@dataclass(frozen=True)
class Verdict:
    """What became of one network.

    Attributes:
        outcome: ``right``, ``refused`` or ``wrong``.
        reason: Why it is not right.
        before: Parameters before.
        after: Parameters after; 0 where there is no cut network.
        error: The largest relative difference from the masked original.
    """

    outcome: str
    reason: str = ""
    before: int = 0
    after: int = 0
    error: float = 0.0


def judge(net: nn.Module, example: Any, inputs: list[Any], *, tolerance: float = 1e-9) -> Verdict:
    """Prune a network by half in every layer, and compare with the masked original and with its rebuilt copy.

    Args:
        net: The network.
        example: What it is traced with.
        inputs: Inputs to compare on.
        tolerance: The largest relative difference allowed, in float64.
    """
    before, fresh = parameters(net), copy.deepcopy(net)
    try:
        small, log = prune(net, example, ratio=0.5, scope="local")
    except NetsmithError as error:
        return Verdict("refused", f"{type(error).__name__}: {error}", before)
    except Exception as error:  # a crash is no refusal: it names nothing
        return Verdict("wrong", f"crash: {type(error).__name__}: {error}"[:300], before)
    after = parameters(small)
    if after >= before:
        return Verdict("wrong", "nothing was cut", before, after)
    masked, cut = Masked(net, kept_of(log)), copy.deepcopy(small).double().eval()
    worst = 0.0
    for given in inputs:
        expected = masked(*given)
        try:
            worst = max(worst, difference(expected, run(cut, given)))
        except Exception as error:
            return Verdict("wrong", f"the cut network does not run: {error}"[:300], before, after)
    if not worst <= tolerance:
        return Verdict("wrong", f"differs by {worst:.1e} from the masked original", before, after, worst)
    try:
        again = SurgeryLog.from_json(json.loads(json.dumps(log.to_json())))
        rebuilt = apply_surgery(fresh, again)
        rebuilt.load_state_dict(small.state_dict())
        same = same_network(rebuilt, small, inputs[0])
    except Exception as error:
        return Verdict("wrong", f"does not rebuild: {type(error).__name__}: {error}"[:300], before, after, worst)
    if not same:
        return Verdict("wrong", "the rebuilt network is another one", before, after, worst)
    return Verdict("right", "", before, after, worst)
