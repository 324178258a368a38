"""What optimizers that add noise share: where it comes from, and what a resume needs to go on with it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from netsmith.core.keys import key
from netsmith.optim._wrapper import Wrapper

__all__ = ["NoisyWrapper"]


class NoisyWrapper(Wrapper):
    """A wrapper whose noise is a pure function of a key, drawn once when it is built, and of the number of its steps.

    torch's default generator gives the key: the engine seeds it with the run's seed before it builds, alike on all
    ranks. Both numbers lie in each parameter's state, so that a checkpoint holds them. The noise of a step is that of
    the whole batch: it depends neither on how the batch is cut nor on the number of ranks.

    Args:
        inner: What makes the steps.
    """

    def __init__(self, inner: torch.optim.Optimizer) -> None:
        super().__init__(inner)
        self._key = int(torch.randint(1 << 62, ()))

    def _with_gradient(self) -> list[nn.Parameter]:
        return [p for group in self.param_groups for p in group["params"] if p.grad is not None]

    def _place(self) -> tuple[int, int]:
        """Return the key and how many steps were taken with it."""
        for entries in self.state.values():
            if "noise_step" in entries:
                return int(entries["noise_key"]), int(entries["noise_step"])
        return self._key, 0

    def _remember(self, parameters: list[nn.Parameter], base: int, step: int) -> None:
        """Note the number of steps, after the inner optimizer has set up its own state."""
        noted = [entries for entries in self.state.values() if "noise_step" in entries]
        for entries in (*noted, *(self.state[parameter] for parameter in parameters)):
            entries["noise_key"], entries["noise_step"] = base, step

    def _draws(self, parameters: list[nn.Parameter], base: int, step: int) -> list[Tensor]:
        """Return standard normal numbers for each parameter; another step gives others."""
        generators = {p.device: torch.Generator(p.device) for p in parameters}
        for generator in generators.values():
            generator.manual_seed(key(base, "noise", step))
        return [
            torch.randn(p.shape, generator=generators[p.device], device=p.device, dtype=p.dtype) for p in parameters
        ]
