"""Shapley values against their definition, captum, and their axioms; segments of pictures and texts."""

import itertools
import math
import warnings

import pytest
import torch
from torch import nn

from netsmith.core.errors import UserError
from netsmith.explain.occlusion import segment_occlusion
from netsmith.explain.segments import grid_segments, superpixels, token_segments
from netsmith.explain.shapley import arrival_orders, exact_shapley_values, shapley_values

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    captum = pytest.importorskip("captum.attr")

TARGETS = torch.tensor([2, 0, 1])
GRID = grid_segments(8, 8, cells=2)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def by_definition(score, players):
    """The mean gain of each player over all orders of arrival."""
    total = torch.zeros(players, dtype=torch.float64)
    for order in itertools.permutations(range(players)):
        present = torch.zeros(players, dtype=torch.bool)
        before = score(present)
        for player in order:
            present[player] = True
            after = score(present)
            total[player] += after - before
            before = after
    return total / math.factorial(players)


def test_exact_values_are_the_mean_over_all_orders(net, images):
    found = exact_shapley_values(net, images, TARGETS, segments=GRID, baselines=0.2)
    for row, target in enumerate(TARGETS):

        def score(present, row=row, target=target):
            shown = torch.where(present[GRID], images[row], 0.2)
            with torch.no_grad():
                return net(shown)[0, target]

        assert (found.values[row] - by_definition(score, 4)).abs().max() < 1e-14
    assert found.efficiency_error.abs().max() < 1e-14
    assert found.attributions.shape == (3, 1, 8, 8)
    assert torch.equal(found.attributions[1, 0, 6, 1], found.values[1, 2])


@pytest.mark.filterwarnings("ignore")  # captum's own
def test_exact_values_against_captum(net, images):
    found = exact_shapley_values(net, images, TARGETS, segments=GRID, baselines=0.2)
    theirs = captum.ShapleyValues(net).attribute(images, 0.2, TARGETS, feature_mask=GRID)
    assert (found.attributions.expand_as(images) - theirs.double()).abs().max() < 1e-7  # captum adds up in float32


class Whole(nn.Module):
    """Scores that float32 holds exactly: sums and products of whole numbers."""

    def forward(self, x):
        return torch.stack([x.prod(1), x.sum(1).relu(), x[:, 0] * x[:, 1] - x[:, 2]], 1)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("antithetic", [True, False])
def test_the_same_orders_against_captum(antithetic):
    rows = torch.randint(-3, 4, (4, 5), generator=generator()).double()
    reference = captum.ShapleyValueSampling(Whole())
    drawn = arrival_orders(5, 8, generator=generator(), antithetic=antithetic)
    reference.permutation_generator = lambda players, count: iter(drawn.tolist())
    targets = torch.tensor([0, 1, 2, 1])
    theirs = reference.attribute(rows, 1.0, targets, n_samples=8)
    ours = shapley_values(
        Whole(), rows, targets, baselines=1.0, orders=8, antithetic=antithetic, generator=generator(), rows=7
    )
    assert theirs.abs().max() > 1
    assert (ours.values - theirs.double()).abs().max() < 1e-10
    assert torch.equal(ours.attributions, ours.values)


def test_every_single_order_adds_up_and_no_value_depends_on_the_chunks(net, images):
    found = shapley_values(net, images, TARGETS, segments=GRID, orders=4, generator=generator())
    assert found.efficiency_error.abs().max() < 1e-14
    again = shapley_values(net, images, TARGETS, segments=GRID, orders=4, generator=generator(), rows=1)
    assert (found.values - again.values).abs().max() < 1e-14


def test_the_standard_error_is_the_spread_of_repetitions_and_reverses_lower_it(net, images):
    cells = grid_segments(8, 8, cells=4)
    for antithetic in (True, False):
        repeated = [
            shapley_values(net, images, 1, segments=cells, orders=12, antithetic=antithetic, generator=generator(seed))
            for seed in range(40)
        ]
        spread = torch.stack([one.values for one in repeated]).std(0)
        told = torch.stack([one.standard_error for one in repeated]).square().mean(0).sqrt()
        assert 0.85 < (spread.square().mean() / told.square().mean()).sqrt() < 1.15
        if antithetic:
            best = spread
    assert best.norm() < 0.9 * spread.norm()


class Pairs(nn.Module):
    def forward(self, x):
        return (x[:, :, None] * x[:, None]).sum((1, 2)) + x[:, 0]


def test_reverses_are_exact_where_only_pairs_interact():
    rows = torch.randn(2, 6, dtype=torch.float64, generator=generator())
    exact = exact_shapley_values(Pairs(), rows)
    found = shapley_values(Pairs(), rows, orders=4, generator=generator())
    assert (found.values - exact.values).abs().max() < 1e-13
    assert found.standard_error.max() < 1e-13
    assert (exact.values - (rows * rows.sum(1, keepdim=True) + rows * torch.eye(6)[0])).abs().max() < 1e-13


def test_tokens_are_players_and_padding_is_none(token_net, token_batch):
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = token_net

        def forward(self, tokens):
            return self.net({"tokens": tokens, "mask": tokens != 0})

    tokens = token_batch["tokens"]
    segments = token_segments(tokens)
    assert segments[1].tolist() == [0, 1, 2, 3, -1, -1]
    found = exact_shapley_values(Tokens(), tokens, 1, segments=segments, baselines=10)
    assert found.efficiency_error.abs().max() < 1e-14
    assert (found.values[1, 4:] == 0).all()
    assert found.values.shape == (4, 6)
    alone = exact_shapley_values(Tokens(), tokens[1:2, :4], 1, baselines=10)
    assert (found.values[1, :4] - alone.values[0]).abs().max() < 1e-14
    dropped = segment_occlusion(Tokens(), tokens, 1, segments=segments, baselines=10)
    without = tokens.clone()
    without[1, 2] = 10
    with torch.no_grad():
        assert dropped[1, 2] == (Tokens()(tokens) - Tokens()(without))[1, 1]
    assert (dropped[1, 4:] == 0).all()
    drawn = shapley_values(Tokens(), tokens, 1, segments=segments, baselines=10, orders=4, generator=generator())
    assert (drawn.attributions[1, 4:] == 0).all()
    assert drawn.efficiency_error.abs().max() < 1e-14


def test_grids_and_superpixels():
    assert grid_segments(4, 6, cells=3)[0, 0].tolist() == [[0, 0, 1, 1, 2, 2]] * 2 + [[3, 3, 4, 4, 5, 5]] + [
        [6, 6, 7, 7, 8, 8]
    ]
    assert int(grid_segments(2, 9, cells=4).max()) == 7
    picture = torch.zeros(1, 3, 20, 20)
    picture[:, 0, :, :9] = 1.0
    picture[:, 2, 13:] = 1.0
    found = superpixels(picture, count=16, compactness=0.1)
    assert found.shape == (1, 1, 20, 20)
    pieces = int(found.max()) + 1
    assert 8 <= pieces <= 16
    for piece in range(pieces):
        colors = picture[0].flatten(1)[:, found.flatten() == piece]
        assert colors.shape[1] > 0
        assert (colors == colors[:, :1]).all(), "a piece lies across an edge"
    flat = superpixels(torch.zeros(1, 1, 12, 12), count=9)  # nothing but place: the squares
    assert torch.equal(flat, grid_segments(12, 12, cells=3))


def test_what_does_not_fit_is_refused(net, images):
    with pytest.raises(UserError, match="orders is 5; expected an even number of at least 4"):
        shapley_values(net, images, 0, segments=GRID, orders=5, generator=generator())
    with pytest.raises(UserError, match=r"\(3, 2, 8, 8\) need segments"):
        exact_shapley_values(net, images, 0)
    with pytest.raises(UserError, match=r"segments are \(1, 1, 4, 4\)"):
        exact_shapley_values(net, images, 0, segments=grid_segments(4, 4))
    with pytest.raises(UserError, match=r"64 players have 1\.8e\+19 coalitions"):
        exact_shapley_values(net, images, 0, segments=grid_segments(8, 8, cells=8))
    with pytest.raises(UserError, match=r"baselines has shape \(5,\)"):
        exact_shapley_values(net, images, 0, segments=GRID, baselines=torch.zeros(5))
    with pytest.raises(UserError, match="nothing to switch off"):
        exact_shapley_values(net, images, 0, segments=GRID * 0 - 1)
    with pytest.raises(UserError, match="count 0"):
        superpixels(images, count=0)
