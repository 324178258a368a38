"""The structured perceptron for sequences (Collins 2002, EMNLP, doi:10.3115/1118693.1118694)."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.engine.batch import Batch
from netsmith.engine.method import Logs
from netsmith.layers.max_plus import max_plus_chain

__all__ = ["StructuredPerceptron"]

_PADDING = 0
_AT_ONCE = 32  # sentences: the steps of each are as many square matrices


class StructuredPerceptron(nn.Module):
    r"""A linear model that scores whole sequences of tags, and learns from the best of all of them.

    .. math:: F(x, y) = w \cdot \Phi(x, y), \qquad \hat y = \arg\max_y F(x, y), \qquad
              w \leftarrow w + \eta \, [\Phi(x, y) - \Phi(x, \hat y)]

    :math:`\Phi` counts, over the sentence, which token within ``window`` places stands by which tag, and which tag
    follows which; so the best of all sequences is found exactly (Viterbi), and a right one changes nothing. If some w
    of norm 1 separates every right sequence from every wrong one by :math:`\delta`, then there are at most
    :math:`R^2 / \delta^2` mistakes, R the largest norm of a difference of two :math:`\Phi` (Theorem 1). In use the
    weights are their mean over all steps, the paper's averaged parameters.

    A batch of one sentence is the paper's algorithm; the sentences of a larger one are all read with the same weights,
    and their changes added. The answer for tag k at place t is the score of the best sequence that has k at t
    (max-marginal): its largest is the tag of the best sequence. Such scores are no logarithms of probabilities, so
    that their softmax only ranks.

    Attributes:
        emission: ``(window, vocab_size, K)`` float64, by the place of the token: before, at, after.
        transition: ``(K, K)`` float64, from the tag of the row to that of the column.
        emission_sum: The sum of ``emission`` over all steps.
        transition_sum: That of ``transition``.
        steps: ``()`` int64, how many they are.

    Shapes:
        ``(B, L)`` int64, padded on the right with 0, to ``(B, L, K)`` float64.
    """

    emission: Tensor
    transition: Tensor
    emission_sum: Tensor
    transition_sum: Tensor
    steps: Tensor

    class Config(ModelConfig):
        """The model's form.

        Attributes:
            window: Tokens seen by each place, an odd number with its own in the middle.
            average: Use the mean of the weights over all steps; else those after the last one.
            vocab_size: Tokens known, padding and unknown included.
            num_classes: Number of tags.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("text", "tokens")
        scores: ClassVar[str] = "scores of the best sequence with the tag"
        uncounted: ClassVar[str] = "it adds and compares, and multiplies nothing"

        window: int = Field(default=3, ge=1)
        average: bool = True
        vocab_size: int | Auto = AUTO
        num_classes: int | Auto = AUTO

        @model_validator(mode="after")
        def _check(self) -> StructuredPerceptron.Config:
            if not self.window % 2:
                raise ValueError(f"window={self.window}: expected an odd number, with the token itself in the middle")
            return self

    def __init__(self, config: StructuredPerceptron.Config) -> None:
        super().__init__()
        self.config = config
        tags = int(config.num_classes)
        for name in ("emission", "emission_sum"):
            shape = (config.window, int(config.vocab_size), tags)
            self.register_buffer(name, torch.zeros(shape, dtype=torch.float64))
        for name in ("transition", "transition_sum"):
            self.register_buffer(name, torch.zeros(tags, tags, dtype=torch.float64))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def learn(self, batch: Batch, *, rate: float) -> Logs:
        """Read the sentences, and move the weights toward right sequences and away from those that were found.

        Returns:
            ``mistakes``: the share of the sentences with a wrong tag.
        """
        tokens: Tensor = batch.inputs
        found = self.best_path(tokens)
        right = torch.where(tokens != _PADDING, batch.targets, found)
        wrong = (found != right).any(1)
        if bool(wrong.any()):
            seen = self._seen(tokens[wrong])
            for tags, change in ((right[wrong], rate), (found[wrong], -rate)):
                self._add(seen, tokens[wrong], tags, change)
        self.emission_sum += self.emission
        self.transition_sum += self.transition
        self.steps += 1
        return {"mistakes": float(wrong.double().mean())}

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the score of the best sequence through each tag at each place."""
        if torch.jit.is_tracing() or torch.compiler.is_compiling():  # a graph takes batches of any size whole
            return self._through(tokens)
        return torch.cat([self._through(part) for part in tokens.split(_AT_ONCE)])

    def _through(self, tokens: Tensor) -> Tensor:
        scores, transition = self._scores(tokens, average=self.config.average)
        inside = (tokens != _PADDING).to(scores.dtype)[:, 1:, None, None]
        steps = transition * inside + scores[:, 1:, None]  # (B, L - 1, K, K)
        start, end = scores[:, 0], torch.zeros_like(scores[:, 0])
        before = torch.cat([start[:, None], max_plus_chain(start, steps)], 1)  # (B, L, K), the place itself included
        after = max_plus_chain(end, steps.flip(1).transpose(2, 3)).flip(1)
        return before + torch.cat([after, end[:, None]], 1)

    def best_path(self, tokens: Tensor) -> Tensor:
        """Return the tags of the best sequence under the weights of now, ``(B, L)`` int64; those of padding are 0."""
        scores, transition = self._scores(tokens, average=False)
        inside = tokens != _PADDING
        best, came_from = scores[:, 0], list[Tensor]()
        for at in range(1, tokens.shape[1]):
            step = best[:, :, None] + transition * inside[:, at, None, None]
            value, source = step.max(1)
            best = value + scores[:, at]
            came_from.append(source)
        path = [best.argmax(1)]
        for source in came_from[::-1]:
            path.append(source.gather(1, path[-1][:, None])[:, 0])
        return torch.stack(path[::-1], 1) * inside

    def landmarks(self) -> dict[str, str]:
        """Return where the head is: the model itself."""
        return {"head": ""}

    def _seen(self, tokens: Tensor) -> Tensor:
        """Return the tokens around each place, ``(B, L, window)``; beyond the ends lies padding."""
        reach = self.config.window // 2
        return F.pad(tokens, (reach, reach), value=_PADDING).unfold(1, self.config.window, 1)

    def _scores(self, tokens: Tensor, *, average: bool) -> tuple[Tensor, Tensor]:
        """Return what the tokens say of each tag, ``(B, L, K)``, 0 for padding, and the transitions ``(K, K)``."""
        emission, transition = self.emission, self.transition
        if average:
            count = self.steps.clamp(min=1)
            emission, transition = self.emission_sum / count, self.transition_sum / count
        seen = self._seen(tokens)
        scores = sum(F.embedding(seen[..., place], emission[place]) for place in range(self.config.window))
        return scores * (tokens != _PADDING).to(scores.dtype)[..., None], transition

    def _add(self, seen: Tensor, tokens: Tensor, tags: Tensor, change: float) -> None:
        """Add a multiple of the counts of some sentences to the weights."""
        inside = tokens != _PADDING  # (B, L)
        one = torch.full((int(inside.sum()),), change, dtype=torch.float64)
        for place in range(self.config.window):
            self.emission[place].index_put_((seen[..., place][inside], tags[inside]), one, accumulate=True)
        pairs = inside[:, 1:]
        steps = (tags[:, :-1][pairs], tags[:, 1:][pairs])
        self.transition.index_put_(steps, one[: int(pairs.sum())], accumulate=True)
