"""n-gram language models with Kneser-Ney smoothing (Kneser & Ney 1995; Chen & Goodman 1998)."""

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

__all__ = ["Ngram"]

_MOST = 2**63 - 1


class Ngram(Fitted):
    r"""Count how often each token follows the n - 1 before it: no training, and hard to beat on little text.

    With c the count of an n-gram h w and interpolation at every order,

    .. math::
        p(w \mid h) &= \frac{\max(c(hw) - D, 0)}{\sum_v c(hv)} + \gamma(h)\, p(w \mid h') \\
        \gamma(h) &= \frac{\sum_v \min(c(hv), D)}{\sum_v c(hv)}

    where h' is h without its first token; below one token stands the uniform distribution over all tokens but padding.
    At the orders below n the counts are those of Kneser and Ney (1995, doi:10.1109/ICASSP.1995.479394): in how many
    contexts an n-gram was seen, :math:`c(g) = |\{v : vg\}|`; an n-gram that begins a line, before which nothing
    stands, keeps its count. The plain discount of each order is :math:`D = n_1 / (n_1 + 2 n_2)` of the number of
    n-grams that were counted once and twice (1/2 where none was counted once); ``modified`` has three, for counts of 1,
    2, and 3 or more (Chen & Goodman 1998, TR-10-98, Eq. 26), where the text has n-grams of every count up to 4:

    .. math:: D_k = k - (k + 1) \frac{n_1}{n_1 + 2 n_2} \cdot \frac{n_{k+1}}{n_k}, \quad k = 1, 2, 3

    What is learned are sorted tables: of each order the number of an n-gram's first n - 1 tokens (its place in the
    table below) times V plus its last token, and its count. A context that was never seen passes its question on to h'
    whole. Histories do not reach beyond the mark ``end`` that ends a line, which is also what a line begins with.

    Attributes:
        discounts: ``(order, 3)`` float64: D of each order for counts of 1, 2, and 3 or more.
        keys_2: ``(N_2,)`` int64, sorted; and so on to ``keys_n``.
        counts_1: ``(V,)`` int64; ``counts_2`` ``(N_2,)`` beside ``keys_2``, and so on.

    Shapes:
        Tokens ``(B, T)`` int64 and a state ``(B, order - 1)``, the tokens before (0 where there is none), to
        log-probabilities ``(B, T, V)`` float64, and the state at the end.

    Raises:
        DataError: In ``fit``: the text is so long that its n-grams cannot be numbered.
        UnsupportedError: On the way to ONNX or to compiled code.
    """

    discounts: Tensor

    class Config(ModelConfig):
        """The model's form.

        Attributes:
            order: n: tokens of the longest n-gram.
            smoothing: Kneser-Ney with three discounts an order (``modified``), or with one (``plain``).
            end: Number of the mark that ends a line, beyond which no history reaches; 0 for text without lines.
            vocab_size: Tokens known, padding and unknown included.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("text", "tokens")
        uncounted: ClassVar[str] = "how many n-grams it holds is known from the text alone"

        order: int = Field(default=5, ge=1, le=16)
        smoothing: Literal["modified", "plain"] = "modified"
        end: int = Field(default=2, ge=0)
        vocab_size: int | Auto = AUTO

    def __init__(self, config: Ngram.Config) -> None:
        tables = {f"{what}_{k}": (1, torch.int64) for k in range(2, config.order + 1) for what in ("keys", "counts")}
        super().__init__(discounts=(2, torch.float64), counts_1=(1, torch.int64), **tables)
        self.config = config
        self.vocabulary = int(config.vocab_size)

    # -- counting ---------------------------------------------------------------------------------------------------

    def fit(self, pieces: Sequence[Tensor]) -> None:
        """Count, whatever was counted before.

        Args:
            pieces: Stretches of text, ``(N,)`` int64 each, N at least 2; the first token of each is a context only.
        """
        order, size = self.config.order, self.vocabulary
        text = torch.cat(list(pieces)).cpu().numpy()
        history = _histories([len(piece) for piece in pieces], text, end=self.config.end)  # (N,)
        number = text.copy()  # of the k-gram that ends at each place, in the table of its order
        keys: list[np.ndarray] = [np.arange(size)]
        first: list[np.ndarray] = [np.zeros(0, dtype=np.int64)]  # a place where each k-gram ends
        raw = [np.bincount(text[history > 0], minlength=size)]
        numbers = [number]
        for k in range(2, order + 1):
            at = np.flatnonzero(history >= k - 1)
            if len(keys[-1]) > _MOST // size:
                raise DataError(f"{len(keys[-1]):,} {k - 1}-grams of {size:,} tokens: more than can be numbered")
            found, where, inverse, counts = np.unique(
                number[at - 1] * size + text[at], return_index=True, return_inverse=True, return_counts=True
            )
            number = np.full_like(text, -1)
            number[at] = inverse
            keys.append(found)
            first.append(at[where])
            raw.append(counts)
            numbers.append(number)
        counts = [raw[-1]]
        for k in range(order - 1, 0, -1):  # of each lower order, how many tokens come before a k-gram
            seen = np.bincount(numbers[k - 1][first[k]], minlength=len(keys[k - 1]))
            if k > 1 and self.config.end:
                begins = text[first[k - 1] - (k - 1)] == self.config.end
                seen = np.where(begins, raw[k - 1], seen)
            counts.insert(0, seen)
        self.hold(
            discounts=np.stack([_discounts(each, self.config.smoothing) for each in counts]),
            counts_1=counts[0],
            **{f"keys_{k}": keys[k - 1] for k in range(2, order + 1)},
            **{f"counts_{k}": counts[k - 1] for k in range(2, order + 1)},
        )

    # -- answering --------------------------------------------------------------------------------------------------

    def forward(self, tokens: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the log-probabilities of what follows each token, and the last tokens."""
        if torch.jit.is_tracing() or torch.compiler.is_compiling():
            raise UnsupportedError("an n-gram model looks its counts up in sorted tables, which ONNX cannot express")
        rows, length = tokens.shape
        before = self.config.order - 1
        if state is None:
            state = tokens.new_zeros(rows, before)
        whole = torch.cat([state, tokens], dim=1)  # (B, order - 1 + T)
        contexts = whole.unfold(1, before, 1)[:, 1:] if before else whole[..., None][:, :, :0]  # (B, T, order - 1)
        found = self.probabilities(contexts.reshape(rows * length, before))
        return found.log().view(rows, length, self.vocabulary), whole[:, length:]

    def probabilities(self, contexts: Tensor) -> Tensor:
        """Return the distribution of the token after each context.

        Args:
            contexts: ``(M, order - 1)`` int64, the tokens before; 0 where there is none.

        Returns:
            ``(M, V)`` float64; padding has probability 0.
        """
        size = self.vocabulary
        uniform = torch.full((size,), 1 / (size - 1), dtype=torch.float64, device=contexts.device)
        uniform[0] = 0
        if not self.counts_1.numel():  # before the fit
            return uniform.expand(len(contexts), size)
        sums = self.counts_1.sum()
        kept = self.kept(self.counts_1, 1)
        p = kept / sums + (1 - kept.sum() / sums) * uniform  # (V,)
        p = p.expand(len(contexts), size).clone()  # (M, V)
        reach = _reach(contexts, end=self.config.end)  # (M,)
        for k in range(2, self.config.order + 1):
            rows = torch.nonzero(reach >= k - 1)[:, 0]
            number, known = self._numbers(contexts[rows, contexts.shape[1] - (k - 1) :])
            self._interpolate(p, rows[known], number[known], k)
        return p

    def _numbers(self, grams: Tensor) -> tuple[Tensor, Tensor]:
        """Return the place of each k-gram ``(M, k)`` in the table of its order, and whether it is there."""
        number, known = grams[:, 0], torch.ones_like(grams[:, 0], dtype=torch.bool)
        for k in range(2, grams.shape[1] + 1):
            keys = self.get_buffer(f"keys_{k}")
            key = number * self.vocabulary + grams[:, k - 1]
            number = torch.searchsorted(keys, key).clamp(max=max(len(keys) - 1, 0))
            known = known & (keys[number] == key) if len(keys) else torch.zeros_like(known)
        return number, known

    def _interpolate(self, p: Tensor, rows: Tensor, contexts: Tensor, k: int) -> None:
        """Put order k on top of the orders below in some rows of ``p``, in place."""
        keys, counts, size = self.get_buffer(f"keys_{k}"), self.get_buffer(f"counts_{k}"), self.vocabulary
        start, stop = torch.searchsorted(keys, torch.stack([contexts, contexts + 1]) * size)
        many = stop - start
        owner = torch.repeat_interleave(torch.arange(len(rows), device=p.device), many)
        child = torch.arange(len(owner), device=p.device) - (many.cumsum(0) - many - start)[owner]
        each, kept = counts[child].double(), self.kept(counts[child], k)
        zeros = p.new_zeros(len(rows))
        sums = zeros.index_add(0, owner, each)
        left = sums - zeros.index_add(0, owner, kept)
        seen = sums > 0
        p[rows[seen]] *= (left / sums)[seen, None]
        p.index_put_((rows[owner], keys[child] % size), kept / sums[owner], accumulate=True)

    def kept(self, counts: Tensor, k: int) -> Tensor:
        """Return the counts less their discounts, not below 0; float64."""
        by_count = torch.cat([self.discounts.new_zeros(1), self.discounts[k - 1]])
        return (counts - by_count[counts.clamp(max=3)]).clamp(min=0)

    def landmarks(self) -> dict[str, str]:
        """Return where the head is: the model itself."""
        return {"head": ""}


def _histories(lengths: Sequence[int], text: np.ndarray, *, end: int) -> np.ndarray:
    """Return how many tokens before each place its n-grams may hold: to the start of its line, or of its piece."""
    starts = np.zeros(len(text), dtype=np.int64)
    begins = np.cumsum([0, *lengths[:-1]])
    starts[begins] = begins
    if end:
        after = np.flatnonzero(text[:-1] == end) + 1  # the token after a mark has that mark before it
        after = after[~np.isin(after, begins)]
        starts[after] = after - 1
    return np.arange(len(text)) - np.maximum.accumulate(starts)


def _reach(contexts: Tensor, *, end: int) -> Tensor:
    """Return how many tokens at the end of each context are of one line, its mark included: ``(M,)``."""
    width = contexts.shape[1]
    ahead = torch.arange(width, device=contexts.device)
    stops = (contexts == end) & bool(end)
    nothing = torch.where(contexts == 0, ahead + 1, 0).amax(1) if width else contexts.new_zeros(len(contexts))
    mark = torch.where(stops, ahead, 0).amax(1) if width else nothing
    return width - torch.maximum(nothing, mark)


def _discounts(counts: np.ndarray, smoothing: str) -> np.ndarray:
    """Return the discounts of counts of 1, 2, and 3 or more, ``(3,)``, each between 0 and its count."""
    n = np.bincount(np.minimum(counts, 5), minlength=6).astype(np.float64)
    share = n[1] / (n[1] + 2 * n[2]) if n[1] else 0.5  # where all came often, what never came stays possible
    if smoothing == "plain" or not n[1:5].all():  # too little text for three
        return np.full(3, share)
    return np.array([min(max(k - (k + 1) * share * n[k + 1] / n[k], 0.0), k) for k in (1, 2, 3)])
