import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from netsmith.api.experiments import find
from netsmith.compress.choice import choose_units
from netsmith.compress.criteria import score_units
from netsmith.compress.proof import mask_units
from netsmith.compress.recalibrate import recalibrate
from netsmith.compress.trace import trace
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment


def network():
    torch.manual_seed(0)
    first = [nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6, momentum=0.3), nn.ReLU()]
    return nn.Sequential(*first, nn.Conv2d(6, 4, 3), nn.BatchNorm2d(4)).double().eval()


def test_the_statistics_are_the_mean_of_those_of_the_batches():
    net = network()
    batches = [torch.randn(8, 1, 9, 9, dtype=torch.float64) * scale for scale in (1.0, 2.0, 0.5)]
    weights = {name: p.clone() for name, p in net.named_parameters()}
    assert recalibrate(net, batches) is net
    seen = [net[0](batch) for batch in batches]
    mean = torch.stack([maps.mean((0, 2, 3)) for maps in seen]).mean(0)
    spread = torch.stack([maps.var((0, 2, 3)) for maps in seen]).mean(0)
    assert (net[1].running_mean - mean).abs().max() < 1e-12
    assert (net[1].running_var - spread).abs().max() < 1e-12
    # a later one sees what the one before makes of the batch's own statistics, as in training
    normed = [F.batch_norm(maps, None, None, training=True).relu() for maps in seen]
    later = torch.stack([net[3](maps).mean((0, 2, 3)) for maps in normed]).mean(0)
    assert (net[4].running_mean - later).abs().max() < 1e-12
    assert all(torch.equal(p, weights[name]) for name, p in net.named_parameters())


def test_modes_and_momenta_are_left_as_found():
    net = network()
    net[4].train()
    with pytest.raises(RuntimeError):
        recalibrate(net, [torch.zeros(2, 3, 9, 9, dtype=torch.float64)])
    recalibrate(net, [torch.randn(4, 1, 9, 9, dtype=torch.float64)])
    assert [part.training for part in net] == [False, False, False, False, True]
    assert (net[1].momentum, net[4].momentum) == (0.3, 0.1)


def test_without_statistics_nothing_is_asked():
    net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2, track_running_stats=False))

    def batches():
        raise AssertionError("asked")
        yield

    before = copy.deepcopy(net.state_dict())
    recalibrate(net, batches())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_a_trained_network_that_lost_channels_is_judged_better():
    changes = {"data.twin": True, "data.augment": (), "epochs": 0, "steps": 60}
    config = find("resnet20_fashion_mnist").config.derive(**changes, evaluate_every=60, checkpoint_every=60)
    engine = Engine(Experiment(config.derive(**{"method.model.depth": 8, "data.batch": 64})))
    engine.fit()
    net, source = engine.method.product().eval(), engine.source
    train, dev = (source.load(split, source.order(split, seed=0, epoch=0)[0]) for split in ("train", "dev"))
    graph = trace(net, dev.inputs[:2])
    masked = mask_units(net, graph, choose_units(net, graph, score_units(net, graph), ratio=0.4, scope="local")).eval()
    before = F.cross_entropy(masked(dev.inputs), dev.targets)
    after = F.cross_entropy(recalibrate(masked, [train.inputs])(dev.inputs), dev.targets)
    assert after < 0.8 * before
