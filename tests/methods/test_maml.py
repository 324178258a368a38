import copy

import pytest
import torch
from torch import nn

from netsmith.core.errors import UnsupportedError
from netsmith.core.roles import MethodConfig, ModelConfig
from netsmith.data.sine_tasks import SineTasks
from netsmith.engine.batch import Batch
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.methods.maml import MAML
from netsmith.models.meta.sine_mlp import SineMlp
from netsmith.optim.adam import Adam
from netsmith.optim.sgd import SGD
from netsmith.tasks.few_shot_regress import FewShotRegress


class Line(nn.Module):
    """y = theta x: the meta-gradient has a closed form."""

    class Config(ModelConfig):
        theta: float = 0.7

    def __init__(self, config):
        super().__init__()
        self.theta = nn.Parameter(torch.tensor([[config.theta]]))

    def forward(self, x):
        return x @ self.theta


class Normed(nn.Module):
    class Config(ModelConfig):
        pass

    def __init__(self, config):
        super().__init__()
        self.norm = nn.BatchNorm1d(1)


SPEC = SineTasks.Config().build().spec
SINE = SineMlp.Config(hidden=(10, 10), in_features=1, num_outputs=1)


def built(model=SINE, **changes):
    torch.manual_seed(0)
    return MAML.Config(model=model, task=FewShotRegress.Config(), **changes).build(spec=SPEC).double()


def tasks(count=4, **changes):
    source = SineTasks.Config(**changes).build()
    return source.load("train", torch.arange(count), key=3).to(
        torch.device("cpu"), torch.float64, torch.preserve_format
    )


def meta_gradient(method, batch):
    loss = method.meta_loss(batch)
    return torch.autograd.grad(loss.total / loss.weight, list(method.parameters()))


@pytest.mark.parametrize("first_order", [False, True])
def test_meta_gradient_of_a_line_is_the_closed_form(first_order):
    alpha, theta = 0.03, 0.7
    method = built(Line.Config(theta=theta), inner_lr=alpha, first_order=first_order)
    theta = method.model.theta.item()
    batch = tasks(4, shots=5, queries=7)
    x, y, query = (batch.inputs[name][..., 0] for name in ("support", "support_targets", "query"))
    adapted = theta - alpha * 2 * (x * (theta * x - y)).mean(1)  # (B,)
    outer = 2 * (query * (adapted[:, None] * query - batch.targets[..., 0])).mean(1)
    through = 1 - alpha * 2 * x.square().mean(1)  # d theta' / d theta
    expected = (outer if first_order else outer * through).mean()
    (gradient,) = meta_gradient(method, batch)
    torch.testing.assert_close(gradient[0, 0], expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("steps", [1, 3])
def test_meta_gradient_of_the_sine_network_agrees_with_finite_differences(steps):
    method, batch = built(inner_lr=0.05, inner_steps=steps), tasks()
    gradient = torch.cat([g.flatten() for g in meta_gradient(method, batch)])
    start = nn.utils.parameters_to_vector(method.parameters()).detach()
    direction = torch.randn(start.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def loss_at(vector):
        nn.utils.vector_to_parameters(vector, method.parameters())
        return method.meta_loss(batch).total.item() / len(batch)

    eps = 1e-6
    slope = (loss_at(start + eps * direction) - loss_at(start - eps * direction)) / (2 * eps)
    assert abs(slope - float(gradient @ direction)) < 1e-6 * abs(slope)
    nn.utils.vector_to_parameters(start, method.parameters())
    method.config = method.config.derive(first_order=True)
    first = torch.cat([g.flatten() for g in meta_gradient(method, batch)])
    assert abs(slope - float(first @ direction)) > 1e-3 * abs(slope)


def test_all_tasks_at_once_equal_one_after_the_other():
    method, batch = built(inner_lr=0.05, inner_steps=2), tasks()
    errors = []
    for task in range(4):
        network = copy.deepcopy(method.model)
        for _ in range(2):
            error = (network(batch.inputs["support"][task]) - batch.inputs["support_targets"][task]).square().mean()
            for p, slope in zip(
                network.parameters(), torch.autograd.grad(error, list(network.parameters())), strict=True
            ):
                p.data -= 0.05 * slope
        errors.append((network(batch.inputs["query"][task]) - batch.targets[task]).square().mean())
        adapted = method.adapt(batch.inputs["support"][task], batch.inputs["support_targets"][task], steps=2)
        torch.testing.assert_close(adapted(batch.inputs["query"][task]), network(batch.inputs["query"][task]))
    torch.testing.assert_close(method.meta_loss(batch).total, sum(errors), rtol=1e-12, atol=0)


def test_without_inner_steps_it_is_plain_regression():
    method, batch = built(inner_steps=0), tasks()
    plain = (method.model(batch.inputs["query"]) - batch.targets).square().mean()
    expected = torch.autograd.grad(plain, list(method.parameters()))
    for mine, theirs in zip(meta_gradient(method, batch), expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-14)


def test_evaluation_fine_tunes_without_changing_the_network():
    method, batch = built(inner_steps=0, evaluation_steps=3, inner_lr=0.02), tasks()
    before = copy.deepcopy(method.state_dict())
    metrics = method.metrics()
    assert list(metrics) == ["mse_after_3", "mse_after_0"]
    method.eval()
    with torch.no_grad():
        for part in batch.split(2):
            method.evaluate(part, metrics)
    errors = []
    for task in range(4):
        network = method.adapt(batch.inputs["support"][task], batch.inputs["support_targets"][task], steps=3)
        errors.append((network(batch.inputs["query"][task]) - batch.targets[task]).square().mean())
    assert metrics["mse_after_3"].compute() == pytest.approx(float(torch.stack(errors).detach().mean()), rel=1e-12)
    plain = (method.model(batch.inputs["query"]) - batch.targets).square().mean()
    assert metrics["mse_after_0"].compute() == pytest.approx(float(plain.detach()), rel=1e-12)
    assert all(torch.equal(before[name], value) for name, value in method.state_dict().items())


def test_weights_of_tasks_are_honored():
    method, batch = built(), tasks()
    weighted = Batch(batch.inputs, batch.targets, weights=torch.tensor([1.0, 0.0, 0.0, 2.0], dtype=torch.float64))
    loss = method.meta_loss(weighted)
    single = [float(method.meta_loss(batch.part(task, task + 1)).total.detach()) for task in range(4)]
    assert float(loss.weight) == 3
    assert float(loss.total.detach()) == pytest.approx(single[0] + 2 * single[3], rel=1e-12)


def test_cut_into_micro_batches_the_meta_update_is_the_same():
    weights = []
    for pieces in (1, 2, 5):
        experiment = Experiment.Config(
            method=MAML.Config(model=SineMlp.Config(hidden=(10,)), task=FewShotRegress.Config(), inner_lr=0.05),
            data=SineTasks.Config(batch=7, twin=True),
            optimizers={"model": SGD.Config(lr=0.01, momentum=0.9)},
            steps=5,
            micro_batches=pieces,
            precision="fp64",
        )
        engine = Engine(Experiment(experiment))
        assert engine.method.undecomposable() == ""
        engine.fit()
        weights.append(nn.utils.parameters_to_vector(engine.method.parameters()).detach())
    assert (weights[0] - weights[1]).abs().max() < 1e-10
    assert (weights[0] - weights[2]).abs().max() < 1e-10


def test_a_short_run_learns_to_adapt():
    experiment = Experiment.Config(
        method=MAML.Config(model=SineMlp.Config(), task=FewShotRegress.Config(), inner_lr=0.05),
        data=SineTasks.Config(twin=True),
        optimizers={"model": Adam.Config(lr=3e-3)},
        steps=150,
        evaluate_every=150,
    )
    engine = Engine(Experiment(experiment))
    before = engine.evaluate("dev")["dev/mse_after_1"]
    engine.fit()
    after = engine.evaluate("dev")
    assert after["dev/mse_after_1"] < 0.7 * before
    assert after["dev/mse_after_1"] < 0.85 * after["dev/mse_after_0"]


def test_running_statistics_are_refused():
    with pytest.raises(UnsupportedError, match=r"keeps 'norm.running_mean'"):
        built(Normed.Config())


def test_config_survives_its_dump():
    config = MAML.Config(model=SINE, task=FewShotRegress.Config(), inner_steps=0, inner_lr=0.3)
    assert MethodConfig.load(config.dump()) == config
