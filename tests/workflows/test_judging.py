"""Judging a split of tags: the classes may stand in the place of channels."""

import pytest
import torch
from torch import nn

from netsmith.api.network import Network
from netsmith.core.errors import DataError
from netsmith.data.digits import Digits
from netsmith.data.few_labels import FewLabels
from netsmith.data.fsdd import Fsdd
from netsmith.engine.task import UNLABELED
from netsmith.tasks.classify import Classify
from netsmith.tasks.tag import Tag
from netsmith.workflows.judging import judge


def test_classes_in_the_place_of_channels_are_judged_as_those_that_stand_last():
    source = Fsdd.Config(twin=True, length=64, target="next_sample", levels=4, evaluation_batch=300).build()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = nn.Conv1d(1, 4, 3, padding=1)
    network = Network(module, source.spec, task=Tag.Config(classes_first=True).build(), name="generator")
    judged = judge(network, source, "test", most=20)
    targets = source.load("test", torch.arange(0, 300, 15)).targets
    output = module(source.raw("test", torch.arange(0, 300, 15))).detach()
    wanted = output.argmax(1)[targets != UNLABELED]
    assert torch.equal(judged.predictions, wanted)
    assert torch.equal(judged.right(output), wanted == targets[targets != UNLABELED])
    assert judged.matrix().sum() == len(judged.targets) == int((targets != UNLABELED).sum())


def test_of_a_split_with_hidden_labels_each_labeled_example_is_judged_once():
    source = FewLabels.Config(data=Digits.Config(twin=True, batch=50), per_class=3, labeled_batch=10).build()
    network = Network(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), source.spec, task=Classify.Config().build())
    judged = judge(network, source, "train")
    kept = source.labeled.sort().values
    assert len(kept) == 30
    assert torch.equal(judged.targets, source.inner.load("train", kept).targets)
    assert torch.equal(judged.raw, source.raw("train", kept))
    assert judged.matrix().sum(1).tolist() == [3] * 10


def test_a_split_without_any_label_is_refused(monkeypatch):
    source = FewLabels.Config(data=Digits.Config(twin=True, batch=50), per_class=3, labeled_batch=10).build()
    network = Network(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), source.spec, task=Classify.Config().build())
    monkeypatch.setattr(source, "_known", torch.zeros_like(source._known))
    with pytest.raises(DataError, match="no example of the split 'train' has a label to judge by"):
        judge(network, source, "train")
