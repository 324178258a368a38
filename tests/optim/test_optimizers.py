import pytest
import torch
from torch import nn

from netsmith.core.errors import ConfigError
from netsmith.core.roles import OptimizerConfig
from netsmith.optim.adadelta import Adadelta
from netsmith.optim.adagrad import Adagrad
from netsmith.optim.adam import Adam
from netsmith.optim.adamax import Adamax
from netsmith.optim.adamw import AdamW
from netsmith.optim.nadam import Nadam
from netsmith.optim.radam import RAdam
from netsmith.optim.rmsprop import RMSProp
from netsmith.optim.sgd import SGD


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3)).double()


def trained(make, steps=8):
    module = network()
    optimizer = make(module)
    x = torch.randn(4, 1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for _ in range(steps):
        optimizer.zero_grad()
        loss = module(x).square().sum()
        for parameter, gradient in zip(
            module.parameters(), torch.autograd.grad(loss, list(module.parameters())), strict=True
        ):
            parameter.grad = gradient
        optimizer.step()
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])


PAIRS = {
    "sgd": (SGD.Config(lr=0.01), lambda p: torch.optim.SGD(p, lr=0.01)),
    "nesterov": (
        SGD.Config(lr=0.01, momentum=0.9, nesterov=True, weight_decay=0.1),
        lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, nesterov=True, weight_decay=0.1),
    ),
    "adam": (
        Adam.Config(lr=0.01, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1),
        lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1),
    ),
    "adamw": (AdamW.Config(), lambda p: torch.optim.AdamW(p)),
    "rmsprop": (
        RMSProp.Config(lr=0.01, decay=0.8, momentum=0.5, eps=1e-5, weight_decay=0.1),
        lambda p: torch.optim.RMSprop(p, lr=0.01, alpha=0.8, momentum=0.5, eps=1e-5, weight_decay=0.1),
    ),
    "amsgrad": (
        Adam.Config(lr=0.01, betas=(0.8, 0.7), amsgrad=True),
        lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.8, 0.7), amsgrad=True),
    ),
    "adagrad": (Adagrad.Config(), lambda p: torch.optim.Adagrad(p)),
    "adagrad, decayed": (
        Adagrad.Config(lr=0.1, initial=0.2, eps=1e-6, weight_decay=0.1),
        lambda p: torch.optim.Adagrad(p, lr=0.1, initial_accumulator_value=0.2, eps=1e-6, weight_decay=0.1),
    ),
    "adadelta": (Adadelta.Config(), lambda p: torch.optim.Adadelta(p)),
    "adadelta, decayed": (
        Adadelta.Config(lr=0.5, decay=0.8, eps=1e-4, weight_decay=0.1),
        lambda p: torch.optim.Adadelta(p, lr=0.5, rho=0.8, eps=1e-4, weight_decay=0.1),
    ),
    "adamax": (Adamax.Config(), lambda p: torch.optim.Adamax(p)),
    "adamax, decayed": (
        Adamax.Config(lr=0.01, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1),
        lambda p: torch.optim.Adamax(p, lr=0.01, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1),
    ),
    "nadam": (Nadam.Config(), lambda p: torch.optim.NAdam(p)),
    "nadam, decayed": (
        Nadam.Config(lr=0.01, betas=(0.8, 0.95), eps=1e-6, momentum_decay=0.1, weight_decay=0.1),
        lambda p: torch.optim.NAdam(p, lr=0.01, betas=(0.8, 0.95), eps=1e-6, momentum_decay=0.1, weight_decay=0.1),
    ),
    "radam": (RAdam.Config(), lambda p: torch.optim.RAdam(p)),
    "radam, decayed": (
        RAdam.Config(lr=0.01, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1),
        lambda p: torch.optim.RAdam(p, lr=0.01, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_it_is_torchs_own_rule(name):
    config, make = PAIRS[name]
    ours = trained(lambda module: config.build(dict(module.named_parameters())))
    assert torch.equal(ours, trained(lambda module: make(module.parameters())))
    assert OptimizerConfig.load(config.dump()) == config


def test_momentum_by_hand():
    parameter = nn.Parameter(torch.tensor(1.0, dtype=torch.float64))
    optimizer = SGD.Config(lr=0.1, momentum=0.5, weight_decay=0.2).build({"p": parameter})
    p, v = 1.0, 0.0
    for gradient in (1.0, -3.0, 2.0):
        parameter.grad = torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
        v = 0.5 * v + gradient + 0.2 * p
        p -= 0.1 * v
        assert parameter.item() == pytest.approx(p, abs=1e-15)


def test_rmsprop_by_hand():
    parameter = nn.Parameter(torch.tensor(1.0, dtype=torch.float64))
    optimizer = RMSProp.Config(lr=0.1, decay=0.75, eps=1e-3).build({"p": parameter})
    p, v = 1.0, 0.0
    for gradient in (1.0, -3.0, 2.0):
        parameter.grad = torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
        v = 0.75 * v + 0.25 * gradient**2
        p -= 0.1 * gradient / (v**0.5 + 1e-3)
        assert parameter.item() == pytest.approx(p, abs=1e-15)


def test_groups_carry_the_names_and_spare_norms_on_request():
    parameters = dict(network().named_parameters())
    (group,) = SGD.Config(lr=1, weight_decay=0.1).build(parameters).param_groups
    assert group["names"] == list(parameters)
    decayed, spared = SGD.Config(lr=1, weight_decay=0.1, decay_norms=False).build(parameters).param_groups
    assert (decayed["weight_decay"], decayed["names"]) == (0.1, ["0.weight", "3.weight"])
    assert (spared["weight_decay"], spared["names"]) == (0.0, ["0.bias", "1.weight", "1.bias", "3.bias"])
    for group in (decayed, spared):
        assert all(parameters[name] is p for name, p in zip(group["names"], group["params"], strict=True))


def test_the_default_schedule_is_constant_and_another_can_be_named():
    assert SGD.Config(lr=0.1).schedule.build().factor(7, 9) == 1.0
    assert SGD.Config(lr=0.1, schedule="cosine").schedule.build().factor(4, 8) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SGD.Config(lr=0.0), "greater than 0"),
        (lambda: SGD.Config(lr=0.1, nesterov=True), "needs a momentum"),
        (lambda: SGD.Config(lr=0.1, momentun=0.9), "did you mean 'momentum'"),
        (lambda: Adam.Config(betas=(0.9, 1.0)), "betas"),
        (lambda: SGD.Config(lr=0.1).build({}), "was given no parameter"),
    ],
)
def test_bad_settings_are_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
