"""Asking a network for gradients of its answer as it is used: in evaluation mode, and left as it was found."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import nn

__all__ = ["evaluating"]


@contextlib.contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Run in evaluation mode with gradients on, and give every submodule its own mode back afterwards."""
    modes = [(part, part.training) for part in module.modules()]
    on_cuda = any(parameter.is_cuda for parameter in module.parameters())
    # cuDNN's recurrent kernels have no backward pass in evaluation mode; torch's own kernels do.
    recurrent = on_cuda and any(isinstance(part, nn.RNNBase) for part, _ in modes)
    kernels = torch.backends.cudnn.flags(enabled=False) if recurrent else contextlib.nullcontext()
    try:
        for part, _ in modes:
            part.training = False
        with torch.inference_mode(False), torch.enable_grad(), kernels:
            yield
    finally:
        for part, mode in modes:
            part.training = mode
