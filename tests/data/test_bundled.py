"""Iris and breast cancer: the rows of scikit-learn, normalized by the training part, and figures equal to its own."""

import numpy as np
import pytest
import torch

import netsmith
from netsmith.core.errors import ConfigError
from netsmith.data.breast_cancer import BreastCancer
from netsmith.data.iris import Iris

datasets = pytest.importorskip("sklearn.datasets")
linear = pytest.importorskip("sklearn.linear_model")
preprocessing = pytest.importorskip("sklearn.preprocessing")


def whole(source, split):
    return source.load(split, torch.arange(source.spec.split(split).size))


@pytest.mark.parametrize(
    ("config", "load", "sizes"),
    [
        (Iris.Config(), datasets.load_iris, (105, 15, 30)),
        (BreastCancer.Config(), datasets.load_breast_cancer, (399, 57, 113)),
    ],
)
def test_the_rows_are_scikit_learns_each_in_one_split_and_normalized_by_the_training_part(config, load, sizes):
    source, known = config.build(), load()
    splits = ("train", "dev", "test")
    assert tuple(source.spec.split(name).size for name in splits) == sizes
    raw = {name: source.raw(name, torch.arange(source.spec.split(name).size)).numpy() for name in splits}
    targets = np.concatenate([whole(source, name).targets for name in splits])
    rows = np.concatenate(list(raw.values()))
    ours = sorted((*row, label) for row, label in zip(rows.tolist(), targets.tolist(), strict=True))
    theirs = sorted(
        (*row, label) for row, label in zip(known.data.astype(np.float32).tolist(), known.target.tolist(), strict=True)
    )
    assert ours == theirs
    assert source.spec.outputs.names == tuple(known.target_names)
    forms = {"mean", "error", "worst", "(cm)"}
    words = [set(name.split()) - forms for name in known.feature_names]
    assert [set(column.split("_")) - forms for column in source.spec.inputs.columns] == words
    scaler = preprocessing.StandardScaler().fit(raw["train"].astype(np.float64))
    for name in splits:
        assert whole(source, name).inputs.numpy() == pytest.approx(scaler.transform(raw[name]), abs=1e-5)


def test_one_species_stands_against_the_rest():
    every, two = Iris.Config().build(), Iris.Config(against_rest="versicolor").build()
    assert two.spec.outputs.names == ("rest", "versicolor")

    def labeled(source):
        rows = source.raw("train", torch.arange(105)).tolist()
        return dict(zip(map(tuple, rows), whole(source, "train").targets.tolist(), strict=True))

    flowers, found = labeled(every), labeled(two)
    seen = [(flowers[row], found[row]) for row in flowers.keys() & found.keys()]
    assert len(seen) > 50
    assert all((species == 1) == (label == 1) for species, label in seen)
    with pytest.raises(ConfigError, match="against_rest"):
        Iris.Config(against_rest="rose")


@pytest.mark.parametrize("config", [Iris.Config(twin=True), BreastCancer.Config(twin=True)])
def test_a_linear_model_finds_part_of_the_twin(config):
    source = config.build()
    train, test = whole(source, "train"), whole(source, "test")
    fitted = linear.LogisticRegression().fit(train.inputs.numpy(), train.targets.numpy())
    chance = np.bincount(train.targets).max() / len(train.targets)
    assert chance + 0.05 < fitted.score(test.inputs.numpy(), test.targets.numpy()) < 0.9
    assert np.bincount(np.concatenate([whole(source, name).targets for name in source.splits()])).tolist() == (
        [50, 50, 50] if isinstance(config, Iris.Config) else [212, 357]
    )


def test_the_regressions_answers_are_scikit_learns_row_by_row(tmp_path):
    run = netsmith.train("logistic_breast_cancer", root=tmp_path, notice=lambda text: None)
    source = run.engine.source
    train, test = whole(source, "train"), whole(source, "test")
    theirs = linear.LogisticRegression(C=1.0, max_iter=1000).fit(train.inputs.double().numpy(), train.targets.numpy())
    raw = source.raw("test", torch.arange(113))
    ours = run.network(raw).softmax(1).numpy()
    assert ours == pytest.approx(theirs.predict_proba(test.inputs.double().numpy()), abs=1e-4)
    assert run.figures()["test/accuracy"] == theirs.score(test.inputs.double().numpy(), test.targets.numpy())


def test_adaline_has_arrived_at_least_squares_and_the_perceptron_at_no_mistake(tmp_path):
    run = netsmith.train("adaline_iris", root=tmp_path, notice=lambda text: None)
    train = whole(run.engine.source, "train")
    x = np.c_[train.inputs.double().numpy(), np.ones(105)]
    wanted, *_ = np.linalg.lstsq(x, 2 * np.eye(3)[train.targets.numpy()] - 1, rcond=None)
    model = run.network.module
    assert np.c_[model.weight.numpy(), model.bias.numpy()] == pytest.approx(wanted.T, abs=1e-6)
    found = netsmith.train("perceptron_iris", sets={"epochs": 6}, root=tmp_path, notice=lambda text: None)
    before = netsmith.train("perceptron_iris", root=tmp_path, notice=lambda text: None)
    assert int(before.network.module.mistakes) == int(found.network.module.mistakes)  # the sixth pass made none
