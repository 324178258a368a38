import math

import pytest
import torch

from netsmith.core.spec import Outputs
from netsmith.tasks.control import Control

TASK = Control.Config().build()


def test_loss_weighs_the_log_probability_of_each_action():
    logits = torch.tensor([[0.2, 0.8], [0.5, 0.5]]).log()
    loss = TASK.loss(logits, torch.tensor([1, 0]), torch.tensor([2.0, -3.0]))
    assert float(loss.total) == pytest.approx(-2 * math.log(0.8) + 3 * math.log(0.5), rel=1e-6)
    plain = TASK.loss(logits, torch.tensor([1, 0]))
    assert float(plain.total) == pytest.approx(-math.log(0.8) - math.log(0.5), rel=1e-6)
    assert plain.weight == 2


def test_policy_gradient_of_a_softmax_is_advantage_times_share_minus_choice():
    logits = torch.tensor([[0.1, 0.4, -0.3]], dtype=torch.float64, requires_grad=True)
    loss = TASK.loss(logits, torch.tensor([2]), torch.tensor([1.7], dtype=torch.float64))
    (gradient,) = torch.autograd.grad(loss.total, logits)
    expected = 1.7 * (logits.detach().softmax(-1) - torch.tensor([[0.0, 0.0, 1.0]]))
    torch.testing.assert_close(gradient, expected.double(), rtol=1e-12, atol=0)


def test_mean_return_counts_episodes():
    metric = TASK.metrics()["mean_return"]
    metric.update(None, {"returns": torch.tensor([10.0, 20.0])})
    other = TASK.metrics()["mean_return"]
    other.update(None, {"returns": torch.tensor([60.0])})
    metric.merge(other)
    assert metric.compute() == 30.0


def test_the_action_is_read_by_name():
    (row,) = TASK.decode(torch.tensor([[0.25, 0.75]]).log(), Outputs(kind="policy", names=("left", "right")))
    assert row["action"] == "right"
    assert row["probabilities"]["left"] == pytest.approx(0.25)
