import numpy as np
import pytest
import torch

from models.text.padding import check_padding_learns_nothing
from netsmith.models.text.bilstm import BiLSTM


def build(**fields):
    torch.manual_seed(0)
    fields = {"embedding_size": 5, "hidden_size": 4, "num_layers": 2, "vocab_size": 20, "num_classes": 3, **fields}
    return BiLSTM.Config(**fields).build().double().eval()


def one_direction(words, inputs, recurrent, biases):
    """The equations, gate by gate and word by word, for one text without padding."""

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    size = recurrent.shape[1]
    h, c = np.zeros(size), np.zeros(size)
    states = []
    for word in words:
        i, f, g, o = ((inputs @ word + recurrent @ h + biases)[at * size : (at + 1) * size] for at in range(4))
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        states.append(h)
    return states


def by_loops(model, text, pooling):
    states = model.embedding.weight.detach().numpy()[text]
    for layer in model.layers:
        weights = {name: p.detach().numpy() for name, p in layer.named_parameters()}
        both = []
        for suffix, turn in (("", 1), ("_reverse", -1)):
            w, u = weights[f"weight_ih_l0{suffix}"], weights[f"weight_hh_l0{suffix}"]
            both.append(one_direction(states[::turn], w[:, :-1], u, w[:, -1])[::turn])
        states = np.concatenate(both, axis=1)
    pooled = states.mean(0) if pooling == "mean" else np.maximum(states.max(0), 0)
    return model.head.weight.detach().numpy() @ pooled + model.head.bias.detach().numpy()


@pytest.mark.parametrize("pooling", ["max", "mean"])
def test_it_computes_what_the_equations_say_with_any_padding(pooling):
    model = build(pooling=pooling)
    with torch.no_grad():
        for layer in model.layers:
            layer.weight_ih_l0[:, -1].uniform_(-1, 1)
            layer.weight_ih_l0_reverse[:, -1].uniform_(-1, 1)
    texts = [[3, 1, 4, 1, 5, 9], [2, 6], [7]]
    want = torch.tensor(np.stack([by_loops(model, text, pooling) for text in texts]))
    for length in (6, 11):
        tokens = torch.tensor([text + [0] * (length - len(text)) for text in texts])
        torch.testing.assert_close(model(tokens), want, rtol=0, atol=1e-12)


def test_it_equals_a_packed_lstm_with_biases():
    """torch's own way with padding: packed sequences, and the last column of the inputs' weights as bias."""
    model = build(num_layers=1, pooling="mean")
    tokens = torch.tensor([[3, 1, 4, 1, 5], [2, 6, 0, 0, 0]])
    lengths = torch.tensor([5, 2])
    usual = torch.nn.LSTM(5, 4, batch_first=True, bidirectional=True).double()
    with torch.no_grad():
        for suffix in ("", "_reverse"):
            weight = getattr(model.layers[0], f"weight_ih_l0{suffix}")
            getattr(usual, f"weight_ih_l0{suffix}").copy_(weight[:, :-1])
            getattr(usual, f"bias_ih_l0{suffix}").copy_(weight[:, -1])
            getattr(usual, f"bias_hh_l0{suffix}").zero_()
            getattr(usual, f"weight_hh_l0{suffix}").copy_(getattr(model.layers[0], f"weight_hh_l0{suffix}"))
    words = torch.nn.utils.rnn.pack_padded_sequence(model.embedding(tokens), lengths, batch_first=True)
    states, _ = torch.nn.utils.rnn.pad_packed_sequence(usual(words)[0], batch_first=True)
    want = model.head(states.sum(1) / lengths[:, None])
    torch.testing.assert_close(model(tokens), want, rtol=0, atol=1e-12)


@pytest.mark.parametrize("pooling", ["max", "mean"])
def test_padding_learns_nothing_and_all_else_does(pooling):
    model = build(pooling=pooling, embedding_dropout=0.0, dropout=0.0)
    for name, gradient in check_padding_learns_nothing(model).items():
        assert (gradient.abs().sum(1 if gradient.dim() > 1 else 0) > 0).float().mean() > 0.7, name


def test_the_count_and_the_first_weights():
    model = build()
    gates = 4 * 4
    first, second = gates * (5 + 1 + 4), gates * (8 + 1 + 4)
    assert sum(p.numel() for p in model.parameters()) == 20 * 5 + 2 * first + 2 * second + 8 * 3 + 3
    assert model.embedding.weight[0].abs().sum() == 0
    for layer in model.layers:
        assert layer.weight_ih_l0_reverse[:, -1].tolist() == [0.0] * 4 + [1.0] * 4 + [0.0] * 8  # i, f, g, o


def test_dropout_falls_in_training_only():
    model = build(num_layers=1)
    tokens = torch.tensor([[3, 1, 4, 1, 5]])
    assert torch.equal(model(tokens), model(tokens))
    model.train()
    assert not torch.equal(model(tokens), model(tokens))
