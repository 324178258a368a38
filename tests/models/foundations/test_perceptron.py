import numpy as np
import pytest
import torch

from netsmith.core.errors import DataError
from netsmith.engine.batch import Batch
from netsmith.models.foundations.perceptron import Perceptron


def learned(x, y, *, passes, rate=1.0, cuts=1, weights=None, **fields):
    model = Perceptron.Config(in_features=x.shape[1], num_classes=int(y.max()) + 1, **fields).build()
    batch = Batch(torch.as_tensor(x), torch.as_tensor(y), weights=None if weights is None else torch.as_tensor(weights))
    logs = [model.learn(piece, rate=rate) for _ in range(passes) for piece in batch.split(cuts)]
    return model, logs


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("classes", [2, 3])
def test_it_is_scikit_learns_after_as_many_passes_in_the_same_order(classes, bias):
    linear = pytest.importorskip("sklearn.linear_model")
    x, y = pytest.importorskip("sklearn.datasets").load_iris(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order], np.minimum(y[order], classes - 1)
    weights = np.random.default_rng(1).uniform(0.5, 2.0, len(x))
    for rate, given in ((1.0, None), (0.3, weights)):
        theirs = linear.Perceptron(shuffle=False, tol=None, max_iter=5, eta0=rate, fit_intercept=bias)
        theirs.fit(x, y, sample_weight=given)
        ours, _ = learned(x, y, passes=5, cuts=4, rate=rate, weights=given, bias=bias)
        assert ours.weight.numpy() == pytest.approx(theirs.coef_, abs=1e-12)
        assert ours.bias.numpy() == pytest.approx(theirs.intercept_, abs=1e-12)
        assert (ours(torch.as_tensor(x)).argmax(1).numpy() == theirs.predict(x)).all()


def test_on_whole_numbers_it_is_scikit_learns_to_the_bit():
    linear = pytest.importorskip("sklearn.linear_model")
    x, y = pytest.importorskip("sklearn.datasets").load_digits(return_X_y=True)
    x, y = x[:300], y[:300]
    theirs = linear.Perceptron(shuffle=False, tol=None, max_iter=3).fit(x, y)
    ours, _ = learned(x, y, passes=3)
    assert np.array_equal(ours.weight.numpy(), theirs.coef_)
    assert np.array_equal(ours.bias.numpy(), theirs.intercept_)


def test_mistakes_and_loss_are_those_of_the_rule_step_by_step():
    x = torch.tensor([[1.0, 2.0], [2.0, 1.0], [-1.0, 1.0]], dtype=torch.float64)
    model, (logs,) = learned(x.numpy(), np.array([1, 0, 1]), passes=1)
    # w 0: wrong, +(1, 2, 1). (2, 1): 5 as class 0: wrong, -(2, 1, 1). (-1, 1): 1 + 1 + 0 = 2: right.
    assert (model.weight.tolist(), model.bias.tolist(), model.mistakes.tolist()) == ([[-1.0, 1.0]], [0.0], [2])
    assert logs == {"mistakes": 2.0, "loss": pytest.approx(5 / 3)}


def test_from_zero_the_rate_only_scales():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 4)), rng.integers(3, size=50)
    one, _ = learned(x, y, passes=2)
    half, _ = learned(x, y, passes=2, rate=0.5)
    assert half.weight.numpy() == pytest.approx(one.weight.numpy() / 2, abs=1e-12)
    assert torch.equal(half.mistakes, one.mistakes)


def test_targets_that_are_no_classes_are_refused():
    model = Perceptron.Config(in_features=2, num_classes=3).build()
    for targets in (torch.tensor([3]), torch.tensor([0.5]), torch.tensor([[0]])):
        with pytest.raises(DataError, match=r"one class in 0\.\.2 per example"):
            model.learn(Batch(torch.zeros(1, 2), targets), rate=1.0)
