import dataclasses
import math

import pytest
import torch
from torch.distributions import Normal

from netsmith.core.errors import ConfigError
from netsmith.core.spec import Inputs, Outputs, Spec
from netsmith.engine.batch import Batch
from netsmith.engine.random import keyed_normal
from netsmith.methods.hard_attention import HardAttention, log_density
from netsmith.models.vision.lenet5 import LeNet5
from netsmith.models.vision.recurrent_attention import RecurrentAttention
from netsmith.tasks.classify import Classify
from netsmith.tasks.regress import Regress
from netsmith.tasks.tag import Tag

SPEC = Spec(
    dataset="test",
    inputs=Inputs(kind="image", shape=(1, 12, 12)),
    outputs=Outputs(kind="classes", names=("a", "b", "c")),
)
MODEL = RecurrentAttention.Config(glimpses=3, size=4, sensor_size=5, hidden_size=6, in_channels=1, num_classes=3)
CONFIG = HardAttention.Config(model=MODEL, task=Classify.Config(), spread=0.2, reward_weight=0.7)

SPREAD = 0.6


def drawn(config=CONFIG):
    torch.manual_seed(0)
    method = config.build(spec=SPEC).double()
    with torch.no_grad():
        for parameter in method.parameters():
            parameter.normal_(std=0.3)
    batch = Batch(
        torch.randn(7, 1, 12, 12, dtype=torch.float64),
        torch.arange(7) % 3,
        keys=torch.arange(7) * 1001,
        weights=torch.tensor([1, 2, 0, 1, 0.5, 1, 1.0]).double(),
    )
    return method, batch


def gradients(method, value):
    names = dict(method.named_parameters())
    found = torch.autograd.grad(value, list(names.values()), allow_unused=True)
    return {name: one for name, one in zip(names, found, strict=True) if one is not None}


def test_the_density_is_that_of_two_normal_numbers():
    torch.manual_seed(0)
    places, means = torch.randn(2, 4, 3, 2, dtype=torch.float64)
    expected = Normal(means, 0.3).log_prob(places).sum(-1)
    torch.testing.assert_close(log_density(places, means, 0.3), expected, rtol=0, atol=1e-12)


def test_the_loss_by_hand():
    """The three parts of section 3.2 from the looks themselves, the draws repeated by the keys."""
    method, batch = drawn()
    loss = method.walk_loss(batch)
    looks = method.model.look(batch.inputs, 0.2 * keyed_normal(batch.keys, 6, stream="places").view(7, 3, 2).double())
    reward = (looks.output.argmax(1) == batch.targets).double()
    assert 0 < reward.sum() < 7
    cross_entropy = -looks.output.log_softmax(1)[range(7), batch.targets]
    density = Normal(looks.means, 0.2).log_prob(looks.places.detach()).sum(-1)
    advantage = (reward[:, None] - looks.baselines).detach()
    surprise = (reward[:, None] - looks.baselines).square()
    expected = cross_entropy + 0.7 * -(density * advantage).sum(1) + surprise.sum(1)
    torch.testing.assert_close(loss.total, (expected * batch.weights).sum(), rtol=0, atol=1e-10)
    assert loss.weight == float(batch.weights.sum())
    ours, theirs = gradients(method, loss.total), gradients(method, (expected * batch.weights).sum())
    assert set(ours) == {name for name, _ in method.named_parameters()}
    for name, one in ours.items():
        torch.testing.assert_close(one, theirs[name], rtol=0, atol=1e-10)


def test_the_baseline_changes_no_state_and_the_reward_no_baseline():
    method, batch = drawn()
    looks = method.model.look(batch.inputs)
    assert set(gradients(method, looks.baselines.sum())) == {"model.baseline.weight", "model.baseline.bias"}
    assert not looks.places.requires_grad


def test_the_policy_gradient_is_that_of_the_expected_reward():
    r"""REINFORCE against the derivative of the expectation itself, for a reward that is a function of the place.

    E[R] is integrated on a grid: with one look and a network whose answer depends on where it looked,
    d E[R] / d mean = sum of R(l) d N(l; mean) / d mean.
    """
    method, batch = drawn(CONFIG.derive(**{"model.glimpses": 1, "reward_weight": 1.0}))
    image = 4 * batch.inputs[:1]
    # reward by place, on a grid of +-6 standard deviations around the mean
    mean = method.model.look(image).means[0, 0].detach()
    steps = torch.linspace(-6, 6, 121, dtype=torch.float64) * SPREAD
    offsets = torch.cartesian_prod(steps, steps)
    with torch.no_grad():
        said = method.model.look(image.expand(len(offsets), -1, -1, -1), offsets[:, None]).output.argmax(1)
    target = said[len(said) // 2]  # what it says where it looks by itself
    right = said == target
    assert 0.1 < right.double().mean() < 0.9
    place = mean.clone().requires_grad_(True)
    density = Normal(place, SPREAD).log_prob(mean + offsets).sum(-1).exp()
    (expected,) = torch.autograd.grad((density * right).sum() / density.detach().sum(), place)
    # what the method's term gives on average over its own draws
    torch.manual_seed(1)
    noise = SPREAD * torch.randn(40_000, 1, 2, dtype=torch.float64)
    looks = method.model.look(image.expand(len(noise), -1, -1, -1), noise)
    reward = (looks.output.argmax(1) == target).double()[:, None]
    scores = -(log_density(looks.places.detach(), looks.means, SPREAD) * (reward - looks.baselines.detach()))
    (slope,) = torch.autograd.grad(scores.mean(), looks.means)
    # per draw: (l - mean) / spread^2 (R - b)
    error = (slope[:, 0] * len(noise)).std(0) / math.sqrt(len(noise))
    assert ((-slope[:, 0].sum(0) - expected).abs() < 4 * error).all()
    assert expected.norm() > 5 * error.norm(), "a gradient lost in the noise proves nothing"


def test_several_walks_are_averaged_and_a_batch_may_be_cut():
    method, batch = drawn(CONFIG.derive(samples=2))
    whole = method.walk_loss(batch)
    assert whole.weight == float(batch.weights.sum())
    cut = [method.walk_loss(piece) for piece in batch.split(3)]
    torch.testing.assert_close(sum(piece.total for piece in cut), whole.total, rtol=0, atol=1e-10)
    # the mean of what each walk alone would have cost
    walks = 0.2 * keyed_normal(batch.keys, 12, stream="places").view(7, 2, 3, 2).double()
    total = 0.0
    for walk in walks.unbind(1):
        looks = method.model.look(batch.inputs, walk)
        reward = (looks.output.argmax(1) == batch.targets).double()[:, None]
        policy = -0.7 * log_density(looks.places, looks.means, 0.2) * (reward - looks.baselines)
        each = (policy + (reward - looks.baselines).square()).sum(1)
        each = each - looks.output.log_softmax(1)[range(7), batch.targets]
        total = total + (each * batch.weights).sum() / 2
    torch.testing.assert_close(whole.total, total, rtol=0, atol=1e-10)


def test_without_noise_an_answer_is_a_function_of_the_image():
    method, batch = drawn()
    assert torch.equal(method.product()(batch.inputs), method.product()(batch.inputs))
    one = torch.cat([method.product()(image[None]) for image in batch.inputs])
    torch.testing.assert_close(method.product()(batch.inputs), one, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"model": LeNet5.Config(in_channels=1, image_size=28, num_classes=3)},
            "lenet5 does not; take recurrent_attention or deep_",
        ),
        ({"task": Regress.Config()}, "the task regress has none; take classify or tag"),
        ({"task": Tag.Config(classes_first=True)}, "with the classes last; set method.task.classes_first=false"),
    ],
)
def test_what_cannot_be_rewarded_is_refused(fields, message):
    with pytest.raises(ConfigError, match=message):
        HardAttention.Config(**{"model": MODEL, "task": Classify.Config()} | fields).build(spec=SPEC)


def test_mixed_labels_have_no_right_class():
    method, batch = drawn()
    mixed = dataclasses.replace(batch, targets=torch.full((7, 3), 1 / 3, dtype=torch.float64))
    with pytest.raises(ConfigError, match=r"leave out what mixes them \(data\.mixup=0\)"):
        method.walk_loss(mixed)
