"""BLEU of the texts that a model writes, whatever its tokens are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from torch import Tensor

from netsmith.core.errors import ConfigError
from netsmith.core.spec import Outputs
from netsmith.engine.task import Metric
from netsmith.layers.bleu import BleuCounts
from netsmith.layers.reading import END_NUMBER
from netsmith.layers.tokenize import detokenize

__all__ = ["Bleu"]

_STRANGE = ("\ufffc", "\ufffd")  # what an unknown token is, written and wanted: no token of both
_COPIES = 0xF0000  # signs that no text has


class _Judged(Protocol):
    @property
    def tokens(self) -> Tensor | None: ...
    @property
    def outputs(self) -> Outputs | None: ...


class Bleu(Metric):
    """BLEU of texts against one reference or several, 0..100: sacrebleu's figure, see :mod:`netsmith.layers.bleu`.

    Tokens become texts by the schema's step: of subwords the figure is that of the texts as they stand in the file; of
    words, whose blanks and unknown ones are lost, that of the words. An unknown token matches nothing.

    It takes what was written, ``tokens`` ``(B, S)`` with 2 at the end and 0 behind, and targets ``(B, T)`` likewise,
    ``UNLABELED`` behind; or ``(B, R, T)`` of R references each, those of nothing but padding being none.

    Args:
        lowercase: Take all texts in lower case: ``case:lc`` stands in the signature, and the figure is one of its own,
            not to be compared with that of texts as they stand.

    Raises:
        ConfigError: The schema does not say how its tokens become texts.
    """

    unit = "BLEU"

    def __init__(self, *, lowercase: bool = False) -> None:
        self.lowercase = lowercase
        self.counts = BleuCounts()

    def update(self, output: _Judged, target: Tensor) -> None:
        outputs = output.outputs
        if output.tokens is None or outputs is None or not outputs.steps:
            raise ConfigError(
                "BLEU needs the texts that were written, and a schema whose outputs say how tokens are cut"
            )
        written, wanted = _STRANGE
        references = target if target.dim() == 3 else target[:, None]
        for row, rows in zip(output.tokens.tolist(), references.tolist(), strict=True):
            texts = [_text(row, outputs, written), *(_text(one, outputs, wanted) for one in rows if one[0] > 0)]
            self.counts.add(*([text.lower() for text in texts] if self.lowercase else texts))

    def merge(self, other: Bleu) -> None:
        self.counts.merge(other.counts)

    def compute(self) -> float:
        return self.counts.score()


def _text(row: Iterable[int], outputs: Outputs, strange: str) -> str:
    tokens: list[str] = []
    for number in row:
        if number == END_NUMBER:
            break
        if number > 0:
            tokens.append(strange if number == 1 else _name(number, outputs))
    return detokenize(tokens, outputs.steps[0])


def _name(number: int, outputs: Outputs) -> str:
    """Return a token; a word that was copied is a sign of its own, the same in both texts, since it has one number."""
    past = number - len(outputs.names)
    return outputs.names[number] if past < 0 else chr(_COPIES + past)
