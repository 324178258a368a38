"""Sums, scores, best paths and marginals of chains against every sequence written out, and other implementations."""

import itertools
import math

import pytest
import torch

from netsmith.layers import chain
from netsmith.layers.chain import (
    best_paths,
    chain_potentials,
    inside_chain,
    log_partition,
    marginals,
    path_scores,
    surprisal,
)
from netsmith.layers.linear_chain import SEALED

LENGTHS = (5, 1, 3, 4)


def drawn(*, states=3, lengths=LENGTHS, scale=1.0, seed=0):
    """Potentials of chains of several lengths whose steps differ from place to place, and a sequence each."""
    generator = torch.Generator().manual_seed(seed)
    shape = (len(lengths), max(lengths), states, states)
    found = scale * torch.randn(shape, generator=generator, dtype=torch.float64)
    found[:, 0] = found[:, 0, :1]
    tags = torch.randint(states, shape[:2], generator=generator)
    identity = torch.full(shape[2:], SEALED, dtype=torch.float64).fill_diagonal_(0.0)
    for row, length in enumerate(lengths):
        found[row, length:] = identity
        tags[row, length:] = tags[row, length - 1]
    return found, tags


def written_out(potentials, length):
    """The score of every sequence of one chain, by the sequence."""
    states = potentials.shape[-1]
    return {
        y: float(potentials[0, 0, y[0]] + sum(potentials[t, y[t - 1], y[t]] for t in range(1, length)))
        for y in itertools.product(range(states), repeat=length)
    }


@pytest.mark.parametrize("scale", [1.0, 400.0])  # by products of exponentials, and by logarithms
def test_sums_paths_and_marginals_are_those_of_all_sequences(scale):
    potentials, tags = drawn(scale=scale)
    totals, shares, best = log_partition(potentials), marginals(potentials), best_paths(potentials)
    scores = path_scores(potentials, tags)
    for row, length in enumerate(LENGTHS):
        every = written_out(potentials[row], length)
        total = torch.tensor(list(every.values()), dtype=torch.float64).logsumexp(0)
        assert totals[row].item() == pytest.approx(float(total), rel=1e-12)
        assert scores[row].item() == pytest.approx(every[tuple(tags[row, :length].tolist())], rel=1e-12)
        likeliest = max(every, key=every.get)
        assert best.tags[row].tolist() == [*likeliest, *[likeliest[-1]] * (5 - length)]
        assert best.scores[row].item() == pytest.approx(every[likeliest], rel=1e-12)
        for place, tag in itertools.product(range(5), range(3)):
            through = [math.exp(s - total) for y, s in every.items() if y[min(place, length - 1)] == tag]
            assert shares[row, place, tag].item() == pytest.approx(sum(through), abs=1e-12)
    torch.testing.assert_close(surprisal(potentials, tags), totals - scores, rtol=1e-12, atol=0)
    assert inside_chain(potentials).sum(1).tolist() == list(LENGTHS)


def test_both_ways_to_sum_agree_over_long_chains_in_single_precision():
    potentials = drawn(states=6, lengths=(400, 120), scale=3.0)[0].float()
    exact = chain._in_logarithms(potentials.double(), wanted=True)
    for every in (1, 2):
        total, steps = chain._in_products(potentials, potentials.amax((2, 3)), every=every, wanted=True)
        torch.testing.assert_close(total.double(), exact[0], rtol=1e-6, atol=0)
        torch.testing.assert_close(steps.double(), exact[1], rtol=0, atol=2e-5)


@pytest.mark.parametrize("scale", [1.0, 400.0])
def test_gradients_are_the_probabilities_of_the_steps_and_can_be_derived_again(scale):
    potentials, tags = drawn(lengths=(4, 4), scale=scale, seed=3)
    potentials.requires_grad_()
    (steps,) = torch.autograd.grad(log_partition(potentials).sum(), potentials)
    torch.testing.assert_close(steps.sum(2), marginals(potentials), rtol=0, atol=1e-12)
    if scale == 1.0:
        row = potentials.detach()[:, :1, :1].clone().requires_grad_()  # of the first place only one row is read
        rest = potentials.detach()[:, 1:].clone().requires_grad_()
        for function in (log_partition, lambda whole: surprisal(whole, tags)):

            def whole(row, rest, function=function):
                return function(torch.cat([row.expand(-1, -1, 3, -1), rest], 1))

            assert torch.autograd.gradcheck(whole, (row, rest))
            assert torch.autograd.gradgradcheck(whole, (row, rest))


def test_padding_has_no_gradient_and_moves_nothing():
    potentials, tags = drawn()
    more = torch.cat([potentials, potentials[1:2, 1:3].expand(4, -1, -1, -1)], 1).requires_grad_()
    longer = torch.cat([tags, tags[:, -1:].expand(-1, 2)], 1)
    assert torch.equal(surprisal(more, longer), surprisal(potentials, tags))
    (grad,) = torch.autograd.grad((surprisal(more, longer) * torch.arange(4)).sum(), more)
    assert not grad[~inside_chain(more)].any()
    assert not grad[0].any()  # its weight is 0
    weighted = torch.autograd.grad(surprisal(more, longer)[2], more)[0]
    torch.testing.assert_close(grad[2], 2 * weighted[2], rtol=1e-12, atol=1e-15)


@pytest.fixture
def crf():
    torchcrf = pytest.importorskip("torchcrf")
    torch.manual_seed(0)
    return torchcrf.CRF(5, batch_first=True).double()


def test_a_linear_chain_is_that_of_pytorch_crf(crf):
    generator = torch.Generator().manual_seed(1)
    emissions = torch.randn(4, 7, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    lengths = torch.tensor([7, 1, 4, 6])
    inside = torch.arange(7) < lengths[:, None]
    tags = torch.randint(5, (4, 7), generator=generator)
    theirs = (emissions, crf.transitions, crf.start_transitions, crf.end_transitions)
    wanted = torch.autograd.grad(-crf(emissions, tags, mask=inside, reduction="sum"), theirs)
    tags = torch.where(inside, tags, tags.gather(1, lengths[:, None] - 1))
    ours = chain_potentials(emissions, crf.transitions, inside, start=crf.start_transitions, end=crf.end_transitions)
    losses = surprisal(ours, tags)
    likelihood = torch.stack([crf(emissions[i : i + 1], tags[i : i + 1], mask=inside[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(losses, -likelihood, rtol=0, atol=1e-12)
    for got, want in zip(torch.autograd.grad(losses.sum(), theirs), wanted, strict=True):
        torch.testing.assert_close(got, want, rtol=0, atol=1e-12)
    found = best_paths(ours).tags
    assert [found[row, :length].tolist() for row, length in enumerate(lengths)] == crf.decode(emissions, inside)


def test_emissions_may_end_with_the_longest_sequence(crf):
    emissions = torch.randn(3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    inside = torch.arange(9) < torch.tensor([4, 2, 3])[:, None]
    rest = {"start": crf.start_transitions.detach(), "end": crf.end_transitions.detach()}
    transitions = crf.transitions.detach()
    short = chain_potentials(emissions, transitions, inside, **rest)
    padded = torch.cat([emissions, torch.full((3, 5, 5), 7.0).double()], 1)
    assert torch.equal(short, chain_potentials(padded, transitions, inside, **rest))
    assert torch.equal(log_partition(short), log_partition(short[:, :4]))


@pytest.mark.filterwarnings("ignore:.*torch.jit.trace:DeprecationWarning")
def test_a_traced_graph_holds_the_same_potentials(crf):
    emissions = torch.randn(3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    inside = torch.arange(4) < torch.tensor([4, 2, 3])[:, None]
    given = (emissions, crf.transitions.detach(), inside)
    traced = torch.jit.trace(lambda *parts: chain_potentials(*parts, start=parts[1][0], end=parts[1][1]), given)
    assert torch.equal(traced(*given), chain_potentials(*given, start=given[1][0], end=given[1][1]))


def test_the_worked_example_of_the_healthy_and_the_feverish():
    """Healthy and Fever, seen as normal, cold, dizzy: best H, H, F with .01512, and P(O) = .03628."""
    start = torch.tensor([0.6, 0.4], dtype=torch.float64).log()
    steps = torch.tensor([[0.7, 0.3], [0.4, 0.6]], dtype=torch.float64).log()
    seen = torch.tensor([[0.5, 0.4, 0.1], [0.1, 0.3, 0.6]], dtype=torch.float64).log()
    potentials = chain_potentials(seen.T[None], steps, torch.ones(1, 3, dtype=torch.bool), start=start)
    best = best_paths(potentials)
    assert best.tags.tolist() == [[0, 0, 1]]
    assert best.scores.exp().item() == pytest.approx(0.01512, abs=1e-12)
    assert log_partition(potentials).exp().item() == pytest.approx(0.03628, abs=1e-12)


def test_an_hmm_is_that_of_hmmlearn():
    hmm = pytest.importorskip("hmmlearn.hmm")
    generator = torch.Generator().manual_seed(5)
    start, steps, seen = (
        torch.rand(shape, generator=generator, dtype=torch.float64).log_softmax(-1) for shape in ((3,), (3, 3), (3, 6))
    )
    model = hmm.CategoricalHMM(3)
    model.startprob_, model.transmat_, model.emissionprob_ = (part.exp().numpy() for part in (start, steps, seen))
    symbols = torch.randint(6, (40,), generator=generator)
    potentials = chain_potentials(seen.T[symbols][None], steps, torch.ones(1, 40, dtype=torch.bool), start=start)
    column = symbols.numpy()[:, None]
    assert log_partition(potentials).item() == pytest.approx(model.score(column), abs=1e-10)
    score, path = model.decode(column)
    theirs = torch.from_numpy(path)[None]  # another path may be as good: the same steps in another order
    assert path_scores(potentials, theirs).item() == pytest.approx(score, abs=1e-10)
    assert best_paths(potentials).scores.item() == pytest.approx(score, abs=1e-10)
    torch.testing.assert_close(marginals(potentials)[0].numpy(), model.predict_proba(column), rtol=0, atol=1e-10)


def test_what_is_not_finite_stays_so_and_stops_no_one_else():
    potentials, tags = drawn(lengths=(3, 3))
    potentials[0, 1, 0, 0] = math.nan
    losses = surprisal(potentials, tags)
    assert bool(losses[0].isnan())
    assert losses[1].item() == pytest.approx(surprisal(potentials[1:], tags[1:]).item(), abs=1e-12)
