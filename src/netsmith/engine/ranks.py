"""The processes of a run: one, or those that ``torchrun`` started."""

from __future__ import annotations

import os
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

__all__ = ["Ranks"]


class Ranks:
    """The place of one process among the ranks, and the few collectives the engine needs.

    Sums go through one flat buffer and torch's own ``all_reduce``: right for every method, whatever path its loss took.

    Attributes:
        rank: 0 .. world-1.
        world: Number of processes.
        local: 0, 1, ... among the processes of this machine: the number of its GPU.
    """

    def __init__(self) -> None:
        self.world = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))
        self.local = int(os.environ.get("LOCAL_RANK", "0"))
        if self.world > 1 and self.local < torch.cuda.device_count():
            torch.cuda.set_device(self.local)  # what is gathered travels through the current GPU: one for each rank
        if self.world > 1 and not dist.is_initialized():
            dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")

    @property
    def first(self) -> bool:
        """Whether this process writes files and prints."""
        return self.rank == 0

    def share(self, size: int) -> tuple[int, int]:
        """Return the start and stop of this rank's part of ``size`` examples."""
        return size * self.rank // self.world, size * (self.rank + 1) // self.world

    def sum_(self, tensors: list[Tensor]) -> None:
        """Add the tensors of all ranks in place; all of one type and device."""
        if self.world == 1:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        dist.all_reduce(flat)
        parts = flat.split([tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))

    def any(self, flag: bool) -> bool:
        """Say whether the flag is set on some rank, so that all of them act on it in the same step."""
        if self.world == 1:
            return flag
        count = torch.tensor([float(flag)], device="cuda" if dist.get_backend() == "nccl" else "cpu")
        dist.all_reduce(count)
        return bool(count.item())

    def gather(self, value: Any) -> list[Any]:
        """Return the values of all ranks, in order."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        dist.all_gather_object(values, value)
        return values

    def from_first(self, value: Any) -> Any:
        """Return rank 0's value on every rank."""
        return self.gather(value)[0]

    def close(self) -> None:
        """Leave the process group, if there is one: all together, so that none goes while another still writes."""
        if self.world > 1 and dist.is_initialized():
            dist.barrier()
            dist.destroy_process_group()
