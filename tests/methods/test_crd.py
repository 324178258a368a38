"""Contrastive representation distillation: the loss by hand, the memory, and what it teaches."""

import numpy as np
import pytest
import torch

from netsmith.api.experiments import find
from netsmith.core.errors import ConfigError, UnknownNameError, UnsupportedError
from netsmith.core.roles import MethodConfig
from netsmith.core.spec import Inputs, Outputs, Spec, Split
from netsmith.engine.batch import Batch
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.engine.random import keyed_uniform
from netsmith.methods.crd import CRD, _cosines, contrast_losses
from netsmith.models.tabular.mlp import MLP
from netsmith.models.vision.lenet5 import LeNet5
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.optim.adam import Adam
from netsmith.tasks.classify import Classify
from netsmith.verify.subject import weights_sha256

EXAMPLES = 20
SPEC = Spec(
    dataset="test",
    inputs=Inputs(kind="image", shape=(1, 28, 28)),
    outputs=Outputs(kind="classes", names=("a", "b", "c")),
    splits=(Split(name="train", size=EXAMPLES, made="here"),),
)
TEACHER = LeNet5.Config(in_channels=1, image_size=28, num_classes=3)
STUDENT = SmallCNN.Config(channels=(3, 4), in_channels=1, num_classes=3)


class Descent:
    """Stands in for the engine: plain gradient descent."""

    steps = 10

    def __init__(self, method, rate=0.01, parts=1):
        self.method, self.rate, self.parts = method, rate, parts

    def sum_ranks(self, tensors):
        """One process."""

    def __call__(self, player, loss_function, batch):
        losses = [loss_function(part) for part in batch.split(self.parts)]
        loss = sum(one.total for one in losses) / sum(one.weight for one in losses)
        parameters = list(self.method.players()[player].values())
        with torch.no_grad():
            for parameter, slope in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
                parameter -= self.rate * slope
        return {"loss": loss.item()}


def build(spec=SPEC, **fields):
    torch.manual_seed(0)
    known = {"model": STUDENT, "teacher": TEACHER, "teacher_layer": "classifier.activation2", "student_layer": "stages"}
    known |= {"size": 5, "negatives": 7, "contrast_temperature": 0.5}
    method = CRD.Config(task=Classify.Config(), **(known | fields)).build(spec=spec)
    if not method.config.teacher_steps:
        method.adopt_teacher(method.teacher)
    return method.double()


def batch(seed=1, weights=None):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(6, 1, 28, 28, generator=generator, dtype=torch.float64)
    at = torch.randperm(EXAMPLES, generator=generator)[:6]
    return Batch(images, torch.randint(3, (6,), generator=generator), keys=at * 977 + seed, indices=at, weights=weights)


def by_hand(method, one):
    """Return the losses, the constants and the embeddings in numpy, written from the paper and the authors' form."""
    config, count = method.config, len(method.memory_student)
    x = one.inputs
    with torch.no_grad():
        maps, t = method.model.stages(x).numpy(), method.teacher.classifier(method.teacher.features(x)).numpy()
    s = maps.mean((2, 3))

    def linear(layer, rows):
        found = rows @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
        return found / np.sqrt((found**2).sum(1, keepdims=True))

    gs, gt = linear(method.embed_student, s), linear(method.embed_teacher, t)
    draws = keyed_uniform(one.keys, config.negatives, stream="crd negatives").numpy()
    losses, exponentials = np.zeros(len(s)), [[], []]
    for way, (g, memory) in enumerate(((gs, method.memory_teacher), (gt, method.memory_student))):
        for row in range(len(s)):
            own = int(one.indices[row])
            others = [(own + 1 + int(u * (count - 1))) % count for u in draws[row]]
            assert own not in others
            cosines = [g[row] @ memory[j].numpy() for j in (own, *others)]
            exponentials[way].append([np.exp(cosine / config.contrast_temperature) for cosine in cosines])
    constants = [count * np.mean(one_way) for one_way in exponentials]
    for one_way, constant in zip(exponentials, constants, strict=True):
        share = config.negatives / count
        for row, values in enumerate(one_way):
            h = [value / constant / (value / constant + share + 1e-7) for value in values]
            miss = [share / (value / constant + share + 1e-7) for value in values]
            losses[row] -= np.log(h[0]) + sum(np.log(one_minus) for one_minus in miss[1:])
    return losses, constants, gs, gt


@pytest.mark.parametrize(("weighted", "size"), [(False, 5), (True, 5), (True, 2)])
def test_loss_constants_and_memory_are_those_by_hand(weighted, size):
    """Of size 2 the rows of the pairs are the smaller table (8 x 2 numbers of an example), of 5 all products (20)."""
    method = build(beta=0.3, alpha=0.25, temperature=2.0, momentum=0.7, size=size).eval()
    one = batch(weights=torch.linspace(0.5, 2, 6, dtype=torch.float64) if weighted else None)
    share = np.ones(6) / 6 if one.weights is None else (one.weights / one.weights.sum()).numpy()
    losses, constants, gs, gt = by_hand(method, one)
    z, v = method.model(one.inputs), method.teacher(one.inputs)
    hard = torch.nn.functional.cross_entropy(z, one.targets, reduction="none").detach().numpy()
    p = (v / 2).softmax(1)
    soft = (p * (p.log() - (z / 2).log_softmax(1))).sum(1).detach().numpy()
    want = (share * (0.75 * hard + 0.25 * 4 * soft + 0.3 * losses)).sum()
    before = method.memory_student.clone(), method.memory_teacher.clone()
    logs = method.step(iter([one]), Descent(method, rate=0.0))
    assert logs["loss"] == pytest.approx(want, abs=1e-11)
    assert method.means.numpy() * EXAMPLES == pytest.approx(constants, rel=1e-12)
    for memory, old, new in zip((method.memory_student, method.memory_teacher), before, (gs, gt), strict=True):
        mixed = 0.7 * old[one.indices].numpy() + 0.3 * new
        mixed /= np.sqrt((mixed**2).sum(1, keepdims=True))
        assert np.abs(memory[one.indices].numpy() - mixed).max() <= 1e-12
        others = torch.ones(EXAMPLES, dtype=torch.bool)
        others[one.indices] = False
        assert torch.equal(memory[others], old[others])
    # the means stay, whatever the next batch says
    method.step(iter([batch(2)]), Descent(method))
    assert method.means.numpy() * EXAMPLES == pytest.approx(constants, rel=1e-12)


def test_the_slopes_are_those_of_the_loss():
    scores = torch.randn(3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: contrast_losses(s, noise=0.4), scores)
    big = torch.tensor([[800.0, -800.0], [-800.0, 800.0]], dtype=torch.float64)
    assert contrast_losses(big, noise=0.5)[0].item() == pytest.approx(0, abs=1e-6)
    assert contrast_losses(big, noise=0.5)[1].item() == pytest.approx(1600, rel=1e-2)
    method = build(alpha=0.5).eval()
    one = batch()
    method.means.fill_(0.75)
    named = method.players()["model"]
    assert {name.split(".")[0] for name in named} == {"model", "embed_student", "embed_teacher"}
    loss = method._student_loss(one).total
    slopes = torch.autograd.grad(loss, list(named.values()))
    generator = torch.Generator().manual_seed(0)
    for (name, parameter), slope in zip(named.items(), slopes, strict=True):
        assert slope.abs().max() > 0, name
        if not name.startswith(("embed", "model.stages.0.conv", "model.head")):
            continue
        way = torch.randn(parameter.shape, dtype=torch.float64, generator=generator)
        ends = []
        for step in (1e-6, -1e-6):
            with torch.no_grad():
                parameter += step * way
                ends.append(method._student_loss(one).total.item())
                parameter -= step * way
        assert (ends[0] - ends[1]) / 2e-6 == pytest.approx((slope * way).sum().item(), rel=1e-5, abs=1e-5)
    assert not any(p.requires_grad for p in method.teacher.parameters())


@pytest.mark.parametrize("size", [3, 4, 5])  # 5 x 3 < 16 <= 5 x 4
def test_both_tables_give_the_products_and_their_slopes(size):
    generator = torch.Generator().manual_seed(size)
    embedded = torch.randn(6, size, dtype=torch.float64, generator=generator).requires_grad_()
    memory = torch.randn(16, size, dtype=torch.float64, generator=generator)
    pairs = torch.randint(16, (6, 5), generator=generator)
    want = [[sum(a * b for a, b in zip(row, memory[at].tolist(), strict=True)) for at in of_row]
            for row, of_row in zip(embedded.tolist(), pairs.tolist(), strict=True)]  # fmt: skip
    assert np.abs(_cosines(embedded, memory, pairs).detach().numpy() - np.array(want)).max() <= 1e-14
    assert torch.autograd.gradcheck(lambda rows: _cosines(rows, memory, pairs), embedded)


def test_without_contrast_it_is_hintons_and_holds_nothing_else():
    method = build(beta=0.0, alpha=0.4).eval()
    assert not hasattr(method, "memory_student")
    assert {name.split(".")[0] for name in method.players()["model"]} == {"model"}
    one = Batch(batch().inputs, batch().targets)  # no numbers are needed
    both = build(alpha=0.4).eval()
    both.means.fill_(0.75)
    assert method._student_loss(one).total < both._student_loss(batch()).total
    method.step(iter([one]), Descent(method))
    assert not build(beta=0.0).config.needs_teacher
    assert build().config.needs_teacher


def test_the_product_is_the_student_and_the_probe_left_no_trace():
    method = build()
    assert method.product() is method.model
    assert not [m for m in method.modules() if m._forward_hooks]
    assert int(method.model.stages[0].norm1.num_batches_tracked) == 0
    assert method.training
    assert method.embed_student.weight.shape == (5, 4)
    assert method.embed_teacher.weight.shape == (5, 84)
    lengths = build(size=400).memory_teacher.norm(dim=1)
    assert (lengths - 1).abs().max() < 0.15
    method.step(iter([batch()]), Descent(method))  # measuring the means counts in no statistics
    assert int(method.model.stages[0].norm1.num_batches_tracked) == 1


def experiment(**changes):
    config = find("distilled_mnist").config
    method = CRD.Config(
        model=MLP.Config(hidden=(16, 16)), teacher=MLP.Config(hidden=(24,)), task=Classify.Config(),
        student_layer="hidden", teacher_layer="hidden", size=16, negatives=64, teacher_steps=2,
    )  # fmt: skip
    known = {"method": method, "data.twin": True, "data.batch": 8, "epochs": 0, "steps": 6, "evaluate_every": 6}
    known |= {"optimizers": {"model": Adam.Config(), "teacher": Adam.Config()}}
    return config.derive(**(known | changes))


def test_a_part_that_is_kept_in_evaluation_mode_stays_there():
    method = build()
    method.model.stages.eval()  # what a frozen normalization does
    method.step(iter([batch()]), Descent(method))  # the first step measures the means
    assert not any(part.training for part in method.model.stages.modules())
    assert method.model.training


def test_a_cut_run_ends_with_the_same_bits():
    ends = []
    for cut in (None, 1, 3, 5):  # two of the six steps are the teacher's
        engine = Engine(Experiment(experiment()))
        if cut is not None:
            engine.method.train()
            for step in range(cut):
                engine.updater.begin(step)
                engine.method.step(engine.feed, engine.updater)
                engine.step += 1
            snapshot = engine.snapshot()
            engine = Engine(Experiment(experiment()))
            engine.restore(snapshot)
        engine.fit()
        assert engine.method.means.all()
        ends.append(weights_sha256(engine))
    assert len(set(ends)) == 1


def test_accumulation_gives_the_same():
    ends = []
    for pieces in (1, 3):
        built = Experiment(experiment(precision="fp64", micro_batches=pieces))
        Engine(built).fit()
        ends.append(built.method.state_dict())
    assert max(float((ends[0][name] - ends[1][name]).abs().max()) for name in ends[0]) <= 1e-10
    assert (ends[0]["memory_student"] != Experiment(experiment(precision="fp64")).method.memory_student).any()


def test_it_trains_in_half_precision():
    engine = Engine(Experiment(experiment(precision="bf16")))
    engine.fit()
    assert torch.isfinite(engine.method.memory_student).all()


def found_again(method, source):
    """Return how often the nearest of all the teacher's embeddings to a student's is that of the same example."""
    method.eval()
    one = source.load("train", torch.arange(len(method.memory_teacher)))
    with torch.no_grad():
        student, teacher = method._embedded(*method._features(one))
    return float(((student @ teacher.T).argmax(1) == torch.arange(len(student))).double().mean())


def test_a_student_learns_the_task_and_whom_it_looks_at():
    wide = MLP.Config(hidden=(128,))
    changes = {"method.model": wide, "method.teacher": wide, "method.size": 32, "method.contrast_temperature": 0.1}
    changes |= {"data.batch": 128, "steps": 200, "evaluate_every": 200, "optimizers.model": Adam.Config(lr=3e-3)}
    built = Experiment(experiment(**changes))
    before = found_again(built.method, built.source)
    engine = Engine(built)
    engine.fit()
    assert engine.history[-1][1]["dev/accuracy"] >= 0.9
    chance = 1 / len(built.method.memory_teacher)  # of 610; who knows but the class finds 10 times as many
    assert before < 5 * chance
    assert found_again(built.method, built.source) > 20 * chance


def test_what_cannot_be_is_refused():
    with pytest.raises(UnknownNameError, match=r"student \(SmallCNN\) named 'stage'; did you mean 'stages"):
        build(student_layer="stage")
    with pytest.raises(UnknownNameError, match=r"teacher \(LeNet5\) named 'classifier.activation9'"):
        build(teacher_layer="classifier.activation9")
    with pytest.raises(UnsupportedError, match=r"remembers every training example, and test has 0; use feature_dist"):
        build(spec=SPEC.derive(splits=()))
    tokens = SPEC.derive(inputs=Inputs(kind="tokens", shape=(-1,)))
    with pytest.raises(UnsupportedError, match=r"one fixed shape of numbers, and test has tokens of shape \(-1,\)"):
        build().config.build(spec=tokens)
    method = build()
    for missing in ("indices", "keys"):
        one = batch()
        fields = {"keys": one.keys, "indices": one.indices} | {missing: None}
        with pytest.raises(UnsupportedError, match="this source does not number them; use feature_distillation"):
            method.step(iter([Batch(one.inputs, one.targets, **fields)]), Descent(method))
    for field, value in {"size": 1, "negatives": 0, "contrast_temperature": 0.0, "momentum": 1.0, "beta": -1.0}.items():
        with pytest.raises(ConfigError, match=field):
            build(**{field: value})
    fresh = build().config.build(spec=SPEC)
    with pytest.raises(ConfigError, match="the teacher has no weights"):
        fresh.step(iter([batch()]), Descent(fresh))


def test_its_config_survives_json():
    config = build(beta=0.5).config
    assert MethodConfig.load(config.dump()) == config
