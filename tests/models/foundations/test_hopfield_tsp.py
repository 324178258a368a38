"""The Hopfield-Tank network: its slope is that of its energy, tours are counted as they come."""

import itertools

import pytest
import torch

from netsmith.core.errors import DataError
from netsmith.core.roles import ModelConfig
from netsmith.models.foundations.hopfield_tsp import HopfieldTsp, best_tour, tour_length


def cities(count, seed=0):
    places = torch.rand(count, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    distances = torch.cdist(places, places, compute_mode="donot_use_mm_for_euclid_dist")
    return (distances + distances.T) / 2


def test_the_energy_is_the_papers_and_the_slope_its_derivative():
    model, distances = HopfieldTsp.Config(a=3.0, b=5.0, c=7.0, d=11.0).build(), cities(4)
    activity = torch.rand(2, 4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64).requires_grad_()
    v, n = activity[0], range(4)
    want = 1.5 * sum(v[x, i] * v[x, j] for x in n for i in n for j in n if i != j)
    want += 2.5 * sum(v[x, i] * v[y, i] for i in n for x in n for y in n if x != y)
    want += 3.5 * (v.sum() - 9) ** 2
    want += 5.5 * sum(distances[x, y] * v[x, i] * (v[y, (i + 1) % 4] + v[y, i - 1]) for x in n for y in n for i in n)
    energy = model.energy(activity, distances)
    assert energy[0].item() == pytest.approx(want.item(), abs=1e-12)
    (slope,) = torch.autograd.grad(energy.sum(), activity)
    assert (model.slope(activity, distances) - slope).abs().max() < 1e-12


def test_a_tour_has_the_energy_of_its_length():
    model, distances = HopfieldTsp.Config(excess=0.0).build(), cities(6)
    order = torch.tensor([3, 1, 0, 5, 2, 4])
    activity = torch.zeros(6, 6, dtype=torch.float64)
    activity[order, torch.arange(6)] = 1
    length = sum(float(distances[a, b]) for a, b in itertools.pairwise([*order.tolist(), 3]))
    assert float(tour_length(distances, order)) == pytest.approx(length)
    assert float(model.energy(activity, distances)) == pytest.approx(500 * length)  # D times the length


def test_the_best_tour_is_the_shortest_of_all():
    distances = cities(7, seed=2)
    order, length = best_tour(distances)
    every = min(float(tour_length(distances, torch.tensor(one))) for one in itertools.permutations(range(7)))
    assert length == pytest.approx(every, abs=1e-12)
    assert sorted(order.tolist()) == list(range(7))
    circle = torch.polar(torch.ones(8), torch.arange(8) * torch.pi / 4)
    ring = (circle[:, None] - circle).abs().double()
    assert best_tour(ring)[0].tolist() == list(range(8))
    with pytest.raises(DataError, match="at most 10 cities"):
        best_tour(cities(11))


def test_some_trials_end_in_tours_and_none_beats_the_best():
    distances = cities(10, seed=1)
    model = HopfieldTsp.Config(steps=2000).build()
    starts = model.starts(20, cities=10, generator=torch.Generator().manual_seed(0))
    activity = 0.5 * (1 + torch.tanh(starts / 0.02))
    assert activity.sum((1, 2)).mean().item() == pytest.approx(10, abs=0.5)
    found = model(distances, starts)
    assert 0 < int(found.valid.sum()) < 20  # as others found: the published constants often give no tour
    _, best = best_tour(distances)
    lengths = found.lengths[found.valid]
    assert (lengths >= best - 1e-9).all()
    assert lengths.mean() < 10 * distances[~torch.eye(10, dtype=torch.bool)].mean()  # shorter than a random tour
    assert found.lengths[~found.valid].isnan().all()
    assert (found.energies[-1] < found.energies[0]).all()
    for order in found.orders[found.valid]:
        assert sorted(order.tolist()) == list(range(10))
    assert ModelConfig.load(model.config.dump()) == model.config
    with pytest.raises(DataError, match="symmetric distances"):
        model(distances.triu(), starts)
