"""Frames: the loss by its definition, which names can stand where, figures in pieces, what a person reads, refusals."""

import math

import pytest
import torch

from netsmith.core.errors import ConfigError, DataError
from netsmith.core.spec import Outputs
from netsmith.engine.task import UNLABELED
from netsmith.tasks.frame import Frame

NAMES = ("B-to", "I-to", "O", "fare", "flight")
TARGET = torch.tensor([[4, 2, 0, 1], [3, 0, UNLABELED, UNLABELED], [4, 2, 2, UNLABELED]])


@pytest.fixture
def logits():
    return torch.randn(3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def task(**fields):
    return Frame.Config(tags=NAMES, **fields).build()


def own_loss(logits, target, weight=1.0):
    """The cross entropies by their definition, over what can stand at each place."""
    total = 0.0
    for row, of in enumerate(target.tolist()):
        for place, name in enumerate(of):
            if name == UNLABELED:
                continue
            allowed = (3, 4) if place == 0 else (0, 1, 2)
            scores = logits[row, place].tolist()
            lost = math.log(sum(math.exp(scores[one]) for one in allowed)) - scores[name]
            total += lost * (weight if place == 0 else 1.0)
    return total


def test_the_loss_is_two_cross_entropies_over_what_can_stand_there(logits):
    total, weight = task().loss(logits, TARGET)
    assert total.item() == pytest.approx(own_loss(logits, TARGET), abs=1e-12)
    assert float(weight) == 3
    total, _ = task(intent_weight=2.5).loss(logits, TARGET)
    assert total.item() == pytest.approx(own_loss(logits, TARGET, 2.5), abs=1e-12)
    shares = torch.tensor([0.5, 0.0, 2.0], dtype=torch.float64)
    total, weight = task().loss(logits, TARGET, shares)
    each = [own_loss(logits[row : row + 1], TARGET[row : row + 1]) for row in range(3)]
    assert total.item() == pytest.approx(0.5 * each[0] + 2 * each[2], abs=1e-12)
    assert float(weight) == 2.5


def test_figures_are_of_whole_intents_whole_slots_and_whole_frames():
    found = torch.tensor([[4, 2, 0, 1], [4, 0, 0, 0], [4, 2, 0, 0]])  # wrong: the second's intent, the third's slot
    output = 9.0 * torch.nn.functional.one_hot(found, 5).double()
    output[:, 0, :3] = 99.0  # tags at the intent's place, and intents at words' places, are no answers
    output[:, 1:, 3:] = 99.0
    whole, parts = task().metrics(), task().metrics()
    for name, metric in whole.items():
        metric.update(output, TARGET)
        for row in range(3):
            parts[name].update(output[row : row + 1], TARGET[row : row + 1])
        assert parts[name].compute() == pytest.approx(metric.compute(), abs=1e-12)
    assert whole["intent_accuracy"].compute() == pytest.approx(2 / 3)
    assert whole["frame_accuracy"].compute() == pytest.approx(1 / 3)
    assert whole["f1"].compute() == pytest.approx(2 * 2 / (3 + 2))  # places without a label count nowhere
    assert list(whole) == ["f1", "intent_accuracy", "frame_accuracy", "loss"]
    assert whole["loss"].compute() == pytest.approx(own_loss(output, TARGET) / 3, abs=1e-12)


def test_of_two_intents_at_once_one_may_be_enough():
    """Names: flight, fare, both, neither's; answered is always flight, then both."""
    names = ("O", "B-to", "flight", "fare", "flight#fare", "meal")
    target = torch.tensor([[intent, 0] for intent in (2, 3, 4, 5)])
    for answered, one, whole in ((2, 2 / 4, 1 / 4), (4, 3 / 4, 1 / 4)):
        output = torch.zeros(4, 2, 6)
        output[:, 0, answered] = output[:, 1, 0] = 5.0
        figures = {}
        for separator in ("#", ""):
            metrics = Frame.Config(tags=names, separator=separator).build().metrics()
            for metric in metrics.values():
                metric.update(output, target)
            figures[separator] = {name: metric.compute() for name, metric in metrics.items()}
        assert figures["#"]["one_intent"] == pytest.approx(one)
        assert figures["#"]["intent_accuracy"] == figures[""]["intent_accuracy"] == pytest.approx(whole)
        assert "one_intent" not in figures[""]
    assert "one_intent" not in task().metrics()


def test_a_person_reads_the_intent_and_the_slots(logits):
    logits[0] = 0.0
    for place, name in enumerate((4, 2, 0, 1)):
        logits[0, place, name] = 2.0
    first = task().decode(logits, Outputs(kind="tags", names=NAMES, size=5))[0]
    assert first["intent"] == "flight"
    assert first["intent_probability"] == pytest.approx(1 / (1 + math.exp(-2)))
    assert first["labels"] == ["O", "B-to", "I-to"]
    assert first["probabilities"] == pytest.approx([1 / (1 + 2 * math.exp(-2))] * 3)
    assert first["spans"] == [{"kind": "to", "start": 1, "end": 3}]


def test_names_and_targets_that_are_no_frame_are_refused(logits):
    for names in (NAMES[:3], NAMES[3:]):
        with pytest.raises(ConfigError, match="needs names that are tags of iob2 and names that are not"):
            Frame.Config(tags=names).build()
    for target in (TARGET[:, :3], TARGET.double()):
        with pytest.raises(DataError, match="expected an intent and a tag"):
            task().loss(logits, target)
    for place, name in ((0, UNLABELED), (0, 2), (1, 4)):
        wrong = TARGET.clone()
        wrong[0, place] = name
        with pytest.raises(DataError, match="expected an intent as the first target"):
            task().loss(logits, wrong)
    with pytest.raises(DataError, match="the intent's first"):
        task().loss(logits[..., :4], TARGET)
