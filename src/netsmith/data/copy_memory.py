"""The copy memory problem: some symbols, a long blank, then the same symbols again.

Hochreiter & Schmidhuber 1997; in this form Arjovsky, Shah & Bengio 2016 (arXiv:1511.06464, section 5.1).
"""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.spec import Inputs, Outputs
from netsmith.data._keyed import KeyedFields, KeyedSource
from netsmith.engine.random import keyed_uniform
from netsmith.engine.task import UNLABELED

__all__ = ["CopyMemory"]

_BLANK = 1
_GO = 2
_FIRST = 3  # 0 is padding


class CopyMemory(KeyedSource):
    """The symbols that stood at the beginning are wanted at the end.

    ``count`` symbols, ``delay`` blanks of which the last is a sign to go, and as many blanks as symbols, at which the
    symbols are to be named in their order. Only those places are judged: who remembers nothing loses log(symbols) nats
    at each. (The paper also judges the blanks, where there is nothing to know.)
    """

    class Config(KeyedFields):
        """The sequences.

        Attributes:
            symbols: Different symbols.
            count: How many are to be kept.
            delay: Steps between the last symbol and the first answer.
        """

        symbols: int = Field(default=8, ge=2, le=1000)
        count: int = Field(default=10, ge=1, le=1000)
        delay: int = Field(default=100, ge=1, le=100_000)

        @property
        def chance(self) -> float:
            """Nats per symbol of who remembers nothing."""
            return math.log(self.symbols)

    def __init__(self, config: CopyMemory.Config) -> None:
        self.form = config
        names = tuple(f"symbol {number}" for number in range(1, config.symbols + 1))
        length = 2 * config.count + config.delay
        inputs = Inputs(
            kind="tokens",
            shape=(length,),
            dtype="int64",
            vocabulary=("", "blank", "go", *names),
            max_length=length,
        )
        outputs = Outputs(kind="tags", names=names, size=config.symbols)
        super().__init__(config, dataset="copy_memory", inputs=inputs, outputs=outputs)

    def _draw(self, keys: Tensor, *, training: bool) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        form = self.form
        drawn = (keyed_uniform(keys, form.count, stream="symbols") * form.symbols).long().clamp(max=form.symbols - 1)
        tokens = torch.full((len(keys), 2 * form.count + form.delay), _BLANK)
        tokens[:, : form.count] = drawn + _FIRST
        tokens[:, form.count + form.delay - 1] = _GO
        targets = torch.full_like(tokens, UNLABELED)
        targets[:, -form.count :] = drawn
        return tokens, targets
