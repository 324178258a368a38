import torch

from netsmith.core.spec import Outputs
from netsmith.tasks.few_shot_regress import FewShotRegress

TASK = FewShotRegress.Config().build()
OUTPUT = torch.tensor([[[1.0], [2.0]], [[0.0], [0.0]]])
TARGET = torch.tensor([[[1.0], [4.0]], [[3.0], [1.0]]])


def test_loss_is_the_sum_over_tasks_of_mean_squared_errors():
    loss = TASK.loss(OUTPUT, TARGET)
    assert (float(loss.total), loss.weight) == (2.0 + 5.0, 2.0)
    weighted = TASK.loss(OUTPUT, TARGET, torch.tensor([0.0, 3.0]))
    assert (float(weighted.total), float(weighted.weight)) == (15.0, 3.0)


def test_metric_is_the_mean_over_tasks_under_any_cut():
    whole, cut = TASK.metrics()["mse"], TASK.metrics()["mse"]
    whole.update(OUTPUT, TARGET)
    cut.update(OUTPUT[:1], TARGET[:1])
    other = TASK.metrics()["mse"]
    other.update(OUTPUT[1:], TARGET[1:])
    cut.merge(other)
    assert whole.compute() == cut.compute() == 3.5
    assert not whole.higher_is_better


def test_values_are_read_by_name():
    assert TASK.decode(torch.tensor([[0.5], [1.5]]), Outputs(kind="values", names=("y",))) == [{"y": 0.5}, {"y": 1.5}]
