import pytest
import torch
from torch import nn

from netsmith.core.errors import ConfigError
from netsmith.core.roles import MethodConfig
from netsmith.core.spec import Inputs, Outputs, Spec
from netsmith.engine.batch import Batch
from netsmith.methods.distillation import Distillation
from netsmith.methods.many_teachers import ManyTeachers, _Mean
from netsmith.models.tabular.mlp import MLP
from netsmith.models.text.text_cnn import TextCNN
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.tasks.classify import Classify

SPEC = Spec(
    dataset="test",
    inputs=Inputs(kind="image", shape=(1, 6, 6)),
    outputs=Outputs(kind="classes", names=("a", "b", "c")),
)
CNN = SmallCNN.Config(channels=(4,), in_channels=1, num_classes=3)
WORDS = TextCNN.Config()
NET = MLP.Config(hidden=(4,), in_features=36, num_outputs=3)


def build(**fields):
    torch.manual_seed(0)
    return ManyTeachers.Config(model=NET, teacher=CNN, others=(NET, CNN), task=Classify.Config(), **fields).build(
        spec=SPEC
    )


def networks():
    torch.manual_seed(5)
    return [config.build() for config in (CNN, NET, CNN)]


def batch():
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(6, 1, 6, 6, generator=generator, dtype=torch.float64)
    return Batch(images, torch.randint(3, (6,), generator=generator))


def test_the_target_is_the_mean_of_softened_probabilities():
    method = build(temperature=3.0, alpha=0.6)
    method.adopt_teachers(networks())
    method.double().eval()
    one = batch()
    with torch.no_grad():
        words = [(net.double().eval()(one.inputs) / 3).softmax(1) for net in networks()]
    mean = sum(words) / 3
    found = (method._teacher_logits(one) / 3).softmax(1)
    assert (found - mean).abs().max() <= 1e-15
    z = method.model(one.inputs)
    kl = (mean * (mean.log() - (z / 3).log_softmax(1))).sum(1).mean()
    hard = torch.nn.functional.cross_entropy(z, one.targets)
    loss = method._student_loss(one)
    assert (loss.total / loss.weight).item() == pytest.approx((0.4 * hard + 0.6 * 9 * kl).item(), abs=1e-12)


def test_equal_teachers_are_one_teacher():
    torch.manual_seed(5)
    trained = NET.build()
    many = ManyTeachers.Config(model=NET, teacher=NET, others=(NET,), task=Classify.Config()).build(spec=SPEC)
    many.adopt_teachers([trained, trained])
    one = Distillation.Config(model=NET, teacher=NET, task=Classify.Config()).build(spec=SPEC)
    one.adopt_teacher(trained)
    one.model.load_state_dict(many.model.state_dict())
    losses = [method.double().eval()._student_loss(batch()).total.item() for method in (many, one)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-12)


def test_equal_teachers_of_elements_are_one_teacher():
    torch.manual_seed(0)
    answers = torch.randn(2, 5, 3)
    mean = _Mean([nn.Identity(), nn.Identity()], temperature=3.0)
    assert torch.allclose((mean(answers) / 3).softmax(-1), (answers / 3).softmax(-1), atol=1e-6)


def test_trained_here_each_learns_on_its_own_loss():
    method = build(teacher_steps=2).double()
    assert list(method.players()) == ["teacher", "model"]
    one = batch()
    loss = method._teacher_loss(one)
    for at, network in enumerate(method.members):
        own = method.task.loss(network(one.inputs), one.targets)
        parameters = list(network.parameters())
        wanted = torch.autograd.grad(own.total, parameters)
        got = torch.autograd.grad(loss.total, parameters, retain_graph=True)
        assert all(torch.allclose(a, b, rtol=0, atol=1e-13) for a, b in zip(wanted, got, strict=True)), at


def test_what_does_not_fit_is_refused():
    method = build()
    with pytest.raises(ConfigError, match="expected 3 teachers, got 2"):
        method.adopt_teachers(networks()[:2])
    with pytest.raises(ConfigError, match=r"expected 3 teachers, got one MLP.*adopt_teachers"):
        method.adopt_teacher(networks()[1])
    with pytest.raises(ConfigError, match="do not fit"):
        method.adopt_teachers([networks()[1], *networks()[1:]])
    assert not method.adopted
    tokens = Spec(dataset="words", inputs=Inputs(kind="tokens", shape=(5,)), outputs=SPEC.outputs)
    config = method.config.derive(model=WORDS, teacher=WORDS, others=(WORDS,))
    assert config.misfit(tokens, gives="examples") == ""
    assert "the model mlp takes" in config.derive(others=(WORDS, NET)).misfit(tokens, gives="examples")
    assert MethodConfig.load(method.config.dump()) == method.config
