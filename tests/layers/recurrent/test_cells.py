import numpy as np
import pytest
import torch
from torch import nn

from netsmith.core.errors import ConfigError, DataError, UnsupportedError
from netsmith.layers.recurrent.additive import AdditiveCell
from netsmith.layers.recurrent.elman import ElmanCell
from netsmith.layers.recurrent.gru import GRUCell
from netsmith.layers.recurrent.jordan import JordanCell
from netsmith.layers.recurrent.kinds import CellKind, make_cell, make_fused, own_cell
from netsmith.layers.recurrent.lstm import LSTMCell
from netsmith.layers.recurrent.stack import Recurrent
from netsmith.layers.recurrent.unroll import unroll

KINDS = CellKind.__args__
X = torch.randn(3, 6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def arrays(cell):
    """W, U and b as numpy arrays, the rows of each gate apart."""
    gates = len(cell.inputs.bias) // cell.hidden_size
    tensors = (cell.inputs.weight, cell.recurrent.weight, cell.inputs.bias)
    return [np.split(tensor.detach().numpy(), gates) for tensor in tensors]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def close(got, expected):
    assert np.abs(got.detach().numpy() - expected).max() < 1e-12


def test_the_catalogues_parameter_counts():
    plain, peephole = LSTMCell(10, 20), LSTMCell(10, 20, peepholes=True)
    assert count(plain) == 2480
    assert count(peephole) - count(plain) == 3 * 20
    assert count(LSTMCell(10, 20, forget="coupled")) == 1860
    assert count(LSTMCell(10, 20, forget="none")) == 1860
    assert count(make_fused("lstm", 10, 20)) == count(plain) + 80  # torch adds two biases


def test_peepholes_of_zero_are_the_lstm_without():
    cell = LSTMCell(4, 5, peepholes=True).double()
    plain = LSTMCell(4, 5).double()
    plain.load_state_dict({name: value for name, value in cell.state_dict().items() if name != "peepholes"})
    assert torch.equal(unroll(cell, X)[0], unroll(plain, X)[0])


@pytest.mark.parametrize("forget", ["gate", "none", "coupled"])
def test_the_lstms_equations_with_peepholes(forget):
    torch.manual_seed(0)
    cell = LSTMCell(4, 5, forget=forget, peepholes=True).double()
    nn.init.normal_(cell.peepholes)
    w, u, b = arrays(cell)
    p = cell.peepholes.detach().numpy()
    h = c = np.zeros((3, 5))
    outputs, state = unroll(cell, X)
    for t in range(6):
        a = [X[:, t].numpy() @ w[k].T + h @ u[k].T + b[k] for k in range(len(w))]
        i = sigmoid(a[0] + p[0] * c)
        f = {"gate": lambda: sigmoid(a[1] + p[1] * c), "none": lambda: 1.0, "coupled": lambda: 1 - i}[forget]()  # noqa: B023
        c = f * c + i * np.tanh(a[-2])
        h = sigmoid(a[-1] + p[-1] * c) * np.tanh(c)
        close(outputs[:, t], h)
    close(state[0], h)
    close(state[1], c)


def test_the_forget_gate_starts_at_its_bias():
    cell = LSTMCell(3, 4, forget_bias=1.0)
    assert cell.inputs.bias[4:8].tolist() == [1.0] * 4
    fused = make_fused("lstm", 3, 4, forget_bias=1.0)
    assert (fused.bias_ih_l0 + fused.bias_hh_l0)[4:8].tolist() == [1.0] * 4


def test_the_gru_of_the_paper_resets_before_the_product():
    torch.manual_seed(0)
    cell = GRUCell(4, 5, reset="before").double()
    w, b = (np.split(p.detach().numpy(), 3) for p in (cell.inputs.weight, cell.inputs.bias))
    u = [*np.split(cell.recurrent.weight.detach().numpy(), 2), cell.candidate.weight.detach().numpy()]
    h = np.zeros((3, 5))
    outputs, _ = unroll(cell, X)
    for t in range(6):
        x = X[:, t].numpy()
        r, z = (sigmoid(x @ w[k].T + h @ u[k].T + b[k]) for k in (0, 1))
        h = (1 - z) * np.tanh(x @ w[2].T + (r * h) @ u[2].T + b[2]) + z * h
        close(outputs[:, t], h)


@pytest.mark.parametrize("decay", [0.0, 0.6])
def test_jordans_network_sees_its_answers(decay):
    torch.manual_seed(0)
    cell = JordanCell(4, 5, output_size=3, decay=decay).double()
    (w,), (u,), (b,) = arrays(cell)
    v, c = cell.answer.weight.detach().numpy(), cell.answer.bias.detach().numpy()
    s = np.zeros((3, 3))
    outputs, state = unroll(cell, X)
    for t in range(6):
        o = sigmoid(X[:, t].numpy() @ w.T + s @ u.T + b) @ v.T + c
        s = decay * s + np.exp(o) / np.exp(o).sum(1, keepdims=True)
        close(outputs[:, t], o)
    close(state[0], s)


@pytest.mark.parametrize("recurrent", [False, True])
def test_an_additive_cell_adds(recurrent):
    torch.manual_seed(0)
    cell = AdditiveCell(4, 5, recurrent=recurrent).double()
    w, b = cell.inputs.weight.detach().numpy(), cell.inputs.bias.detach().numpy()
    u = cell.recurrent.weight.detach().numpy() if recurrent else np.zeros((5, 5))
    h = np.zeros((3, 5))
    outputs, _ = unroll(cell, X)
    for t in range(6):
        h = h + np.tanh(X[:, t].numpy() @ w.T + h @ u.T + b)
        close(outputs[:, t], h)


def test_no_gradient_is_lost_on_the_way_through_an_additive_cell():
    cell = AdditiveCell(4, 5).double()
    start = torch.zeros(1, 5, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda s: unroll(cell, X[:1], state=(s,))[0][0, -1], start)
    assert torch.equal(jacobian[:, 0], torch.eye(5, dtype=torch.float64))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("both", [False, True])
def test_padding_says_nothing(kind, both):
    torch.manual_seed(0)
    size = 3 if kind == "jordan" else 0
    stack = Recurrent(4, 5, cell=kind, num_layers=2, bidirectional=both, output_size=size).double()
    lengths = torch.tensor([6, 4, 1])
    x = X.clone()
    x[1, 4:] = x[2, 1:] = 7.0
    for outputs, state in (stack.carry(x, lengths), (stack(x, lengths), None)):
        for row, length in enumerate(lengths.tolist()):
            alone, last = stack.carry(X[row : row + 1, :length])
            assert (outputs[row, :length] - alone[0]).abs().max() < 1e-12
            assert not outputs[row, length:].any()
            for got, expected in zip(state or (), last, strict=bool(state)):
                assert (got[:, row] - expected[:, 0]).abs().max() < 1e-12


@pytest.mark.parametrize("kind", ["lstm", "gru", "lstm_peephole"])
def test_an_empty_sequence_keeps_the_state_it_was_given(kind):
    stack = Recurrent(4, 5, cell=kind)
    x, lengths = torch.randn(2, 3, 4), torch.tensor([3, 0])
    _, before = stack.carry(x)
    outputs, after = stack.carry(x, lengths, state=before)
    assert not outputs[1].any()
    assert all(torch.equal(new[:, 1], old[:, 1]) for new, old in zip(after, before, strict=True))
    assert not stack.carry(x, lengths)[1][0][:, 1].any()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: LSTMCell(3, 4, forget="coupled", forget_bias=1.0), "forget_bias=1"),
        (lambda: LSTMCell(3, 4, forget="never"), "forget='never'"),
        (lambda: GRUCell(3, 4, reset="never"), "reset='never'"),
        (lambda: ElmanCell(0, 4), "input_size=0"),
        (lambda: ElmanCell(3, 4, activation="step"), "activation='step'"),
        (lambda: JordanCell(3, 4, output_size=2, decay=1.0), "decay=1"),
        (lambda: make_cell("gru", 3, 4, forget_bias=1.0), "gru has no bias of a forget gate"),
        (lambda: make_cell("jordan", 3, 4), "output_size=0"),
        (lambda: Recurrent(3, 4, cell="elman", output_size=2), "output_size=2"),
        (lambda: Recurrent(3, 4, num_layers=0), "num_layers"),
    ],
)
def test_settings_that_mean_nothing_are_refused(make, says):
    with pytest.raises(ConfigError, match=says):
        make()


def test_what_does_not_fit_is_refused():
    with pytest.raises(DataError, match=r"\(batch, steps, 4\), got \(3, 6\)"):
        Recurrent(4, 5)(X[..., 0])
    with pytest.raises(DataError, match=r"state of shapes \(1, 3, units\)"):
        Recurrent(4, 5).carry(X.float(), state=(torch.zeros(2, 3, 5),) * 2)
    with pytest.raises(UnsupportedError, match="proj_size is 2"):
        own_cell(nn.LSTM(3, 4, proj_size=2))
