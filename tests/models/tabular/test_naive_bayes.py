import itertools

import numpy as np
import pytest
import torch

from netsmith.core.errors import ConfigError, DataError
from netsmith.models.tabular.naive_bayes import NaiveBayes

FEATURES, CLASSES = 30, 4


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    y = np.concatenate([np.arange(CLASSES), rng.integers(CLASSES, size=196)])
    rates = rng.gamma(0.5, size=(CLASSES, FEATURES))
    x = rng.poisson(rates[y]).astype(np.float64)
    x[:, -1] = 0  # a word nobody uses
    return x, y


def fitted(table, cuts=(0, 200), dtype=torch.float64, **fields):
    x, y = table
    model = NaiveBayes.Config(in_features=FEATURES, num_classes=CLASSES, **fields).build()
    for start, stop in itertools.pairwise(cuts):
        model.absorb(torch.as_tensor(x[start:stop]).to(dtype), torch.as_tensor(y[start:stop]))
    return model


@pytest.mark.parametrize("fit_prior", [True, False])
@pytest.mark.parametrize("alpha", [1.0, 0.01])
@pytest.mark.parametrize("event_model", ["multinomial", "bernoulli"])
def test_it_answers_what_scikit_learn_answers(table, event_model, alpha, fit_prior):
    learners = pytest.importorskip("sklearn.naive_bayes")
    x, y = table
    if event_model == "multinomial":
        theirs = learners.MultinomialNB(alpha=alpha, fit_prior=fit_prior).fit(x, y)
        more = {}
    else:
        theirs = learners.BernoulliNB(alpha=alpha, fit_prior=fit_prior, binarize=1.0).fit(x, y)
        more = {"binarize": 1.0}
    ours = fitted(table, event_model=event_model, alpha=alpha, fit_prior=fit_prior, **more)
    new = np.random.default_rng(1).poisson(1.0, size=(50, FEATURES)).astype(np.float64)
    with torch.no_grad():
        joint = ours(torch.as_tensor(new))
    assert joint.numpy() == pytest.approx(theirs.predict_joint_log_proba(new), abs=1e-10)
    assert joint.softmax(1).numpy() == pytest.approx(theirs.predict_proba(new), abs=1e-10)
    assert ours.feature_count.numpy() == pytest.approx(theirs.feature_count_, abs=0)
    assert ours.class_count.numpy() == pytest.approx(theirs.class_count_, abs=0)


def test_counts_are_the_same_bits_under_any_split_and_in_single_precision(table):
    whole = fitted(table)
    for other in (fitted(table, cuts=(0, 1, 77, 200)), fitted(table, dtype=torch.float32)):
        assert torch.equal(whole.feature_count, other.feature_count)
        assert torch.equal(whole.class_count, other.class_count)
    assert list(whole.parameters()) == []


def test_a_weight_is_a_repetition(table):
    x, y = (torch.as_tensor(part) for part in table)
    times = torch.arange(200) % 3
    weighted = NaiveBayes.Config(in_features=FEATURES, num_classes=CLASSES).build()
    weighted.absorb(x, y, weights=times.double())
    repeated = fitted((x.repeat_interleave(times, 0).numpy(), y.repeat_interleave(times).numpy()), cuts=(0, 199))
    assert torch.equal(weighted.feature_count, repeated.feature_count)


def test_the_ranks_counts_are_summed(table):
    x, y = (torch.as_tensor(part) for part in table)
    model = NaiveBayes.Config(in_features=FEATURES, num_classes=CLASSES).build()

    def double(tensors):
        for tensor in tensors:
            tensor.mul_(2)

    model.absorb(x, y, sum_ranks=double)
    assert torch.equal(model.feature_count, 2 * fitted(table).feature_count)


def test_what_cannot_be_counted_is_refused(table):
    model = NaiveBayes.Config(in_features=2, num_classes=2).build()
    with pytest.raises(DataError, match="not negative"):
        model.absorb(torch.tensor([[1.0, -1.0]]), torch.tensor([0]))
    with pytest.raises(DataError, match=r"one class in 0\.\.1"):
        model.absorb(torch.tensor([[1.0, 1.0]]), torch.tensor([2]))
    with pytest.raises(ConfigError, match="applies to event_model='bernoulli' only"):
        NaiveBayes.Config(in_features=2, num_classes=2, binarize=0.5).build()
    assert model.class_count.sum() == 0
