import pytest
import torch

from netsmith.core.errors import ConfigError
from netsmith.layers.recurrent.kinds import make_cell
from netsmith.layers.recurrent.stack import Recurrent
from netsmith.layers.recurrent.unroll import truncated, unroll

LENGTH = 9


def run_of(kind):
    torch.manual_seed(0)
    if kind == "stack":
        stack = Recurrent(3, 4, num_layers=2).double()
        return stack, lambda x, state: stack.carry(x, state=state)
    cell = make_cell(kind, 3, 4).double()
    return cell, lambda x, state: unroll(cell, x, state=state)


def gradients(module, loss):
    return torch.autograd.grad(loss, list(module.parameters()), retain_graph=True)


@pytest.mark.parametrize("kind", ["elman", "lstm_peephole", "gru_reset_before", "additive_recurrent", "stack"])
def test_one_window_over_the_sequence_gives_the_full_gradient_and_less_does_not(kind):
    module, run = run_of(kind)
    x = torch.randn(2, LENGTH, 3, dtype=torch.float64)
    whole, _ = run(x, None)
    expected = gradients(module, whole.square().sum())
    for window in (LENGTH, LENGTH + 4, 4):
        outputs, _ = truncated(run, x, window=window)
        assert (outputs - whole).abs().max() < 1e-12  # values never change
        gap = max((a - b).abs().max() for a, b in zip(gradients(module, outputs.square().sum()), expected, strict=True))
        assert gap < 1e-12 if window >= LENGTH else gap > 1e-3


def test_a_gradient_ends_where_its_window_begins():
    _, run = run_of("lstm_peephole")
    x = torch.randn(1, LENGTH, 3, dtype=torch.float64, requires_grad=True)
    outputs, _ = truncated(run, x, window=4)
    for time in range(LENGTH):
        (gradient,) = torch.autograd.grad(outputs[0, time].sum(), x, retain_graph=True)
        reached = gradient[0].abs().sum(1) > 0
        first = time - time % 4
        assert reached.tolist() == [first <= step <= time for step in range(LENGTH)]


def test_a_window_needs_a_step():
    _, run = run_of("elman")
    with pytest.raises(ConfigError, match="window=0"):
        truncated(run, torch.zeros(1, 2, 3), window=0)
