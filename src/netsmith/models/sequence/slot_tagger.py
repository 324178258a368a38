"""A recurrent network that finds the slots of a request (Yao et al. 2013; Mesnil et al. 2013)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from netsmith.core.config import AUTO, Auto, later
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind, Spec
from netsmith.layers.chain import cropped
from netsmith.layers.linear_chain import pack
from netsmith.layers.recurrent.kinds import CellKind, check_kind
from netsmith.layers.recurrent.stack import Recurrent

__all__ = ["SlotTagger"]


class SlotTagger(nn.Module):
    r"""Windows of word vectors, a recurrent layer of any cell, and an auxiliary layer of features beside both.

    .. math::
        s_t &= f(U x_t + W s_{t-1} + F f_t) \\
        y_t &= g(V s_t + G f_t)

    (Yao, Zweig, Hwang, Shi & Yu, "Recurrent neural networks for language understanding", Interspeech 2013; the layer of
    features is Mikolov & Zweig's, 2012.) :math:`x_t` is the n-hot vector of the word and those that follow,
    :math:`\{w_t, \dots, w_{t+n}\}` in which each word counts once (``lookahead``), in its learned embedding; or a
    window of such embeddings side by side, :math:`w_{t-k}, \dots, w_{t+k}` (``window``; Mesnil, He, Deng & Bengio,
    "Investigation of recurrent-neural-network architectures and learning methods for spoken language understanding",
    Interspeech 2013). :math:`f_t` says which words come in the request, or around the place: a bag of words. It enters
    every gate of any cell. With ``columns`` it is what the data say of the word instead, such as its part of speech or
    the kind of name it may be: a one-hot vector of each, zeros for a value that training lacks, so that
    :math:`F f_t = \sum_j F_j f_{t,j}`, and :math:`G f_t` alike.

    A ``jordan`` cell answers itself: :math:`y_t` is its output, which it feeds back as probabilities (without
    :math:`G f_t`); of two directions the mean. With ``crf`` the scores of tags that follow each other are learned, and
    the answer is a packed chain for the task ``chain``.

    With ``frame`` an answer for the whole request stands before those of the words, for the task ``frame``: a linear
    layer on each state's maximum over the words (Zhang & Wang 2016, "A joint model of intent determination and slot
    filling", IJCAI).

    Answers do not depend on padding: outside of the request are zeros. Word vectors are drawn from U(-0.2, 0.2), as
    Mesnil et al. draw theirs, G is zero at first.

    Shapes:
        ``(B, L)`` int64, padded on the right with 0, or with ``columns`` ``(B, L, 1 + C)``, words first; to logits
        ``(B, L, K)``; with ``crf`` to a packed
        chain ``(B, L + K, K)``; with ``frame`` to logits ``(B, 1 + L, K)``.
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            cell: Kind of cell.
            bidirectional: Whether it is read from both ends.
            embedding_size: Numbers per word.
            hidden_size: Hidden units per direction.
            window: Words whose embeddings stand side by side: an odd number, 1 for the word alone.
            lookahead: How many words ahead the n-hot input reaches; 0 for the word alone.
            features: What is beside it: the bag of words of the ``request`` or of a ``window``, the ``columns`` that
                the data have beside each word, or ``none``.
            feature_window: How far a window's bag reaches to either side, in words.
            crf: Whether tags are scored as a chain.
            frame: Whether it answers for the whole request, too.
            embedding_dropout: Share of the input's numbers dropped in training.
            dropout: Share of the states' numbers dropped in training; a ``jordan`` cell's states are inside of it.
            vocab_size: Tokens known, padding and unknown included.
            num_classes: Number of tags.
            feature_sizes: How many values each of the ``columns`` has.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("text", "tokens")
        token_features: ClassVar[bool] = True
        widths: ClassVar[tuple[str, ...]] = ("embedding_size", "hidden_size")

        cell: CellKind = "elman"
        bidirectional: bool = False
        embedding_size: int = Field(default=100, ge=1)
        hidden_size: int = Field(default=100, ge=1)
        window: int = Field(default=1, ge=1)
        lookahead: int = Field(default=0, ge=0)
        features: Literal["none", "request", "window", "columns"] = "none"
        feature_window: int = Field(default=0, ge=0)
        crf: bool = False
        frame: bool = False
        embedding_dropout: float = Field(default=0.0, ge=0, lt=1)
        dropout: float = Field(default=0.0, ge=0, lt=1)
        vocab_size: int | Auto = AUTO
        num_classes: int | Auto = AUTO
        feature_sizes: tuple[int, ...] | Auto = later(())

        @model_validator(mode="before")
        @classmethod
        def _leave_sizes(cls, fields: Any) -> Any:
            if not isinstance(fields, Mapping) or fields.get("feature_sizes", ()) not in ((), [], AUTO):
                return fields
            return {**fields, "feature_sizes": AUTO if fields.get("features") == "columns" else ()}

        @model_validator(mode="after")
        def _check(self) -> SlotTagger.Config:
            check_kind(self.cell, output_size=int(self.cell == "jordan"))
            if self.window % 2 == 0:
                raise ValueError(f"window={self.window}: expected an odd number, as many words before as after")
            if (self.features == "window") != (self.feature_window > 0):
                raise ValueError(
                    f"feature_window={self.feature_window}: features='window' needs one above 0, and no other has one "
                    f"(here: {self.features!r})"
                )
            if self.cell == "jordan" and self.dropout:
                raise ValueError(f"dropout={self.dropout:g}: a jordan cell answers itself; use embedding_dropout")
            if self.frame and (self.crf or self.cell == "jordan"):
                raise ValueError("frame: there is no chain of an intent and slots, and a jordan cell shows no states")
            if self.feature_sizes and self.features != "columns":
                raise ValueError(f"feature_sizes={self.feature_sizes}: they are for features='columns'")
            return self

        def misfit(self, spec: Spec) -> str:
            """Return why the network could not work on data of this schema, ``""`` if it can."""
            problem = super().misfit(spec)
            if problem or bool(spec.inputs.features) == (self.features == "columns"):
                return problem
            has = ", ".join(feature.name for feature in spec.inputs.features) or "nothing"
            return (
                f"features={self.features!r}: {spec.dataset} has {has} beside each word; set method.model.features="
                f"{'columns' if spec.inputs.features else 'none'}, or data that have it so"
            )

    def __init__(self, config: SlotTagger.Config) -> None:
        super().__init__()
        self.config = config
        words, tags, size = int(config.vocab_size), int(config.num_classes), config.embedding_size
        self.sizes = tuple(int(size) for size in config.feature_sizes)
        self.bag_size = {"none": 0, "columns": sum(self.sizes)}.get(config.features, words)
        self.embedding = nn.Embedding(words, size, padding_idx=0)
        self.embedding_dropout = nn.Dropout(config.embedding_dropout)
        self.recurrent = Recurrent(
            config.window * size + self.bag_size,
            config.hidden_size,
            cell=config.cell,
            bidirectional=config.bidirectional,
            output_size=tags if config.cell == "jordan" else 0,
        )
        self.dropout = nn.Dropout(config.dropout)
        self.head = None if config.cell == "jordan" else nn.Linear(self.recurrent.width, tags)  # V
        self.features = nn.Linear(self.bag_size, tags, bias=False) if self.bag_size else None  # G
        self.intent = nn.Linear(self.recurrent.width, tags) if config.frame else None
        self.transitions = nn.Parameter(torch.zeros(tags, tags)) if config.crf else None
        self.ends = nn.Parameter(torch.zeros(2, tags)) if config.crf else None  # of the first tag, of the last
        with torch.no_grad():
            self.embedding.weight.uniform_(-0.2, 0.2)
            self.embedding.weight[0] = 0
            if self.features is not None:
                self.features.weight.zero_()

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the logits of every place, or the packed chain."""
        columns = None
        if self.config.features == "columns":
            tokens, columns = tokens[..., 0], tokens[..., 1:]
        seen = cropped(tokens)
        bag = self._bag(seen) if columns is None else self._one_hot(seen, columns[:, : seen.shape[1]])  # (B, l, f)
        vectors = self.embedding_dropout(self._inputs(seen))
        states = self.recurrent(vectors if bag is None else torch.cat([vectors, bag], 2), (seen != 0).sum(1))
        states = self.dropout(states)  # (B, l, W)
        if self.head is not None:
            scores = self.head(states)
        else:
            scores = states.unflatten(2, (self.recurrent.directions, -1)).mean(2)
        if self.features is not None:
            scores = scores + self.features(bag)
        if self.transitions is not None:
            assert self.ends is not None
            start, end = self.ends
            return pack(scores, self.transitions, tokens != 0, start=start, end=end)
        scores = F.pad(scores, (0, 0, 0, tokens.shape[1] - seen.shape[1]))
        if self.intent is None:
            return scores
        outside = (seen == 0) & (seen != 0).any(1, keepdim=True)  # an empty request is read as zeros
        whole = states.masked_fill(outside[..., None], -torch.inf).amax(1)  # (B, W)
        return torch.cat([self.intent(whole)[:, None], scores], 1)

    def _inputs(self, tokens: Tensor) -> Tensor:
        """Return x: n-hot vectors of the words ahead in their embedding, in windows; ``(B, l, window * size)``."""
        ahead = [_shifted(tokens, by) for by in range(self.config.lookahead + 1)]
        vectors = self.embedding(tokens)
        for by, word in enumerate(ahead[1:], start=1):
            again = torch.stack([word == other for other in ahead[:by]]).any(0)  # a set holds each word once
            vectors = vectors + self.embedding(word.masked_fill(again, 0))
        vectors = vectors * (tokens != 0)[..., None]
        half = self.config.window // 2
        return torch.cat([_shifted(vectors, by) for by in range(-half, half + 1)], 2) if half else vectors

    def _bag(self, tokens: Tensor) -> Tensor | None:
        """Return f: 1 for each word that comes in the request or in the window, ``(B, l, words)``."""
        if not self.bag_size:
            return None
        hot = F.one_hot(tokens, self.bag_size).to(self.embedding.weight.dtype)
        hot = hot * (tokens != 0)[..., None]
        if self.config.features == "request":
            return hot.amax(1, keepdim=True).expand_as(hot)
        reach = self.config.feature_window
        return torch.stack([_shifted(hot, by) for by in range(-reach, reach + 1)]).amax(0)

    def _one_hot(self, tokens: Tensor, columns: Tensor) -> Tensor:
        """Return f: a 1 for the value of each column ``(B, l, C)``, none for 0; ``(B, l, sum of sizes)``."""
        hot = [columns[..., at, None] == torch.arange(1, size + 1).to(columns) for at, size in enumerate(self.sizes)]
        return (torch.cat(hot, 2) & (tokens != 0)[..., None]).to(self.embedding.weight.dtype)

    def landmarks(self) -> dict[str, str]:
        """Return where the word vectors, the states and what scores the tags are."""
        if self.head is None:
            return {"stem": "embedding", "features": "embedding_dropout", "head": "recurrent.passes.0.answer"}
        return {"stem": "embedding", "features": "dropout", "head": "head"}


def _shifted(x: Tensor, by: int) -> Tensor:
    """Return what stands ``by`` places later at each place of ``(B, L, ...)``, 0 where there is none."""
    rest = (0, 0) * (x.dim() - 2)
    if by >= 0:
        return F.pad(x, (*rest, 0, by))[:, by:]
    return F.pad(x, (*rest, -by, 0))[:, : x.shape[1]]
