import math

import torch

from netsmith.data.adding_problem import AddingProblem
from netsmith.data.copy_memory import CopyMemory
from netsmith.engine.task import UNLABELED


def batch(source, split, count, key=None):
    return source.load(split, torch.arange(count), key=key)


def test_the_answer_to_the_adding_problem_is_the_sum_of_the_two_marked():
    source = AddingProblem.Config(length=9, evaluation_size=4000).build()
    found = batch(source, "test", 4000)
    numbers, marks = found.inputs.unbind(2)
    assert (marks[:, :4].sum(1) == 1).all()
    assert (marks[:, 4:].sum(1) == 1).all()
    assert torch.allclose(found.targets[:, 0], numbers[marks == 1].view(-1, 2).sum(1))
    assert marks.mean(0).min() > 0.15  # every place is marked now and then
    assert abs(float((found.targets - 1).square().mean()) - 1 / 6) < 0.01


def test_the_symbols_to_copy_stand_at_the_beginning():
    config = CopyMemory.Config(symbols=5, count=3, delay=4, evaluation_size=2000)
    found = batch(config.build(), "test", 2000)
    assert found.inputs.shape == found.targets.shape == (2000, 10)
    assert torch.equal(found.targets[:, -3:], found.inputs[:, :3] - 3)
    assert (found.targets[:, :-3] == UNLABELED).all()
    assert found.inputs[:, 3:].unique(dim=0).tolist() == [[1, 1, 1, 2, 1, 1, 1]]
    shares = torch.bincount(found.targets[:, -3:].flatten(), minlength=5) / 6000
    assert (shares - 0.2).abs().max() < 0.02
    assert config.chance == math.log(5)


def test_training_draws_anew_each_epoch_and_tests_never():
    source = CopyMemory.Config(twin=True).build()
    assert not torch.equal(batch(source, "train", 8, key=1).inputs, batch(source, "train", 8, key=2).inputs)
    assert torch.equal(batch(source, "train", 8, key=1).inputs, batch(source, "train", 8, key=1).inputs)
    assert torch.equal(batch(source, "dev", 8).inputs, batch(source, "dev", 8, key=3).inputs)
    assert [split.size for split in source.spec.splits] == [512, 200, 200]
