import pytest
import torch
from torch.nn import functional as F

from netsmith.core.errors import ConfigError
from netsmith.core.keys import key
from netsmith.core.roles import MethodConfig
from netsmith.data.gaussian_ring import GaussianRing
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.engine.task import Loss
from netsmith.methods.adversarial import Adversarial
from netsmith.models.generative.mlp_discriminator import MlpDiscriminator
from netsmith.models.generative.mlp_generator import MlpGenerator
from netsmith.optim.adam import Adam
from netsmith.tasks.generate import Generate, ring


def config(**changes):
    sd = changes.pop("sd", 0.02)
    return Adversarial.Config(
        generator=MlpGenerator.Config(latent_size=4, hidden=(16,), num_outputs=2),
        discriminator=MlpDiscriminator.Config(hidden=(16,), in_features=2),
        task=Generate.Config(centers=ring(8, radius=2.0), sd=sd),
        latent_size=4,
        **changes,
    )


def built(**changes):
    source = GaussianRing.Config(batch=12).build()
    torch.manual_seed(0)
    method = config(**changes).build(spec=source.spec).double()
    batch = source.load("train", torch.arange(12), key=5)
    return method, batch.to(torch.device("cpu"), torch.float64, torch.preserve_format)


def test_config_survives_its_dump():
    assert MethodConfig.load(config(r1=0.5, critic_steps=2).dump()) == config(r1=0.5, critic_steps=2)


def test_losses_are_the_papers_in_float64():
    method, batch = built()
    latents = method.latents(batch)
    real = torch.sigmoid(method.discriminator(batch.inputs))
    fake = torch.sigmoid(method.discriminator(method.generator(latents)))
    loss = method.discriminator_loss(batch)
    assert loss.weight == 12
    torch.testing.assert_close(loss.total, -(real.log() + (1 - fake).log()).sum(), rtol=1e-12, atol=0)
    torch.testing.assert_close(method.generator_loss(batch).total, -fake.log().sum(), rtol=1e-12, atol=0)
    saturating, batch = built(loss="saturating")
    torch.testing.assert_close(saturating.generator_loss(batch).total, (1 - fake).log().sum(), rtol=1e-12, atol=0)


def test_gradient_penalty_of_a_linear_discriminator_is_half_its_squared_slope():
    method, batch = built(r1=3.0)
    method.discriminator = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.Flatten(0)).double()
    weight = method.discriminator[0].weight
    with_penalty = method.discriminator_loss(batch).total
    (slope,) = torch.autograd.grad(with_penalty, weight, retain_graph=True)
    method.config = config()
    without = method.discriminator_loss(batch).total
    (plain,) = torch.autograd.grad(without, weight)
    torch.testing.assert_close(with_penalty - without, 12 * 1.5 * weight.square().sum(), rtol=1e-10, atol=0)
    torch.testing.assert_close(slope - plain, 12 * 3.0 * weight, rtol=1e-10, atol=1e-12)


def test_each_update_takes_a_fresh_batch_and_touches_one_player():
    method, _ = built(critic_steps=3)
    source = GaussianRing.Config(batch=12).build()
    seen = []

    def update(player, loss_function, batch):
        parameters = list(method.players()[player].values())
        loss = loss_function(batch)
        assert isinstance(loss, Loss)
        gradients = torch.autograd.grad(loss.total / loss.weight, parameters)
        assert all(gradient.abs().sum() > 0 for gradient in gradients)
        seen.append((player, int(batch.indices[0])))
        return {f"{player}/loss": float(loss.total.detach())}

    feed = (
        source.load("train", indices, key=5).to(torch.device("cpu"), torch.float64, torch.preserve_format)
        for indices in source.order("train", seed=0, epoch=0)
    )
    logs = method.step(feed, update)
    assert seen == [("discriminator", 0), ("discriminator", 12), ("discriminator", 24), ("generator", 36)]
    assert set(logs) == {"discriminator/loss", "generator/loss"}


def test_noise_depends_on_the_example_alone():
    method, batch = built()
    whole = method.latents(batch)
    torch.testing.assert_close(torch.cat([method.latents(part) for part in batch.split(5)]), whole, rtol=0, atol=0)
    assert abs(float(whole.mean())) < 0.5
    assert len(whole.unique()) == whole.numel()


@pytest.mark.parametrize("r1", [0.0, 0.5])
def test_cut_into_micro_batches_the_game_is_the_same(r1):
    weights = []
    for pieces in (1, 2, 5):
        experiment = Experiment.Config(
            method=config(r1=r1),
            data=GaussianRing.Config(batch=12, twin=True),
            optimizers={"generator": Adam.Config(lr=0.01), "discriminator": Adam.Config(lr=0.01)},
            steps=5,
            micro_batches=pieces,
            precision="fp64",
        )
        engine = Engine(Experiment(experiment))
        assert engine.method.undecomposable() == ""
        engine.fit()
        weights.append(torch.cat([p.detach().flatten() for p in engine.method.parameters()]))
    assert (weights[0] - weights[1]).abs().max() < 1e-10
    assert (weights[0] - weights[2]).abs().max() < 1e-10


def test_it_learns_a_wide_ring():
    experiment = Experiment.Config(
        method=config(sd=0.3, r1=0.1).derive(
            **{"generator.hidden": (32, 32), "discriminator.hidden": (32, 32), "task.sd": 0.3}
        ),
        data=GaussianRing.Config(batch=64, sd=0.3, twin=True),
        optimizers={name: Adam.Config(lr=2e-3, betas=(0.5, 0.999)) for name in ("generator", "discriminator")},
        steps=400,
        evaluate_every=400,
    )
    engine = Engine(Experiment(experiment))
    before = engine.evaluate("dev")
    engine.fit()
    after = engine.evaluate("dev")
    assert before["dev/modes"] == 0
    assert after["dev/modes"] >= 6
    assert after["dev/high_quality"] > 0.5


def test_the_product_takes_noise():
    method, batch = built()
    spec = method.product_spec(GaussianRing.Config().build().spec)
    assert (spec.inputs.kind, spec.inputs.shape) == ("none", (4,))
    assert spec.inputs.preprocessing[0].name == "standard_normal"
    assert (spec.outputs.kind, spec.outputs.names) == ("samples", ("x", "y"))
    assert method.product()(torch.zeros(3, 4).double()).shape == (3, 2)
    metrics = method.metrics()
    method.evaluate(batch, metrics)
    samples = method.generator(method.latents(batch))
    alone = method.task.metrics()["high_quality"]
    alone.update(samples, None)
    assert metrics["high_quality"].compute() == alone.compute()


def test_latents_that_do_not_fit_are_refused():
    spec = GaussianRing.Config().build().spec
    with pytest.raises(ConfigError, match="does not take latent_size=5"):
        config().derive(latent_size=5).build(spec=spec)
    with pytest.raises(ConfigError, match=r"samples of shape \(3,\), gaussian_ring has \(2,\)"):
        config().derive(**{"generator.num_outputs": 3}).build(spec=spec)


def test_the_same_key_gives_the_same_loss():
    method, batch = built()
    again = GaussianRing.Config(batch=12).build().load("train", torch.arange(12), key=5)
    other = GaussianRing.Config(batch=12).build().load("train", torch.arange(12), key=key(5, "other"))
    loss = method.generator_loss(batch).total
    method.float()
    assert F.mse_loss(method.generator_loss(again).total.double(), loss) < 1e-8
    assert method.generator_loss(other).total != method.generator_loss(again).total
