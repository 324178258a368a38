import pytest
import torch
from torch import nn
from torch.nn import functional as F

from netsmith.api.experiments import find
from netsmith.core.errors import ConfigError, UnknownNameError, UnsupportedError
from netsmith.core.roles import MethodConfig, RunSettings
from netsmith.core.spec import Inputs, Outputs, Spec
from netsmith.engine.batch import Batch
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.methods.fitnets import FitNets
from netsmith.models.tabular.mlp import MLP
from netsmith.models.vision.lenet5 import LeNet5
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.tasks.classify import Classify
from netsmith.verify.subject import Subject, weights_sha256

SPEC = Spec(
    dataset="test",
    inputs=Inputs(kind="image", shape=(1, 28, 28)),
    outputs=Outputs(kind="classes", names=("a", "b", "c")),
)
STUDENT = SmallCNN.Config(channels=(3, 4), depth=2, in_channels=1, num_classes=3)


class Descent:
    """Stands in for the engine: plain gradient descent on a player, and a record of who stepped with which lambda."""

    def __init__(self, method, steps, rate=1e-5):
        self.method, self.steps, self.rate, self.called = method, steps, rate, []

    def __call__(self, player, loss_function, batch):
        loss = loss_function(batch)
        parameters = self.method.players()[player]
        slopes = torch.autograd.grad(loss.total / loss.weight, list(parameters.values()))
        with torch.no_grad():
            for parameter, slope in zip(parameters.values(), slopes, strict=True):
                assert slope.abs().max() > 0
                parameter -= self.rate * slope
        self.called.append((player, round(self.method.share, 6)))
        return {"loss": loss.total.item()}


def build(**fields):
    torch.manual_seed(0)
    known = {
        "model": STUDENT,
        "teacher": LeNet5.Config(in_channels=1, image_size=28, num_classes=3),
        "hint": "features.activation2",
        "guided": "stages.1.relu1",
    }
    method = FitNets.Config(task=Classify.Config(), **(known | fields)).build(spec=SPEC)
    if not method.config.teacher_steps:
        method.adopt_teacher(method.teacher)
    return method


def batch(seed=1, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(6, 1, 28, 28, generator=generator).to(dtype)
    return Batch(images, torch.randint(3, (6,), generator=generator))


def copies(method):
    return {name: value.clone() for name, value in method.state_dict().items()}


def moved(method, before):
    return {name for name, value in method.state_dict().items() if not torch.equal(value, before[name])}


def test_stage_one_moves_the_guided_part_and_the_regressor_only():
    method = build().train()
    before = copies(method)
    update = Descent(method, steps=10)
    for seed in range(4):
        method.step(iter([batch(seed)]), update)
    assert [player for player, _ in update.called] == ["hint"] * 4
    changed = moved(method, before)
    assert {name.split(".")[0] for name in changed} == {"model", "regressor"}
    assert "model.stages.1.conv1.weight" in changed
    # Nothing behind the guided layer learns, nor do its batch statistics move.
    assert not {
        name for name in changed if name.startswith(("model.stages.1.conv2", "model.stages.1.norm2", "model.head"))
    }
    regressor = copies(method.regressor)
    for seed in range(6):
        method.step(iter([batch(seed)]), update)
    assert [player for player, _ in update.called[4:]] == ["model"] * 6
    assert moved(method.regressor, regressor) == set()
    assert "model.head.weight" in moved(method, before)


def test_lambda_falls_linearly_over_stage_two():
    method = build(lambda_start=4.0, lambda_end=1.0, teacher_steps=2).train()
    update = Descent(method, steps=12)
    for seed in range(12):
        method.step(iter([batch(seed)]), update)
    assert [player for player, _ in update.called] == ["teacher"] * 2 + ["hint"] * 4 + ["model"] * 6
    assert [share for _, share in update.called[6:]] == [4.0, 3.4, 2.8, 2.2, 1.6, 1.0]


def test_the_two_losses_are_the_papers():
    method = build().double().eval()
    one = batch(dtype=torch.float64)
    x, s, t = one.inputs, method.model, method.teacher
    first = s.stages[0](x)
    guided = s.stages[1].relu1(s.stages[1].norm1(s.stages[1].conv1(s.stages[1].pool(first))))
    guess = F.conv2d(guided, method.regressor[0].weight, method.regressor[0].bias).relu()
    hint = t.features[:5](x)
    want = sum(0.5 * (h - r).square().sum() for h, r in zip(hint, guess, strict=True)) / 6
    found = method._hint_loss(one)
    assert (found.total / found.weight).item() == pytest.approx(want.item(), abs=1e-10)
    method.share = 2.5
    p, q = (t(x) / 3).softmax(1), (s(x) / 3).log_softmax(1)
    cross = -(p * q).sum(1).mean()  # H(P_T, P_S)
    entropy = -(p * p.log()).sum(1).mean()
    want = F.cross_entropy(s(x), one.targets) + 2.5 * (cross - entropy)
    found = method._student_loss(one)
    assert (found.total / found.weight).item() == pytest.approx(want.item(), abs=1e-12)


def test_the_regressor_makes_the_shapes_equal():
    conv = build().regressor[0]
    assert isinstance(conv, nn.Conv2d)
    assert conv.weight.shape == (16, 4, 5, 5)  # 14 - 10 + 1
    assert build(guided="stages.0.relu2", hint="features.pool1").regressor[0].weight.shape == (6, 3, 15, 15)
    linear = build(hint="classifier.linear1", regressor="linear").regressor
    assert [type(layer) for layer in linear] == [nn.Flatten, nn.Linear]
    assert linear[1].weight.shape == (120, 4 * 14 * 14)
    vector = build(
        model=MLP.Config(hidden=(8, 8), in_features=784, num_outputs=3), guided="hidden.0", hint="classifier.linear2"
    )
    assert vector.regressor[1].weight.shape == (84, 8)
    flat = build(
        model=MLP.Config(hidden=(8, 8), in_features=784, num_outputs=3), guided="hidden.0", hint="features.pool2"
    )
    loss = flat.eval()._hint_loss(batch())
    assert loss.total > 0
    with pytest.raises(ConfigError, match=r"map of \(14, 14\) is smaller than the hint's \(28, 28\)"):
        build(hint="features.conv1")


def test_the_hint_is_learned():
    method = build(regressor="relu").train()
    update, one = Descent(method, steps=200, rate=1e-4), batch()
    losses = [method.step(iter([one]), update)["loss"] for _ in range(60)]
    assert losses[-1] < 0.7 * losses[0]


def test_players_share_the_guided_part_and_the_product_has_no_regressor():
    method = build()
    players = method.players()
    assert list(players) == ["hint", "model"]
    shared = players["hint"].keys() & players["model"].keys()
    assert shared == {
        name for name in players["model"] if name.startswith(("model.stages.0", "model.stages.1.conv1"))
    } | {
        "model.stages.1.norm1.weight",
        "model.stages.1.norm1.bias",
    }
    assert players["hint"].keys() - shared == {"regressor.0.weight", "regressor.0.bias"}
    assert method.product() is method.model
    assert "regressor" not in dict(method.product().named_modules())
    assert not [m for m in method.modules() if m._forward_hooks]
    assert list(build(hint_share=0.0).players()) == ["model"]
    # The probe for shapes drew nothing and left no trace.
    assert int(method.model.stages[0].norm1.num_batches_tracked) == 0
    assert method.training
    assert method.model.training


@pytest.mark.parametrize("steps", [2, 3, 5, 6, 150])
def test_both_stages_have_a_step(steps):
    config = build().config
    assert config.problem(RunSettings(steps=steps)) == ""
    assert 1 <= config.hint_steps(steps) <= steps - 1
    assert config.hint_steps(150) == 60


def test_what_cannot_be_is_refused():
    assert "needs a step for each of two stages; 1 is left of 1" in build().config.problem(RunSettings(steps=1))
    assert "leaves no step" in build(teacher_steps=3).config.problem(RunSettings(steps=3))
    with pytest.raises(UnknownNameError, match=r"layer of the teacher \(LeNet5\) named 'features.activation3'"):
        build(hint="features.activation3")
    with pytest.raises(UnknownNameError, match=r"layer of the student"):
        build(guided="stages.9")
    tokens = Spec(dataset="words", inputs=Inputs(kind="tokens", shape=(-1,)), outputs=SPEC.outputs)
    with pytest.raises(UnsupportedError, match="one fixed shape"):
        build().config.build(spec=tokens)
    fresh = build().config.build(spec=SPEC)
    with pytest.raises(ConfigError, match="the teacher has no weights"):
        fresh.step(iter([batch()]), Descent(fresh, steps=4))


def test_its_config_survives_json():
    config = build(lambda_end=0.5).config
    assert MethodConfig.load(config.dump()) == config


def test_a_cut_in_either_stage_ends_with_the_same_bits():
    subject = Subject.of("fitnet_mnist")
    ends = []
    for cut in (None, 1, 2, 4):  # stage one has two of the six steps
        engine = subject.engine()
        if cut is None:
            engine.fit()
        else:
            engine.method.train()
            for step in range(cut):
                engine.updater.begin(step)
                engine.method.step(engine.feed, engine.updater)
                engine.step += 1
            snapshot = engine.snapshot()
            engine = subject.engine()
            engine.restore(snapshot)
            engine.fit()
        ends.append(weights_sha256(engine))
    assert len(set(ends)) == 1


def test_accumulation_gives_the_same_in_both_stages():
    changes = {"method.model": MLP.Config(hidden=(8, 8)), "method.guided": "hidden.0", "precision": "fp64"}
    config = find("fitnet_mnist").config.derive(
        **changes, **{"data.twin": True, "data.batch": 8, "epochs": 0, "steps": 5, "evaluate_every": 5}
    )
    ends = []
    for pieces in (1, 3):
        experiment = Experiment(config.derive(micro_batches=pieces))
        experiment.method.adopt_teacher(experiment.method.teacher)
        Engine(experiment).fit()
        ends.append(experiment.method.state_dict())
    assert max(float((ends[0][name] - ends[1][name]).abs().max()) for name in ends[0]) <= 1e-10
