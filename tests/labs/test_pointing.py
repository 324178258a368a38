"""The lab of pointer networks: pictures in the order of the answer, sentences from the numbers."""

import pytest
import torch

from netsmith.labs.recurrent.pointing import Answer, PointingLab, _ordered, remarks_of


def test_columns_stand_in_the_order_of_the_true_answer() -> None:
    weights = torch.tensor([[0.0, 0.1, 0.8, 0.1], [0.9, 0.0, 0.0, 0.1], [0.0, 0.3, 0.0, 0.1], [1.0, 0.0, 0.0, 0.0]])
    tokens, target = torch.tensor([5, 3, 2, 0]), torch.tensor([5, 3, 2, -100])  # places 2 and 0
    shown = _ordered(weights, tokens, target)
    assert len(shown) == 3  # the end's row, and none behind it
    assert shown[0] == pytest.approx((0.8, 0.0, 0.1, 0.1))
    assert shown[1] == pytest.approx((0.0, 0.9, 0.0, 0.1))


def test_sentences_of_pointing_change_with_the_numbers() -> None:
    one = Answer("sorting", (0.9, 0.7, 0.25), (), (), 0.875, torch.zeros(0, 1), [], [])
    assert remarks_of([one], sizes=(5, 6, 7), least=5, most=6) == (
        "sorting: of 5 to 6 elements, as in training, 80.0% of the answers are right; of 7, which it never saw, 25.0%. "
        "The place it names has 0.88 of its attention on average.",
    )
    assert "never saw" not in remarks_of([one], sizes=(4, 5, 6), least=4, most=6)[0]


def test_what_is_drawn_is_what_was_found() -> None:
    config = PointingLab.Config(
        sorting_steps=3, hull_steps=3, hidden_size=8, judged=20, largest=6, least=4, most=5, shown=2
    )
    found = config.build().run()
    pictures, hull, lines = found.figures
    assert [picture.name.split(":")[0] for picture in pictures.pictures] == [
        "sorting 1",
        "sorting 2",
        "hull 1",
        "hull 2",
    ]
    for picture in pictures.pictures:
        assert all(len(row) == 5 and min(row) >= 0 and sum(row) <= 1 + 1e-6 for row in picture.values)
    assert len(hull.series[0].xs) == 5
    truth = hull.lines[0]
    assert (truth.xs[0], truth.ys[0]) == (truth.xs[-1], truth.ys[-1])  # it is closed
    assert lines.series[0].xs == (4, 5, 6)
    assert found.numbers["accuracy/hull"] == lines.series[1].ys
    assert f"{sum(lines.series[0].ys[:2]) / 2:.1%}" in found.remarks[0]


def test_sizes_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="largest=7: expected least <= most <= largest"):
        PointingLab.Config(largest=7)
