"""Hidden Markov models learned from untagged sequences (Baum et al. 1970; Rabiner 1989, section III.C)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from netsmith.core.errors import ConfigError, DataError
from netsmith.layers.chain import chain_potentials, log_partition, step_probabilities

__all__ = ["HMM", "Learned", "baum_welch", "hmm_potentials"]

_AT_ONCE = 64  # sequences whose steps are held together


class HMM(NamedTuple):
    """A hidden Markov model over symbols, as logarithms of probabilities; what cannot be is no number but very small.

    Attributes:
        start: ``(K,)``.
        steps: ``(K, K)``, from the state of the row to that of the column.
        symbols: ``(K, V)``.
    """

    start: Tensor
    steps: Tensor
    symbols: Tensor


class Learned(NamedTuple):
    """What Baum and Welch's algorithm found.

    Attributes:
        hmm: The model.
        likelihoods: The log-likelihood of all sequences before each round, and after the last one.
    """

    hmm: HMM
    likelihoods: tuple[float, ...]


def hmm_potentials(hmm: HMM, symbols: Tensor, inside: Tensor) -> Tensor:
    """Return the potentials of a chain, whose log-partition is the log-likelihood of the symbols.

    Args:
        hmm: The model.
        symbols: ``(B, L)`` int64 in 0..V-1; anything at padding.
        inside: ``(B, L)`` bool, where the sequences are.

    Returns:
        ``(B, L, K, K)``.
    """
    return chain_potentials(hmm.symbols.T[symbols], hmm.steps, inside, start=hmm.start)


def baum_welch(
    symbols: Tensor, inside: Tensor, hmm: HMM, *, rounds: int = 100, tolerance: float = 1e-4, floor: float = 1e-300
) -> Learned:
    r"""Raise the likelihood of untagged sequences, round by round, by expected counts (EM).

    .. math:: \pi_i \propto \sum_s \gamma_1(i), \qquad a_{ij} \propto \sum_{s, t > 1} \xi_t(i, j), \qquad
              b_{iv} \propto \sum_{s, t} \gamma_t(i) [x_t = v]

    with the probabilities of steps :math:`\xi` and of states :math:`\gamma` under the model of before. No round makes
    the likelihood fall (Baum et al.); where it ends depends on where it began: equal states stay equal.

    Args:
        symbols: ``(B, L)`` int64 in 0..V-1; anything at padding.
        inside: ``(B, L)`` bool, where the sequences are: each fills a beginning of its row.
        hmm: The model to begin with.
        rounds: The most rounds.
        tolerance: It ends where a round raises the log-likelihood by less; nats.
        floor: The least probability.

    Raises:
        DataError: A symbol the model does not know, or a sequence without one.
        ConfigError: No round at all.
    """
    if rounds < 1:
        raise ConfigError(f"rounds={rounds}: expected at least 1")
    known = symbols[inside]
    if not bool(inside[:, 0].all()) or not len(known):
        raise DataError("a sequence has no symbol; leave it out")
    count = hmm.symbols.shape[1]
    if not 0 <= int(known.min()) <= int(known.max()) < count:
        raise DataError(f"expected symbols in 0..{count - 1}, got {int(known.min())}..{int(known.max())}")
    likelihoods: list[float] = []
    while True:
        total, counts = _expected(hmm, symbols, inside)
        likelihoods.append(total)
        risen = len(likelihoods) == 1 or total - likelihoods[-2] >= tolerance
        if len(likelihoods) > rounds or not risen:
            return Learned(hmm, tuple(likelihoods))
        hmm = HMM(*((part / part.sum(-1, keepdim=True)).clamp(min=floor).log() for part in counts))


def _expected(hmm: HMM, symbols: Tensor, inside: Tensor) -> tuple[float, tuple[Tensor, Tensor, Tensor]]:
    """Return the log-likelihood, and the expected counts of first states, steps and symbols."""
    total, counts = 0.0, tuple(torch.zeros_like(part) for part in hmm)
    parts = zip(symbols.split(_AT_ONCE), inside.split(_AT_ONCE), strict=True)
    for seen, within in parts:
        potentials = hmm_potentials(hmm, seen.where(within, 0), within)
        total += float(log_partition(potentials).double().sum())
        steps = step_probabilities(potentials) * within[..., None, None]  # (b, L, K, K)
        states = steps.sum(2)
        counts[0].add_(states[:, 0].sum(0))
        counts[1].add_(steps[:, 1:].sum((0, 1)))
        counts[2].T.index_add_(0, seen[within], states[within])
    # A state that is never left, or never visited, keeps what it had.
    kept = (torch.where(c.sum(-1, keepdim=True) > 0, c, old.exp()) for c, old in zip(counts, hmm, strict=True))
    return total, tuple(kept)  # type: ignore[return-value]
