"""The lottery ticket's lab: what it trains under masks, and what it says of it."""

import pytest
import torch

from netsmith.compress.masks import magnitude_masks, rewound
from netsmith.core.errors import ConfigError
from netsmith.data.digits import Digits
from netsmith.labs.compression.lottery_ticket import LotteryTicket, _told, _worth

SMALL = {"hidden": (12,), "rounds": 2, "left": 0.25, "epochs": 2, "seeds": (0,), "repeats": 0}


def test_tickets_are_first_weights_under_the_masks_that_training_left():
    lab, source = LotteryTicket.Config(**SMALL).build(), Digits.Config(test=0.3, batch=60).build()
    outcomes, dense, ticket = lab._run(source, 0)
    first = lab._drawn(0, "first")
    whole, total = first.state_dict(), sum(p.numel() for p in first.parameters() if p.dim() > 1)
    # by hand: train, mask half of what is left, rewind, and again
    network, masks = rewound(first, {}, whole), {}
    for left, expected in zip((0.5, 0.25, None), outcomes[0], strict=True):
        assert lab._train(network, masks, source, 0) == expected
        if left is not None:
            masks = magnitude_masks(network, sparsity=1 - left, within=masks)
            network = rewound(first, masks, whole)
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(ticket.state_dict()[name], tensor, rtol=0, atol=0)
    assert sum(int(mask.sum()) for mask in masks.values()) == round(0.25 * total)
    assert sum(int(p.count_nonzero()) for p in ticket.parameters() if p.dim() > 1) <= round(0.25 * total)
    fresh = lab._drawn(0, "anew 2")
    control = rewound(fresh, masks, fresh.state_dict())
    assert lab._train(control, masks, source, 0) == outcomes[1][2]
    assert not torch.equal(next(fresh.parameters()), next(first.parameters()))
    test = source.load("test", torch.arange(539))
    right = dense(test.inputs).argmax(1) == test.targets
    assert outcomes[0][0] == pytest.approx(float(right.double().mean()), abs=1e-9)


def test_figures_say_what_was_measured():
    found = LotteryTicket.Config(**SMALL).build().run()
    numbers = found.numbers
    assert numbers["shares"] == pytest.approx((1, 0.5, 0.25))
    (chart,), (table, bought) = found.figures, found.tables
    assert chart.series[0].xs == pytest.approx((25, 50, 100))
    assert chart.series[0].ys == pytest.approx([100 * value for value in numbers["ticket/accuracy"][::-1]])
    assert [row[3] for row in table.rows] == pytest.approx([100 * value for value in numbers["redrawn/accuracy"]])
    costs = {row[0]: row[1:] for row in bought.rows}
    assert costs["bytes"] == (4 * (64 * 12 + 12 + 12 * 10 + 10),) * 2 + (1,)
    assert costs["bytes, zipped"][0] > costs["bytes, zipped"][1]


def test_remarks_follow_the_numbers():
    shares, none = (1.0, 0.3, 0.1), torch.zeros(2, 3)
    won = torch.tensor([[0.9, 0.92, 0.8], [0.9, 0.91, 0.5]])
    best, apart = _told(shares, won, none)
    assert "the smallest ticket not below it keeps 30 % of the weights, with 92.00 %" in best
    assert "at 2 of 2 shares; furthest apart at 10 % left: 80.00 and 50.00 %, 30.00 points" in apart
    best, apart = _told(shares, won.flip(0) - torch.tensor([[0.0, 0.1, 0.1]]), none)
    assert "no ticket reaches that, the best has 81.00 %" in best
    assert "at 0 of 2 shares" in apart
    costs = [("weights", 100.0, 10.0), ("bytes", 400.0, 400.0), ("zipped", 390.0, 60.0), ("ms", 2.0, 2.5)]
    assert "zipped 60 where that has 390, and takes 1.25 times the dense network's time." in _worth(0.1, costs)
    assert _worth(0.1, costs[:3]).endswith("zipped 60 where that has 390.")


def test_settings_that_leave_nothing_are_refused():
    with pytest.raises(ConfigError):
        LotteryTicket.Config(left=0.0)
