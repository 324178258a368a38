"""Judging a split of tags: the classes may stand in the place of channels."""

import torch
from torch import nn

from netsmith.api.network import Network
from netsmith.data.fsdd import Fsdd
from netsmith.engine.task import UNLABELED
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
