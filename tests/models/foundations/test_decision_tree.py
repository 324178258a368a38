"""The walk down the tree comes to scikit-learn's leaves, and answers with its shares, exactly."""

import numpy as np
import pytest
import torch

from models.foundations.classic_data import CLASSES, FEATURES, blobs, fitted, learned_in_batches
from netsmith.models.foundations.decision_tree import DecisionTree

CONFIG = DecisionTree.Config(in_features=FEATURES, num_classes=CLASSES)
NEW, _ = blobs(seed=1, count=500)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "fields", [{}, {"impurity": "entropy"}, {"max_depth": 3}, {"min_leaf": 7}, {"pruning": 0.01, "seed": 3}]
)
def test_it_answers_what_scikit_learn_answers(fields, dtype):
    x, y = blobs()
    theirs = pytest.importorskip("sklearn.tree").DecisionTreeClassifier(
        criterion=fields.get("impurity", "gini"),
        max_depth=fields.get("max_depth"),
        min_samples_leaf=fields.get("min_leaf", 1),
        ccp_alpha=fields.get("pruning", 0.0),
        random_state=fields.get("seed", 0),
    )
    theirs.fit(x.astype(dtype), y)
    ours, new = fitted(CONFIG.derive(**fields), x.astype(dtype), y), NEW.astype(dtype)
    leaves = ours.apply_tree(torch.as_tensor(new))
    assert leaves.tolist() == theirs.apply(new).tolist()
    assert np.array_equal(ours.shares[leaves].numpy(), theirs.predict_proba(new))
    answer = ours(torch.as_tensor(new))
    assert answer.softmax(1).numpy() == pytest.approx(theirs.predict_proba(new), abs=1e-15)
    assert answer.argmax(1).tolist() == theirs.predict(new).tolist()
    assert len(ours.level_sizes) == theirs.get_depth() + 1
    assert int(ours.level_sizes.sum()) == theirs.tree_.node_count


def test_features_on_the_threshold_go_left_and_single_precision_decides():
    x, y = np.array([[0.0], [1.0], [2.0]]), np.array([0, 0, 1])
    tree = fitted(CONFIG.derive(in_features=1), x, y)
    assert tree.threshold.tolist()[0] == 1.5
    edge = torch.tensor([1.5, 1.5 + 1e-9, 1.5 + 1e-6]).double()[:, None]
    assert tree(edge).argmax(1).tolist() == [0, 0, 1]


def test_one_class_is_a_lone_leaf_and_the_losses_are_numbers():
    x, y = blobs()
    tree = fitted(CONFIG, x, 0 * y + 2)
    assert tree.level_sizes.tolist() == [1]
    answer = tree(torch.as_tensor(NEW))
    assert answer.softmax(1)[:, 2].min() == 1
    assert answer.isfinite().all()


def test_weights_are_repetitions():
    x, y = blobs()
    times = torch.arange(120) % 3
    weighted, repeated = fitted(CONFIG, x, y, weights=times), fitted(CONFIG, x.repeat(times, 0), y.repeat(times, 0))
    assert torch.equal(weighted(torch.as_tensor(NEW)), repeated(torch.as_tensor(NEW)))


def test_batches_and_a_cut_change_nothing_and_a_state_dict_comes_back(tmp_path):
    x, y = blobs()
    ours, whole = learned_in_batches(CONFIG, x, y, folder=tmp_path), fitted(CONFIG, x, y)
    again = CONFIG.build()
    again.load_state_dict(whole.state_dict())
    for tree in (ours, again):
        assert torch.equal(tree.threshold, whole.threshold)
        assert torch.equal(tree(torch.as_tensor(NEW)), whole(torch.as_tensor(NEW)))
