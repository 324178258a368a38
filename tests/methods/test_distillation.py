import numpy as np
import pytest
import torch
from torch import nn

from netsmith.api.experiments import find
from netsmith.core.errors import ConfigError
from netsmith.core.roles import MethodConfig, RunSettings
from netsmith.core.spec import Inputs, Outputs, Spec
from netsmith.engine.batch import Batch
from netsmith.engine.experiment import Experiment
from netsmith.engine.task import UNLABELED
from netsmith.methods.distillation import Distillation, distillation_loss, soft_target_losses
from netsmith.methods.many_teachers import _Mean
from netsmith.models.tabular.mlp import MLP
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.tasks.classify import Classify
from netsmith.tasks.tag import Tag

SPEC = Spec(
    dataset="test",
    inputs=Inputs(kind="image", shape=(1, 6, 6)),
    outputs=Outputs(kind="classes", names=("a", "b", "c")),
)
LOGITS = torch.tensor([[1.0, 2, 3], [0, 0, 0]], dtype=torch.float64)
TEACHER = torch.tensor([[3.0, 1, 0], [0, 2, 1]], dtype=torch.float64)
LABELS = torch.tensor([0, 1])


class Descent:
    """Stands in for the engine: plain gradient descent on a player, and a record of who stepped."""

    def __init__(self, method, rate=0.05):
        self.method, self.rate, self.called = method, rate, []

    def __call__(self, player, loss_function, batch):
        loss = loss_function(batch)
        mean = loss.total / loss.weight
        parameters = list(self.method.players()[player].values())
        gradients = torch.autograd.grad(mean, parameters)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter -= self.rate * gradient
        self.called.append(player)
        return {"loss": mean.item()}


def build(**fields):
    torch.manual_seed(0)
    return Distillation.Config(
        model=MLP.Config(hidden=(4,), in_features=36, num_outputs=3),
        teacher=SmallCNN.Config(channels=(4,), in_channels=1, num_classes=3),
        task=Classify.Config(),
        **fields,
    ).build(spec=SPEC)


def batch(seed=1):
    generator = torch.Generator().manual_seed(seed)
    return Batch(torch.randn(6, 1, 6, 6, generator=generator), torch.randint(3, (6,), generator=generator))


def teacher_network():
    torch.manual_seed(7)
    return SmallCNN.Config(channels=(4,), in_channels=1, num_classes=3).build()


def test_the_published_value():
    loss = distillation_loss(LOGITS, TEACHER, LABELS, temperature=20, alpha=0.5)
    assert loss.item() == pytest.approx(1.4922251191, abs=5e-11)


def test_the_definition_in_numpy_and_the_two_ends():
    def softmax(z):
        return np.exp(z) / np.exp(z).sum(1, keepdims=True)

    z, v, temperature = LOGITS.numpy(), TEACHER.numpy(), 3.0
    q, p = softmax(z / temperature), softmax(v / temperature)
    kl = (p * np.log(p / q)).sum(1)
    hard = -np.log(softmax(z)[[0, 1], LABELS.numpy()])
    assert soft_target_losses(LOGITS, TEACHER, temperature=temperature).numpy() == pytest.approx(kl, abs=1e-14)
    for alpha in (0.0, 0.3, 1.0):
        loss = distillation_loss(LOGITS, TEACHER, LABELS, temperature=temperature, alpha=alpha)
        assert loss.item() == pytest.approx((1 - alpha) * hard.mean() + alpha * 9 * kl.mean(), abs=1e-14)


@pytest.mark.parametrize("epsilon", [0.05, 0.1, 0.5])
def test_label_smoothing_is_a_teacher_who_knows_nothing(epsilon):
    """A uniform teacher at T = 1 and alpha = epsilon: the same gradient, and a loss that is less by epsilon log K."""
    logits, uniform = (3 * LOGITS).requires_grad_(), torch.full_like(LOGITS, 0.7)
    taught = distillation_loss(logits, uniform, LABELS, temperature=1.0, alpha=epsilon)
    smoothed = Classify.Config(label_smoothing=epsilon).build().loss(logits, LABELS)
    assert (smoothed.total / 2 - taught).item() == pytest.approx(epsilon * np.log(3), abs=1e-14)
    (ours,) = torch.autograd.grad(taught, logits)
    (theirs,) = torch.autograd.grad(smoothed.total / 2, logits)
    assert (ours - theirs).abs().max() <= 1e-15
    assert ours.abs().max() > 0.01


def test_at_high_temperature_the_gradient_becomes_that_of_matched_logits():
    logits = LOGITS.clone().requires_grad_()
    loss = distillation_loss(logits, TEACHER, LABELS, temperature=1e4, alpha=1.0)
    (gradient,) = torch.autograd.grad(loss, logits)
    z = LOGITS - LOGITS.mean(1, keepdim=True)
    v = TEACHER - TEACHER.mean(1, keepdim=True)
    torch.testing.assert_close(gradient, (z - v) / 3 / 2, rtol=0, atol=1e-3)  # Eq. 4: (z - v) / N, mean of the batch


def test_the_methods_loss_is_the_functions_and_cuts_into_parts():
    method = build(temperature=3.0, alpha=0.4)
    method.adopt_teacher(teacher_network())
    method.double().train()
    one = batch()
    one = Batch(one.inputs.double(), one.targets)
    with torch.no_grad():
        teacher = method.teacher(one.inputs)
    want = distillation_loss(method.model(one.inputs), teacher, one.targets, temperature=3.0, alpha=0.4)
    whole = method._student_loss(one)
    assert (whole.total / whole.weight).item() == pytest.approx(want.item(), abs=1e-12)
    assert method.undecomposable() == ""  # the teacher's batch normalization only evaluates
    weights = torch.rand(6, dtype=torch.float64)
    one = Batch(one.inputs, one.targets, weights=weights)
    whole, parts = method._student_loss(one), [method._student_loss(part) for part in one.split(4)]
    assert sum(part.total for part in parts).item() == pytest.approx(whole.total.item(), abs=1e-12)
    assert sum(part.weight for part in parts).item() == pytest.approx(weights.sum().item(), abs=1e-12)


def tagging(kind="text", *, temperature=4.0, **task):
    """Return a distillation of tags, whose networks are left aside: what it makes of logits is asked."""
    net = MLP.Config(hidden=(4,), in_features=36, num_outputs=3)
    spec = SPEC.derive(inputs={"kind": kind, "shape": (-1,)}, outputs={"kind": "tags", "names": ("a", "b", "c")})
    return Distillation.Config(model=net, teacher=net, task=Tag.Config(**task), temperature=temperature).build(
        spec=spec
    )


def sentences(lengths, seed=3):
    """Return both logits and the tags of sentences, padded to the longest; what stands at padding is anything."""
    generator = torch.Generator().manual_seed(seed)
    pair = torch.randn(2, len(lengths), max(lengths), 3, generator=generator, dtype=torch.float64)
    tags = torch.randint(3, pair.shape[1:3], generator=generator)
    for row, length in enumerate(lengths):
        tags[row, length:] = UNLABELED
    return pair[0], pair[1], tags


def taught(method, logits, teacher, tags, soft=9.0):
    loss = method._mixed(logits, teacher, Batch(torch.zeros(len(tags)), tags), 0.3, soft)
    return loss.total.item(), float(loss.weight)


@pytest.mark.parametrize("kind", ["text", "graph"])
def test_classes_first_are_taught_as_classes_last(kind):
    logits, teacher, tags = sentences([5, 4])
    first, last = tagging(kind, classes_first=True), tagging(kind)
    want = taught(last, logits, teacher, tags)
    assert taught(first, logits.movedim(-1, 1), teacher.movedim(-1, 1), tags) == pytest.approx(want, abs=1e-13)
    several = [_Mean([nn.Identity(), nn.Identity()], temperature=4.0, axis=axis) for axis in (-1, 1)]
    assert torch.equal(several[1](teacher.movedim(-1, 1)), several[0](teacher).movedim(-1, 1))


def test_padding_is_not_taught():
    """A sentence's loss is its own, whatever longer neighbor stands in its batch: the sum over its words."""
    method = tagging()
    logits, teacher, tags = sentences([3, 8])
    alone = taught(method, logits[:1, :3], teacher[:1, :3], tags[:1, :3])
    neighbor = taught(method, logits[1:], teacher[1:], tags[1:])
    together = taught(method, logits, teacher, tags)
    assert together == pytest.approx((alone[0] + neighbor[0], 3 + 8), abs=1e-12)
    words = soft_target_losses(logits[0, :3], teacher[0, :3], temperature=4.0)
    hard = nn.functional.cross_entropy(logits[0, :3], tags[0, :3], reduction="sum")
    assert alone[0] == pytest.approx((0.3 * hard + 9 * words.sum()).item(), abs=1e-12)
    silent = torch.full_like(tags, UNLABELED)
    assert taught(method, logits, teacher, silent) == (0.0, 0.0)


def test_an_adopted_teacher_never_changes_and_never_trains():
    method = build()
    trained = teacher_network()
    method.adopt_teacher(trained)
    method.train()
    assert method.model.training
    assert not method.teacher.training
    assert list(method.players()) == ["model"]
    assert not any(name.startswith("teacher.") for name in method.players()["model"])
    before = [p.clone() for p in method.model.parameters()]
    update = Descent(method)
    for seed in range(3):
        method.step(iter([batch(seed)]), update)
    assert update.called == ["model"] * 3
    for name, value in method.teacher.state_dict().items():
        assert torch.equal(value, trained.state_dict()[name]), name
    assert all(not torch.equal(a, b) for a, b in zip(before, method.model.parameters(), strict=True))
    assert method.product() is method.model


def test_without_a_teacher_it_does_not_step():
    method = build()
    with pytest.raises(ConfigError, match=r"adopt_teacher.*teacher_steps"):
        method.step(iter([batch()]), Descent(method))
    with pytest.raises(ConfigError, match=r"do not fit SmallCNN\.Config"):
        method.adopt_teacher(nn.Linear(2, 2))
    with pytest.raises(ConfigError, match="set it to 0"):
        build(teacher_steps=2).adopt_teacher(teacher_network())


def test_the_teacher_is_trained_first_then_frozen():
    method = build(teacher_steps=2)
    assert list(method.players()) == ["teacher", "model"]
    assert "batch normalization (teacher." in method.undecomposable()
    method.train()
    update = Descent(method)
    student = [p.clone() for p in method.model.parameters()]
    for seed in range(2):
        assert method.teacher.training
        method.step(iter([batch(seed)]), update)
    assert all(torch.equal(a, b) for a, b in zip(student, method.model.parameters(), strict=True))
    teacher = {name: value.clone() for name, value in method.teacher.state_dict().items()}
    assert teacher["stages.0.norm1.num_batches_tracked"] == 2
    method.step(iter([batch(2)]), update)
    assert update.called == ["teacher", "teacher", "model"]
    assert not method.teacher.training
    assert method.train().teacher.training is False
    for name, value in method.teacher.state_dict().items():
        assert torch.equal(value, teacher[name]), name


def run(method, start, stop):
    method.train()
    update = Descent(method)
    for seed in range(start, stop):
        method.step(iter([batch(seed)]), update)
    return method


@pytest.mark.parametrize("cut", [1, 2, 4])
@pytest.mark.parametrize("teacher_steps", [0, 2])
def test_a_run_that_is_cut_goes_on_to_the_same_bits(cut, teacher_steps):
    def fresh():
        return build(teacher_steps=teacher_steps)

    def begun():
        method = fresh()
        if not teacher_steps:
            method.adopt_teacher(teacher_network())
        return method

    whole, first = run(begun(), 0, 5), run(begun(), 0, cut)
    second = fresh()  # as the engine resumes: players' weights, then the method's state
    with torch.no_grad():
        for player, parameters in first.players().items():
            for name, parameter in parameters.items():
                second.players()[player][name].copy_(parameter)
    second.restore(first.state())
    run(second, cut, 5)
    for name, value in whole.state_dict().items():
        assert torch.equal(second.state_dict()[name], value), name


def test_its_config_survives_json():
    config = build(teacher_steps=3, temperature=2.0).config
    assert MethodConfig.load(config.dump()) == config
    with pytest.raises(ConfigError, match="temperature"):
        build(temperature=0.0)


def test_a_run_that_would_never_teach_is_refused():
    assert build(teacher_steps=3).config.problem(RunSettings(steps=4)) == ""
    assert (
        build(teacher_steps=3).config.problem(RunSettings(steps=3))
        == "teacher_steps=3 leaves no step of 3 to the student"
    )
    with pytest.raises(ConfigError, match="leaves no step of 4 to the student"):
        Experiment(
            find("distilled_mnist").config.derive(
                **{"data.twin": True, "epochs": 0, "steps": 4, "method.teacher_steps": 9}
            )
        )


def test_the_teachers_word_on_nodes_counts_as_much_as_their_labels():
    """Per graph, the mean over all nodes, those without a label among them, times the number of labels."""
    generator = torch.Generator().manual_seed(0)
    student, teacher = torch.randn(2, 2, 5, 3, dtype=torch.float64, generator=generator)
    target = torch.randint(3, (2, 5), generator=generator)
    target[0, 1:4] = UNLABELED
    method = tagging("graph", temperature=2.0)
    weights = torch.tensor([2.0, 0.5], dtype=torch.float64)
    found = method._mixed(student, teacher, Batch(None, target, weights=weights), 0.25, 0.75)
    each = soft_target_losses(student.flatten(0, 1), teacher.flatten(0, 1), temperature=2.0).view(2, 5)
    hard = torch.nn.functional.cross_entropy(student.flatten(0, 1), target.flatten(), reduction="none").view(2, 5)
    counts = torch.tensor([2.0, 5.0], dtype=torch.float64)
    expected = (weights * (0.25 * hard.sum(1) + 0.75 * counts * each.mean(1))).sum()
    assert found.total.item() == pytest.approx(expected.item(), abs=1e-12)
    assert float(found.weight) == pytest.approx(float((weights * counts).sum()))
