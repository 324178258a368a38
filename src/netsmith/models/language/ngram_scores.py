"""What single tokens cost an n-gram model: for search, which asks for many tokens of few contexts."""

from __future__ import annotations

import numpy as np
import torch

from netsmith.models.language.ngram import Ngram

__all__ = ["NgramScores"]


class NgramScores:
    """Look up log p(w | h) of one token after each context, without the distribution over all tokens.

    The same numbers as :meth:`netsmith.models.language.ngram.Ngram.forward` gives: the tables are the model's, with the
    sum of counts and the probability left over after each context added up beforehand. It answers for the model as it
    is when this is made.

    Args:
        model: A fitted model.

    Example:
        >>> model = Ngram.Config(order=2, vocab_size=5).build()
        >>> model.fit([torch.tensor([2, 3, 4, 2, 3, 3, 2])])
        >>> scores = NgramScores(model)(np.array([[3], [2]]), np.array([4, 3]))
        >>> (model.probabilities(torch.tensor([[3], [2]]))[[0, 1], [4, 3]].log().numpy() == scores).all()
        np.True_
    """

    def __init__(self, model: Ngram) -> None:
        self.order = model.config.order
        self.size = model.vocabulary
        first = model.probabilities(torch.zeros(1, self.order - 1, dtype=torch.int64, device=model.discounts.device))
        self._first = first[0].cpu().numpy()  # (V,)
        self._keys: list[np.ndarray] = []
        self._kept: list[np.ndarray] = []  # of each n-gram: its discounted count's share after its context
        self._left: list[np.ndarray] = []  # of each context: what is left for the order below
        below = self.size
        for k in range(2, self.order + 1 if model.counts_1.numel() else 2):  # nothing to look up before the fit
            keys, counts = model.get_buffer(f"keys_{k}").cpu().numpy(), model.get_buffer(f"counts_{k}")
            context = keys // self.size
            kept, counts = model.kept(counts, k).cpu().numpy(), counts.cpu().numpy()
            sums = np.bincount(context, counts, below)
            taken = np.bincount(context, kept, below)
            seen = sums > 0
            self._keys.append(keys)
            self._kept.append(kept / sums[context])
            self._left.append(np.divide(sums - taken, sums, out=np.ones(below), where=seen))
            below = len(keys)

    def __call__(self, contexts: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """Return the log-probability of each token, ``(M,)`` float64.

        Args:
            contexts: ``(M, order - 1)`` int64, the tokens before; 0 where there is none.
            tokens: ``(M,)`` int64.
        """
        p = self._first[tokens]
        width = contexts.shape[1]
        for k in range(2, len(self._keys) + 2):
            number, known = self._numbers(contexts[:, width - (k - 1) :])
            place, seen = self._found(k, number, tokens)
            own = np.where(known & seen, self._kept[k - 2][place] if len(self._keys[k - 2]) else 0.0, 0.0)
            p = np.where(known, own + self._left[k - 2][number] * p, p)
        with np.errstate(divide="ignore"):
            return np.log(p)

    def _numbers(self, grams: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the place of each gram ``(M, k)`` in the table of its order, and whether it is there."""
        number, known = grams[:, 0], grams[:, 0] > 0
        for k in range(2, grams.shape[1] + 1):
            number, seen = self._found(k, number, grams[:, k - 1])
            known = known & seen
        return number, known

    def _found(self, k: int, context: np.ndarray, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return where a context's continuation by a token stands in the table of order k, and whether it does."""
        keys, wanted = self._keys[k - 2], context * self.size + tokens
        place = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
        return place, keys[place] == wanted if len(keys) else np.zeros(len(wanted), dtype=bool)
