"""Logistic regression gives scikit-learn's probabilities, from its own arrays."""

import pytest
import torch

from models.foundations.classic_data import CLASSES, FEATURES, blobs, fitted, learned_in_batches
from netsmith.core.errors import DataError
from netsmith.models.foundations.logistic_regression import LogisticRegression

CONFIG = LogisticRegression.Config(in_features=FEATURES, num_classes=CLASSES)
NEW, _ = blobs(seed=1, count=50)


@pytest.mark.parametrize("strength", [1.0, 0.01])
@pytest.mark.parametrize("classes", [2, 4])
def test_it_answers_what_scikit_learn_answers(classes, strength):
    x, y = blobs(classes=classes)
    theirs = pytest.importorskip("sklearn.linear_model").LogisticRegression(C=strength, max_iter=1000).fit(x, y)
    ours = fitted(CONFIG.derive(num_classes=classes, strength=strength), x, y)
    answer = ours(torch.as_tensor(NEW)).softmax(1)
    assert answer.numpy() == pytest.approx(theirs.predict_proba(NEW), abs=1e-12)
    assert answer.argmax(1).tolist() == theirs.predict(NEW).tolist()


def test_the_gradient_of_the_penalized_loss_vanishes_at_the_fit():
    x, y = (torch.as_tensor(part) for part in blobs())
    model = fitted(CONFIG.derive(tolerance=1e-8), x, y)
    weight, bias = model.weight.clone().requires_grad_(), model.bias.clone().requires_grad_()
    loss = torch.nn.functional.cross_entropy(x @ weight.T + bias, y, reduction="sum") + weight.square().sum() / 2
    for gradient in torch.autograd.grad(loss, (weight, bias)):
        assert gradient.abs().max() < 1e-4


def test_a_class_without_examples_is_never_the_answer():
    x, y = blobs(classes=3)
    y = y + (y == 2)  # classes 0, 1 and 3
    answer = fitted(CONFIG, x, y)(torch.as_tensor(NEW)).softmax(1)
    assert answer[:, 2].max() == 0
    two = fitted(CONFIG, x[y < 2], 3 * y[y < 2])(torch.as_tensor(NEW)).softmax(1)
    assert two[:, 1:3].max() == 0
    assert set(two.argmax(1).tolist()) == {0, 3}


def test_weights_are_repetitions():
    x, y = blobs()
    times = torch.arange(120) % 3
    weighted = fitted(CONFIG.derive(tolerance=1e-8), x, y, weights=times)
    repeated = fitted(CONFIG.derive(tolerance=1e-8), x.repeat(times, 0), y.repeat(times, 0))
    assert weighted.weight.numpy() == pytest.approx(repeated.weight.numpy(), abs=1e-5)


def test_batches_and_a_cut_change_nothing(tmp_path):
    x, y = blobs()
    assert torch.equal(learned_in_batches(CONFIG, x, y, folder=tmp_path).weight, fitted(CONFIG, x, y).weight)


def test_what_cannot_be_fitted_is_refused():
    x, y = blobs()
    with pytest.raises(DataError, match="did not arrive in iterations=1;"):
        fitted(CONFIG.derive(iterations=1), x, y)
    with pytest.raises(DataError, match="all 120 examples are of 1 class; expected examples of at least 2"):
        fitted(CONFIG, x, 0 * y)
    with pytest.raises(DataError, match=r"one class in 0\.\.3 per example"):
        fitted(CONFIG, x, y + 1)
    with pytest.raises(DataError, match="5 numbers that are not finite"):
        fitted(CONFIG, _spoiled(x), y)


def _spoiled(x):
    x = x.copy()
    x[3] = float("nan")
    return x
