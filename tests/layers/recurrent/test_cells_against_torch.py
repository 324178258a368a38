import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from netsmith.layers.recurrent.kinds import own_cell
from netsmith.layers.recurrent.stack import Recurrent

LENGTHS = torch.tensor([7, 3, 5, 1])
TORCH = {
    "elman": lambda *sizes, **rest: nn.RNN(*sizes, **rest),
    "elman_relu": lambda *sizes, **rest: nn.RNN(*sizes, nonlinearity="relu", **rest),
    "lstm": nn.LSTM,
    "gru": nn.GRU,
}


def pair(kind, *, layers, both):
    """torch's module, and a stack of our own cells with its weights."""
    torch.manual_seed(3)
    theirs = TORCH[kind](4, 5, num_layers=layers, bidirectional=both, batch_first=True).double()
    ours = Recurrent(4, 5, cell=kind, num_layers=layers, bidirectional=both, fused=False).double()
    for place in range(len(ours.passes)):
        layer, direction = divmod(place, ours.directions)
        ours.passes[place] = own_cell(theirs, layer=layer, reverse=direction == 1)
    return theirs, ours


def packed(module, x, lengths, state=None):
    outputs, after = module(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False), state)
    return pad_packed_sequence(outputs, batch_first=True, total_length=x.shape[1])[0], after


@pytest.mark.parametrize("kind", TORCH)
@pytest.mark.parametrize(("layers", "both"), [(1, False), (2, False), (2, True)])
def test_own_cells_are_torchs_function_in_values_states_and_gradients(kind, layers, both):
    theirs, ours = pair(kind, layers=layers, both=both)
    x = torch.randn(4, 7, 4, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(4, 7, 10 if both else 5, dtype=torch.float64)
    for lengths in (None, LENGTHS):
        expected, last = theirs(x) if lengths is None else packed(theirs, x, lengths)
        got, state = ours.carry(x, lengths)
        assert (got - expected).abs().max() < 1e-10
        assert (ours(x, lengths) - expected).abs().max() < 1e-10
        for part, their in zip(state, last if kind == "lstm" else (last,), strict=True):
            assert (part - their).abs().max() < 1e-10
        theirs.zero_grad()
        ours.zero_grad()
        (wanted,) = torch.autograd.grad((expected * weights).sum(), x, retain_graph=True)
        (found,) = torch.autograd.grad((got * weights).sum(), x, retain_graph=True)
        assert (found - wanted).abs().max() < 1e-10
        inner = [theirs.weight_ih_l0, theirs.weight_hh_l0, theirs.bias_ih_l0]
        wanted = torch.autograd.grad((expected * weights).sum(), inner)
        first = ours.passes[0]
        found = torch.autograd.grad(
            (got * weights).sum(), [first.inputs.weight, first.recurrent.weight, first.inputs.bias]
        )
        for a, b in zip(found, wanted, strict=True):
            assert (a - b).abs().max() < 1e-10


@pytest.mark.parametrize("kind", TORCH)
@pytest.mark.parametrize("fused", [True, False])
def test_a_state_given_before_goes_on_where_it_ended(kind, fused):
    torch.manual_seed(0)
    stack = Recurrent(4, 5, cell=kind, num_layers=2, fused=fused).double()
    x = torch.randn(3, 8, 4, dtype=torch.float64)
    whole, end = stack.carry(x)
    first, state = stack.carry(x[:, :5])
    second, after = stack.carry(x[:, 5:], state=state)
    assert (torch.cat([first, second], dim=1) - whole).abs().max() < 1e-12
    assert all((a - b).abs().max() < 1e-12 for a, b in zip(end, after, strict=True))


def test_the_fused_stack_is_torchs_bidirectional_module():
    torch.manual_seed(1)
    theirs = nn.LSTM(4, 5, num_layers=2, bidirectional=True, batch_first=True).double()
    stack = Recurrent(4, 5, num_layers=2, bidirectional=True).double()
    with torch.no_grad():
        for place, single in enumerate(stack.passes):
            suffix = f"l{place // 2}{'_reverse' if place % 2 else ''}"
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                getattr(single, f"{name}_l0").copy_(getattr(theirs, f"{name}_{suffix}"))
    x = torch.randn(4, 7, 4, dtype=torch.float64)
    for lengths in (None, LENGTHS):
        expected, last = theirs(x) if lengths is None else packed(theirs, x, lengths)
        got, state = stack.carry(x, lengths)
        assert (got - expected).abs().max() < 1e-12
        assert (stack(x, lengths) - expected).abs().max() < 1e-12
        assert all((a - b).abs().max() < 1e-12 for a, b in zip(state, last, strict=True))
