"""Whether a network runs in training mode, where its code may take branches that no proof in evaluation mode sees."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from netsmith.core.errors import ProofError, first_line
from netsmith.measure.example import Example, called
from netsmith.measure.macs import on_meta

__all__ = ["run_training"]


def run_training(module: nn.Module, example: Example) -> None:
    """Run a copy of a network once in training mode, on shapes alone where it can.

    Args:
        module: Not touched, nor are its buffers.
        example: One tensor, a tuple (positional arguments) or a dict of tensors.

    Raises:
        ProofError: It does not run; names the module.
    """
    running: list[str] = []

    def run(clone: nn.Module, given: tuple[Any, ...]) -> None:
        running.clear()
        for name, child in clone.named_modules():
            child.register_forward_pre_hook(enter(name))
            child.register_forward_hook(leave)
        with torch.no_grad():
            clone.train()
            called(clone, given)

    def enter(name: str) -> Any:
        def hook(_: nn.Module, __: Any) -> None:
            running.append(name)

        return hook

    def leave(_: nn.Module, __: Any, ___: Any) -> None:
        running.pop()

    devices = {t.device.index or 0 for t in module.parameters() if t.is_cuda}
    try:
        with torch.random.fork_rng(devices=sorted(devices)):
            on_meta(module, example, run)
    except Exception as error:  # whatever a network that is not ours raises
        name = running[-1] if running else ""
        place = f"{name or 'the network'} ({type(module.get_submodule(name)).__name__})"
        raise ProofError(f"does not run in training mode: {first_line(error)} (at {place})") from error
