"""Hidden Markov models that tag, learned by counting (Rabiner 1989, doi:10.1109/5.18626)."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from netsmith.core.config import AUTO, Auto
from netsmith.core.errors import DataError
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.engine.task import UNLABELED
from netsmith.layers.chain import chain_potentials
from netsmith.layers.fitted import Fitted
from netsmith.layers.reading import UNKNOWN_NUMBER

__all__ = ["HMMTagger"]


class HMMTagger(Fitted):
    r"""Count which tag follows which, and which token stands by which tag; the best sequence is found by Viterbi.

    .. math:: p(x, y) = \pi_{y_1} b_{y_1 x_1} \prod_{t>1} a_{y_{t-1} y_t} b_{y_t x_t} \cdot a_{y_T \omega}

    Each probability is a share of counts, to each of which a little is added: what follows a tag is a tag or the end
    :math:`\omega`. A token that training has not seen is emitted by a tag as often as the tokens it has seen once
    (after Good and Turing).

    With ``step_weight`` or ``token_weight`` a step or a token also depends on the token before it, as in an
    autoregressive hidden Markov model (Poritz 1982, doi:10.1109/ICASSP.1982.1171633); where that was seldom seen, on
    the tag alone (MacKay & Peto 1995, doi:10.1017/S1351324900000218):

    .. math:: a_{ij}(x') = \frac{N(x', i, j) + \nu\, a_{ij}}{N(x', i) + \nu}, \qquad
              b_{jx}(x') = \frac{N(x', j, x) + \mu\, b_{jx}}{N(x', j) + \mu}

    The potentials are the logarithms: their sum over all tags is that of p(x), and the loss of
    :class:`~netsmith.tasks.chain.Chain` is :math:`-\log p(y \mid x)`. Only counts are kept, as buffers.

    Attributes:
        start_count: ``(K,)`` float64, sequences that begin with each tag.
        token_count: ``(K, V)`` float64, tokens by tag.
        step_count: ``(C, K, K + 1)`` float64, by the tag before, the tag after or the end; C is V where the token
            before counts, else 1.
        pairs: ``(G,)`` int64, V times a token plus the one that follows it, rising; empty where they do not count.
        pair_count: ``(G, K)`` float64, how often the second of each pair has each tag.

    Shapes:
        ``(B, L)`` int64, padded on the right with 0, to potentials ``(B, L, K, K)`` float64.

    Raises:
        DataError: In :meth:`fit`: a tag out of range.
    """

    start_count: Tensor
    token_count: Tensor
    step_count: Tensor
    pairs: Tensor
    pair_count: Tensor

    class Config(ModelConfig):
        """The model's form.

        Attributes:
            step_alpha: Added to each count of a first tag, of two tags in a row, and of a last one.
            token_alpha: Added to each count of a token by a tag.
            step_weight: What the tag alone weighs beside the counts of steps after the same token, nu above; 0: the
                token before does not count.
            token_weight: What the tag alone weighs beside the counts of tokens after the same token, mu above; 0: the
                token before does not count.
            vocab_size: Tokens known, padding and unknown included; V above.
            num_classes: Number of tags; K above.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("text", "tokens")
        uncounted: ClassVar[str] = "it looks up and adds, and multiplies nothing"

        step_alpha: float = Field(default=0.01, gt=0)
        token_alpha: float = Field(default=0.1, gt=0)
        step_weight: float = Field(default=0.0, ge=0)
        token_weight: float = Field(default=0.0, ge=0)
        vocab_size: int | Auto = AUTO
        num_classes: int | Auto = AUTO

    def __init__(self, config: HMMTagger.Config) -> None:
        super().__init__(pairs=(1, torch.int64), pair_count=(2, torch.float64))
        self.config = config
        tags, tokens = int(config.num_classes), int(config.vocab_size)
        contexts = tokens if config.step_weight or config.token_weight else 1
        for name, shape in {"start": (tags,), "token": (tags, tokens), "step": (contexts, tags, tags + 1)}.items():
            self.register_buffer(f"{name}_count", torch.zeros(shape, dtype=torch.float64))

    @torch.no_grad()
    def fit(self, inputs: Tensor, targets: Tensor, *, weights: Tensor | None = None) -> None:
        """Count; a place without a label counts nowhere, nor do the steps to it and from it.

        Args:
            inputs: ``(N, L)`` tokens.
            targets: ``(N, L)`` int64 tags.
            weights: ``(N,)`` weights of the sequences, or None for all ones.
        """
        tokens, tags = inputs.cpu(), targets.cpu()
        inside, count, size = tokens != 0, len(self.start_count), self.token_count.shape[1]
        labeled = inside & (tags != UNLABELED)
        found = tags[labeled]
        if len(found) and not 0 <= int(found.min()) <= int(found.max()) < count:
            raise DataError(f"expected tags in 0..{count - 1}, got {int(found.min())}..{int(found.max())}")
        share = torch.ones(len(tokens)) if weights is None else weights.cpu()
        share = share.double()[:, None].expand_as(tokens)

        def counted(number: Tensor, where: Tensor, shape: tuple[int, ...]) -> Tensor:
            total = torch.Size(shape).numel()
            return torch.bincount(number[where], share[:, : where.shape[1]][where], minlength=total).view(shape)

        context = tokens if len(self.step_count) > 1 else torch.zeros_like(tokens)
        last = inside & ~F.pad(inside[:, 1:], (0, 1))
        both = labeled[:, 1:] & labeled[:, :-1]
        before = context * count + tags
        step = before[:, :-1] * (count + 1) + tags[:, 1:]
        ends = before * (count + 1) + count
        self.hold(
            start_count=counted(tags[:, :1], labeled[:, :1], (count,)),
            token_count=counted(tags * size + tokens, labeled, (count, size)),
            step_count=counted(step, both, self.step_count.shape)
            + counted(ends, labeled & last, self.step_count.shape),
        )
        if self.config.token_weight:
            keys, place = (tokens[:, :-1] * size + tokens[:, 1:])[both].unique(return_inverse=True)
            number = torch.zeros_like(both, dtype=torch.int64)
            number[both] = place * count + tags[:, 1:][both]
            self.hold(pairs=keys, pair_count=counted(number, both, (len(keys), count)))

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the potentials."""
        before = F.pad(tokens[:, :-1], (1, 0))
        start, steps, emissions = self._start(), self._steps(), self._tokens()
        ends = steps[:, :, -1].log()
        steps = steps[:, :, :-1].log()
        contexts = len(self.step_count) > 1 and bool(self.config.step_weight)
        return chain_potentials(
            self._emitted(emissions, before, tokens).log(),
            steps[before] if contexts else steps[0],
            tokens != 0,
            start=start.log(),
            end=ends[tokens] if contexts else ends[0],
        )

    def landmarks(self) -> dict[str, str]:
        """Return where the head is: the model itself."""
        return {"head": ""}

    def _start(self) -> Tensor:
        return _shares(self.start_count + self.config.step_alpha)

    def _tokens(self) -> Tensor:
        """Return the probability of each token by the tag, ``(V, K)``; that of padding is never asked for."""
        once = self.token_count * (self.token_count.sum(0) == 1)
        unknown = F.one_hot(torch.tensor(UNKNOWN_NUMBER), self.token_count.shape[1]).to(once)
        counts = self.token_count + once.sum(1, keepdim=True) * unknown + self.config.token_alpha
        return F.pad(_shares(counts[:, 1:]), (1, 0), value=1.0).T

    def _steps(self) -> Tensor:
        """Return the probability of each step, ``(C, K, K + 1)``, or ``(1, K, K + 1)`` where no token counts."""
        alone = _shares(self.step_count.sum(0, keepdim=True) + self.config.step_alpha)
        weight = self.config.step_weight
        return _shares(self.step_count + weight * alone) if weight else alone

    def _emitted(self, probabilities: Tensor, before: Tensor, tokens: Tensor) -> Tensor:
        """Return the probability of each token by its tag and the token before it, ``(B, L, K)``."""
        alone, weight = probabilities[tokens], self.config.token_weight
        if not weight or not len(self.pairs):
            return alone
        size = self.token_count.shape[1]
        wanted = before * size + tokens
        place = _last_not_above(self.pairs, wanted)
        seen = self.pair_count[place] * (self.pairs[place] == wanted)[..., None]
        whole = torch.zeros_like(probabilities).index_add(0, self.pairs // size, self.pair_count)  # (V, K)
        return (seen + weight * alone) / (whole[before] + weight)


def _shares(counts: Tensor) -> Tensor:
    return counts / counts.sum(-1, keepdim=True)


def _last_not_above(keys: Tensor, wanted: Tensor) -> Tensor:
    """Return the place of the last of some rising keys that is not above each number, or 0; graphs can hold it."""
    place = torch.zeros_like(wanted)
    for bit in reversed(range(len(keys).bit_length())):
        further = place + 2**bit
        inside = further.clamp(max=len(keys) - 1)
        place = torch.where((further < len(keys)) & (keys[inside] <= wanted), further, place)
    return place
