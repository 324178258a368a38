"""Losses of rankings by their equations; figures equal to the measures of rankings, however a set is cut."""

import math

import pytest
import torch

from netsmith.core.errors import DataError
from netsmith.core.spec import Outputs
from netsmith.engine.task import UNLABELED, figures
from netsmith.layers.candidates import ABSENT
from netsmith.measure.ranking import average_precision, ndcg, ranking_figures
from netsmith.tasks.rank import Rank


def drawn(queries=40, most=9, seed=0):
    """Return scores, grades; some queries have nothing that answers, or nothing else."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(queries, most, generator=generator, dtype=torch.float64)
    scores = (scores * 2).round() / 2  # some are equal
    grades = torch.randint(0, 4, (queries, most), generator=generator) * (
        torch.rand(queries, most, generator=generator) < 0.4
    )
    sizes = torch.randint(1, most + 1, (queries, 1), generator=generator)
    outside = torch.arange(most) >= sizes
    return scores.masked_fill(outside, ABSENT), grades.masked_fill(outside, UNLABELED)


def test_the_papers_equations():
    scores, grades = drawn()
    hinge, softmax = (Rank.Config(loss="hinge", margin=0.7).build(), Rank.Config(loss="softmax", gamma=3.0).build())
    totals, weights = {"hinge": 0.0, "softmax": 0.0}, {"hinge": 0, "softmax": 0}
    for row, graded in zip(scores.tolist(), grades.tolist(), strict=True):
        there = [(score, grade) for score, grade in zip(row, graded, strict=True) if grade != UNLABELED]
        pairs = [max(0, 0.7 - a + b) for a, x in there for b, y in there if x > y]
        wrong = [math.exp(3 * score) for score, grade in there if grade == 0]
        right = [-math.log(math.exp(3 * s) / (math.exp(3 * s) + sum(wrong))) for s, g in there if g > 0 and wrong]
        for name, found in (("hinge", pairs), ("softmax", right)):
            totals[name] += sum(found) / max(1, len(found))
            weights[name] += bool(found)
    for task, name in ((hinge, "hinge"), (softmax, "softmax")):
        found = task.loss(scores, grades)
        assert float(found.total) == pytest.approx(totals[name], rel=1e-12)
        assert 0 < float(found.weight) == weights[name] < 40


@pytest.mark.parametrize("loss", ["hinge", "softmax"])
def test_gradients_are_those_of_the_loss_and_never_nan(loss):
    scores, grades = drawn(6)
    there = grades != UNLABELED
    task = Rank.Config(loss=loss, margin=0.73, gamma=2.0).build()
    values = scores[there].clone().requires_grad_()

    def total(values):
        return task.loss(scores.masked_scatter(there, values), grades).total

    assert torch.autograd.gradcheck(total, values)
    leaf = scores.clone().requires_grad_()
    weight = torch.linspace(0.5, 2, 6, dtype=torch.float64)
    whole = task.loss(leaf, grades, weight)
    whole.total.backward()
    assert leaf.grad.isfinite().all()
    assert not leaf.grad[~there].any()
    parts = [task.loss(scores[at : at + 5], grades[at : at + 5], weight[at : at + 5]) for at in range(0, 6, 5)]
    assert sum(part.total.item() for part in parts) == pytest.approx(whole.total.item(), rel=1e-12)
    assert sum(float(part.weight) for part in parts) == pytest.approx(float(whole.weight), rel=1e-12)


def test_figures_are_the_measures_of_the_rankings_however_the_set_is_cut():
    scores, grades = drawn(60)
    rows = []
    for row, graded in zip(scores.tolist(), grades.tolist(), strict=True):
        there = [at for at, grade in enumerate(graded) if grade != UNLABELED]
        order = sorted(there, key=lambda at: -row[at])  # stable: of equal scores the earlier one
        if any(graded[at] > 0 for at in there):
            rows.append(([graded[at] for at in order], [graded[at] for at in there]))
    wanted = ranking_figures(rows, depth=3)
    task = Rank.Config(depth=3).build()
    for size in (1, 7, 60):
        parts = [task.metrics() for _ in range(2)]
        for number, at in enumerate(range(0, 60, size)):
            for metric in parts[number % 2].values():
                metric.update(scores[at : at + size], grades[at : at + size])
        for name, metric in parts[0].items():
            metric.merge(parts[1][name])
        found = figures(parts[0], "dev")
        assert list(found) == ["dev/map", "dev/mrr", "dev/ndcg@3", "dev/loss"]
        for name in ("map", "mrr", "ndcg@3"):
            assert found[f"dev/{name}"] == pytest.approx(wanted[name], rel=1e-12)


def test_what_was_not_retrieved_counts_and_is_never_found():
    scores = torch.tensor([[0.5, 2.0, 1.0, ABSENT, ABSENT]])
    grades = torch.tensor([[1, 0, 2, 3, UNLABELED]])
    task = Rank.Config(depth=2).build()
    metrics = task.metrics()
    for metric in metrics.values():
        metric.update(scores, grades)
    found = figures(metrics, "x")
    assert found["x/map"] == pytest.approx(average_precision([0, 2, 1], relevant=3))
    assert found["x/ndcg@2"] == pytest.approx(ndcg([0, 2, 1], 2, judged=[1, 0, 2, 3]))
    assert found["x/loss"] == pytest.approx((2.5 + 2 + 0.5) / 3)
    assert task.decode(scores, Outputs(kind="ranking")) == [{"ranking": [1, 2, 0], "scores": [2.0, 1.0, 0.5]}]


def test_scores_that_are_no_numbers_have_no_figure():
    scores, grades = torch.tensor([[1.0, 2.0], [math.nan, 0.0]]), torch.tensor([[1, 0], [1, 0]])
    metrics = Rank.Config().build().metrics()
    for metric in metrics.values():
        metric.update(scores, grades)
    assert all(math.isnan(value) for value in figures(metrics, "dev").values())


def test_answers_of_another_form_are_refused():
    task = Rank.Config().build()
    for output, target in ((torch.zeros(2, 3, 1), torch.zeros(2, 3)), (torch.zeros(2, 3), torch.zeros(2, 3))):
        with pytest.raises(DataError, match=r"expected a score and a grade \(int64\) per candidate"):
            task.loss(output, target)
    with pytest.raises(DataError, match="not finite"):
        task.decode(torch.tensor([[math.nan]]), Outputs(kind="ranking"))
