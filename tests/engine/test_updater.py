"""One update: right under accumulation, for one player only, clipped, scheduled, with a closure where asked."""

import pytest
import torch
from torch import nn

import toy
from netsmith.core.errors import ConfigError, DivergedError, UnsupportedError
from netsmith.engine import checkpoint
from netsmith.engine.batch import Batch
from netsmith.engine.method import Method
from netsmith.engine.ranks import Ranks
from netsmith.engine.task import Loss, weighted
from netsmith.engine.updater import Updater, UpdaterSettings


class Linear(Method):
    """Least squares with two players, so that everything can be computed by hand."""

    def __init__(self, mode="both"):
        super().__init__()
        self.one = nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))
        self.two = nn.Parameter(torch.tensor([0.5], dtype=torch.float64))
        self.unused = nn.Parameter(torch.tensor([4.0], dtype=torch.float64))

    def players(self):
        return {"first": {"one": self.one, "unused": self.unused}, "second": {"two": self.two}}

    def step(self, feed, update):
        raise NotImplementedError

    def loss(self, batch):
        return weighted((batch.inputs @ self.one * self.two - batch.targets).square(), batch.weights)


def data(weights=False):
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(7, 2, dtype=torch.float64, generator=generator)
    targets = torch.randn(7, dtype=torch.float64, generator=generator)
    scale = torch.tensor([1.0, 0, 0, 2, 0.5, 3, 0], dtype=torch.float64) if weights else None
    return Batch(inputs, targets, weights=scale)


def updater(method, optimizer=None, steps=10, **settings):
    optimizers = {name: optimizer or toy.Sgd.Config(momentum=0.0) for name in method.players()}
    return Updater(method, optimizers, settings=UpdaterSettings(steps=steps, seed=0, **settings), ranks=Ranks())


def by_hand(method, batch):
    """The gradient of the weighted mean for player ``first``, from the normal equations."""
    weights = batch.weights if batch.weights is not None else torch.ones(7, dtype=torch.float64)
    scaled = batch.inputs * method.two
    return 2 * scaled.T @ (weights * (scaled @ method.one - batch.targets)) / weights.sum()


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("pieces", [1, 2, 5, 7, 30])
def test_the_gradient_is_that_of_the_weighted_mean(pieces, weights):
    method, batch = Linear(), data(weights)
    update = updater(method, micro_batches=pieces)
    update.begin(0)
    wanted = method.one.detach() - 0.1 * by_hand(method, batch).detach()
    with torch.no_grad():
        mean = method.loss(batch)
    logs = update("first", method.loss, batch)
    assert torch.allclose(method.one, wanted, rtol=0, atol=1e-14)
    assert logs == {"first/loss": pytest.approx(float(mean.total / mean.weight), abs=1e-14)}


@pytest.mark.parametrize("make", [toy.config, toy.duel], ids=["supervised", "duel"])
@pytest.mark.parametrize("weights", [False, True])
def test_accumulation_gives_the_same_parameters(make, weights):
    """Batches of 33 and a last one of 9, weights from 0 to 1, decay, a parameter that is never used, clipping."""
    net = toy.Net.Config(dropout=0.0, spare=True)
    source = toy.Table.Config(batch=33, drop_last=False, weights=weights)
    optimizer = toy.Sgd.Config(lr=0.3, weight_decay=0.1, schedule=toy.Decay.Config())
    if make is toy.config:
        more = {"method": toy.Supervised.Config(model=net), "optimizers": {"model": optimizer}}
    else:
        more = {
            "method": toy.Duel.Config(model=net, critic=net),
            "optimizers": {"model": optimizer, "critic": toy.Adam.Config()},
        }
    found = {}
    for pieces in (1, 2, 5):
        engine = toy.engine(
            make(data=source, steps=5, epochs=0, precision="fp64", clip_norm=0.5, micro_batches=pieces, **more)
        )
        start = toy.weights(engine)
        engine.fit()
        found[pieces] = toy.weights(engine)
        assert toy.distance(start, found[pieces]) > 0.01
    assert toy.distance(found[1], found[2]) < 1e-10
    assert toy.distance(found[1], found[5]) < 1e-10
    assert torch.equal(found[5]["model.spare"], torch.ones(3, dtype=torch.float64))


def test_batch_normalization_refuses_accumulation_by_name():
    method = toy.Supervised.Config(model=toy.Net.Config(norm=True))
    toy.engine(toy.config(method=method))
    with pytest.raises(UnsupportedError) as caught:
        toy.engine(toy.config(method=method, micro_batches=2))
    assert str(caught.value) == (
        "micro_batches=2 would change the result: batch normalization (model.norm) couples the examples of a batch; "
        "set it to 1"
    )


def test_only_the_named_player_gets_a_gradient():
    engine = toy.engine(toy.duel())
    players = engine.method.players()
    for moving, still in (("model", "critic"), ("critic", "model")):
        loss = getattr(engine.method, f"{moving}_loss")
        before = {name: p.detach().clone() for name, p in players[still].items()}
        for p in engine.method.parameters():
            p.grad = None
        engine.updater.begin(0)
        engine.updater(moving, loss, engine.source.load("train", torch.arange(9)))
        assert all(p.grad is None for p in players[still].values())
        assert all(torch.equal(p, before[name]) for name, p in players[still].items())
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in players[moving].values())


@pytest.mark.parametrize("pieces", [1, 3])
def test_clipping_shortens_and_keeps_the_direction(pieces):
    method, batch = Linear(), data()
    gradient = by_hand(method, batch).detach()
    assert gradient.norm() > 0.5
    start = method.one.detach().clone()
    update = updater(method, clip_norm=0.25, micro_batches=pieces)
    update.begin(0)
    update("first", method.loss, batch)
    wanted = start - 0.1 * gradient * 0.25 / gradient.norm()
    assert torch.allclose(method.one, wanted, rtol=0, atol=1e-7)  # torch adds 1e-6 to the norm


def test_the_rate_is_a_pure_function_of_the_step():
    method, batch = Linear(), data()
    update = updater(method, toy.Sgd.Config(lr=0.2, momentum=0.0, schedule=toy.Decay.Config()), steps=8)
    for step in (6, 0, 6):
        start, gradient = method.one.detach().clone(), by_hand(method, batch).detach()
        update.begin(step)
        update("first", method.loss, batch)
        assert torch.allclose(method.one, start - 0.2 * (1 - step / 8) * gradient, rtol=0, atol=1e-14)


@pytest.mark.parametrize("pieces", [1, 3])
def test_a_closure_optimizer_may_ask_as_often_as_it_likes(pieces):
    """L-BFGS on least squares ends at the solution of the normal equations within one step."""
    method, batch = Linear(), data(weights=True)
    update = updater(method, toy.Lbfgs.Config(max_iter=50), micro_batches=pieces)
    calls = []
    update.begin(0)
    logs = update("first", lambda piece: calls.append(1) or method.loss(piece), batch)
    root = batch.weights.sqrt()
    scaled = (batch.inputs * method.two.detach()) * root[:, None]
    wanted = torch.linalg.lstsq(scaled, (batch.targets * root)[:, None]).solution[:, 0]
    assert torch.allclose(method.one, wanted, rtol=0, atol=1e-8)
    assert len(calls) > 2 * pieces
    with torch.no_grad():
        assert logs["first/loss"] > float(method.loss(batch).total / batch.weights.sum())


def test_dropout_is_a_pure_function_of_seed_step_and_place():
    class Noisy(Method):
        def __init__(self):
            super().__init__()
            self.model = nn.Parameter(torch.ones(3))
            self.seen = []

        def step(self, feed, update):
            raise NotImplementedError

        def loss(self, batch):
            mask = torch.rand(3)
            self.seen.append(tuple(mask.tolist()))
            return Loss((self.model * mask).sum() * len(batch), len(batch))

    def draw(steps, **settings):
        method = Noisy()
        update = updater(method, **settings)
        for step in steps:
            torch.rand(7)  # what was drawn elsewhere does not matter
            update.begin(step)
            update("model", method.loss, data())
            update("model", method.loss, data())
        return method.seen

    whole = draw([0, 1, 2], micro_batches=2)
    assert len(set(whole)) == len(whole) == 12
    assert draw([2], micro_batches=2) == whole[8:]


def test_players_and_optimizers_must_match():
    with pytest.raises(ConfigError) as caught:
        toy.engine(toy.config(optimizers={"model": toy.Sgd.Config(), "modal": toy.Sgd.Config()}))
    assert str(caught.value) == "optimizers['modal']: the method has no such player; did you mean 'model'?"
    with pytest.raises(ConfigError) as caught:
        toy.engine(toy.duel(optimizers={"model": toy.Sgd.Config()}))
    assert str(caught.value) == "no optimizer for player 'critic'; add optimizers={'critic': ...}"


# -- a loss that is not finite ----------------------------------------------------------------------------------------


class Bomb(nn.Module):
    """A layer that goes bad on demand."""

    armed = False

    def forward(self, x):
        return x * float("nan") if self.armed else x


def broken(step, precision="fp32", **changes):
    """Train to ``step`` with a layer that goes bad there."""
    engine = toy.engine(toy.config(precision=precision, **changes))
    bomb = engine.method.model.norm = Bomb()
    before = []

    def arm(running):
        if running.step == step:
            before.append(toy.sha(running))
            bomb.armed = True

    engine.hooks.append(toy.Each(arm))
    return engine, before


@pytest.mark.parametrize("pieces", [1, 4])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_bad_loss_stops_before_the_update_and_names_the_layer(pieces, precision):
    engine, before = broken(11, precision, micro_batches=pieces)
    with pytest.raises(DivergedError) as caught:
        engine.fit()
    assert toy.sha(engine) == before[0]
    assert engine.step == 11
    text = str(caught.value)
    assert text.startswith("the loss became nan at step 11, first in the layer model.norm (Bomb); nothing was updated")
    assert caught.value.exit_code == 4
    assert len(text.splitlines()) == 1
    assert not any(module._forward_hooks for module in engine.method.modules())


def test_the_last_good_checkpoint_is_kept(tmp_path):
    engine, _ = broken(19, checkpoint_every=3)
    engine.checkpoints = tmp_path
    with pytest.raises(DivergedError, match="at step 19"):
        engine.fit()
    again = toy.engine(toy.config(checkpoint_every=3))
    again.restore(checkpoint.load_latest(tmp_path)[0])
    assert again.step == 18


def diverge(change, pieces=2):
    engine = toy.engine(toy.config(micro_batches=pieces, data=toy.Table.Config(weights=True)))
    batch = engine.source.load("train", torch.arange(30))
    batch = change(engine, batch) or batch
    before = {name: p.clone() for name, p in engine.method.named_parameters()}
    engine.updater.begin(3)
    with pytest.raises(DivergedError) as caught:
        engine.updater("model", engine.method.loss, batch)
    for name, p in engine.method.named_parameters():
        assert torch.equal(p.nan_to_num(), before[name].nan_to_num())
    return str(caught.value)


@pytest.mark.parametrize("pieces", [1, 2])
def test_each_origin_of_a_bad_loss_is_told(pieces):
    def parameter(engine, batch):
        engine.method.model.b.weight.data[0, 0] = float("inf")

    def inputs(engine, batch):
        batch.inputs[29, 3] = float("nan")
        return batch

    def nothing(engine, batch):
        return Batch(batch.inputs, batch.targets, weights=torch.zeros(30))

    def overflow(engine, batch):
        engine.method.model.b.weight.data.fill_(1e38)
        batch.inputs.fill_(1e3)

    assert "first in the parameter model.b.weight" in diverge(parameter, pieces)
    assert "first in the inputs of the batch" in diverge(inputs, pieces)
    assert "the loss became nan at step 3: the batch weighs nothing" in diverge(nothing, pieces)
    assert "first in the layer model.b (Linear)" in diverge(overflow, pieces)


def test_weights_that_a_finite_loss_made_bad_are_never_saved(tmp_path):
    """A gradient can be NaN where the loss is not; the checkpoint before it stays the newest."""

    class Trap(nn.Module):
        armed = False

        def forward(self, x):
            return torch.atan(x / 0) if self.armed else x  # atan(inf) is finite, its gradient is not

    engine = toy.engine(toy.config(checkpoint_every=3), checkpoints=tmp_path)
    trap = engine.method.model.norm = Trap()
    engine.hooks.append(toy.Each(lambda running: setattr(trap, "armed", running.step >= 5)))
    with pytest.raises(DivergedError) as caught:
        engine.fit()
    assert str(caught.value).startswith("the parameter model.a.weight became NaN or infinite before step 6")
    assert [path.name for path in checkpoint.folders(tmp_path)] == ["step-00000003"]


def test_an_optimizer_state_that_cannot_be_saved_is_refused_by_name(tmp_path):
    engine = toy.engine(toy.config(optimizers={"model": toy.Lbfgs.Config(max_iter=2)}), checkpoints=tmp_path)
    with pytest.raises(UnsupportedError) as caught:
        engine.fit()
    assert str(caught.value).startswith("LBFGS keeps ")
    assert "list" in str(caught.value)
