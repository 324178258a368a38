"""The recurrent language model of Mikolov et al. (2010, 2011): a simple recurrent network, outputs in classes."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.class_softmax import ClassSoftmax, equal_shares
from netsmith.layers.recurrent.sigmoid import SigmoidRecurrence

__all__ = ["RnnLm"]


class RnnLm(nn.Module):
    r"""Predict the next token from all before it with Elman's network, the first recurrent model that beat n-grams.

    Mikolov, Karafiat, Burget, Cernocky, Khudanpur, "Recurrent neural network based language model", Interspeech 2010,
    Eq. 1 to 4; in the notation of 2011 (doi:10.1109/ICASSP.2011.5947611), w(t) the one-hot vector of a token:

    .. math:: s(t) = \sigma(U w(t) + W s(t - 1)), \qquad y(t) = \mathrm{softmax}(V s(t))

    With more than one class the softmax is factored (:class:`~netsmith.layers.class_softmax.ClassSoftmax`); tokens are
    numbered by frequency, and the classes hold equal shares of it. First weights are normal with a deviation of 0.1 (of
    2010). Our logits are log-probabilities. Biases, which the paper has none of, only in the outputs.

    Shapes:
        Tokens ``(B, T)`` int64 and a state ``(B, hidden_size)``, to log-probabilities ``(B, T, V)`` and the state at
        the end; None is the state of 0.1 that the paper begins with.
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            hidden_size: Hidden units.
            classes: Classes of the outputs; 1 is the plain softmax, 0 takes the square root of the number of tokens.
            vocab_size: Tokens known, padding and unknown included.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("text", "tokens")
        widths: ClassVar[tuple[str, ...]] = ("hidden_size",)

        hidden_size: int = Field(default=200, ge=1)
        classes: int = Field(default=0, ge=0)
        vocab_size: int | Auto = AUTO

    def __init__(self, config: RnnLm.Config) -> None:
        super().__init__()
        size, tokens = config.hidden_size, int(config.vocab_size)
        self.embedding = nn.Embedding(config.vocab_size, size)  # U
        self.recurrent = SigmoidRecurrence(size)  # W
        self.head = ClassSoftmax(size, equal_shares(tokens, config.classes or round(tokens**0.5)))  # V
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                parameter.zero_() if name.endswith("bias") else parameter.normal_(0, 0.1)

    def forward(self, tokens: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the log-probabilities and the state after the last token."""
        states, last = self._states(tokens, state)
        return self.head(states), last

    def nats(self, tokens: Tensor, targets: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the negative log-likelihood of each target ``(B, T)``, without the outputs of other classes."""
        states, last = self._states(tokens, state)
        return self.head.nats(states.flatten(0, 1), targets.flatten().clamp(min=0)).view(targets.shape), last

    def _states(self, tokens: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the states ``(B, T, H)`` and the last one."""
        x = self.embedding(tokens.t())  # (T, B, H)
        states, last = self.recurrent(x, torch.full_like(x[0], 0.1) if state is None else state)
        return states.transpose(0, 1), last

    def landmarks(self) -> dict[str, str]:
        """Return where the token vectors and the outputs are."""
        return {"stem": "embedding", "head": "head"}
