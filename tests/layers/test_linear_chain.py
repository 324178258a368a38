"""Packed chains against the same chains written out as potentials, and against pytorch-crf."""

import pytest
import torch

from netsmith.layers import chain
from netsmith.layers.chain import chain_potentials, inside_chain
from netsmith.layers.linear_chain import SEALED, best_rows, linear_marginals, linear_sum, pack, unpack

LENGTHS = torch.tensor([6, 1, 4, 0, 5])


def drawn(*, states=4, scale=1.0, dtype=torch.float64, lengths=LENGTHS):
    """Emissions, transitions, scores of the ends, where sequences are, and a sequence each."""
    generator = torch.Generator().manual_seed(5)
    longest = int(lengths.max())
    inside = torch.arange(longest + 2) < lengths[:, None]
    emissions = scale * torch.randn(len(lengths), longest, states, generator=generator, dtype=torch.float64)
    rest = scale * torch.randn(states + 2, states, generator=generator, dtype=torch.float64)
    tags = torch.randint(states, inside.shape, generator=generator)
    parts = [emissions, rest[:-2], rest[-2], rest[-1]]
    return [part.to(dtype).requires_grad_() for part in parts], inside, tags


def both(parts, inside):
    emissions, transitions, start, end = parts
    return (
        pack(emissions, transitions, inside, start=start, end=end),
        chain_potentials(emissions, transitions, inside, start=start, end=end),
    )


@pytest.mark.parametrize("scale", [1.0, 400.0])  # by products of exponentials, and by logarithms
def test_a_packed_chain_gives_what_its_potentials_give(scale):
    parts, inside, tags = drawn(scale=scale)
    packed, potentials = both(parts, inside)
    held = torch.where(inside, tags, 0)
    held = held.gather(1, torch.where(inside, torch.arange(8), 0).cummax(1).values)  # at padding the last goes on
    assert torch.equal(inside_chain(packed), inside)
    for name in ("log_partition", "marginals"):
        got, want = getattr(chain, name)(packed), getattr(chain, name)(potentials)
        some = LENGTHS > 0
        torch.testing.assert_close(got[some], want[some], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(chain.path_scores(packed, held), chain.path_scores(potentials, held), rtol=1e-12, atol=0)
    got, want = chain.best_paths(packed), chain.best_paths(potentials)
    torch.testing.assert_close(got.scores, want.scores, rtol=1e-12, atol=0)
    assert torch.equal(got.tags, want.tags)
    weights = torch.arange(1.0, 6.0, dtype=torch.float64)
    for sequence in (None, held):
        sums = [
            chain.log_partition(form) if sequence is None else chain.surprisal(form, sequence)
            for form in (packed, potentials)
        ]
        torch.testing.assert_close(*sums, rtol=1e-12, atol=1e-12)
        slopes = [torch.autograd.grad((one * weights).sum(), parts, retain_graph=True) for one in sums]
        for got, want in zip(*slopes, strict=True):
            torch.testing.assert_close(got, want, rtol=1e-11, atol=1e-12)


def test_what_stands_at_padding_says_nothing():
    parts, inside, tags = drawn()
    packed = both(parts, inside)[0]
    other = torch.where(inside, tags, (tags + 1) % 4)
    assert torch.equal(linear_sum(packed, tags), linear_sum(packed, other))
    (grad,) = torch.autograd.grad(linear_sum(packed, tags).sum(), packed)
    assert not grad[:, :8][~inside].any()


def test_second_derivatives_are_those_of_the_sum():
    parts, inside, tags = drawn(states=3, lengths=torch.tensor([3, 2]))
    tags = tags[:2]
    assert torch.autograd.gradcheck(lambda *given: linear_sum(both(given, inside)[0], tags), parts)
    assert torch.autograd.gradgradcheck(lambda *given: linear_sum(both(given, inside)[0], tags), parts)


def test_chains_of_different_transitions_are_each_their_own():
    parts, inside, _ = drawn()
    packed = both(parts, inside)[0].detach()
    others = packed.clone()
    others[2, 8:] *= 2
    alone = torch.cat([linear_sum(others[row : row + 1]) for row in range(5)])
    torch.testing.assert_close(linear_sum(others), alone, rtol=1e-12, atol=0)


def test_long_chains_keep_single_precision():
    parts, inside, tags = drawn(states=9, scale=2.0, lengths=torch.tensor([600, 350]))
    exact, tags = both(parts, inside)[0], tags[:2]
    single = [part.detach().float().requires_grad_() for part in parts]
    rounded = both(single, inside)[0]
    torch.testing.assert_close(linear_sum(rounded).double(), linear_sum(exact), rtol=1e-6, atol=0)
    wanted = torch.autograd.grad(linear_sum(exact, tags).sum(), parts)
    found = torch.autograd.grad(linear_sum(rounded, tags).sum(), single)
    for got, want in zip(found, wanted, strict=True):
        torch.testing.assert_close(got.double(), want, rtol=1e-3, atol=1e-4)


def test_a_sealed_step_is_never_taken():
    parts, inside, _ = drawn()
    with torch.no_grad():
        parts[1][0, 1] = SEALED
    packed, potentials = both(parts, inside)
    some = LENGTHS > 0
    got, want = chain.log_partition(packed)[some], chain.log_partition(potentials)[some]
    torch.testing.assert_close(got, want, rtol=1e-12, atol=0)
    best = chain.best_paths(packed).tags
    assert not ((best[:, :-1] == 0) & (best[:, 1:] == 1) & inside[:, 1:]).any()


def test_it_is_the_chain_of_pytorch_crf():
    torchcrf = pytest.importorskip("torchcrf")
    torch.manual_seed(0)
    crf = torchcrf.CRF(4, batch_first=True).double()
    (emissions, *_), inside, tags = drawn()
    here = LENGTHS > 0
    inside, tags = inside[here, :6], tags[here, :6]
    emissions = emissions.detach()[here].requires_grad_()
    theirs = (emissions, crf.transitions, crf.start_transitions, crf.end_transitions)
    wanted = torch.autograd.grad(-crf(emissions, tags, mask=inside, reduction="sum"), theirs)
    ours = pack(emissions, crf.transitions, inside, start=crf.start_transitions, end=crf.end_transitions)
    for got, want in zip(torch.autograd.grad(linear_sum(ours, tags).sum(), theirs), wanted, strict=True):
        torch.testing.assert_close(got, want, rtol=0, atol=1e-12)
    found = chain.best_paths(ours).tags
    assert [row[:n].tolist() for row, n in zip(found, inside.sum(1), strict=True)] == crf.decode(emissions, inside)


@pytest.mark.filterwarnings("ignore:.*torch.jit.trace:DeprecationWarning")
def test_a_traced_graph_packs_any_number_of_chains():
    parts, inside, _ = drawn(lengths=torch.tensor([5, 2, 3]))
    emissions, transitions, start, end = (part.detach() for part in parts)
    given = (torch.nn.functional.pad(emissions, (0, 0, 0, 2)), transitions, inside, start, end)
    traced = torch.jit.trace(lambda e, t, i, s, f: pack(e, t, i, start=s, end=f), given)
    two = (given[0][:2], transitions, inside[:2], start, end)
    assert torch.equal(traced(*two), pack(*two[:3], start=start, end=end))
    assert torch.equal(unpack(traced(*given)).inside, inside)


def test_a_batch_without_a_chain_has_no_sums():
    packed = torch.zeros(0, 5, 2, dtype=torch.float64, requires_grad=True)
    tags = torch.zeros(0, 3, dtype=torch.int64)
    for found in (linear_sum(packed), linear_sum(packed, tags), best_rows(packed)[0]):
        assert (found.shape, found.dtype) == ((0,), torch.float64)
    assert linear_marginals(packed).shape == (0, 3, 2)
    linear_sum(packed).sum().backward()
    assert packed.grad.shape == packed.shape
