"""Phrase-based translation by the noisy channel: argmax P(f | e) P(e), learned by counting (Koehn et al. 2003)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.config import AUTO, Auto
from netsmith.core.errors import DataError, UnsupportedError
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.fitted import Fitted
from netsmith.layers.reading import END_NUMBER
from netsmith.models.language.ngram import Ngram
from netsmith.models.language.ngram_scores import NgramScores
from netsmith.models.translation.align_words import align_words
from netsmith.models.translation.phrase_table import FEATURES, PhraseTable, phrase_table
from netsmith.models.translation.stack_decoder import Choices, Decoded, StackDecoder
from netsmith.models.translation.word_links import Sentences

__all__ = ["PhraseBased"]

_DROPPED = -100.0
"""What it costs to leave a word out that has no translation of its own: more than any way around it."""


class PhraseBased(Fitted):
    r"""Translate phrase by phrase, as a code that a noisy channel has garbled (Brown et al. 1990; Koehn et al. 2003).

    Words are aligned by IBM models 1 and 2 in both directions, phrases extracted that the alignment keeps together,
    and the target language is an n-gram model with Kneser-Ney smoothing. By Bayes' rule the best translation of f is

    .. math:: \hat e = \arg\max_e P(f \mid e)\, P(e), \qquad
              P(f \mid e) = \prod_i \phi(f_i \mid e_i)\, e^{-\delta |a_i - b_{i-1} - 1|}

    which is what the default weights say. With other weights it is a log-linear model (Och & Ney 2002): a sum of the
    logarithms of both directions' phrase and lexical probabilities and of P(e), of the words and phrases written, and
    of the words skipped, each times its weight. See :mod:`~netsmith.models.translation.ibm_model1`,
    :mod:`~netsmith.models.translation.phrase_table` and :mod:`~netsmith.models.translation.stack_decoder`.

    A source word that has no translation of its own, and that no phrase covers, is left out.

    Attributes:
        keys: ``(G,)`` int64; and so on: the phrase table.
        language: The n-gram model of the target language.

    Shapes:
        ``(B, L)`` int64 source tokens, padded on the right with 0, to ``(B, written)`` int64 target tokens, each text
        with its end mark, 0 behind it.

    Raises:
        DataError: In :meth:`fit`: not as many sources as targets, or a pair of which one side has no word.
        UnsupportedError: On the way to ONNX or to compiled code.
    """

    keys: Tensor
    begins: Tensor
    words: Tensor
    features: Tensor

    class Config(ModelConfig):
        """The model's form.

        Attributes:
            model1: Iterations of EM for IBM model 1.
            model2: Iterations of EM for IBM model 2 after it.
            rule: How the alignments of both directions become one.
            null: Whether a word may be aligned to none.
            longest: Most words of a phrase on either side.
            most: Translations kept of each phrase.
            order: n of the n-gram model P(e).
            inverse: Weight of log phi(f | e), phrases.
            inverse_lexical: Weight of log p_w(f | e), the words within phrases.
            direct: Weight of log phi(e | f).
            direct_lexical: Weight of log p_w(e | f).
            language: Weight of log P(e).
            word: What each target word is worth; above 0 makes texts longer.
            phrase: What each phrase is worth.
            distortion: What each word skipped costs; delta above.
            beam: Hypotheses kept for each number of words covered; 0 for all.
            limit: How far behind the first word not covered a phrase may begin.
            written: Tokens of an answer, its end mark included; what is longer is cut.
            vocab_size: Source tokens known, padding and unknown included.
            num_outputs: Target tokens known, padding, unknown and end mark included.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("text", "tokens")
        uncounted: ClassVar[str] = "it looks up and searches, and how long is known from the text alone"

        model1: int = Field(default=5, ge=0)
        model2: int = Field(default=5, ge=0)
        rule: Literal["intersection", "union", "grow_diag_final_and"] = "grow_diag_final_and"
        null: bool = True
        longest: int = Field(default=5, ge=1, le=20)
        most: int = Field(default=20, ge=1)
        order: int = Field(default=3, ge=1, le=16)
        inverse: float = 1.0
        inverse_lexical: float = 0.0
        direct: float = 0.0
        direct_lexical: float = 0.0
        language: float = Field(default=1.0, ge=0)
        word: float = 0.0
        phrase: float = 0.0
        distortion: float = Field(default=0.5, ge=0)
        beam: int = Field(default=50, ge=0)
        limit: int = Field(default=4, ge=0, le=20)
        written: int = Field(default=100, ge=2)
        vocab_size: int | Auto = AUTO
        num_outputs: int | Auto = AUTO

    def __init__(self, config: PhraseBased.Config) -> None:
        whole, real = torch.int64, torch.float64
        super().__init__(keys=(1, whole), begins=(1, whole), words=(2, torch.int32), features=(2, real))
        self.config = config
        self.language = Ngram.Config(
            order=config.order, end=END_NUMBER, vocab_size=int(config.num_outputs), smoothing="modified"
        ).build()

    def fit(self, source: Tensor, target: Tensor) -> dict[str, float]:
        """Learn from sentence pairs, whatever was learned before.

        Args:
            source: ``(N, L)`` int64 tokens, padded with 0.
            target: ``(N, T)`` int64 tokens, padded with 0 or a negative number; end marks are passed over.

        Returns:
            What the alignment was learned to: minus log P(f | e) and minus log P(e | f) by IBM model 2, in nats per
            word.
        """
        e, f = _sentences(target, "target"), _sentences(source, "source")
        if len(e.lengths) != len(f.lengths):
            raise DataError(f"{len(f.lengths)} source texts and {len(e.lengths)} target texts; expected pairs")
        config = self.config
        aligned = align_words(f, e, iterations=(config.model1, config.model2), rule=config.rule, null=config.null)
        size = int(config.vocab_size)
        table = phrase_table(f, e, aligned.points, size=size, longest=config.longest, most=config.most)
        self.hold(**table._asdict())
        marks = np.full(len(e.words) + len(e.lengths) + 1, END_NUMBER)
        marks[np.arange(len(e.words)) + np.repeat(np.arange(len(e.lengths)), e.lengths) + 1] = e.words
        self.language.fit([torch.from_numpy(marks)])
        return {
            "source_nats": -aligned.forward[-1] / len(f.words),
            "target_nats": -aligned.backward[-1] / len(e.words),
        }

    def forward(self, source: Tensor) -> Tensor:
        """Return the translations."""
        if torch.jit.is_tracing() or torch.compiler.is_compiling():
            raise UnsupportedError("a phrase table is looked up and searched, which ONNX cannot express")
        found = [decoded.words for decoded in self.translate([row[row != 0].cpu().numpy() for row in source])]
        texts = source.new_zeros(len(found), self.config.written)
        for row, whole in enumerate(found):
            words = whole[: self.config.written - 1]
            texts[row, : len(words)] = torch.from_numpy(words)
            texts[row, len(words)] = END_NUMBER
        return texts

    def translate(self, texts: Sequence[np.ndarray]) -> list[Decoded]:
        """Translate texts, and say by which phrases.

        Args:
            texts: ``(L,)`` int64 tokens each.
        """
        config = self.config
        decoder = StackDecoder(
            NgramScores(self.language),
            end=END_NUMBER,
            weight=config.language,
            distortion=config.distortion,
            beam=config.beam,
            limit=config.limit,
        )
        table = self.table()
        nothing = Decoded(np.zeros(0, dtype=np.int64), 0.0, ())
        return [decoder.decode(self.choices(text, table), len(text))[0] if len(text) else nothing for text in texts]

    def table(self) -> PhraseTable:
        """Return the phrase table."""
        if not len(self.begins):  # before the fit: no phrase has a translation
            begins = np.zeros(int(self.config.vocab_size) + 1, dtype=np.int64)
            return PhraseTable(begins[:0], begins, np.zeros((0, 1), dtype=np.int32), np.zeros((0, len(FEATURES))))
        return PhraseTable(*(self.get_buffer(name).cpu().numpy() for name in PhraseTable._fields))

    def choices(self, text: np.ndarray, table: PhraseTable) -> Choices:
        """Return the ways to translate each phrase of a text, and what they are worth without P(e)."""
        config, options = self.config, table.options(text)
        alone = np.bincount(options.start[options.length == 1], minlength=len(text))
        dropped = np.flatnonzero(alone == 0)
        words = table.words[options.row].astype(np.int64)
        weights = np.array([getattr(config, name) for name in FEATURES])
        score = table.features[options.row] @ weights + config.word * (words > 0).sum(1) + config.phrase
        start = np.concatenate([options.start, dropped])
        order = np.argsort(start, kind="stable")
        return Choices(
            start=start[order],
            length=np.concatenate([options.length, np.ones_like(dropped)])[order],
            words=np.concatenate([words, np.zeros((len(dropped), words.shape[1]), dtype=np.int64)])[order],
            score=np.concatenate([score, np.full(len(dropped), _DROPPED)])[order],
        )

    def landmarks(self) -> dict[str, str]:
        """Return where the head is: the model itself."""
        return {"head": ""}


def _sentences(tokens: Tensor, side: str) -> Sentences:
    rows = tokens.cpu().numpy()
    inside = (rows > 0) & ((rows != END_NUMBER) | (side == "source"))
    empty = np.flatnonzero(~inside.any(1))
    if len(empty):
        raise DataError(f"the {side} text of pair {empty[0] + 1} has no word; expected at least one on either side")
    return Sentences(rows[inside].astype(np.int64), inside.sum(1))
