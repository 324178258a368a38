"""word2vec: word vectors that predict a word from those around it (Mikolov et al. 2013)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from netsmith.core.config import AUTO, Auto
from netsmith.core.errors import ConfigError, MissingExtraError
from netsmith.core.extras import require
from netsmith.core.keys import key as named_key
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.engine.batch import Batch
from netsmith.engine.random import keyed_uniform
from netsmith.layers.alias import alias_table
from netsmith.layers.huffman import huffman_paths
from netsmith.models.language._word2vec_kernels import compiled

__all__ = ["Word2vec"]

_NOISE = "word2vec noise"
_FIRST = 2  # before the words stand padding and the unknown one


class Word2vec(nn.Module):
    r"""A vector for every word, such that words used alike lie close; learned from plain text, a million words in
    seconds.

    Mikolov, Chen, Corrado, Dean, "Efficient estimation of word representations in vector space", 2013,
    arXiv:1301.3781 (CBOW, skip-gram); Mikolov, Sutskever, Chen, Corrado, Dean, "Distributed representations of words
    and phrases and their compositionality", 2013, arXiv:1310.4546 (the losses below). The word w at a place is
    predicted from x: in ``skip_gram`` the vector of each word c of its window in turn, in ``cbow`` their mean. As in
    the authors' code it is the window that predicts its center; over a text the pairs are those of the paper.

    With ``negative`` sampling (Eq. 4), K words drawn from :math:`P(v) \propto count(v)^{3/4}` for each x (one that is w
    itself is left out), and y the second vectors of words,

    .. math:: -\log \sigma(x \cdot y_w) - \sum_{k=1}^{K} \log \sigma(-x \cdot y_{v_k})

    With ``hierarchical`` softmax (Eq. 3) words are leaves of a Huffman tree, and y the vectors of its inner nodes; n_j
    are those on the way to w and s_j is 1 where it takes the rarer side, -1 where the other:

    .. math:: -\sum_j \log \sigma(s_j\, x \cdot y_{n_j})

    ``learn`` is stochastic gradient descent on the sum of these losses. The words of a block are taken at the same
    weights and their gradients added, then come the next; only the vectors of words (and nodes) that take part are read
    and written. Where numba is installed (extra ``fast``) the loop over words is compiled: the same sums on the same
    draws, several times as fast.

    Attributes:
        embedding: The vectors of words; the numbers 0 (padding) and 1 (unknown) have zeros.
        outputs: y, ``(V, size)``, or ``(V - 3, size)`` of the V - 3 inner nodes above V - 2 words.
        counts: ``(V,)`` int64, how often each word stands in the text.

    Shapes:
        Words ``(B, L)`` int64, padded with 0, to the cosines ``(B, V)`` between the sum of their unit vectors and every
        word; that of a word whose number is negative is subtracted, and unknown words are passed over.
    """

    counts: Tensor

    class Config(ModelConfig):
        """The form of the vectors and of their loss.

        Attributes:
            form: What predicts a word: each word of its window, or their mean.
            output: How it is predicted.
            size: Numbers per word.
            negative: K, words drawn against each; of no meaning to the hierarchical softmax.
            power: The power of the counts that words are drawn by.
            whole_error: In CBOW each word of the window moves by the whole gradient of the mean, as in the authors'
                code, and not by its share, the gradient (Irsoy, Benton & Stratos 2021, arXiv:2012.15332).
            block: Words whose gradients are taken at the same weights.
            compiled: Whether the loop is compiled; None where numba is installed and the vectors are on the processor.
            vocab_size: Words known, padding and unknown included.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("text", "tokens")
        widths: ClassVar[tuple[str, ...]] = ("size",)

        form: Literal["skip_gram", "cbow"] = "skip_gram"
        output: Literal["negative", "hierarchical"] = "negative"
        size: int = Field(default=100, ge=1)
        negative: int = Field(default=5, ge=1, le=1000)
        power: float = Field(default=0.75, ge=0, le=4)
        whole_error: bool = False
        block: int = Field(default=16, ge=1, le=100_000)
        compiled: bool | None = None
        vocab_size: int | Auto = AUTO

    def __init__(self, config: Word2vec.Config) -> None:
        super().__init__()
        if config.whole_error and config.form != "cbow":
            raise ConfigError("whole_error is about the mean of CBOW; leave it out, or set form='cbow'")
        if int(config.vocab_size) < _FIRST + 2:
            raise ConfigError(f"vocab_size={config.vocab_size}: expected at least two words beside padding and unknown")
        self.config = config
        size, words = config.size, int(config.vocab_size)
        self.embedding = nn.Embedding(words, size).requires_grad_(False)
        with torch.no_grad():  # as in the authors' code: the vectors are small, what they predict is even
            self.embedding.weight.uniform_(-0.5 / size, 0.5 / size)
            self.embedding.weight[:_FIRST] = 0
        rows = words if config.output == "negative" else words - _FIRST - 1
        self.outputs = nn.Parameter(torch.zeros(rows, size), requires_grad=False)
        self.register_buffer("counts", torch.zeros(words, dtype=torch.int64))
        self._tables: tuple[Tensor, Tensor, Tensor] | None = None

    # -- learning ---------------------------------------------------------------------------------------------------

    def observe(self, counts: Sequence[int]) -> None:
        """Take in how often each word of the vocabulary stands in the text, before it is learned from.

        Raises:
            ConfigError: Not one count per word of the vocabulary, or none of a word.
        """
        if len(counts) != len(self.counts) or min(counts[_FIRST:]) < 1:
            raise ConfigError(
                f"word2vec of {len(self.counts)} words needs as many counts, all words' at least 1; got {len(counts)}: "
                "its data are those of the kind word_windows"
            )
        self.counts.copy_(torch.tensor(counts))
        self._tables = None

    def learn(self, batch: Batch, *, rate: float) -> dict[str, float]:
        """Move the vectors by the gradients of a batch, block after block.

        Args:
            batch: ``inputs`` ``(B, W)`` int64, the words around each place, 0 where there is none (one at least);
                ``targets`` ``(B,)``, the words at the places; ``keys``, from which negative words are drawn.
            rate: Learning rate.

        Returns:
            The mean ``loss`` of a prediction; nothing for an empty batch.
        """
        assert batch.keys is not None
        if not len(batch):
            return {}
        loop = self._loop()
        with torch.no_grad():
            loss, count = (self._plainly if loop is None else self._compiled)(batch, rate)
        return {"loss": loss / count}

    def _loop(self) -> Any:
        """Return the compiled loop, or None for plain tensors."""
        wanted, on_processor = self.config.compiled, self.embedding.weight.device.type == "cpu"
        if wanted is False or not (wanted or on_processor):
            return None
        if not on_processor:
            raise ConfigError("compiled=true is for the processor; set device='cpu', or leave it out")
        try:
            return _compiled_once()
        except MissingExtraError:
            if wanted:
                raise
            return None

    def _learned_tables(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return chances and others of the noise, and the words' paths; empty what the output does not need."""
        if self._tables is None:
            counts = self.counts.cpu().numpy()[_FIRST:]
            if not counts.any():
                raise ConfigError("word2vec has not seen the counts of its words; call observe(counts) first")
            chances, others = np.zeros(0), np.zeros(0, dtype=np.int64)
            paths = np.zeros((0, 0), dtype=np.int32)
            if self.config.output == "negative":
                chances, others = alias_table(counts.astype(np.float64) ** self.config.power)
            else:
                paths = np.pad(huffman_paths(counts), ((_FIRST, 0), (0, 0)))
            made = (torch.from_numpy(np.ascontiguousarray(table)) for table in (chances, others, paths))
            first, second, third = (table.to(self.counts.device) for table in made)
            self._tables = first, second, third
        return self._tables

    def _compiled(self, batch: Batch, rate: float) -> tuple[float, int]:
        config = self.config
        assert batch.keys is not None
        number = np.float64 if self.outputs.dtype == torch.float64 else np.float32
        arrays = (batch.targets, batch.inputs, batch.keys, self.embedding.weight, self.outputs)
        loss, count = self._loop()(
            *(tensor.detach().contiguous().numpy() for tensor in arrays),
            number(rate),
            number(1),
            config.form == "cbow",
            config.whole_error,
            config.negative if config.output == "negative" else 0,
            np.uint64(named_key(0, _NOISE)),
            *(table.numpy() for table in self._learned_tables()),
            config.block,
        )
        return float(loss), int(count)

    def _plainly(self, batch: Batch, rate: float) -> tuple[float, int]:
        loss, count = 0.0, 0
        vectors = self.embedding.weight
        for start in range(0, len(batch), self.config.block):
            piece = batch.part(start, start + self.config.block)
            contexts = piece.inputs
            given = contexts > 0  # (B, W)
            targets, labels, counted = self._aims(piece)  # (B, C, T), C 1 where all x have the same targets
            x, predicted, share = vectors[contexts], given, given.to(vectors.dtype)  # (B, W, D), (B, W), (B, W)
            if self.config.form == "cbow":
                mean = share / share.sum(1, keepdim=True)  # (B, W)
                x, predicted = (mean[:, None] @ x).contiguous(), predicted[:, :1] | True  # (B, 1, D), (B, 1)
                share = share if self.config.whole_error else mean
            y = self.outputs[targets]  # (B, C, T, D)
            scores = (y @ x[..., None])[..., 0]  # (B, W or 1, T)
            counted = counted & predicted[..., None]
            losses = -F.logsigmoid(scores * (2 * labels - 1))
            loss += float(losses.double().where(counted, 0).sum())
            count += int(predicted.sum())
            g = (rate * (labels - scores.sigmoid())).where(counted, 0)  # (B, W or 1, T)
            errors = (g[:, :, None] @ y)[:, :, 0]  # (B, W or 1, D)
            each = targets.shape[1] == g.shape[1]
            moved = g[..., None] * x[:, :, None] if each else (g.transpose(1, 2) @ x)[:, None]  # (B, C, T, D)
            errors = (share[..., None] * errors).where(given[..., None], 0)  # (B, W, D)
            self.outputs.index_add_(0, targets.flatten(), moved.flatten(0, 2))
            vectors.index_add_(0, contexts.flatten(), errors.flatten(0, 1))
        return loss, count

    def _aims(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Return rows of ``outputs``, their labels, and which of them count, ``(B, C, T)`` each."""
        chances, others, paths = self._learned_tables()
        words = batch.targets
        number = self.outputs.dtype
        if self.config.output == "hierarchical":
            path = paths[words][:, None].long()  # (B, 1, T)
            return (path.abs() - 1).clamp(min=0), (path > 0).to(number), path != 0
        many = 1 if self.config.form == "cbow" else batch.inputs.shape[1]
        assert batch.keys is not None
        place = keyed_uniform(batch.keys, many, self.config.negative, stream=_NOISE) * len(chances)
        drawn = place.long()
        drawn = torch.where(place - drawn < chances[drawn], drawn, others[drawn]) + _FIRST  # (B, C, K)
        word = words[:, None, None].expand(-1, many, 1)
        labels = torch.zeros(len(words), many, 1 + self.config.negative, dtype=number, device=words.device)
        labels[..., 0] = 1
        return torch.cat([word, drawn], 2), labels, torch.cat([torch.ones_like(word) > 0, drawn != word], 2)

    # -- answering --------------------------------------------------------------------------------------------------

    def forward(self, words: Tensor) -> Tensor:
        """Return how near every word is to the words of each row."""
        unit = F.normalize(self.embedding.weight, dim=1)  # (V, D)
        known = words.abs() >= _FIRST
        signs = words.sign() * known  # (B, L)
        total = (unit[words.abs()] * signs[..., None].to(unit.dtype)).sum(1)
        return F.normalize(total, dim=1) @ unit.t()

    def landmarks(self) -> dict[str, str]:
        """Return where the word vectors are."""
        return {"stem": "embedding"}


@functools.cache
def _compiled_once() -> Any:
    return compiled(require("numba", extra="fast"))
