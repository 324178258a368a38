"""The vote of the nearest neighbors is scikit-learn's, ties among votes included; and the file holds it."""

import numpy as np
import pytest
import torch

from models.foundations.classic_data import CLASSES, FEATURES, blobs, fitted, learned_in_batches
from netsmith.core.errors import ConfigError, UnsupportedError
from netsmith.export.onnx import export_onnx
from netsmith.models.foundations import k_nearest_neighbors
from netsmith.models.foundations.k_nearest_neighbors import KNearestNeighbors

CONFIG = KNearestNeighbors.Config(in_features=FEATURES, num_classes=CLASSES)
NEW, _ = blobs(seed=1, count=500)


@pytest.mark.parametrize("k", [1, 2, 4, 5, 30])
def test_it_answers_what_scikit_learn_answers(k):
    x, y = blobs()
    x, new = x.astype(np.float32), NEW.astype(np.float32)
    theirs = pytest.importorskip("sklearn.neighbors").KNeighborsClassifier(k, algorithm="brute").fit(x, y)
    answer = fitted(CONFIG.derive(neighbors=k), x, y)(torch.as_tensor(new))
    assert answer.softmax(1).numpy() == pytest.approx(theirs.predict_proba(new), abs=1e-12)
    assert answer.argmax(1).tolist() == theirs.predict(new).tolist()
    if k in (2, 4):
        shares = theirs.predict_proba(new)
        assert ((shares == shares.max(1, keepdims=True)).sum(1) > 1).any()  # votes were tied


def test_of_equally_distant_examples_the_first_are_neighbors():
    x = np.zeros((6, FEATURES), dtype=np.float32)
    x[:, 0] = [2, -2, 2, -2, 1, 2]
    y = np.array([3, 2, 2, 1, 0, 1])
    at_zero = torch.zeros(1, FEATURES)
    for k, chosen in ((1, [0]), (2, [0, 3]), (3, [0, 3, 2]), (4, [0, 3, 2, 2]), (6, [0, 3, 2, 2, 1, 1])):
        wanted = np.bincount(chosen, minlength=CLASSES) / len(chosen)
        answer = fitted(CONFIG.derive(neighbors=k), x, y)(at_zero).softmax(1)[0]
        assert answer.numpy() == pytest.approx(wanted, abs=1e-12)


def test_more_neighbors_than_examples_are_refused():
    x, y = blobs(count=8)
    with pytest.raises(ConfigError) as caught:
        fitted(CONFIG.derive(neighbors=9), x, y)
    assert str(caught.value) == "neighbors=9, and there are 8 training examples; set neighbors to at most 8"
    hidden = torch.ones(8)
    hidden[0] = 0
    with pytest.raises(ConfigError, match="neighbors=8, and there are 7 "):
        CONFIG.derive(neighbors=8).build().fit(torch.as_tensor(x), torch.as_tensor(y), weights=hidden)


def test_pieces_of_a_batch_give_the_same_answer(monkeypatch):
    model, new = fitted(CONFIG, *blobs()), torch.as_tensor(NEW).float()
    whole = model(new)
    monkeypatch.setattr(k_nearest_neighbors, "_AT_ONCE", 700)
    assert torch.equal(model(new), whole)


def test_batches_and_a_cut_change_nothing(tmp_path):
    x, y = blobs()
    ours, whole = learned_in_batches(CONFIG, x, y, folder=tmp_path), fitted(CONFIG, x, y)
    assert ours.examples.shape == (120, FEATURES)
    assert torch.equal(ours(torch.as_tensor(NEW)), whole(torch.as_tensor(NEW)))


def test_weights_leave_examples_out():
    x, y = blobs()
    kept = torch.arange(120) % 2
    model = fitted(CONFIG, x, y, weights=kept)
    assert torch.equal(model.labels, torch.as_tensor(y)[kept == 1])
    with pytest.raises(UnsupportedError, match="weights must be 0 or 1"):
        fitted(CONFIG, x, y, weights=kept / 2)


def test_its_file_takes_batches_of_any_size(tmp_path):
    model = fitted(CONFIG, *blobs())
    report = export_onnx(model, torch.as_tensor(NEW[:3]).float(), tmp_path / "m.onnx", exporter="torchscript")
    assert report.dynamic_batch
    assert report.error < 1e-6
