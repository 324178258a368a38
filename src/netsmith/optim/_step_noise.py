"""What optimizers that add noise share: where it comes from, and what a resume needs to go on with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import torch
from pydantic import model_validator
from torch import Tensor, nn

from netsmith.core.keys import key
from netsmith.optim._wrapper import Wrapper, WrapperConfig, refuse_asking

__all__ = ["NoisyConfig", "NoisyWrapper"]


class NoisyConfig(WrapperConfig):
    """The fields of every optimizer that adds noise: what is inside takes the gradient as it is, with other noise."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        refuse_asking(self)
        inside = self.inner
        while isinstance(inside, WrapperConfig):
            if isinstance(inside, type(self)):
                raise ValueError(
                    f"there is a {self.kind_name()} inside this one, and both would keep their place in one entry; one "
                    "with the variances added does the same"
                )
            inside = inside.inner
        return self


class NoisyWrapper(Wrapper):
    """A wrapper whose noise is a pure function of a key, drawn once when it is built, and of the number of its steps.

    torch's default generator gives the key: the engine seeds it with the run's seed before it builds, alike on all
    ranks. Both numbers lie in each parameter's state, so that a checkpoint holds them. The noise of a step is that of
    the whole batch: it depends neither on how the batch is cut nor on the number of ranks.

    Args:
        config: Names the inner optimizer, which makes the steps.
        parameters: A player's parameters by name.
        name: Of the entries, for one kind of noise may be inside another.
    """

    def __init__(self, config: WrapperConfig, parameters: Mapping[str, nn.Parameter], *, name: str) -> None:
        super().__init__(config, parameters)
        self._entries = f"{name}_key", f"{name}_step"
        self._key = int(torch.randint(1 << 62, ()))

    def _with_gradient(self) -> list[nn.Parameter]:
        return [p for group in self.param_groups for p in group["params"] if p.grad is not None]

    def _place(self) -> tuple[int, int]:
        """Return the key and how many steps were taken with it."""
        base, step = self._entries
        for entries in self.state.values():
            if step in entries:
                return int(entries[base]), int(entries[step])
        return self._key, 0

    def _remember(self, parameters: list[nn.Parameter], base: int, step: int) -> None:
        """Note the number of steps, after the inner optimizer has set up its own state."""
        names = self._entries
        noted = [entries for entries in self.state.values() if names[1] in entries]
        for entries in (*noted, *(self.state[parameter] for parameter in parameters)):
            entries.update(zip(names, (base, step), strict=True))

    def _draws(self, parameters: list[nn.Parameter], base: int, step: int) -> list[Tensor]:
        """Return standard normal numbers for each parameter; another step gives others."""
        generators = {p.device: torch.Generator(p.device) for p in parameters}
        for generator in generators.values():
            generator.manual_seed(key(base, "noise", step))
        return [
            torch.randn(p.shape, generator=generators[p.device], device=p.device, dtype=p.dtype) for p in parameters
        ]
