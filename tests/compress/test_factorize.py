import json

import pytest
import torch
from torch import nn

from netsmith.compress.factorize import FactorLog, apply_factors, factorize, truncated_svd
from netsmith.core.errors import CheckpointError, UnknownNameError, UnsupportedError


@pytest.fixture
def weight():
    return torch.randn(12, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_the_error_is_that_of_eckart_and_young(weight):
    values = torch.linalg.svdvals(weight)
    for rank in (1, 5, 12):
        left, right, kept = truncated_svd(weight, rank=rank)
        assert (left.shape, right.shape, kept) == ((12, rank), (rank, 20), rank)
        lost = (weight - left @ right).square().sum()
        assert lost == pytest.approx(float(values[rank:].square().sum()), abs=1e-10)
    # no other matrix of the rank is nearer: nudging the factors only loses
    left, right, _ = truncated_svd(weight, rank=5)
    best = (weight - left @ right).square().sum()
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        nudged = left + 1e-2 * torch.randn(left.shape, dtype=torch.float64, generator=generator)
        assert (weight - nudged @ right).square().sum() > best


def test_energy_takes_the_least_rank_that_holds_it(weight):
    parts = torch.linalg.svdvals(weight).square().cumsum(0)
    parts = parts / parts[-1]
    for energy in (0.3, 0.7, 0.95, 1.0):
        *_, rank = truncated_svd(weight, energy=energy)
        assert parts[rank - 1] >= energy - 1e-12
        assert rank == 1 or parts[rank - 2] < energy
    assert truncated_svd(weight, energy=float(parts[3]))[2] == 4


def build():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(30, 40), nn.ReLU(), nn.Linear(40, 50, bias=False), nn.Linear(50, 3))
        with torch.no_grad():
            net[0].weight.copy_(torch.randn(40, 4) @ torch.randn(4, 30))
    return net


def test_a_layer_of_low_rank_is_factorized_without_loss():
    net = build().train()
    net[0].bias.requires_grad_(False)
    small, log = factorize(net, energy=1 - 1e-9)
    assert [(f.module, f.rank, f.before, f.after) for f in log.factors] == [("0", 4, 1200, 280)]
    assert log.factors[0].error < 1e-5
    x = torch.randn(5, 30, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(small(x), net(x), rtol=1e-4, atol=1e-4)
    assert small.training
    assert small[0][0].weight.requires_grad
    assert not small[0][1].bias.requires_grad
    assert isinstance(net[0], nn.Linear)
    again = apply_factors(build(), FactorLog.from_json(json.loads(json.dumps(log.to_json()))))
    again.load_state_dict(small.state_dict())
    assert torch.equal(again(x), small(x))


def test_ranks_by_name_and_what_would_not_shrink():
    small, log = factorize(build(), rank={"2": 7})
    assert [(f.module, f.rank) for f in log.factors] == [("2", 7)]
    assert small[2][1].bias is None
    _, log = factorize(build(), rank=5, protect=("0",))
    assert [f.module for f in log.factors] == ["2"]  # the last layer would grow
    with pytest.raises(UnknownNameError, match="linear layer"):
        factorize(build(), rank={"1": 3})
    for named in ({}, {"rank": 3, "energy": 0.5}):
        with pytest.raises(UnsupportedError, match="a rank or an energy"):
            factorize(build(), **named)
    with pytest.raises(UnsupportedError, match=r"in 1\.\.30"):
        factorize(build(), rank={"0": 31})
    with pytest.raises(UnsupportedError, match=r"\(0, 1\]"):
        factorize(build(), energy=1.5)


def test_a_log_that_does_not_fit_is_refused():
    entry = {"module": "0", "rank": 99, "energy": 1.0, "error": 0.0, "before": 1, "after": 1}
    with pytest.raises(CheckpointError, match="rank 99"):
        apply_factors(build(), FactorLog.from_json({"format": 1, "factors": [entry]}))
    for wrong in ({}, {"format": 2}, {"format": 1, "factors": [{}]}, {"format": 1, "factors": [entry | {"rank": "x"}]}):
        with pytest.raises(CheckpointError):
            FactorLog.from_json(wrong)


def test_shared_weights_are_left_alone():
    net = nn.Sequential(nn.Linear(30, 30), nn.Linear(30, 30))
    net[1].weight = net[0].weight
    assert factorize(net, rank=2)[1].factors == ()
