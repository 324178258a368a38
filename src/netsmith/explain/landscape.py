r"""Pictures of the loss around trained weights: along random directions, and between two networks.

A loss surface (Li, Xu, Taylor, Studer & Goldstein 2018, arXiv:1712.09913, Eq. 1) is the mean loss of fixed examples at

.. math:: f(\alpha, \beta) = L(\theta^* + \alpha \delta + \beta \eta)

Two networks may be compared only if the directions fit their weights: a ReLU network whose first layer is multiplied
by 10 and the next divided by 10 is the same function, and yet looks ten times sharper to the one. Hence *filter
normalization* (section 4): each filter of the direction takes the norm of the filter it moves,
:math:`d_{i,j} \leftarrow d_{i,j} \, \lVert\theta_{i,j}\rVert / \lVert d_{i,j} \rVert`. The straight line between two
sets of weights is that of Goodfellow, Vinyals & Saxe 2015 (arXiv:1412.6544). The plane in which a training moves is
found by :func:`~netsmith.explain.trajectory.trajectory_plane`.

A picture shows two of very many directions: that it looks convex does not say that the loss is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvTransposeNd

from netsmith.core.errors import UnknownNameError, UserError
from netsmith.explain._weights import Examples, LossFunction, as_found, batch_loss, fixed

__all__ = ["Surface", "loss_surface", "random_directions", "straight_line"]

_NORMALIZATIONS = (_NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)


class Surface(NamedTuple):
    """The loss on a grid.

    Attributes:
        axes: One or two ``(S,)``: the steps along each direction.
        losses: ``(S,)`` or ``(S, S)`` float64; the first axis is the first direction. A loss that is infinite or not a
            number stays what it is.
        non_finite: How many of them are.
    """

    axes: tuple[Tensor, ...]
    losses: Tensor
    non_finite: int


@torch.no_grad()
def random_directions(
    module: nn.Module,
    *,
    generator: torch.Generator,
    count: int = 2,
    normalize: Literal["filter", "layer", "none"] = "filter",
    vectors: bool = False,
) -> list[dict[str, Tensor]]:
    """Draw Gaussian directions in the space of the weights and fit them to the weights.

    A filter is what makes one output of a layer: ``weight[j]`` (of a transposed convolution ``weight[:, j]``).

    Args:
        module: Its floating-point parameters, also frozen ones.
        generator: Draws the directions.
        count: How many.
        normalize: Give each filter its weight's norm, each layer its weight's norm, or nothing.
        vectors: Also move biases and the parameters of normalization layers (and all else of one axis or none). The
            paper leaves them in place; moved, each of their numbers is a filter of its own.

    Returns:
        For each direction the tensors by name; those left in place are not among them.

    Raises:
        UserError: There is nothing to move, or a ``count`` or ``normalize`` that does not exist.
    """
    if count < 1 or normalize not in ("filter", "layer", "none"):
        raise UserError(
            f"count is {count}, normalize is {normalize!r}; expected at least 1, and 'filter', 'layer' or 'none'"
        )
    owners = {
        f"{prefix}.{name}".removeprefix("."): part
        for prefix, part in module.named_modules()
        for name in part._parameters
    }
    moved = {
        name: weight.detach()
        for name, weight in module.named_parameters()
        if weight.is_floating_point()
        and (vectors or (weight.dim() > 1 and not isinstance(owners[name], _NORMALIZATIONS)))
    }
    if not moved:
        left = "" if vectors else " besides biases and normalizations (vectors=True moves these too)"
        raise UserError(f"{type(module).__name__} has no floating-point parameter{left}; expected weights to move")

    def draw(name: str, weight: Tensor) -> Tensor:
        noise = torch.randn(weight.shape, generator=generator, device=generator.device, dtype=weight.dtype)
        noise = noise.to(weight.device)
        if normalize == "none":
            return noise
        if normalize == "layer":
            return noise * (weight.norm() / noise.norm())
        return noise * (_filter_norms(weight, owners[name]) / _filter_norms(noise, owners[name]))

    return [{name: draw(name, weight) for name, weight in moved.items()} for _ in range(count)]


def loss_surface(
    module: nn.Module,
    loss: LossFunction,
    batches: Examples,
    directions: Sequence[Mapping[str, Tensor]],
    *,
    steps: int = 51,
    span: float | Sequence[tuple[float, float]] = 1.0,
    center: Mapping[str, Tensor] | None = None,
    training: bool = False,
) -> Surface:
    """Return the mean loss on a line or a plane through the weights.

    The module is used in place and put back bit for bit. The time is that of ``steps`` (squared) forward passes: on a
    processor batches of some hundreds, which stay in its cache, are faster than one of thousands.

    Args:
        module: Any module; run in evaluation mode, with the running statistics of its normalizations as they are.
        loss: ``loss(output, targets)``: the mean over a batch, or a task's ``loss``.
        batches: Pairs of inputs and targets; the same examples at every point.
        directions: One or two, by the names of parameters (or of floating-point buffers); what a direction does not
            name does not move.
        steps: Points along each, at least 2; odd to have the center among them.
        span: Points run from ``-span`` to ``span``, or from low to high as given for each direction.
        center: The weights at 0, such as a state dict; None takes those of the module, also for what it does not name.
        training: Run in training mode instead: statistics of the batch, and the same dropout at every point.

    Raises:
        UserError: No or too many directions, directions that do not fit, or numbers out of range.
        UnknownNameError: A direction or the center names what the module does not have.

    Example:
        >>> net = nn.Linear(1, 1, bias=False).double()
        >>> one = torch.ones(1, 1).double()
        >>> surface = loss_surface(net, nn.MSELoss(), [(one, net(one).detach())], [{"weight": one}], steps=3)
        >>> [round(value, 6) for value in surface.losses.tolist()]
        [1.0, 0.0, 1.0]
    """
    if len(directions) not in (1, 2):
        raise UserError(f"got {len(directions)} directions; expected 1 for a line or 2 for a plane")
    spans = [(-float(span), float(span))] * len(directions) if isinstance(span, (int, float)) else list(span)
    if steps < 2 or len(spans) != len(directions) or not all(low < high for low, high in spans):
        raise UserError(
            f"steps is {steps}, span is {span!r}; expected at least 2 steps, and a positive span or (low, high) for "
            f"each of the {len(directions)} directions"
        )
    examples = fixed(batches)
    share = torch.arange(steps, dtype=torch.float64) / (steps - 1)
    axes = tuple(low + (high - low) * share for low, high in spans)
    state = {**dict(module.named_buffers()), **dict(module.named_parameters(remove_duplicate=False))}
    for what, tensors in (("center", center or {}), *((f"direction {i}", d) for i, d in enumerate(directions))):
        _check(what, tensors, state)
    live: dict[int, tuple[str, Tensor]] = {}  # tied weights have two names and move once
    for name in dict.fromkeys(name for direction in directions for name in direction):
        live.setdefault(id(state[name]), (name, state[name]))
    if not live:
        raise UserError("the directions name no tensor; expected at least one to move")
    tensors = [tensor for _, tensor in live.values()]
    moves = [
        [d[name].to(tensor) if name in d else torch.zeros_like(tensor) for name, tensor in live.values()]
        for d in directions
    ]
    with as_found(module, training=training) as put_back, torch.no_grad():
        placed = [(state[name], tensor) for name, tensor in (center or {}).items()]
        for tensor, value in placed:
            tensor.copy_(value)
        start = [tensor.detach().clone() for tensor in tensors]
        points: list[Tensor] = []
        weights: list[float] = []
        devices = sorted({tensor.device.index or 0 for tensor in tensors if tensor.is_cuda})
        for a in axes[0].tolist():
            row = torch._foreach_add(start, moves[0], alpha=a)
            for b in axes[1].tolist() if len(axes) == 2 else [0.0]:
                if training:  # what the pass before left in the buffers is no part of this point
                    put_back()
                    for tensor, value in placed:
                        tensor.copy_(value)
                torch._foreach_copy_(tensors, row)
                if b:
                    torch._foreach_add_(tensors, moves[1], alpha=b)
                with torch.random.fork_rng(devices):  # the same noise at every point
                    found = [batch_loss(module, loss, batch) for batch in examples]
                points.append(torch.stack([one.total.detach() for one in found]))
                weights.append(sum(float(one.weight) for one in found))
    losses = torch.stack(points).cpu().double().sum(1) / torch.tensor(weights, dtype=torch.float64)
    return Surface(axes, losses.reshape([steps] * len(axes)), int((~losses.isfinite()).sum()))


def straight_line(
    module: nn.Module,
    loss: LossFunction,
    batches: Examples,
    *,
    first: Mapping[str, Tensor],
    second: Mapping[str, Tensor],
    steps: int = 51,
    span: tuple[float, float] = (0.0, 1.0),
    training: bool = False,
) -> Surface:
    r"""Return the mean loss at :math:`(1 - \alpha) \theta_0 + \alpha \theta_1` (Goodfellow et al. 2015).

    From the first weights of a training to the last it shows what was in the way; between two trainings, whether a
    barrier parts them.

    Args:
        module: As in :func:`loss_surface`.
        loss: As there.
        batches: As there.
        first: The weights at 0: a state dict, or parameters by name. Floating-point buffers it holds (the statistics of
            batch normalization) are interpolated too; the counts stay those of ``first``.
        second: The weights at 1, with the same names.
        steps: Points, both ends among them.
        span: From where to where; beyond 0 and 1 too.
        training: As there.

    Raises:
        UserError: As there, or names that differ.
    """
    if first.keys() != second.keys():
        apart = sorted(first.keys() ^ second.keys())
        raise UserError(f"first and second differ in {len(apart)} names, such as {apart[0]!r}; expected the same")
    for name, tensor in first.items():
        if tensor.shape != second[name].shape:
            raise UserError(f"{name} is {tuple(tensor.shape)} in first, {tuple(second[name].shape)} in second")
    way = {name: second[name] - tensor for name, tensor in first.items() if tensor.is_floating_point()}
    return loss_surface(module, loss, batches, [way], steps=steps, span=[span], center=first, training=training)


def _filter_norms(weight: Tensor, owner: nn.Module) -> Tensor:
    """Return the norm of each filter, broadcastable to ``weight``; zero-norm filters of a draw do not occur."""
    if weight.dim() < 2 or isinstance(owner, _NORMALIZATIONS):
        return weight.abs()
    if isinstance(owner, _ConvTransposeNd):  # (in, out / groups, ...): outputs are along the second axis
        grouped = weight.unflatten(0, (owner.groups, -1))
        norms = torch.linalg.vector_norm(grouped, dim=(1, *range(3, grouped.dim())), keepdim=True)
        return norms.expand_as(grouped).flatten(0, 1)
    return torch.linalg.vector_norm(weight, dim=tuple(range(1, weight.dim())), keepdim=True)


def _check(what: str, tensors: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        if name not in state:
            raise UnknownNameError(f"parameter or buffer (in the {what})", name, state)
        if tensor.shape != state[name].shape:
            shapes = f"{tuple(tensor.shape)}; expected {tuple(state[name].shape)}"
            raise UserError(f"the {what}: {name} has shape {shapes}")
        if what != "center" and not (tensor.is_floating_point() and state[name].is_floating_point()):
            raise UserError(f"the {what}: {name} is {state[name].dtype}; only floating-point tensors can be moved")
        if not bool(tensor.isfinite().all()):
            raise UserError(f"the {what}: {name} is not finite")
