"""A linear-chain conditional random field over windows of tokens (Lafferty, McCallum & Pereira 2001, ICML)."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.chain import cropped
from netsmith.layers.linear_chain import pack

__all__ = ["CRFTagger"]

_FACTORS = (2_654_435_761, 40_503, 97)


class CRFTagger(nn.Module):
    r"""A weight for each token near a place and each pair of them, by tag, and for each two tags in a row.

    .. math:: p(y \mid x) \propto \exp \Big( \sum_t w_{y_t} \cdot \Phi(x, t) + u_{y_{t-1} y_t} \Big)

    :math:`\Phi` is 1 for each token within the window at its offset, for each two neighbors in it, and for the tokens
    before and after the place together (the templates of the bakeoff's CRFs: Tseng et al. 2005, Sha & Pereira 2003).
    So it learns from sequences what a network finds in vectors, in a fraction of the time, and its weights can be read.
    Pairs are too many to list: they share ``buckets`` rows by a hash (Weinberger et al. 2009, arXiv:0902.2206). Weights
    begin at 0, where every sequence is as likely. L2 regularization is the optimizer's ``weight_decay``.

    Shapes:
        ``(B, L)`` int64, padded on the right with 0, to a packed chain ``(B, L + K, K)``.
    """

    class Config(ModelConfig):
        """The model's form.

        Attributes:
            window: Tokens seen by each place, an odd number with its own in the middle.
            buckets: Rows for pairs of tokens, best a prime number; 0: no pairs.
            vocab_size: Tokens known, padding and unknown included.
            num_classes: Number of tags.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("text", "tokens")
        uncounted: ClassVar[str] = "it looks up and adds, and multiplies nothing"

        window: int = Field(default=5, ge=1)
        buckets: int = Field(default=131_071, ge=0, le=2**28)
        vocab_size: int | Auto = AUTO
        num_classes: int | Auto = AUTO

        @model_validator(mode="after")
        def _check(self) -> CRFTagger.Config:
            if not self.window % 2:
                raise ValueError(f"window={self.window}: expected an odd number, with the token itself in the middle")
            return self

    def __init__(self, config: CRFTagger.Config) -> None:
        super().__init__()
        self.config = config
        tags, tokens = int(config.num_classes), int(config.vocab_size)
        self.features = nn.Embedding(config.window * tokens + config.buckets, tags)
        nn.init.zeros_(self.features.weight)
        self.transitions = nn.Parameter(torch.zeros(tags, tags))
        self.start = nn.Parameter(torch.zeros(tags))
        self.end = nn.Parameter(torch.zeros(tags))

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the packed chain."""
        emissions = self.features(self.numbers(cropped(tokens))).sum(2)  # (B, l, F, K) to (B, l, K)
        return pack(emissions, self.transitions, tokens != 0, start=self.start, end=self.end)

    def numbers(self, tokens: Tensor) -> Tensor:
        """Return the rows of the features that are 1 at each place, ``(B, L, F)``; beyond the ends lies padding."""
        window, size = self.config.window, int(self.config.vocab_size)
        length, wide = tokens.shape[1], F.pad(tokens, (window // 2, window // 2))
        seen = torch.stack([wide[:, place : place + length] for place in range(window)], 2)  # (B, L, W)
        places = torch.arange(window, device=tokens.device)
        if not self.config.buckets:
            return seen + places * size
        first, second = seen[..., :-1], seen[..., 1:]
        if window > 2:  # and around the place
            middle = window // 2
            first = torch.cat([first, seen[..., middle - 1 : middle]], 2)
            second = torch.cat([second, seen[..., middle + 1 : middle + 2]], 2)
        kinds = torch.arange(first.shape[2], device=tokens.device)
        hashed = (first * _FACTORS[0] + second * _FACTORS[1] + kinds * _FACTORS[2]) % self.config.buckets
        return torch.cat([seen + places * size, hashed + window * size], 2)

    def landmarks(self) -> dict[str, str]:
        """Return where the weights of the tokens are."""
        return {"stem": "features", "head": "features"}
