"""The labs on adversarial examples and on few labels: what they find, and that their words follow from it."""

from __future__ import annotations

import pytest
import torch

from netsmith.core.errors import ConfigError
from netsmith.core.findings import Lines, Pictures
from netsmith.labs.regularization.adversarial_examples import AdversarialExamples
from netsmith.labs.regularization.virtual_adversarial import VirtualAdversarialLab
from netsmith.models.tabular.mlp import MLP


@pytest.fixture(scope="module")
def found():
    config = AdversarialExamples.Config(
        model=MLP.Config(hidden=(64,)), steps=200, epsilons=(0.05, 0.15), judge_steps=8, examples=200
    )
    return config.build().run()


def test_attacks_do_more_than_noise_and_training_against_them_helps(found) -> None:
    numbers = found.numbers
    assert numbers["examples"] == 200
    assert numbers["plain/unchanged"] > 0.9
    for at in (0, 1):
        assert numbers["plain/random"][at] > numbers["plain/fgsm"][at] + 0.1
        assert numbers["plain/fgsm"][at] >= numbers["plain/pgd"][at]
    assert numbers["plain/pgd"][1] < 0.1
    assert numbers["robust/pgd"][1] > numbers["plain/pgd"][1] + 0.15
    assert numbers["robust/pgd"][0] >= numbers["robust/pgd"][1]


def test_the_linear_explanation_holds_to_rounding(found) -> None:
    assert found.numbers["linear/count"] == 200 * 9
    assert 0 < found.numbers["linear/apart"] < 1e-12
    assert found.numbers["linear/fall"] > 4 * found.numbers["linear/random"]
    assert f"at most {found.numbers['linear/apart']:.1e}." in found.remarks[0]


def test_the_words_the_chart_and_the_pictures_are_the_numbers(found) -> None:
    numbers = found.numbers
    chart = found.figures[0]
    assert isinstance(chart, Lines)
    line = next(one for one in chart.series if one.name == "trained adversarially, PGD")
    assert line.ys == (numbers["robust/unchanged"], *numbers["robust/pgd"])
    assert line.xs == (0.0, 0.05, 0.15)
    assert [row[-1] for row in found.tables[0].rows] == list(line.ys)
    text = found.remarks[2]
    assert f"{100 * numbers['plain/pgd'][1]:.1f} % after PGD" in text
    assert f"{100 * numbers['plain/random'][1]:.1f} % with random signs" in text
    change = 100 * (numbers["robust/pgd"][1] - numbers["plain/pgd"][1])
    assert f"{change:+.1f} points after PGD" in found.remarks[4]
    pictures = {one.name: one for one in found.figures[1:]}
    assert all(isinstance(one, Pictures) and len(one.pictures) == 10 for one in pictures.values())
    before, after, change = (
        torch.tensor([one.values for one in pictures[f"plain_{name}"].pictures])
        for name in ("before", "after", "change")
    )
    torch.testing.assert_close(after - before, change, rtol=0, atol=1e-6)
    assert change.abs().max() <= 0.15
    assert after.min() >= 0
    assert after.max() <= 1
    assert [p.name for p in pictures["plain_change"].pictures] == [str(label) for label in range(10)]
    right = sum(p.name == str(label) for label, p in enumerate(pictures["plain_after"].pictures))
    assert pictures["plain_after"].caption.startswith(f"{right} of 10 answers are right")


def test_sizes_that_cannot_be_drawn_are_refused() -> None:
    for epsilons in ((0.2, 0.1), (0.0, 0.1), (0.1, 0.1)):
        with pytest.raises(ConfigError, match="above 0 and ascending"):
            AdversarialExamples.Config(epsilons=epsilons)
    with pytest.raises(ConfigError, match="expected images with a test split; take digits or mnist"):
        AdversarialExamples.Config(data="sine_tasks").build().run()
    with pytest.raises(ConfigError, match="at least 1 and ascending"):
        VirtualAdversarialLab.Config(per_class=(2, 1))


def test_examples_without_labels_are_worth_something() -> None:
    found = VirtualAdversarialLab.Config(per_class=(10,), seeds=2, steps=200).build().run()
    supervised, everything = found.numbers["supervised/10"], found.numbers["all/10"]
    assert len(supervised) == 2
    assert sum(everything) > sum(supervised) + 0.04
    mean = 50 * sum(everything)
    assert found.remarks[0].startswith("With 100 labels: ")
    assert f"{mean:.1f} % smooth around all" in found.remarks[0]
    assert "is ahead in 2 of 2 seeds" in found.remarks[0]
    assert found.figures[0].series[2].ys == (pytest.approx(mean / 100),)
    assert found.figures[0].series[2].xs == (100.0,)
