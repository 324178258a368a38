"""Models that write a text for a source, token by token: the contract, and what predict, export and serve take."""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from netsmith.core.errors import ConfigError, UnsupportedError
from netsmith.core.spec import Outputs
from netsmith.engine.batch import map_tensors
from netsmith.layers.beam_search import beam_search, refuse_nan
from netsmith.layers.decided import decided
from netsmith.layers.reading import END_NUMBER

__all__ = ["Costs", "Judged", "Packs", "Writer", "Writing", "Written", "allowed"]


class Writer(nn.Module, abc.ABC):
    r"""Abstract: a model of :math:`p(y_t \mid y_{<t}, x)`, what every model of written texts is.

    Tokens are numbered as everywhere: 0 padding, 1 unknown, 2 the end; a text begins after an end mark.

    A state is a tree (best a ``NamedTuple``) of tensors whose first axis counts the texts, what attention looks at
    included: to follow other texts, rows are selected from all of them.
    """

    @abc.abstractmethod
    def begin(self, source: Any) -> Any:
        """Read a source (a tree of tensors, the first axis of each counts the texts); return the state before a text.

        What is padding in the source changes nothing.
        """

    @abc.abstractmethod
    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Return the logits ``(N, V)`` of what follows the tokens ``(N,)``, and the state after them.

        A logit may be minus infinity where a token is impossible; V may depend on the source.
        """

    def forward(self, source: Any, written: Tensor) -> Tensor:
        """Return the logits ``(B, T, V)`` after each of the tokens ``(B, T)``: teacher forcing.

        By default a step after the other; a model that can do all at once overrides it, with the same result.
        """
        state = self.begin(source)
        found = []
        for tokens in written.unbind(1):
            logits, state = self.step(tokens, state)
            found.append(logits)
        return torch.stack(found, 1)

    def attention(self, state: Any) -> Tensor | None:  # noqa: ARG002
        """Return what the last step looked at, ``(N, L)``: rows sum to 1, 0 at padding; None where nothing is."""
        return None

    def attends(self) -> bool:
        """Return whether :meth:`attention` gives weights; a model that looks in one form alone overrides it."""
        return type(self).attention is not Writer.attention

    def bars_written(self) -> bool:
        """Return whether a token that was written is impossible from then on."""
        return False


@runtime_checkable
class Packs(Protocol):
    """A writer that computes the logits of some places alone: those of padding cost as much as others."""

    def packed(self, source: Any, written: Tensor, inside: Tensor) -> Tensor:
        """Return the logits ``(M, V)`` of the M places ``(B, T)`` where ``inside`` is true, row by row."""
        ...


@runtime_checkable
class Costs(Protocol):
    """A writer that adds something of its own to what a text costs in training (a penalty on where it looked)."""

    def costly(self, source: Any, written: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits ``(B, T, V)``, and what each text costs besides in nats, ``(B,)``.

        Args:
            source: What it reads.
            written: ``(B, T)`` int64.
            inside: ``(B, T)`` bool: the places that have a target.
        """
        ...


class Written(NamedTuple):
    """What a search found, the best first.

    Attributes:
        tokens: ``(B, K, T)`` int64, the end mark included; 0 behind it.
        scores: ``(B, K)`` float64; minus infinity where fewer were found.
        lengths: ``(B, K)`` int64, the end mark included.
        attention: ``(B, T, L)``, what each token of the best text looked at; None where that was not asked for, or the
            model has none.
    """

    tokens: Tensor
    scores: Tensor
    lengths: Tensor
    attention: Tensor | None


class Judged(NamedTuple):
    """What the figures of written texts are computed from.

    Attributes:
        logits: ``(B, T, V)``, teacher forced; or those of the M places with a target alone, ``(M, V)``, row by row.
        tokens: ``(B, longest)`` int64, what was written without help; None where no figure asks for it.
        outputs: The schema's outputs: names of the tokens, and how a text became tokens.
    """

    logits: Tensor
    tokens: Tensor | None
    outputs: Outputs


class Writing(nn.Module):
    """A writer with its search: what writes the text for a source.

    Padding and the unknown token are never written. With one beam the likeliest token is taken each time until it is
    the end; with more it is :func:`~netsmith.layers.beam_search.beam_search`.

    Args:
        writer: The model.
        beams: How many texts are followed side by side.
        penalty: How much longer texts are preferred, alpha.
        coverage: What it costs to leave words of the source without attention, beta.
        longest: Tokens of the longest text, its end included.

    Shapes:
        A source of B texts to ``(B, longest)`` int64: the end mark included, 0 behind it.

    Raises:
        ConfigError: A number out of its range, a ``coverage`` with one beam or for a model without attention.
        DataError: In the search, a network that answers NaN.
    """

    def __init__(
        self, writer: Writer, *, beams: int = 5, penalty: float = 1.0, coverage: float = 0.0, longest: int = 100
    ) -> None:
        super().__init__()
        if beams < 1 or longest < 1 or not (0 <= penalty < math.inf and 0 <= coverage < math.inf):
            raise ConfigError(
                f"beams={beams}, longest={longest}, penalty={penalty:g}, coverage={coverage:g}: expected 1 or more, 1 "
                "or more, and finite numbers that are not negative"
            )
        if beams == 1 and coverage:
            raise ConfigError(f"coverage={coverage:g} chooses among texts; with one beam there is one, so leave it out")
        if coverage and not writer.attends():
            raise ConfigError(f"coverage={coverage:g}: {type(writer).__name__} has no attention; leave it out")
        self.writer = writer
        self.beams = beams
        self.penalty = penalty
        self.coverage = coverage
        self.longest = longest

    def forward(self, source: Any) -> Tensor:
        """Return the best text for each source."""
        if self.beams == 1:
            return self._greedy(source)[0]
        if torch.jit.is_tracing() or torch.compiler.is_exporting():
            raise UnsupportedError(
                f"a search with {self.beams} beams goes another way for each text, which a file with one graph "
                "cannot; export its greedy() form, which takes the likeliest token each time"
            )
        return self._searched(source).tokens[:, 0]

    def greedy(self) -> Writing:
        """Return the same writer with one beam: what a file holds, whose one graph is the same for all texts."""
        return Writing(self.writer, beams=1, longest=self.longest)

    @torch.no_grad()
    def search(self, source: Any, *, attention: bool = False) -> Written:
        """Return the texts found for each source, with their scores: log-probability over length penalty, and coverage.

        Args:
            source: What the writer reads.
            attention: Also what each token of the best text looked at, by reading it once more.
        """
        if self.beams == 1:
            tokens, nats = self._greedy(source)
            lengths = (tokens != 0).sum(1)
            scores = -nats / ((5 + lengths.double()) / 6) ** self.penalty
            found = Written(tokens[:, None], scores[:, None], lengths[:, None], None)
        else:
            found = self._searched(source)
        return found._replace(attention=self.attended(source, found.tokens[:, 0]) if attention else None)

    @torch.no_grad()
    def attended(self, source: Any, tokens: Tensor) -> Tensor | None:
        """Return what each token of texts ``(B, T)`` looked at, ``(B, T, L)``; None of a model without attention."""
        state = self.writer.begin(source)
        seen = []
        for token in _shifted(tokens).unbind(1):
            _, state = self.writer.step(token, state)
            weights = self.writer.attention(state)
            if weights is None:
                return None
            seen.append(weights)
        return torch.stack(seen, 1)

    def landmarks(self) -> dict[str, str]:
        """Return the model's landmarks by their names here."""
        declare: Callable[[], Mapping[str, str]] = getattr(self.writer, "landmarks", dict)
        return {name: f"writer.{place}" for name, place in declare().items()}

    def extra_repr(self) -> str:
        """Return the search's settings, for printing."""
        return f"beams={self.beams}, penalty={self.penalty:g}, coverage={self.coverage:g}, longest={self.longest}"

    def _greedy(self, source: Any) -> tuple[Tensor, Tensor]:
        """Return the texts ``(B, longest)`` and the negative log-likelihood ``(B,)`` of each."""
        state = self.writer.begin(source)
        token = _first(source)
        nats = torch.zeros(token.shape, dtype=torch.float64, device=token.device)
        open_ = torch.ones_like(token, dtype=torch.bool)
        written = []
        fixed = torch.jit.is_tracing() or torch.compiler.is_exporting()  # a graph has so many steps for all texts
        for _ in range(self.longest):
            logits, state = self.writer.step(token, state)
            logs = allowed(logits)
            if not fixed:
                refuse_nan(logs, open_)
            token = torch.where(open_, logs.argmax(1), 0)
            nats = nats - torch.where(open_, logs.gather(1, token[:, None])[:, 0], 0).double()
            written.append(token)
            open_ = open_ & (token != END_NUMBER)
            if not fixed and not decided(open_.any()):
                break
        tokens = torch.stack(written, 1)
        return torch.nn.functional.pad(tokens, (0, self.longest - tokens.shape[1])), nats

    def _searched(self, source: Any) -> Written:
        def following(tokens: Tensor, before: Any) -> tuple[Tensor, Any]:
            logits, after = self.writer.step(tokens, before)
            return allowed(logits), after

        first, state = following(_first(source), self.writer.begin(source))
        found = beam_search(
            following,
            first,
            state,
            beams=self.beams,
            length=self.longest,
            end=END_NUMBER,
            penalty=self.penalty,
            coverage=self.coverage,
            attention=self.writer.attention if self.coverage else None,
        )
        return Written(found.tokens, found.scores, found.lengths, None)


def allowed(logits: Tensor) -> Tensor:
    """Return the log-probabilities ``(N, V)`` of all tokens but padding and the unknown one."""
    barred = torch.arange(logits.shape[1], device=logits.device) < END_NUMBER
    return logits.masked_fill(barred, -torch.inf).log_softmax(-1)


def _first(source: Any) -> Tensor:
    """Return the end marks ``(B,)`` after which the texts begin."""
    found: list[Tensor] = []
    map_tensors(source, found.append)
    return torch.full_like(found[0].flatten(1)[:, 0], END_NUMBER, dtype=torch.int64)


def _shifted(tokens: Tensor) -> Tensor:
    """Return what was read before each token of texts ``(B, T)``."""
    return torch.cat([torch.full_like(tokens[:, :1], END_NUMBER), tokens[:, :-1]], 1)
