"""Chain: its loss by all sequences written out, elements without a label, figures in pieces, what it shows."""

import itertools
import math

import pytest
import torch

from netsmith.core.config import AUTO
from netsmith.core.errors import ConfigError, DataError
from netsmith.core.spec import Outputs
from netsmith.engine.task import UNLABELED
from netsmith.layers.chain import best_paths, chain_potentials, log_partition
from netsmith.layers.linear_chain import SEALED, pack
from netsmith.layers.spans import spans_of
from netsmith.tasks.chain import Chain
from netsmith.tasks.tag import Tag

NAMES = ("B-X", "E-X", "O")
LENGTHS = (5, 2, 4, 1)


@pytest.fixture
def answers():
    generator = torch.Generator().manual_seed(0)
    potentials = torch.randn(4, 6, 3, 3, dtype=torch.float64, generator=generator)
    potentials[:, 0] = potentials[:, 0, :1]
    target = torch.randint(3, (4, 6), generator=generator)
    for row, length in enumerate(LENGTHS):
        potentials[row, length:] = torch.full((3, 3), SEALED, dtype=torch.float64).fill_diagonal_(0.0)
        target[row, length:] = UNLABELED
    return potentials, target


def nats(potentials, target):
    """Minus the logarithm of the share of those sequences that have the labels, by all of them written out."""
    labels = target.tolist()
    length = max(place for place, tag in enumerate(labels) if tag != UNLABELED) + 1
    weights = {True: 0.0, False: 0.0}
    for y in itertools.product(range(3), repeat=length):
        score = potentials[0, 0, y[0]] + sum(potentials[t, y[t - 1], y[t]] for t in range(1, length))
        fits = all(tag in (UNLABELED, mine) for tag, mine in zip(labels, y, strict=False))
        weights[fits] += math.exp(score)
    return -math.log(weights[True] / (weights[True] + weights[False]))


def test_the_loss_is_that_of_whole_sequences(answers):
    potentials, target = answers
    total, weight = Chain.Config().build().loss(potentials, target)
    own = [nats(potentials[row], target[row]) for row in range(4)]
    assert total.item() == pytest.approx(sum(own), abs=1e-10)
    assert float(weight) == sum(LENGTHS)
    shares = torch.tensor([0.5, 2.0, 0.0, 1.0], dtype=torch.float64)
    total, weight = Chain.Config().build().loss(potentials, target, shares)
    assert total.item() == pytest.approx(sum(s * n for s, n in zip(shares.tolist(), own, strict=True)), abs=1e-10)
    assert float(weight) == pytest.approx(0.5 * 5 + 2 * 2 + 1)


def test_elements_without_a_label_may_have_any_tag(answers):
    potentials, target = answers
    target[0, 1:3] = target[2, 0] = UNLABELED
    total = Chain.Config().build().loss(potentials, target).total
    assert total.item() == pytest.approx(sum(nats(potentials[row], target[row]) for row in range(4)), abs=1e-9)
    target[:] = UNLABELED
    assert Chain.Config().build().loss(potentials, target).total.item() == pytest.approx(0, abs=1e-12)


def test_figures_are_exact_in_pieces(answers):
    potentials, target = answers
    task = Chain.Config(scheme="bmes", tags=NAMES).build()
    whole, parts = task.metrics(), task.metrics()
    assert list(whole) == ["f1", "accuracy", "loss"]
    for name, metric in whole.items():
        metric.update(potentials, target)
        for row in range(4):
            other = task.metrics()[name]
            other.update(potentials[row : row + 1], target[row : row + 1])
            parts[name].merge(other)
        assert parts[name].compute() == pytest.approx(metric.compute(), abs=1e-12)
    best = best_paths(potentials).tags
    pairs = [(best[r, t].item(), target[r, t].item()) for r, length in enumerate(LENGTHS) for t in range(length)]
    assert whole["accuracy"].compute() == pytest.approx(sum(a == b for a, b in pairs) / len(pairs))
    assert whole["loss"].compute() == pytest.approx(sum(nats(potentials[r], target[r]) for r in range(4)) / len(pairs))
    spans = [
        [{(r, span) for r, n in enumerate(LENGTHS) for span in spans_of([NAMES[tag] for tag in tags[r, :n].tolist()])}]
        for tags in (best, target)
    ]
    (found,), (true,) = spans
    assert whole["f1"].compute() == pytest.approx(2 * len(found & true) / (len(found) + len(true)))
    assert task.metrics()["f1"].compute() == 0.0
    again = Chain.Config(scheme="bmes", tags=NAMES).build().metrics()["f1"]
    again.__setstate__(whole["f1"].__getstate__())
    assert again.compute() == whole["f1"].compute()


def test_f1_of_tags_on_their_own_is_of_the_likeliest(answers):
    _, target = answers
    logits = torch.randn(4, 6, 3, generator=torch.Generator().manual_seed(4))
    for first, answer in ((False, logits), (True, logits.movedim(-1, 1))):
        metric = Tag.Config(scheme="bmes", tags=NAMES, classes_first=first).build().metrics()["f1"]
        metric.update(answer, target)
        best = logits.argmax(-1)
        found, true = (
            {(r, s) for r, n in enumerate(LENGTHS) for s in spans_of([NAMES[tag] for tag in tags[r, :n].tolist()])}
            for tags in (best, target)
        )
        assert metric.compute() == pytest.approx(2 * len(found & true) / (len(found) + len(true)))
    assert "f1" not in Tag.Config().build().metrics()


def test_a_prediction_is_the_best_sequence_without_padding(answers):
    potentials, _ = answers
    outputs = Outputs(kind="tags", names=NAMES)
    shown = Chain.Config(scheme="bmes", tags=NAMES).build().decode(potentials, outputs)
    best = best_paths(potentials).tags
    for row, length in enumerate(LENGTHS):
        labels = [NAMES[tag] for tag in best[row, :length].tolist()]
        assert shown[row]["labels"] == labels
        assert [tuple(span.values()) for span in shown[row]["spans"]] == spans_of(labels)
        for place, tag in enumerate(best[row, :length].tolist()):
            bar = torch.zeros(4, 6, 3, 3, dtype=torch.float64)
            bar[row, place, :, [other for other in range(3) if other != tag]] = SEALED
            share = (log_partition(potentials + bar) - log_partition(potentials))[row].exp().item()
            assert shown[row]["probabilities"][place] == pytest.approx(share, abs=1e-9)
    assert "spans" not in Chain.Config().build().decode(potentials, outputs)[0]
    with pytest.raises(DataError, match="not finite"):
        Chain.Config().build().decode(potentials * torch.nan, outputs)


def test_what_does_not_fit_is_refused(answers):
    potentials, target = answers
    task = Chain.Config().build()
    for output, wrong in ((potentials[..., 0], target), (potentials, target[:, 1:]), (potentials, target.double())):
        with pytest.raises(DataError, match="expected potentials"):
            task.loss(output, wrong)
    target[1, 4] = 0
    with pytest.raises(DataError, match="sequence 2 of the batch has a label at place 5, where it is padding"):
        task.loss(potentials, target)
    with pytest.raises(ConfigError, match=r"'E-X' of the data is not of it; --set method.task.scheme=bioes; or"):
        Chain.Config(scheme="iob2", tags=NAMES).build().metrics()
    for config in (Chain.Config(scheme="iob2"), Tag.Config(scheme="iob2")):
        assert config.tags == AUTO
        with pytest.raises(ConfigError, match="tags is left to the data"):
            config.build()
    assert Tag.Config().dump() == {"kind": "tag", "label_smoothing": 0.0}


def test_a_packed_chain_is_judged_and_answered_as_its_potentials():
    generator = torch.Generator().manual_seed(4)
    emissions = torch.randn(3, 5, 3, dtype=torch.float64, generator=generator)
    transitions = torch.randn(3, 3, dtype=torch.float64, generator=generator)
    inside = torch.arange(5) < torch.tensor([5, 2, 4])[:, None]
    target = torch.randint(3, (3, 5), generator=generator).where(inside, UNLABELED)
    task = Chain.Config(scheme="bmes", tags=NAMES).build()
    outputs = Outputs(kind="tags", names=NAMES, size=3)
    forms = [make(emissions, transitions, inside) for make in (pack, chain_potentials)]
    for some in (target, target.index_fill(1, torch.tensor([0, 3]), UNLABELED)):  # all labels, and some of them
        totals = [task.loss(form, some).total for form in forms]
        torch.testing.assert_close(*totals, rtol=1e-12, atol=1e-12)
    shown = [task.decode(form, outputs) for form in forms]
    for one, other in zip(*shown, strict=True):
        assert one.pop("probabilities") == pytest.approx(other.pop("probabilities"), abs=1e-12)
        assert one == other
