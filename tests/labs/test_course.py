"""Labs of courses: networks taken apart, deep ones beside shallow ones."""

import itertools
import math
from statistics import mean, stdev

import numpy as np
import pytest
import torch
from sklearn.svm import SVC

from netsmith.data.class_subset import ClassSubset
from netsmith.data.digits import Digits
from netsmith.labs.course.cnn_ablation import CnnAblation
from netsmith.labs.foundations.data_size import DataSize
from netsmith.labs.foundations.deep_and_shallow import (
    DeepAndShallow,
    deep_sawtooth,
    parity_of_sums,
    parity_of_terms,
    parity_tree,
    pieces,
    shallow_sawtooth,
)


@pytest.mark.parametrize("layers", [1, 2, 3, 7])
def test_a_sawtooth_is_the_distance_to_the_nearest_even_number(layers):
    x = np.arange(2**layers * 8 + 1) / (2**layers * 8)
    stretched = x * 2**layers
    wanted = np.abs(stretched - 2 * np.round(stretched / 2))
    deep, shallow = deep_sawtooth(x, layers=layers), shallow_sawtooth(x, teeth=2**layers)
    assert np.abs(deep.values - wanted).max() < 1e-12
    assert np.abs(shallow.values - wanted).max() < 1e-12
    assert (deep.units, shallow.units, pieces(wanted)) == (2 * layers, 2**layers, 2**layers)


def test_all_parities_are_right_on_every_input_and_no_term_can_be_spared():
    for count in (2, 3, 5, 6):
        rows = np.array(list(itertools.product((0, 1), repeat=count)))
        wanted = rows.sum(1) % 2
        tree, sums, terms = parity_tree(rows), parity_of_sums(rows), parity_of_terms(rows)
        for answers in (tree, sums, terms):
            assert (answers.values == wanted).all()
        assert (tree.units, sums.units, terms.units) == (3 * (count - 1) - 1, count, 2 ** (count - 1))


def test_what_deep_and_shallow_says_is_what_it_counted():
    found = DeepAndShallow.Config(layers=5, bits=4).build().run()
    assert found.numbers["pieces"] == (2, 4, 8, 16, 32)
    assert found.numbers["units/sawtooth/deep"] == (2, 4, 6, 8, 10)
    assert found.numbers["largest_difference"] < 1e-12
    assert found.numbers["wrong_parities"] == 0
    assert "32 straight pieces takes 10 units in 5 layers and 32 in one" in found.remarks[0]
    assert (
        "4 bits, as built: 8 hidden threshold units as a tree of XORs, 4 in one layer that counts, 8 as"
        in found.remarks[1]
    )


def test_the_ablation_compares_within_a_seed_and_says_no_more_than_that():
    config = CnnAblation.Config(data=Digits.Config(batch=64), steps=25, channels=(8, 16), seeds=2)
    found = config.build().run()
    base = found.numbers["test/accuracy/base"]
    assert all(0.4 < one <= 1 for one in base)  # chance is a tenth
    assert f"{100 * mean(base):.2f} %" in found.remarks[0]
    for remark in found.remarks[1:]:
        name, text = remark.split(": ", 1)
        apart = found.numbers[f"difference/{name}"]
        assert apart == tuple(a - b for a, b in zip(found.numbers[f"test/accuracy/{name}"], base, strict=True))
        assert text.startswith(
            f"{100 * mean(apart):+.2f} points (standard error {100 * stdev(apart) / math.sqrt(2):.2f})"
        )
        assert ("no direction" in text) == (not (min(apart) > 0 or max(apart) < 0))
    assert len(found.remarks) == len(found.tables[0].rows) == 9
    assert found.figures[0].categories == tuple(row[0] for row in found.tables[0].rows[1:])


def test_every_learner_errs_less_with_more_data_and_the_svm_as_scikit_learns() -> None:
    config = DataSize.Config(
        data=Digits.Config(batch=32), per_class=(4, 40), steps=60, channels=(8, 16), seeds=1, most=0
    )
    found = config.build().run()
    for name in ("CNN", "SVM (RBF)", "3 nearest neighbors", "logistic regression", "decision tree"):
        few, many = found.numbers[f"error/{name}"]
        assert many < few
        assert found.numbers[f"errors/{name}/400_images"] == (many,)
    source = ClassSubset.Config(data=config.data, classes=tuple(range(10)), per_class=40, seed=0).build()
    (x, y), (test, truth) = (
        [torch.cat([getattr(source.load(split, at), part) for at in source.order(split, seed=0, epoch=0)]).flatten(1)
         if part == "inputs" else
         torch.cat([getattr(source.load(split, at), part) for at in source.order(split, seed=0, epoch=0)])
         for part in ("inputs", "targets")]
        for split in ("train", "test")
    )  # fmt: skip
    answers = SVC(C=5.0).fit(x.double(), y).predict(test.double())
    assert found.numbers["error/SVM (RBF)"][1] == pytest.approx(100 * float((answers != truth.numpy()).mean()))
