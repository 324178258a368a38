"""Baum and Welch's algorithm: the likelihood never falls, every round is hmmlearn's, and it finds what was hidden."""

import numpy as np
import pytest
import torch

from netsmith.core.errors import ConfigError, DataError
from netsmith.layers.baum_welch import HMM, baum_welch, hmm_potentials
from netsmith.layers.chain import log_partition

LENGTHS = (30, 12, 1, 21)


def drawn(states=3, symbols=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shapes = ((states,), (states, states), (states, symbols))
    parts = (torch.randn(shape, generator=generator, dtype=torch.float64).log_softmax(-1) for shape in shapes)
    return HMM(*parts)


@pytest.fixture
def seen():
    symbols = torch.randint(5, (4, 30), generator=torch.Generator().manual_seed(1))
    return symbols, torch.arange(30) < torch.tensor(LENGTHS)[:, None]


def test_every_round_is_hmmlearns(seen):
    library = pytest.importorskip("hmmlearn.hmm")
    symbols, inside = seen
    begin = drawn()
    for rounds in (1, 2, 25):
        model = library.CategoricalHMM(3, n_iter=rounds, tol=-np.inf, init_params="", implementation="log")
        model.startprob_, model.transmat_, model.emissionprob_ = (part.exp().numpy() for part in begin)
        model.fit(symbols[inside].numpy()[:, None], LENGTHS)
        ours = baum_welch(symbols, inside, begin, rounds=rounds, tolerance=-1.0)
        for got, want in zip(ours.hmm, (model.startprob_, model.transmat_, model.emissionprob_), strict=True):
            np.testing.assert_allclose(got.exp().numpy(), want, rtol=0, atol=1e-9)
        np.testing.assert_allclose(ours.likelihoods[:-1], list(model.monitor_.history)[-rounds:], rtol=1e-10)


def test_the_likelihood_never_falls_and_is_that_of_the_model(seen):
    symbols, inside = seen
    for seed in range(5):
        learned = baum_welch(symbols, inside, drawn(seed=seed), rounds=40, tolerance=1e-6)
        assert min(np.diff(learned.likelihoods)) >= -1e-9
        own = log_partition(hmm_potentials(learned.hmm, symbols, inside)).sum().item()
        assert learned.likelihoods[-1] == pytest.approx(own, abs=1e-9)
        for part in learned.hmm:
            torch.testing.assert_close(part.exp().sum(-1), torch.ones(part.shape[:-1]).double())


def test_it_finds_the_machine_that_drew_the_symbols():
    """Two states that stay 9 times of 10 and show one of two symbols 9 times of 10."""
    generator = torch.Generator().manual_seed(0)
    turns = torch.rand(4, 1000, 2, generator=generator) < 0.1
    states = turns[..., 0].cumsum(1) % 2
    symbols = states ^ turns[..., 1].long()
    parts = ([0.5, 0.5], [[0.7, 0.3], [0.3, 0.7]], [[0.6, 0.4], [0.4, 0.6]])
    begin = HMM(*(torch.tensor(part).double().log() for part in parts))
    found = baum_welch(symbols, torch.ones_like(symbols, dtype=torch.bool), begin, rounds=200).hmm
    wanted = torch.tensor([[0.9, 0.1], [0.1, 0.9]]).double()
    torch.testing.assert_close(found.steps.exp(), wanted, rtol=0, atol=0.03)
    torch.testing.assert_close(found.symbols.exp(), wanted, rtol=0, atol=0.03)


def test_what_cannot_be_learned_from_is_refused(seen):
    symbols, inside = seen
    with pytest.raises(DataError, match=r"expected symbols in 0..4, got 0..7"):
        baum_welch(symbols.index_fill(1, torch.tensor([0]), 7), inside, drawn())
    with pytest.raises(DataError, match="a sequence has no symbol"):
        baum_welch(symbols, inside & (torch.arange(4) > 0)[:, None], drawn())
    with pytest.raises(ConfigError, match="rounds=0"):
        baum_welch(symbols, inside, drawn(), rounds=0)
