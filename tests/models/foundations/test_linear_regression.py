"""Least squares by normal equations: scikit-learn's answers, whatever the batches."""

import numpy as np
import pytest
import torch

from netsmith.core.errors import ConfigError, DataError
from netsmith.models.foundations.linear_regression import LinearRegression, monomials

RNG = np.random.default_rng(0)
X = RNG.uniform(-1, 1, size=(60, 3))
Y = np.stack([X @ [1.0, -2.0, 0.5] + 3 + 0.1 * RNG.normal(size=60), X[:, 0] * X[:, 1]], 1)
NEW = RNG.uniform(-1, 1, size=(20, 3))


def fitted(x=X, y=Y, pieces=1, **fields):
    model = LinearRegression.Config(in_features=x.shape[1], num_outputs=y.shape[1], **fields).build()
    for a, b in zip(np.array_split(x, pieces), np.array_split(y, pieces), strict=True):
        model.absorb(torch.as_tensor(a), torch.as_tensor(b))
    return model


@pytest.mark.parametrize("degree", [1, 2, 4])
@pytest.mark.parametrize("ridge", [0.0, 0.7])
def test_it_answers_what_scikit_learn_answers(degree, ridge):
    linear_model = pytest.importorskip("sklearn.linear_model")
    expand = pytest.importorskip("sklearn.preprocessing").PolynomialFeatures(degree, include_bias=False)
    theirs = linear_model.Ridge(alpha=ridge) if ridge else linear_model.LinearRegression()
    theirs.fit(expand.fit_transform(X), Y)
    ours = fitted(degree=degree, ridge=ridge)
    assert ours.features(torch.as_tensor(NEW)).numpy() == pytest.approx(expand.transform(NEW), abs=1e-14)
    assert ours(torch.as_tensor(NEW)).numpy() == pytest.approx(theirs.predict(expand.transform(NEW)), abs=1e-8)


def test_batches_ranks_and_weights_add_up():
    whole, pieces = fitted(degree=2), fitted(degree=2, pieces=7)
    assert pieces.weight.numpy() == pytest.approx(whole.weight.numpy(), abs=1e-11)
    times = torch.arange(60) % 3
    weighted = LinearRegression.Config(in_features=3, num_outputs=2).build()
    weighted.absorb(torch.as_tensor(X), torch.as_tensor(Y), weights=times)
    repeated = fitted(X.repeat(times, 0), Y.repeat(times, 0))
    assert weighted.weight.numpy() == pytest.approx(repeated.weight.numpy(), abs=1e-11)
    sums = []
    half = LinearRegression.Config(in_features=3, num_outputs=2).build()
    half.absorb(torch.as_tensor(X[30:]), torch.as_tensor(Y[30:]), sum_ranks=sums.extend)
    other = [part.clone() for part in sums]
    one = LinearRegression.Config(in_features=3, num_outputs=2).build()
    one.absorb(
        torch.as_tensor(X[:30]),
        torch.as_tensor(Y[:30]),
        sum_ranks=lambda parts: [part.add_(more) for part, more in zip(parts, other, strict=True)],
    )
    assert one.weight.numpy() == pytest.approx(fitted().weight.numpy(), abs=1e-11)


def test_of_columns_that_depend_on_each_other_the_smallest_solution_is_taken():
    linear_model = pytest.importorskip("sklearn.linear_model")
    twice = np.hstack([X, X[:, :1], np.ones((60, 1))])
    ours, theirs = fitted(twice), linear_model.LinearRegression().fit(twice, Y)
    assert pytest.approx(theirs.coef_, abs=1e-9) == ours.weight.numpy().T
    assert ours.bias.numpy() == pytest.approx(theirs.intercept_, abs=1e-9)


def test_what_cannot_be_solved_is_refused():
    assert len(monomials(3, degree=4)) == 34
    with pytest.raises(ConfigError, match="784 features to degree 2 are 308504 monomials"):
        LinearRegression.Config(in_features=784, num_outputs=1, degree=2).build()
    with pytest.raises(DataError, match="expected 1 values per example, got 2"):
        LinearRegression.Config(in_features=3, num_outputs=1).build().absorb(torch.as_tensor(X), torch.as_tensor(Y))
    with pytest.raises(DataError, match="must be finite"):
        fitted(np.full((2, 3), 1e200), Y[:2], degree=2)
