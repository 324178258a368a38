"""A softmax in two steps, the class of a token and the token within its class (Goodman 2001; Mikolov et al. 2011)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from netsmith.core.errors import ConfigError

__all__ = ["ClassSoftmax", "equal_shares"]


def equal_shares(tokens: int, classes: int) -> list[int]:
    """Return how many tokens each class holds: neighbors by frequency, each class about equally often met.

    Frequencies are those of Zipf's law, 1 / rank, of tokens that are numbered by falling frequency (Mikolov et al.
    2011, section 4, fill the classes so by the frequencies of the training text).

    Args:
        tokens: Number of tokens.
        classes: Number of classes; each holds at least one token.

    Raises:
        ConfigError: More classes than tokens, or none.

    Example:
        >>> equal_shares(10, 3)
        [1, 2, 7]
    """
    if not 1 <= classes <= tokens:
        raise ConfigError(f"classes={classes}: expected 1 to {tokens}, the number of tokens")
    share = (1 / torch.arange(1, tokens + 1, dtype=torch.float64, device="cpu")).cumsum(0)
    bounds = [0]
    for number in range(1, classes):
        wanted = float(share[-1]) * number / classes
        place = int(torch.searchsorted(share, wanted))
        place += place < tokens and abs(float(share[place]) - wanted) < abs(
            (float(share[place - 1]) if place else 0.0) - wanted
        )
        bounds.append(min(max(place, bounds[-1] + 1), tokens - (classes - number)))
    return [stop - start for start, stop in zip(bounds, [*bounds[1:], tokens], strict=True)]


class ClassSoftmax(nn.Module):
    r"""The log-probabilities of all tokens, factored by classes.

    .. math:: p(w \mid s) = p(c(w) \mid s)\; p(w \mid c(w), s)

    Mikolov, Kombrink, Burget, Cernocky, Khudanpur 2011, doi:10.1109/ICASSP.2011.5947611, Eq. 5 and 6: both factors are
    softmaxes of linear functions of the state s. To learn one token only the classes and the tokens of its own class
    are computed (:meth:`nats`), some 2 sqrt(V) in place of V. With one class it is the plain softmax.

    Args:
        size: Numbers of a state.
        sizes: How many tokens each class holds; the tokens of a class are neighbors by number.

    Shapes:
        States ``(..., size)`` to ``(..., V)``.
    """

    classes_of: Tensor
    starts: Tensor

    def __init__(self, size: int, sizes: list[int]) -> None:
        super().__init__()
        self.sizes = list(sizes)
        self.of_class = nn.Linear(size, len(sizes))
        self.of_token = nn.Linear(size, sum(sizes))
        numbers = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes), output_size=sum(sizes))
        self.register_buffer("classes_of", numbers, persistent=False)
        self.register_buffer("starts", torch.tensor([0, *sizes[:-1]]).cumsum(0), persistent=False)

    def forward(self, states: Tensor) -> Tensor:
        """Return the log-probabilities of all tokens."""
        of_class = self.of_class(states).log_softmax(-1)  # (..., C)
        parts = [part.log_softmax(-1) for part in self.of_token(states).split(self.sizes, dim=-1)]
        return torch.cat(parts, dim=-1) + of_class.index_select(-1, self.classes_of)

    def nats(self, states: Tensor, tokens: Tensor) -> Tensor:
        """Return the negative log-likelihood of one token each, of whose class alone the tokens are computed.

        Args:
            states: ``(N, size)``.
            tokens: ``(N,)`` int64.

        Returns:
            ``(N,)``.
        """
        own = self.classes_of[tokens]  # (N,)
        found = -self.of_class(states).log_softmax(-1).gather(1, own[:, None])[:, 0]
        order = own.argsort(stable=True)
        members, counts = own[order].unique_consecutive(return_counts=True)
        pieces = []
        for number, rows in zip(members.tolist(), order.split(counts.tolist()), strict=True):
            start, size = int(self.starts[number]), self.sizes[number]
            weight, bias = (part[start : start + size] for part in (self.of_token.weight, self.of_token.bias))
            logits = nn.functional.linear(states[rows], weight, bias)
            pieces.append(nn.functional.cross_entropy(logits, tokens[rows] - start, reduction="none"))
        return found.index_add(0, order, torch.cat(pieces))
