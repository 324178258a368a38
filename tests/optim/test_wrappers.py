"""Optimizers in the engine: around another one, with closures, schedules, batch normalization; resumed exactly."""

import pytest
import torch
from torch import nn

import toy
from netsmith.core.errors import ConfigError, DivergedError
from netsmith.core.roles import OptimizerConfig
from netsmith.engine import checkpoint
from netsmith.engine.batch import Batch
from netsmith.engine.method import Method
from netsmith.engine.ranks import Ranks
from netsmith.engine.task import Loss, weighted
from netsmith.engine.updater import Updater, UpdaterSettings
from netsmith.optim._wrapper import WrapperConfig
from netsmith.optim.adadelta import Adadelta
from netsmith.optim.adagrad import Adagrad
from netsmith.optim.adam import Adam
from netsmith.optim.adamax import Adamax
from netsmith.optim.adamw import AdamW
from netsmith.optim.clip_value import ClipValue
from netsmith.optim.decoupled_decay import DecoupledDecay
from netsmith.optim.gradient_noise import GradientNoise
from netsmith.optim.l1_penalty import L1Penalty
from netsmith.optim.lamb import Lamb
from netsmith.optim.lookahead import Lookahead
from netsmith.optim.momentum import Momentum
from netsmith.optim.nadam import Nadam
from netsmith.optim.nesterov import Nesterov
from netsmith.optim.radam import RAdam
from netsmith.optim.rmsprop import RMSProp
from netsmith.optim.rmsprop_nesterov import RMSPropNesterov
from netsmith.optim.sam import SAM
from netsmith.optim.schedules.linear import Linear
from netsmith.optim.sgd import SGD
from netsmith.optim.weight_noise import WeightNoise

RATE = {"lr": 0.02, "schedule": Linear.Config(warmup=3)}
EVERY = {
    "sgd": SGD.Config(momentum=0.9, **RATE),
    "momentum": Momentum.Config(**RATE),
    "momentum, nesterov": Momentum.Config(nesterov=True, weight_decay=0.1, **RATE),
    "nesterov": Nesterov.Config(weight_decay=0.1, decay_norms=False, **RATE),
    "adagrad": Adagrad.Config(**RATE),
    "adadelta": Adadelta.Config(lr=1.0, schedule=Linear.Config()),
    "rmsprop": RMSProp.Config(start="gradient", momentum=0.5, **RATE),
    "rmsprop_nesterov": RMSPropNesterov.Config(**RATE),
    "adamax": Adamax.Config(**RATE),
    "nadam": Nadam.Config(**RATE),
    "adam": Adam.Config(amsgrad=True, **RATE),
    "radam": RAdam.Config(**RATE),
    "lamb": Lamb.Config(decay_norms=False, **RATE),
    "sam": SAM.Config(inner=SGD.Config(momentum=0.9, weight_decay=0.1, **RATE)),
    "clip_value": ClipValue.Config(inner=Adagrad.Config(**RATE), limit=0.01),
    "lookahead": Lookahead.Config(inner=AdamW.Config(**RATE), steps=4),
    "lookahead around adagrad": Lookahead.Config(inner=Adagrad.Config(**RATE), steps=5),
    "sam around lookahead": SAM.Config(inner=Lookahead.Config(inner=RMSProp.Config(**RATE), steps=3)),
    "l1_penalty": L1Penalty.Config(inner=SGD.Config(momentum=0.9, **RATE), strength=0.01),
    "decoupled_decay": DecoupledDecay.Config(inner=SGD.Config(momentum=0.9, **RATE), strength=0.1),
    "gradient_noise": GradientNoise.Config(inner=SGD.Config(**RATE), scale=0.3),
    "gradient_noise around adam": GradientNoise.Config(inner=Adam.Config(**RATE), decay=0.0),
    "weight_noise around gradient_noise": WeightNoise.Config(
        inner=GradientNoise.Config(inner=SGD.Config(momentum=0.9, **RATE))
    ),
    "weight_noise": WeightNoise.Config(inner=Lookahead.Config(inner=SGD.Config(**RATE), steps=3), std=0.1),
}


def experiment(optimizer, **changes):
    """14 steps of a network with batch normalization and dropout on noisy inputs."""
    method = toy.Supervised.Config(model=toy.Net.Config(norm=True, spare=True))
    fields = {"method": method, "optimizers": {"model": optimizer}, "steps": 14, "epochs": 0, "checkpoint_every": 3}
    return toy.config(**{**fields, **changes})


# -- every one of them ------------------------------------------------------------------------------------------------


PICTURES = {
    "method": toy.Supervised.Config(model=toy.ConvNet.Config()),
    "data": toy.Pictures.Config(),
    "memory_format": "channels_last",  # in which sums run in another order
}


@pytest.mark.parametrize(
    ("name", "changes"), [*((name, {}) for name in EVERY), ("lamb", PICTURES), ("sam around lookahead", PICTURES)]
)
def test_a_cut_leaves_no_trace(tmp_path, name, changes):
    config = experiment(EVERY[name], **changes)
    whole = toy.engine(config)
    start = toy.weights(whole)
    whole.fit()
    assert toy.distance(start, toy.weights(whole)) > 0.01
    cut = toy.engine(config, checkpoints=tmp_path, hooks=[toy.Cut(8)])
    with pytest.raises(toy.Cut.Stop):
        cut.fit()
    torch.manual_seed(3)
    again = toy.engine(config, checkpoints=tmp_path)
    snapshot, notices = checkpoint.load_latest(tmp_path)
    assert (snapshot.step, notices) == (6, [])
    again.restore(snapshot)
    again.fit()
    assert toy.sha(again) == toy.sha(whole)
    assert again.history == whole.history
    ends = [engine.updater.state() for engine in (again, whole)]
    assert ends[0].keys() == ends[1].keys()
    assert all(torch.equal(value, ends[1][key]) for key, value in ends[0].items())


@pytest.mark.parametrize("name", EVERY)
def test_the_state_of_each_matters(tmp_path, name):
    """Otherwise the exact resume above would prove little: without its state a run ends elsewhere."""
    config = experiment(EVERY[name])
    whole = toy.engine(config, checkpoints=tmp_path, hooks=[toy.Cut(8)])
    with pytest.raises(toy.Cut.Stop):
        whole.fit()
    ends = []
    for forget in (False, True):
        engine = toy.engine(config)
        snapshot, _ = checkpoint.load_latest(tmp_path)
        if forget:
            snapshot.optimizer = {}
        engine.restore(snapshot)
        engine.fit()
        ends.append(toy.weights(engine))
    assert toy.distance(*ends) > 1e-6


@pytest.mark.parametrize("name", EVERY)
def test_a_config_survives_its_dump_and_takes_slower_rates(name):
    config = EVERY[name]
    assert OptimizerConfig.load(config.dump()) == config
    slower, rates = config.times(0.5), []
    for one in (config, slower):
        while isinstance(one, WrapperConfig):
            one = one.inner
        rates.append(one.lr)
    assert rates[1] == rates[0] / 2
    assert config.times(1.0) == config


# -- schedules and states reach what is inside ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sam", "lookahead", "sam around lookahead"])
def test_the_schedule_reaches_the_inner_optimizer(name):
    engine = toy.engine(experiment(EVERY[name]))
    optimizer = engine.updater.players["model"].optimizer
    rates = []

    def look(running):
        inner = optimizer
        while isinstance(inner, (SAM, Lookahead)):
            assert inner.state is inner.inner.state
            inner = inner.inner
        rates.append(inner.param_groups[0]["lr"])

    engine.hooks.append(toy.Each(look))
    engine.fit()
    factor = Linear.Config(warmup=3).build().factor
    assert rates == [0.02 * factor(step, 14) for step in range(14)]


def test_a_rate_of_a_wrapped_optimizer_can_be_set_by_its_path():
    config = experiment(EVERY["sam around lookahead"]).derive(**{"optimizers.model.inner.inner.lr": 0.5})
    engine = toy.engine(config)
    assert engine.updater.players["model"].base_rates == [0.5]


@pytest.mark.parametrize("name", ["sam", "lookahead"])
def test_torchs_own_way_of_saving_reaches_the_inner_optimizer(name):
    engine = toy.engine(experiment(EVERY[name]))
    engine.fit()
    optimizer = engine.updater.players["model"].optimizer
    other = EVERY[name].build(dict(toy.engine(experiment(EVERY[name])).method.named_parameters()))
    other.load_state_dict(optimizer.state_dict())
    assert other.state is other.inner.state
    assert other.param_groups is other.inner.param_groups
    saved = [list(one.inner.state.values()) for one in (optimizer, other)]
    assert [list(entries) for entries in saved[0]] == [list(entries) for entries in saved[1]]


def test_lookaheads_slow_weights_are_in_the_checkpoint():
    engine = toy.engine(experiment(EVERY["lookahead"], steps=8))
    engine.fit()  # two meetings, the last at the last step
    state = engine.updater.state()
    for name, parameter in engine.method.named_parameters():
        if name == "model.spare":  # it has had no gradient, and needs none
            assert f"model/{name}/slow" not in state
        else:
            assert torch.equal(state[f"model/{name}/slow"], parameter)
            assert state[f"model/{name}/lookahead_step"] == 8


# -- the loss is asked for again --------------------------------------------------------------------------------------


def test_sam_moves_running_statistics_once_a_step():
    """After one step they are those of a plain step; later they follow the weights before each step."""
    inner = SGD.Config(lr=0.02)
    plain, sharp = (toy.engine(experiment(one, steps=1)) for one in (inner, SAM.Config(inner=inner, rho=0.5)))
    plain.fit()
    sharp.fit()
    norms = [engine.method.model.norm for engine in (plain, sharp)]
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        assert torch.equal(getattr(norms[0], name), getattr(norms[1], name))
    assert norms[0].running_mean.abs().sum() > 0
    assert toy.distance(toy.weights(plain), toy.weights(sharp)) > 1e-4
    longer = toy.engine(experiment(SAM.Config(inner=inner)))
    longer.fit()
    assert longer.method.model.norm.num_batches_tracked == 14


class Noisy(Method):
    """Least squares with a random mask, and a buffer that counts what it saw."""

    def __init__(self, rows=6):
        super().__init__()
        self.model = nn.Parameter(torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64))
        self.register_buffer("count", torch.zeros(()))
        self.seen = []
        self.broken = False

    def step(self, feed, update):
        raise NotImplementedError

    def loss(self, batch):
        mask = torch.rand(3, dtype=torch.float64)
        self.seen.append((self.model.detach().clone(), mask))
        self.count += 1
        if self.broken and len(self.seen) > 1:
            return Loss(self.model.sum() * float("nan"), len(batch))
        return weighted((batch.inputs @ (self.model * mask) - batch.targets).square(), batch.weights)


def data():
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(6, 3, dtype=torch.float64, generator=generator)
    return Batch(inputs, inputs.sum(1) ** 2)


def updater(method, optimizer, **settings):
    return Updater(method, {"model": optimizer}, settings=UpdaterSettings(steps=9, seed=0, **settings), ranks=Ranks())


def test_sam_asks_at_the_top_of_the_climb_with_the_same_noise():
    method, batch = Noisy(), data()
    update = updater(method, SAM.Config(inner=SGD.Config(lr=0.1, weight_decay=0.5), rho=0.3))
    logs = update("model", method.loss, batch)
    (start, mask), (top, again) = method.seen
    assert torch.equal(mask, again)
    assert method.count == 1

    def by_hand(p):
        scaled = batch.inputs * mask
        return 2 * scaled.T @ (scaled @ p - batch.targets) / 6

    gradient = by_hand(start)
    wanted = start + 0.3 * gradient / gradient.norm()
    assert torch.allclose(top, wanted, rtol=0, atol=1e-14)
    assert (top - start).norm().item() == pytest.approx(0.3, abs=1e-14)
    after = start - 0.1 * (by_hand(wanted) + 0.5 * start)  # the decay is that of the point before
    assert torch.allclose(method.model, after, rtol=0, atol=1e-14)
    residual = batch.inputs @ (start * mask) - batch.targets
    assert logs["loss"] == pytest.approx(residual.square().mean().item(), abs=1e-13)


@pytest.mark.parametrize("name", ["sam", "nesterov", "rmsprop_nesterov", "gradient_noise", "weight_noise"])
def test_micro_batches_give_the_same_step(name):
    net, ends = toy.Net.Config(dropout=0.0), []
    for pieces in (1, 4):
        method = toy.Supervised.Config(model=net)
        config = experiment(EVERY[name], method=method, micro_batches=pieces, precision="fp64", clip_norm=0.5)
        engine = toy.engine(config)
        engine.fit()
        ends.append(toy.weights(engine))
    assert toy.distance(*ends) < 1e-10


def test_a_loss_that_breaks_at_the_top_leaves_the_weights_where_they_were():
    method = Noisy()
    method.broken = True
    start = method.model.detach().clone()
    update = updater(method, SAM.Config(inner=SGD.Config(lr=0.1)))
    with pytest.raises(DivergedError, match="nothing was updated"):
        update("model", method.loss, data())
    assert not torch.equal(method.seen[1][0], start)
    assert torch.equal(method.model, start)


def test_nothing_is_climbed_at_a_critical_point():
    parameter = nn.Parameter(torch.ones(2))
    optimizer = SAM.Config(inner=SGD.Config(lr=0.1)).build({"p": parameter})

    def gradient():
        parameter.grad = torch.zeros(2)
        return 0.0

    assert optimizer.step(gradient) == 0.0
    assert torch.equal(parameter, torch.ones(2))


def test_lookahead_is_steadier_on_a_rate_that_is_too_high():
    """Noise of a quadratic's gradient: the slow weights end nearer, as the paper's proposition 2 has it."""
    ends = {}
    for name, wrap in (("plain", False), ("lookahead", True)):
        inner = SGD.Config(lr=1.5)
        config = Lookahead.Config(inner=inner, steps=5, alpha=0.5) if wrap else inner
        parameter = nn.Parameter(torch.zeros(2000))
        optimizer = config.build({"p": parameter})
        generator = torch.Generator().manual_seed(0)
        for _ in range(200):
            parameter.grad = parameter.detach() + torch.randn(2000, generator=generator)
            optimizer.step()
        ends[name] = parameter.detach().var().item()
    assert ends["plain"] == pytest.approx(1.5 / (2 - 1.5), rel=0.1)  # eta^2 / (1 - (1 - eta)^2)
    assert ends["lookahead"] == pytest.approx(_slow_variance(1.5, 0.5, 5), rel=0.1)
    assert ends["lookahead"] < 0.5 * ends["plain"]


def _slow_variance(rate, alpha, k):
    """The stationary variance: what k noisy fast steps add, over what they leave (curvature and noise are 1)."""
    left = 1 - alpha + alpha * (1 - rate) ** k
    added = alpha**2 * rate**2 * sum((1 - rate) ** (2 * step) for step in range(k))
    return added / (1 - left**2)


# -- what is refused --------------------------------------------------------------------------------------------------

INNER = SGD.Config(lr=0.1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SAM.Config(), r"SAM\.Config\.inner is required"),
        (lambda: SAM.Config(inner=INNER, rho=0.0), "rho.*greater than 0"),
        (lambda: SAM.Config(inner=INNER, schedule="cosine"), "no field 'schedule'"),
        (lambda: SAM.Config(inner=SAM.Config(inner=INNER)), "inner=sam asks for the loss itself, and sam gives it one"),
        (lambda: SAM.Config(inner=Nesterov.Config(lr=0.1)), "inner=nesterov asks for the loss itself"),
        (lambda: SAM.Config(inner="sdg"), "no optimizer of kind 'sdg'; did you mean 'sgd'"),
        (lambda: Lookahead.Config(inner=SAM.Config(inner=INNER)), "sam goes outside: its inner may be a lookahead"),
        (
            lambda: Lookahead.Config(inner=Nesterov.Config(lr=0.1)),
            "inner=nesterov asks for the loss itself, and lookahead has",
        ),
        (lambda: Lookahead.Config(inner=Lookahead.Config(inner=INNER)), "inner is a lookahead itself"),
        (lambda: Lookahead.Config(inner=INNER, steps=0), "steps.*greater than or equal to 1"),
        (lambda: Lookahead.Config(inner=INNER, alpha=1.5), "alpha.*less than or equal to 1"),
        (lambda: Lamb.Config(bounds=(2.0, 1.0)), r"bounds are a least and a greater norm, from 0 \(got \(2\.0, 1\.0\)"),
        (lambda: Momentum.Config(lr=0.1, momentum=0.0), "momentum.*greater than 0"),
        (lambda: Nesterov.Config(lr=0.1, momentum=1.0), "momentum.*less than 1"),
        (lambda: RMSPropNesterov.Config(eps=0.0), "eps.*greater than 0"),
        (lambda: RMSProp.Config(start="one"), "start.*'zero' or 'gradient'"),
        (lambda: Adadelta.Config(eps=0.0), "eps.*greater than 0"),
        (lambda: Adagrad.Config(initial=-1.0), "initial.*greater than or equal to 0"),
        (lambda: Nadam.Config(momentum_decay=-1.0), "momentum_decay"),
        (lambda: RAdam.Config(betas=(0.9, 1.0)), "betas"),
        (lambda: Lookahead.Config(inner=INNER).build({}), "was given no parameter"),
    ],
)
def test_bad_settings_are_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_what_came_later_is_silent_at_its_default():
    """Experiments recorded before the field keep their hash."""
    assert "amsgrad" not in Adam.Config().dump()
    assert "start" not in RMSProp.Config().dump()
    assert Adam.Config(amsgrad=True).dump()["amsgrad"] is True


def test_clipping_by_value_is_torchs_and_turns_the_step():
    place, peer = (nn.Parameter(torch.tensor([3.0, -0.5, 0.2], dtype=torch.float64)) for _ in range(2))
    ours = ClipValue.Config(inner=SGD.Config(lr=0.1, momentum=0.9), limit=0.5).build({"place": place})
    theirs = torch.optim.SGD([peer], lr=0.1, momentum=0.9)
    for gradient in ([4.0, -0.25, 0.5], [-9.0, 0.0, 0.6], [0.1, 0.2, 0.3]):
        place.grad = torch.tensor(gradient, dtype=torch.float64)
        peer.grad = place.grad.clamp(-0.5, 0.5)
        ours.step()
        theirs.step()
        assert torch.equal(place, peer)
    with pytest.raises(ConfigError, match="inner=sam computes gradients of its own"):
        ClipValue.Config(inner=SAM.Config(inner=SGD.Config(lr=0.1)))
