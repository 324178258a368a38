"""Network slimming: its gradient by hand, and what it is for."""

import copy

import pytest
import torch
from torch import nn

from netsmith.compress.prune import prune
from netsmith.core.errors import ConfigError
from netsmith.core.spec import Inputs, Outputs, Spec
from netsmith.engine.batch import Batch
from netsmith.methods.slimming import Slimming
from netsmith.methods.supervised import Supervised
from netsmith.models.tabular.mlp import MLP
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.tasks.classify import Classify

SPEC = Spec(
    dataset="t", inputs=Inputs(kind="image", shape=(1, 8, 8)), outputs=Outputs(kind="classes", names=("a", "b"))
)
MODEL = SmallCNN.Config(channels=(6, 8), depth=1, in_channels=1, num_classes=2)


def made(sparsity):
    torch.manual_seed(0)
    method = Slimming.Config(model=MODEL, task=Classify.Config(), sparsity=sparsity).build(spec=SPEC)
    return method.double().eval()


def gradients(method, batches):
    """As the engine does: totals of all parts over the weight of all."""
    losses = [method._loss(batch) for batch in batches]
    total, weight = sum(loss.total for loss in losses), sum(loss.weight for loss in losses)
    return dict(
        zip(
            dict(method.named_parameters()), torch.autograd.grad(total / weight, list(method.parameters())), strict=True
        )
    )


def test_the_gradient_is_the_supervised_one_plus_lambda_times_the_sign():
    x, y = torch.randn(10, 1, 8, 8, dtype=torch.float64), torch.randint(0, 2, (10,))
    method = made(0.03)
    with torch.no_grad():
        for part in method.model.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.weight.copy_(torch.linspace(-1, 1, len(part.weight)))
                part.weight[0] = 0
    plain = copy.deepcopy(method)
    plain.config = plain.config.derive(sparsity=0.0)
    expected = gradients(plain, [Batch(x, y)])
    scales = [f"model.{n}.weight" for n, m in method.model.named_modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(scales) == 2
    for name in scales:
        expected[name] = expected[name] + 0.03 * dict(method.named_parameters())[name].detach().sign()
    for batches in ([Batch(x, y)], [Batch(x[:3], y[:3]), Batch(x[3:], y[3:])]):
        got = gradients(method, batches)
        for name, gradient in expected.items():
            torch.testing.assert_close(got[name], gradient, rtol=0, atol=1e-14)


def test_scales_go_to_zero_and_their_channels_cost_nothing():
    method = made(0.2).train()
    generator = torch.Generator().manual_seed(1)
    optimizer = torch.optim.SGD(method.parameters(), lr=0.1)
    for _ in range(150):
        y = torch.randint(0, 2, (32,), generator=generator)
        x = torch.randn(32, 1, 8, 8, generator=generator, dtype=torch.float64) * 0.1 + y[:, None, None, None]
        optimizer.zero_grad()
        loss = method._loss(Batch(x, y))
        loss.total.div(loss.weight).backward()
        optimizer.step()
    method.eval()
    scales = torch.cat([m.weight.detach().abs() for m in method.model.modules() if isinstance(m, nn.BatchNorm2d)])
    assert int((scales < 0.03).sum()) >= 5
    small, log = prune(method.model, torch.zeros(2, 1, 8, 8, dtype=torch.float64), ratio=0.3, criterion="bn_scale")
    assert log.proof[0]["error"] <= 1e-12
    assert (small(x).argmax(1) == method.model(x).argmax(1)).all()


def test_a_model_without_batch_normalization_is_refused():
    spec = Spec(dataset="t", inputs=Inputs(kind="table", shape=(2,)), outputs=Outputs(kind="classes", names=("a", "b")))
    config = Slimming.Config(model=MLP.Config(in_features=2, num_outputs=2), task=Classify.Config())
    with pytest.raises(ConfigError, match="mlp has none; take the method supervised"):
        config.build(spec=spec)
    assert isinstance(config, Supervised.Config)
