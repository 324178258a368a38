"""Methods that change a tensor's shape in place are followed as those that return another."""

import pytest
import torch
from torch import nn

from compress.judge import draw, judge
from compress.probe import build

X = torch.randn(2, 5, 12, generator=torch.Generator().manual_seed(0))


class Moved(nn.Module):
    def __init__(self, move):
        super().__init__()
        self.first, self.scale, self.last, self.move = nn.Linear(12, 8), nn.Linear(12, 8), nn.Linear(8, 3), move

    def forward(self, x):
        return self.last(self.move(self.first(x).relu() * self.scale(x)))


@pytest.mark.parametrize(
    "move",
    [
        lambda h: h.unsqueeze_(1).squeeze(1),
        lambda h: h.transpose_(1, 2).mT,
        lambda h: h.swapaxes_(1, 2).relu_().transpose_(-1, -2),
        lambda h: h.unsqueeze_(1).squeeze_(1).mul_(2),
        lambda h: h[:, :1].squeeze_(1),
        lambda h: h.mean(1).t_().t(),
    ],
)
def test_a_shape_changed_in_place_is_followed(move):
    verdict = judge(build(lambda: Moved(move)), X, [draw(X, 1), draw(X, 2, 5)])
    assert (verdict.outcome, verdict.reason) == ("right", "")
    assert verdict.after < 0.6 * verdict.before
