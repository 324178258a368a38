"""The support vector machine gives scikit-learn's decision values, votes and answers, from its own arrays."""

import pytest
import torch

from models.foundations.classic_data import CLASSES, FEATURES, blobs, fitted, learned_in_batches
from netsmith.core.errors import ConfigError
from netsmith.models.foundations.svm import Svm

CONFIG = Svm.Config(in_features=FEATURES, num_classes=CLASSES)
NEW, _ = blobs(seed=1, count=400)
KERNELS = {
    "linear": {"strength": 0.5},
    "rbf": {},
    "rbf_narrow": {"gamma": 0.7, "strength": 10.0},
    "poly": {"degree": 2, "constant": 1.0},
}


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("classes", [2, 4])
def test_it_answers_what_scikit_learn_answers(name, classes):
    svc = pytest.importorskip("sklearn.svm").SVC
    fields = {"kernel": name.partition("_")[0], **KERNELS[name]}
    x, y = blobs(classes=classes)
    theirs = svc(
        kernel=fields["kernel"],
        C=fields.get("strength", 1.0),
        gamma=fields.get("gamma", "scale"),
        degree=fields.get("degree", 3),
        coef0=fields.get("constant", 0.0),
        decision_function_shape="ovo",
    ).fit(x, y)
    config = CONFIG.derive(num_classes=classes, **fields)
    ours, new = fitted(config, x, y), torch.as_tensor(NEW)
    values = ours.decision_values(new).numpy()
    wanted = theirs.decision_function(NEW).reshape(len(NEW), -1)
    assert values == pytest.approx(-wanted if classes == 2 else wanted, abs=1e-9)
    assert ours(new).argmax(1).tolist() == theirs.predict(NEW).tolist()
    assert sorted(map(tuple, ours.support.tolist())) == sorted(map(tuple, theirs.support_vectors_.tolist()))
    if classes > 2:
        theirs.decision_function_shape = "ovr"
        ties_broken = fitted(config.derive(break_ties=True), x, y)(new)
        assert ties_broken.numpy() == pytest.approx(theirs.decision_function(NEW), abs=1e-9)


def test_votes_of_four_classes_are_six_and_ties_go_to_the_first():
    machine = fitted(CONFIG, *blobs())
    votes = machine(torch.as_tensor(NEW))
    assert torch.equal(votes.sum(1), torch.full((400,), 6.0).double())
    tied = (votes == votes.amax(1, keepdim=True)).sum(1) > 1
    assert int(tied.sum()) > 0  # else the comparison with scikit-learn's answers would show nothing about ties


def test_the_margin_of_a_separable_pair_is_the_known_one():
    x = torch.zeros(4, FEATURES).double()
    x[:, 0] = torch.tensor([-3.0, -1.0, 1.0, 4.0])
    machine = fitted(CONFIG.derive(kernel="linear", strength=1e6, num_classes=2), x, torch.tensor([0, 0, 1, 1]))
    assert sorted(machine.support[:, 0].tolist()) == [-1, 1]
    assert machine.decision_values(x)[:, 0].tolist() == pytest.approx([3, 1, -1, -4], abs=1e-3)  # of width 2


def test_a_class_without_examples_gets_no_vote():
    x, y = blobs(classes=3)
    votes = fitted(CONFIG, x, y + (y == 2))(torch.as_tensor(NEW))
    assert votes[:, 2].max() == 0
    assert torch.equal(votes.sum(1), torch.full((400,), 3.0).double())


def test_batches_and_a_cut_change_nothing(tmp_path):
    x, y = blobs()
    ours, whole = learned_in_batches(CONFIG, x, y, folder=tmp_path), fitted(CONFIG, x, y)
    assert ours.support.shape == whole.support.shape
    assert torch.equal(ours(torch.as_tensor(NEW)), whole(torch.as_tensor(NEW)))
    assert CONFIG.build()(torch.as_tensor(NEW)).abs().sum() == 0  # before the fit


def test_fields_that_a_kernel_has_not_are_refused():
    with pytest.raises(ConfigError, match=r"gamma=0\.5: the kernel 'linear' has none"):
        CONFIG.derive(kernel="linear", gamma=0.5).build()
    with pytest.raises(ConfigError, match="degree=2: the kernel 'rbf' has none"):
        CONFIG.derive(degree=2).build()
