"""What a probe is: a small network as users write it, an example to call it with, and what the cut must reach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

__all__ = ["Probe", "Probes", "build", "images", "integers", "numbers"]


@dataclass(frozen=True)
class Probe:
    """One network of the probe set.

    Attributes:
        make: Makes the network.
        example: One tensor or a tuple; the batch is axis 0 of each.
        kind: The kind of issue 3, section 1, that it stands for.
        cuts: Modules (the network itself is ``""``) that must lose something, or the kind was not reached.
        longer: The same with another length or size, where the network takes one.
        one_batch: The network takes the example's batch size only (its axis 0 are the nodes of one graph).
    """

    make: Callable[[], nn.Module]
    example: Any
    kind: str
    cuts: tuple[str, ...]
    longer: Any = None
    one_batch: bool = False


@dataclass
class Probes:
    """Collects probes by name."""

    found: dict[str, Probe] = field(default_factory=dict)

    def add(self, name: str, kind: str, example: Any, *, cuts: str, longer: Any = None, one_batch: bool = False) -> Any:
        """Return a decorator that notes a class or function that makes a network."""

        def note(make: Any) -> Any:
            assert name not in self.found
            self.found[name] = Probe(make, example, kind, tuple(cuts.split()), longer, one_batch)
            return make

        return note


def images(*shape: int) -> torch.Tensor:
    """Return an example of pictures."""
    return numbers(*(shape or (2, 3, 8, 8)))


def numbers(*shape: int) -> torch.Tensor:
    """Return an example of numbers."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def integers(high: int, *shape: int) -> torch.Tensor:
    """Return an example of indices below ``high``, the least and the largest among them."""
    found = torch.randint(0, high, shape, generator=torch.Generator().manual_seed(sum(shape)))
    found.view(-1)[0], found.view(-1)[-1] = 0, high - 1
    return found


def build(make: Callable[[], nn.Module], seed: int = 0) -> nn.Module:
    """Make a network with its own random numbers, none of its parameters and statistics left at a constant."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = make()
        with torch.no_grad():
            for name, tensor in [*net.named_parameters(), *net.named_buffers()]:
                own = name.rpartition(".")[2]
                if own == "running_mean":
                    tensor.uniform_(-0.5, 0.5)
                elif own == "running_var":
                    tensor.uniform_(0.5, 2)
                elif (
                    isinstance(tensor, nn.Parameter)
                    and tensor.numel() > 1
                    and bool((tensor == tensor.view(-1)[0]).all())
                ):
                    tensor.uniform_(0.5, 1.5) if bool(tensor.view(-1)[0]) else tensor.uniform_(-1, 1)
    return net
