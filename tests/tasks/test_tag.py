import numpy as np
import pytest
import torch

from netsmith.core.errors import ConfigError, DataError
from netsmith.core.spec import Outputs
from netsmith.engine.task import UNLABELED
from netsmith.tasks.tag import Tag


@pytest.fixture
def answers():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 7, 3, dtype=torch.float64, generator=generator)
    target = torch.randint(3, (4, 7), generator=generator)
    target[torch.rand(4, 7, generator=generator) < 0.4] = UNLABELED
    return logits, target


def entropies(logits, target):
    """The cross entropy of each labeled element, by its definition."""
    p = np.exp(logits.numpy()) / np.exp(logits.numpy()).sum(-1, keepdims=True)
    where = np.argwhere(target.numpy() != UNLABELED)
    return {(b, i): -np.log(p[b, i, target[b, i]]) for b, i in where.tolist()}


def test_the_loss_counts_labels_and_nothing_else(answers):
    logits, target = answers
    total, weight = Tag.Config().build().loss(logits, target)
    own = entropies(logits, target)
    assert total.item() == pytest.approx(sum(own.values()), abs=1e-10)
    assert float(weight) == len(own) < target.numel()
    changed = torch.where((target == UNLABELED)[..., None], logits + 100 * torch.randn_like(logits), logits)
    assert Tag.Config().build().loss(changed, target).total.item() == pytest.approx(total.item(), abs=1e-10)


def test_an_examples_weight_counts_for_each_of_its_labels(answers):
    logits, target = answers
    weights = torch.tensor([0.5, 2.0, 0.0, 1.0], dtype=torch.float64)
    total, weight = Tag.Config().build().loss(logits, target, weights)
    own = entropies(logits, target)
    assert total.item() == pytest.approx(sum(weights[b].item() * value for (b, _), value in own.items()), abs=1e-10)
    assert float(weight) == pytest.approx(sum(weights[b].item() for b, _ in own))


def test_figures_are_exact_in_pieces(answers):
    logits, target = answers
    own = entropies(logits, target)
    whole, parts = Tag.Config().build().metrics(), Tag.Config().build().metrics()
    for name, metric in whole.items():
        metric.update(logits, target)
        for row in range(4):
            parts[name].update(logits[row : row + 1], target[row : row + 1])
        assert parts[name].compute() == pytest.approx(metric.compute(), abs=1e-12)
    right = [int(logits[b, i].argmax() == target[b, i]) for b, i in own]
    assert whole["accuracy"].compute() == pytest.approx(np.mean(right))
    assert whole["loss"].compute() == pytest.approx(np.mean(list(own.values())), abs=1e-10)


def test_a_prediction_names_each_element(answers):
    logits, _ = answers
    found = Tag.Config().build().decode(logits, Outputs(kind="tags", names=("a", "b", "c"), size=3))
    assert found[2]["labels"] == [("a", "b", "c")[index] for index in logits[2].argmax(-1).tolist()]
    assert found[2]["probabilities"] == pytest.approx(logits[2].softmax(-1).amax(-1).tolist())
    with pytest.raises(ConfigError, match="answers 3 classes, the schema names 2"):
        Tag.Config().build().decode(logits, Outputs(kind="tags", names=("a", "b"), size=2))
    with pytest.raises(DataError, match="not finite"):
        Tag.Config().build().decode(logits * torch.nan, Outputs(kind="tags", size=3))


def test_targets_of_another_form_are_refused(answers):
    logits, target = answers
    for answer, wrong in ((logits, target[0]), (logits, target.double()), (logits[0], target[0])):
        with pytest.raises(DataError, match=r"one class \(int64\) per element"):
            Tag.Config().build().loss(answer, wrong)


def test_classes_may_stand_in_the_place_of_channels(answers):
    logits, target = answers
    usual, other = Tag.Config().build(), Tag.Config(classes_first=True).build()
    turned = logits.movedim(-1, 1).contiguous()
    assert other.loss(turned, target).total.item() == usual.loss(logits, target).total.item()
    metrics = usual.metrics(), other.metrics()
    for name, metric in metrics[0].items():
        metric.update(logits, target)
        metrics[1][name].update(turned, target)
        assert metrics[1][name].compute() == metric.compute()
    outputs = Outputs(kind="tags", names=("a", "b", "c"))
    assert other.decode(turned, outputs) == usual.decode(logits, outputs)
