"""The adding problem: two numbers far apart in a long sequence, and their sum at its end.

Hochreiter & Schmidhuber, "Long short-term memory", Neural Computation 9, 1997, experiment 4, in the form of Le, Jaitly
& Hinton 2015 (arXiv:1504.00941).
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.spec import Inputs, Outputs
from netsmith.data._keyed import KeyedFields, KeyedSource
from netsmith.engine.random import keyed_uniform

__all__ = ["AddingProblem"]


class AddingProblem(KeyedSource):
    """The sum of two numbers is wanted, which are marked among many.

    A sequence holds numbers from U(0, 1), each beside a mark that is 1 at two places, one in each half, and else 0. Who
    always answers 1 has a mean squared error of 1/6, the variance of the sum.
    """

    class Config(KeyedFields):
        """The sequences.

        Attributes:
            length: Steps.
        """

        length: int = Field(default=100, ge=2, le=100_000)

    def __init__(self, config: AddingProblem.Config) -> None:
        self.length = config.length
        inputs = Inputs(kind="series", shape=(config.length, 2), columns=("value", "mark"))
        super().__init__(
            config, dataset="adding_problem", inputs=inputs, outputs=Outputs(kind="values", names=("sum",), size=1)
        )

    def _draw(self, keys: Tensor, *, training: bool) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        numbers = keyed_uniform(keys, self.length, stream="numbers")  # (B, L)
        half = self.length // 2
        first = (keyed_uniform(keys, stream="first") * half).long()
        second = half + (keyed_uniform(keys, stream="second") * (self.length - half)).long()
        marks = torch.zeros_like(numbers)
        for at in (first, second):
            marks.scatter_(1, at[:, None], 1.0)
        return torch.stack([numbers, marks], dim=2).float(), (numbers * marks).sum(1, keepdim=True).float()
