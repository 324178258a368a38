import pytest
import torch

from netsmith.api.experiments import find
from netsmith.core.errors import ConfigError, UnknownNameError, UnsupportedError
from netsmith.core.roles import MethodConfig
from netsmith.core.spec import Inputs, Outputs, Spec
from netsmith.engine.batch import Batch
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.engine.task import UNLABELED
from netsmith.layers.graphs import normalized_links
from netsmith.methods import _feature_losses as forms
from netsmith.methods.distillation import distillation_loss
from netsmith.methods.feature_distillation import FeatureDistillation
from netsmith.models.graph.gcn import GCN
from netsmith.models.vision.lenet5 import LeNet5
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.optim.adam import Adam
from netsmith.tasks.classify import Classify
from netsmith.tasks.tag import Tag

SPEC = Spec(
    dataset="test",
    inputs=Inputs(kind="image", shape=(1, 28, 28)),
    outputs=Outputs(kind="classes", names=("a", "b", "c")),
)
TEACHER = LeNet5.Config(in_channels=1, image_size=28, num_classes=3)
PAIRS = (("features.pool1", "stages.1"), ("features.activation2", "stages.1.relu1"))
FORMS = {
    "attention": lambda s, t: forms.attention_losses(s, t),
    "similarity": lambda s, t: forms.similarity_losses(s, t),
    "distance": lambda s, t: forms.distance_losses(s, t),
    "angle": lambda s, t: forms.angle_losses(s, t),
    "relational": lambda s, t: forms.distance_losses(s, t) + 2 * forms.angle_losses(s, t),
}


def build(**fields):
    torch.manual_seed(0)
    config = FeatureDistillation.Config(
        model=SmallCNN.Config(channels=(3, 4), in_channels=1, num_classes=3),
        teacher=TEACHER,
        task=Classify.Config(),
        **({"pairs": PAIRS} | fields),
    )
    method = config.build(spec=SPEC)
    method.adopt_teacher(method.teacher)
    return method.double()


def batch(weights=None):
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(6, 1, 28, 28, generator=generator, dtype=torch.float64)
    return Batch(images, torch.randint(3, (6,), generator=generator), weights=weights)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_the_loss_is_hintons_plus_every_pair(form, weighted):
    method = build(form=form, alpha=0.3, temperature=2.0, beta=0.7).eval()
    weights = torch.linspace(0.5, 2, 6, dtype=torch.float64) if weighted else None
    one = batch(weights)
    share = torch.ones(6, dtype=torch.float64) / 6 if weights is None else weights / weights.sum()
    x, s, t = one.inputs, method.model, method.teacher
    ours = [s.stages(x), s.stages[1].relu1(s.stages[1].norm1(s.stages[1].conv1(s.stages[1].pool(s.stages[0](x)))))]
    theirs = [t.features[:3](x), t.features[:5](x)]
    want = 0.7 * sum((share * FORMS[form](a, b)).sum() for a, b in zip(ours, theirs, strict=True))
    for row in range(6):
        at = slice(row, row + 1)
        loss = distillation_loss(s(x)[at], t(x)[at], one.targets[at], temperature=2.0, alpha=0.3)
        want = want + share[row] * loss
    found = method._student_loss(one)
    assert (found.total / found.weight).item() == pytest.approx(want.item(), abs=1e-12)


def test_without_a_word_or_without_features_the_rest_is_left():
    one = batch()
    alone = build(alpha=0.0, beta=0.0).eval()
    hard = alone.task.loss(alone.model(one.inputs), one.targets)
    assert alone._student_loss(one).total.item() == pytest.approx(hard.total.item(), abs=1e-12)
    assert not alone.config.needs_teacher
    features = build(alpha=0.0, beta=1.0).eval()
    both = build(alpha=0.5, beta=1.0).eval()
    word = build(alpha=0.5, beta=0.0).eval()
    extra = features._student_loss(one).total - hard.total
    assert (word._student_loss(one).total + extra).item() == pytest.approx(
        both._student_loss(one).total.item(), abs=1e-11
    )
    assert features.config.needs_teacher


def test_only_the_student_learns_and_the_product_is_free_of_it():
    method = build(form="relational")
    loss = method._student_loss(batch())
    slopes = torch.autograd.grad(loss.total, list(method.model.parameters()))
    assert all(slope.abs().max() > 0 for slope in slopes)
    assert not any(p.requires_grad for p in method.teacher.parameters())
    assert list(method.players()) == ["model"]
    assert method.product() is method.model
    assert not [m for m in method.modules() if m._forward_hooks]


def test_attention_adds_up_over_micro_batches_and_the_others_refuse_them():
    for form in FORMS:
        method = FeatureDistillation.Config(
            model=TEACHER, teacher=TEACHER, task=Classify.Config(),
            pairs=(("features.pool1", "features.pool1"),), form=form,
        ).build(spec=SPEC)  # fmt: skip
        assert bool(method.undecomposable()) is (form != "attention")
    method = build(form="attention").eval()
    whole, parts = method._student_loss(batch()), [method._student_loss(part) for part in batch().split(4)]
    assert sum(part.total for part in parts).item() == pytest.approx(whole.total.item(), abs=1e-11)


def experiment(**fields):
    model = LeNet5.Config()
    method = FeatureDistillation.Config(
        model=model, teacher=model, task=Classify.Config(), pairs=(("features.pool2", "features.pool2"),), **fields
    )
    changes = {"method": method, "data.twin": True, "data.batch": 8, "epochs": 0, "steps": 4, "evaluate_every": 4}
    return find("distilled_mnist").config.derive(**changes)


def test_the_engine_refuses_by_name_and_trains_in_half_precision():
    with pytest.raises(UnsupportedError, match=r"micro_batches=2.*form 'similarity' compares the examples"):
        Engine(Experiment(experiment(form="similarity").derive(micro_batches=2)))
    Engine(Experiment(experiment(form="attention").derive(micro_batches=2)))
    for form in ("attention", "relational"):
        config = experiment(form=form, teacher_steps=1).derive(
            precision="bf16", optimizers={"model": Adam.Config(), "teacher": Adam.Config()}
        )
        engine = Engine(Experiment(config))
        engine.fit()
        assert engine.step == 4


def test_bad_layers_are_named():
    with pytest.raises(UnknownNameError, match=r"student \(SmallCNN\) named 'stages.7'; did you mean 'stages"):
        build(pairs=(("features.pool1", "stages.7"),))
    with pytest.raises(
        UnknownNameError, match=r"teacher \(LeNet5\) named 'features.pol1'; did you mean 'features.pool1'"
    ):
        build(pairs=(("features.pol1", "stages.0"),))
    method = build(pairs=(("classifier.linear1", "stages.0"),))
    with pytest.raises(ConfigError, match=r"the teacher's layer 'classifier.linear1' gives \(6, 120\)"):
        method._student_loss(batch())
    with pytest.raises(ConfigError, match="pairs"):
        build(pairs=())


def test_its_config_survives_json():
    config = build(form="similarity", beta=3.0).config
    assert MethodConfig.load(config.dump()) == config


def test_features_of_an_example_count_by_its_labels():
    """As its answers do: else the share of the features would fade where examples have many labels."""
    torch.manual_seed(0)
    model = GCN.Config(in_features=4, num_classes=3, hidden_size=5, dropout=0.0)
    spec = Spec(dataset="g", inputs=Inputs(kind="graph", shape=(-1, 4)), outputs=Outputs(kind="tags", size=3))
    fields = {"model": model, "teacher": model, "task": Tag.Config(), "form": "distance", "alpha": 0.0}
    found = {}
    for beta in (0.0, 2.0):
        torch.manual_seed(1)
        method = FeatureDistillation.Config(**fields, beta=beta, pairs=(("layers.0", "layers.0"),)).build(spec=spec)
        method.adopt_teacher(method.config.teacher.build())
        method.double().eval()
        graphs = {"nodes": torch.rand(3, 6, 4).double(), "edges": torch.randint(0, 6, (3, 8, 2))}
        target = torch.randint(3, (3, 6))
        target[0, 2:] = UNLABELED
        found[beta] = method._student_loss(Batch(graphs, target))
        features = [
            net.layers[0](graphs["nodes"], normalized_links(**graphs)) for net in (method.model, method.teacher)
        ]
    assert float(found[2.0].weight) == float(found[0.0].weight) == 2 + 6 + 6
    expected = 2.0 * (forms.distance_losses(*features) * torch.tensor([2.0, 6.0, 6.0]).double()).sum()
    assert (found[2.0].total - found[0.0].total).item() == pytest.approx(expected.item(), rel=1e-10)
    assert expected > 1e-3
