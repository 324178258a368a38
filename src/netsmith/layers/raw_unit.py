"""Between what a network sees and the unit a person states a change in: pixels of 0..1."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from netsmith.core.spec import Inputs
from netsmith.layers.preprocess import normalize

__all__ = ["RawUnit"]


@dataclass(frozen=True)
class RawUnit:
    """The inputs before they were normalized, and their range.

    Of an image it is what the step ``scale`` makes of the raw values: 0..1. Anything else stays as the network sees it
    (of a normalized table: standard deviations from the mean), and has no range.

    Attributes:
        mean: Of each channel; empty where nothing is normalized.
        std: The standard deviations.
        low: The least value there is.
        high: The most.

    Example:
        >>> import torch
        >>> from netsmith.core.spec import Step
        >>> steps = (Step(name="scale", high=255.0), Step(name="normalize", mean=(0.5,), std=(0.25,)))
        >>> inputs = Inputs(kind="image", shape=(1, 2, 2), low=0.0, high=255.0, preprocessing=steps)
        >>> unit = RawUnit.of(inputs)
        >>> unit.low, unit.high, float(unit.raw(torch.ones(1, 1, 2, 2))[0, 0, 0, 0])
        (0.0, 1.0, 0.75)
    """

    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    low: float = -math.inf
    high: float = math.inf

    @classmethod
    def of(cls, inputs: Inputs) -> RawUnit:
        """Return the unit of a schema's inputs."""
        if inputs.kind != "image":
            return cls()
        low = -math.inf if inputs.low is None else inputs.low
        high = math.inf if inputs.high is None else inputs.high
        mean: tuple[float, ...] = ()
        std: tuple[float, ...] = ()
        for step in inputs.preprocessing:
            if step.name == "scale":
                low, high = ((end - step.low) / (step.high - step.low) for end in (low, high))
            elif step.name == "normalize":
                mean, std = step.mean, step.std
        return cls(mean, std, low, high)

    def raw(self, seen: Tensor) -> Tensor:
        """Return ``(B, C, ...)`` inputs of the network in this unit, within the range."""
        if not self.mean:
            return seen
        shape = (1, -1, *[1] * (seen.dim() - 2))
        mean, std = (seen.new_tensor(values).view(shape) for values in (self.mean, self.std))
        return (seen * std + mean).clamp(self.low, self.high)

    def seen(self, raw: Tensor) -> Tensor:
        """Return what the network sees of ``(B, C, ...)`` values in this unit."""
        return normalize(raw, raw.new_tensor(self.mean), raw.new_tensor(self.std)) if self.mean else raw
