"""Training under masks: what is zero stays zero; and lottery tickets, which are found that way."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from netsmith.compress.masks import Masks, apply_masks, magnitude_masks, rewound
from netsmith.core.errors import UnsupportedError
from netsmith.engine.hook import Hook

if TYPE_CHECKING:
    from netsmith.engine.engine import Engine

__all__ = ["KeepMasks", "lottery_ticket", "masked_updates"]


def lottery_ticket(
    module: nn.Module,
    train: Callable[[nn.Module, Masks], None],
    *,
    sparsity: float,
    rounds: int = 1,
    scope: Literal["global", "layer"] = "global",
    protect: Iterable[str] = (),
    initial: Mapping[str, Tensor] | None = None,
) -> tuple[nn.Module, dict[str, Tensor]]:
    """Find a lottery ticket by iterative magnitude pruning (Frankle & Carbin 2019, arXiv:1803.03635, section 2).

    Each round trains, masks the same part of the weights that are left, and rewinds what stays. Buys insight, and a
    smaller zip of what is trained from it; no time, neither in training nor after.

    Args:
        module: The network with its initial weights; not touched.
        train: Trains a network in place under masks (empty in the first round): :func:`masked_updates` in a loop of
            one's own, :class:`KeepMasks` in the engine.
        sparsity: The part of the weights that is masked in the end; after round ``k`` of ``n`` it is
            ``1 - (1 - sparsity)^(k / n)``.
        rounds: How often it is trained; 1 is one-shot.
        scope: See :func:`~netsmith.compress.masks.magnitude_masks`.
        protect: See :func:`~netsmith.compress.masks.magnitude_masks`.
        initial: Rewind to this state, for instance from some steps into training (Frankle et al. 2020,
            arXiv:1912.05671), and not to the module's own.

    Returns:
        The ticket (rewound and masked, not trained) and its masks.

    Raises:
        UnsupportedError: See :func:`~netsmith.compress.masks.magnitude_masks`; or no round at all.
        CheckpointError: ``initial`` does not fit.
    """
    if rounds < 1:
        raise UnsupportedError(f"expected rounds >= 1, got {rounds}")
    start = {name: value.clone() for name, value in (module.state_dict() if initial is None else initial).items()}
    guarded = tuple(protect)
    network, masks = copy.deepcopy(module), dict[str, Tensor]()
    for number in range(1, rounds + 1):
        train(network, masks)
        part = 1 - (1 - sparsity) ** (number / rounds) if number < rounds else sparsity
        masks = magnitude_masks(network, sparsity=part, scope=scope, protect=guarded, within=masks)
        network = rewound(network, masks, start)
    return network, masks


@contextlib.contextmanager
def masked_updates(module: nn.Module, masks: Masks, optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """Keep masked weights at zero in a training loop of one's own, inside this context.

    Their gradients are zero (so that clipping sees only what is left), and each step is followed by the masks, since
    momentum from before would move them. The module's class, parameters and state stay as they are.

    Args:
        module: The network that is trained; masked at once.
        masks: By parameter name.
        optimizer: Its optimizer.

    Raises:
        CheckpointError: A mask does not fit.
    """
    apply_masks(module, masks)
    handles = _masked_gradients(module, masks)
    handles.append(optimizer.register_step_post_hook(lambda *_: apply_masks(module, masks)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class KeepMasks(Hook):
    """Keep masked weights of the product at zero while the engine trains: ``Engine(..., hooks=[KeepMasks(masks)])``.

    As :func:`masked_updates`. Runs before averages are taken, so they are masked too. Not saved with a checkpoint:
    give it again to resume.

    Args:
        masks: By the name of the product's parameter.
    """

    order = 10

    def __init__(self, masks: Masks) -> None:
        self.masks = dict(masks)
        self._handles: list[Any] = []

    def start(self, engine: Engine) -> None:
        self.end(engine)  # a run that was interrupted and goes on in the same process
        apply_masks(engine.method.product(), self.masks)
        self._handles = _masked_gradients(engine.method.product(), self.masks)

    def after_step(self, engine: Engine, logs: Mapping[str, float]) -> None:  # noqa: ARG002
        apply_masks(engine.method.product(), self.masks)

    def end(self, engine: Engine) -> None:  # noqa: ARG002
        for handle in self._handles:
            handle.remove()
        self._handles = []


def _masked_gradients(module: nn.Module, masks: Masks) -> list[Any]:
    parameters = dict(module.named_parameters())
    handles = []
    for name, mask in masks.items():
        if parameters[name].requires_grad:
            gone = ~mask.to(parameters[name].device)
            handles.append(parameters[name].register_hook(lambda grad, gone=gone: grad.masked_fill(gone, 0)))
    return handles
