"""Attention that also copies: words of the source may be written though no vocabulary knows them (See et al. 2017)."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind, Spec
from netsmith.layers.attention_scores import AdditiveScores
from netsmith.layers.reading import UNKNOWN_NUMBER
from netsmith.layers.recurrent.stack import Recurrent
from netsmith.layers.writing import Writer

__all__ = ["Copying", "PointerGenerator", "mixed"]


class Copying(NamedTuple):
    """What is known of N sources while texts are written for them.

    Attributes:
        source: ``(N, L)`` int64, the sources' own tokens.
        states: ``(N, L, 2 H)``, the encoder's states h.
        keys: ``(N, L, H)``, W_h h + b.
        hidden: ``(N, H)``, the decoder's state.
        memory: ``(N, H)``, its memory.
        coverage: ``(N, L)``, the sum of all attention so far, c.
        weights: ``(N, L)``, the attention of the last step, a.
        generates: ``(N,)``, its probability to write from the vocabulary, p_gen.
    """

    source: Tensor
    states: Tensor
    keys: Tensor
    hidden: Tensor
    memory: Tensor
    coverage: Tensor
    weights: Tensor
    generates: Tensor


class _Read(NamedTuple):
    """What the decoder makes of T tokens: ``(N, T, ...)``."""

    logs: Tensor
    weights: Tensor
    generates: Tensor
    costs: Tensor
    coverage: Tensor  # (N, L), after the last of them


class PointerGenerator(Writer):
    r"""Write each word from the vocabulary or copy it from the source, whichever is likelier.

    See, Liu, Manning, "Get to the point: summarization with pointer-generator networks", ACL 2017, arXiv:1704.04368,
    after the copying of Gu et al. 2016 (arXiv:1603.06393). An LSTM in both directions gives h, another one s:

    .. math::
        e_i^t &= v^\top \tanh(W_h h_i + W_s s_t + w_c c_i^t + b), \quad a^t = \mathrm{softmax}(e^t) & (1, 2, 11) \\
        h_t^* &= \textstyle\sum_i a_i^t h_i & (3) \\
        P_{vocab} &= \mathrm{softmax}(V'(V [s_t, h_t^*] + b) + b') & (4) \\
        p_{gen} &= \sigma(w_{h^*}^\top h_t^* + w_s^\top s_t + w_x^\top x_t + b) & (8) \\
        P(w) &= p_{gen} P_{vocab}(w) + (1 - p_{gen}) \textstyle\sum_{i: w_i = w} a_i^t & (9)

    Source and text share a vocabulary of V tokens. A word it does not know has the number V + i in both, i being the
    place in this source where it first stands; so the answer ranges over V + L tokens, and what is copied can be shown
    as it was written. Whatever is read of such a word is the unknown token's vector.

    With ``coverage``, :math:`c^t = \sum_{t' < t} a^{t'}` (Eq. 10) tells where was looked already, and looking there
    again costs :math:`\sum_i \min(a_i^t, c_i^t)` (Eq. 12) times ``coverage_loss``.

    Deviations: dropout; the decoder's first memory, too, is made of the encoder's last outputs, by a layer of its own.

    Shapes:
        Sources ``(B, L)`` and tokens ``(B, T)``, int64 padded with 0, to log-probabilities ``(B, T, V + L)``.
    """

    class Config(ModelConfig):
        """The network's form; the paper has 128, 256 and a vocabulary of 50,000.

        Attributes:
            embedding_size: Numbers of a token's vector.
            hidden_size: Units of the encoder in each direction, of the decoder and of the attention.
            copying: Mix in the words of the source; without it p_gen is 1.
            coverage: Tell the attention where it has looked already.
            coverage_loss: What looking there again costs, lambda; 0 for nothing.
            dropout: Share dropped in training of the tokens' vectors and of what goes into the softmax.
            vocab_size: Tokens known, padding and unknown included.
        """

        copies: ClassVar[bool] = True
        takes: ClassVar[tuple[InputKind, ...]] = ("text", "tokens")
        widths: ClassVar[tuple[str, ...]] = ("hidden_size",)

        embedding_size: int = Field(default=128, ge=1)
        hidden_size: int = Field(default=256, ge=1)
        copying: bool = True
        coverage: bool = False
        coverage_loss: float = Field(default=0.0, ge=0)
        dropout: float = Field(default=0.0, ge=0, lt=1)
        vocab_size: int | Auto = AUTO

        @model_validator(mode="after")
        def _check(self) -> PointerGenerator.Config:
            if self.coverage_loss and not self.coverage:
                raise ValueError("coverage_loss is for coverage=true")
            return self

        def misfit(self, spec: Spec) -> str:
            """Return why the network could not work on data of this schema, ``""`` if it can."""
            if spec.inputs.vocabulary != spec.outputs.names:
                return (
                    f"{self.kind_name()} copies words, so source and text need one vocabulary, and {spec.dataset} has "
                    "two; share it (data.shared=true)"
                )
            if not self.copying and any(step.copies for step in spec.inputs.preprocessing):
                return (
                    f"{self.kind_name()} with copying=false cannot write the words that {spec.dataset} has for it to "
                    "copy; set data.copies=false"
                )
            return super().misfit(spec)

    def __init__(self, config: PointerGenerator.Config) -> None:
        super().__init__()
        size, words = config.hidden_size, config.embedding_size
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, words)
        self.dropout = nn.Dropout(config.dropout)
        self.encoder = Recurrent(words, size, bidirectional=True)
        self.first = nn.ModuleList([nn.Linear(2 * size, size) for _ in range(2)])  # of the decoder: state and memory
        self.decoder = nn.LSTM(words, size, batch_first=True)
        self.scores = AdditiveScores(size, 2 * size, size=size)  # W_s, W_h, v
        self.offset = nn.Parameter(torch.zeros(size))  # b
        self.covered = nn.Linear(1, size, bias=False) if config.coverage else None  # w_c
        self.generates = nn.Linear(2 * size + size + words, 1) if config.copying else None
        self.mix = nn.Linear(size + 2 * size, size)  # V, b
        self.head = nn.Linear(size, config.vocab_size)  # V', b'

    def begin(self, source: Tensor) -> Copying:
        """Read the sources."""
        lengths = (source != 0).sum(1)
        states = self.encoder(self._vectors(source), lengths)  # (B, L, 2 H)
        forward, backward = states.chunk(2, dim=2)
        last = forward.gather(1, (lengths - 1)[:, None, None].expand(-1, 1, forward.shape[2]))[:, 0]
        ends = torch.cat([last, backward[:, 0]], 1)  # (B, 2 H)
        hidden, memory = (torch.relu(layer(ends)) for layer in self.first)
        nothing = torch.zeros_like(states[..., 0])
        return Copying(
            source, states, self.scores.project(states) + self.offset, hidden, memory, nothing, nothing, nothing[:, 0]
        )

    def step(self, tokens: Tensor, state: Copying) -> tuple[Tensor, Copying]:
        """Return the log-probabilities of the next token ``(N, V + L)`` after the tokens ``(N,)``."""
        vectors = self._vectors(tokens[:, None])
        s, (hidden, memory) = self.decoder(vectors, (state.hidden[None], state.memory[None]))
        found = self._read(s, vectors, state)
        return found.logs[:, 0], state._replace(
            hidden=hidden[0],
            memory=memory[0],
            coverage=found.coverage,
            weights=found.weights[:, 0],
            generates=found.generates[:, 0],
        )

    def forward(self, source: Tensor, written: Tensor) -> Tensor:
        """Return the log-probabilities after each written token, ``(B, T, V + L)``."""
        return self._forced(source, written).logs

    def costly(self, source: Tensor, written: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
        """Return what :meth:`forward` does, and what each text costs for looking again where it looked, ``(B,)``."""
        found = self._forced(source, written)
        return found.logs, self.config.coverage_loss * (found.costs * inside).sum(1)  # Eq. 13, second term

    def attention(self, state: Copying) -> Tensor:
        """Return what the last step looked at, ``(N, L)``."""
        return state.weights

    def landmarks(self) -> dict[str, str]:
        """Return where the token vectors, the states and the head are."""
        return {"stem": "embedding", "features": "mix", "head": "head"}

    def _vectors(self, tokens: Tensor) -> Tensor:
        """Return the vectors of tokens; a word outside of the vocabulary reads as unknown."""
        known = torch.where(tokens < self.embedding.num_embeddings, tokens, UNKNOWN_NUMBER)
        return self.dropout(self.embedding(known))

    def _forced(self, source: Tensor, written: Tensor) -> _Read:
        state = self.begin(source)
        vectors = self._vectors(written)
        s, _ = self.decoder(vectors, (state.hidden[None], state.memory[None]))  # (B, T, H)
        return self._read(s, vectors, state)

    def _read(self, s: Tensor, vectors: Tensor, state: Copying) -> _Read:
        attention, costs, coverage = self._attend(s, state)  # (N, T, L)
        weights = attention.exp()
        context = weights @ state.states  # (N, T, 2 H), Eq. 3
        logs = self.head(self.dropout(self.mix(torch.cat([s, context], 2)))).log_softmax(2)  # Eq. 4
        if self.generates is None:
            generates = torch.ones_like(logs[..., 0])
            logs = nn.functional.pad(logs, (0, state.source.shape[1]), value=-torch.inf)
        else:
            odds = self.generates(torch.cat([context, s, vectors], 2))[..., 0]
            generates = odds.sigmoid()  # Eq. 8
            logs = mixed(logs, attention, state.source, odds)
        return _Read(logs, weights, generates, costs, coverage)

    def _attend(self, queries: Tensor, state: Copying) -> tuple[Tensor, Tensor, Tensor]:
        """Return the logarithm of the attention ``(N, T, L)``, what it costs ``(N, T)`` and the coverage after it."""
        padding = (state.source == 0)[:, None]
        if self.covered is None:
            logs = self.scores(queries, state.keys).masked_fill(padding, -torch.inf).log_softmax(2)
            return logs, logs.new_zeros(logs.shape[:2]), state.coverage
        coverage, found, costs = state.coverage, [], []
        for query in queries.split(1, dim=1):  # each step needs the attention of the one before
            told = state.keys + self.covered(coverage[..., None])  # Eq. 11
            logs = self.scores(query, told).masked_fill(padding, -torch.inf).log_softmax(2)[:, 0]
            weights = logs.exp()
            costs.append(torch.minimum(weights, coverage).sum(1))  # Eq. 12
            coverage = coverage + weights  # Eq. 10
            found.append(logs)
        return torch.stack(found, 1), torch.stack(costs, 1), coverage


def mixed(logs: Tensor, attention: Tensor, source: Tensor, odds: Tensor) -> Tensor:
    r"""Return the logarithm of :math:`p_{gen} P_{vocab}(w) + (1 - p_{gen}) \sum_{i: w_i = w} a_i` (Eq. 9).

    All is computed in logarithms: a word keeps its gradient where p_gen is rounded to 0 or 1.

    Args:
        logs: ``(N, T, V)``, the logarithm of P_vocab.
        attention: ``(N, T, L)``, the logarithm of a; at padding any number.
        source: ``(N, L)`` int64, the sources' own tokens, below V + L; 0 at padding.
        odds: ``(N, T)``, of which p_gen is the logistic function.

    Returns:
        ``(N, T, V + L)``; minus infinity where a token is impossible.
    """
    length, size = source.shape[1], logs.shape[2] + source.shape[1]
    there = source != 0
    first = (source[:, :, None] == source[:, None]).int().argmax(2)  # (N, L), where each place's word first stands
    group = first[:, None].expand_as(attention)
    attention = attention.masked_fill(~there[:, None], 0.0)
    high = attention.detach().scatter_reduce(2, group, attention.detach(), "amax").gather(2, group)
    sums = torch.zeros_like(attention).scatter_add(2, group, (attention - high).exp()).gather(2, group)
    copied = nn.functional.logsigmoid(-odds)[..., None] + high + sums.log()  # (N, T, L), of each place's word
    written = nn.functional.logsigmoid(odds)[..., None] + logs
    written = nn.functional.pad(written, (0, length + 1), value=-torch.inf)  # the last column takes what is double
    leads = there & (first == torch.arange(length, device=source.device))
    at = torch.where(leads, source, size)[:, None].expand_as(attention)
    either = torch.stack([written.gather(2, at), copied]).logsumexp(0)
    return written.scatter(2, at, either)[..., :size]
