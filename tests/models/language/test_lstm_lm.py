"""The LSTM language model: the paper's equations by hand, its sizes, its state."""

import pytest
import torch

from netsmith.models.language.lstm_lm import SIZES, LstmLm


def by_hand(model, tokens, layers, size):
    """Return the logits by the equations of Zaremba et al. (2014), section 3."""
    inputs = model.embedding.weight[tokens]  # (B, T, H)
    for layer in range(layers):
        w, u, b, d = (
            getattr(model.lstm, f"{name}_l{layer}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        h = c = torch.zeros(len(tokens), size, dtype=inputs.dtype)
        found = []
        for t in range(tokens.shape[1]):
            i, f, g, o = (inputs[:, t] @ w.T + b + h @ u.T + d).chunk(4, dim=1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            found.append(h)
        inputs = torch.stack(found, dim=1)
    return inputs @ model.head.weight.T + model.head.bias


@pytest.fixture
def model():
    torch.manual_seed(0)
    return LstmLm.Config(hidden_size=6, vocab_size=9, bound=0.5).build().double()


def test_forward_and_gradient_are_the_papers_equations(model):
    tokens = torch.randint(1, 9, (3, 5), generator=torch.Generator().manual_seed(1))
    ours, _ = model(tokens)
    theirs = by_hand(model, tokens, 2, 6)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    parameters = list(model.parameters())
    for a, b in zip(
        torch.autograd.grad(ours.square().sum(), parameters),
        torch.autograd.grad(theirs.square().sum(), parameters),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


def test_windows_with_the_state_carried_answer_as_the_whole_text(model):
    tokens = torch.randint(1, 9, (3, 11), generator=torch.Generator().manual_seed(2))
    whole, (h, c) = model(tokens)
    assert h.shape == c.shape == (3, 2, 6)
    first, state = model(tokens[:, :4])
    second, (h2, c2) = model(tokens[:, 4:], state)
    torch.testing.assert_close(torch.cat([first, second], 1), whole, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close((h2, c2), (h, c), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("name", "millions"), [("lstm_lm_small", 4.65), ("lstm_lm_medium", 19.8), ("lstm_lm_large", 66.0)]
)
def test_sizes_of_the_paper(name, millions):
    """Section 4.1: two layers; 200, 650 and 1,500 units; the two large ones have about 20 and 66 million weights."""
    with torch.device("meta"):
        model = LstmLm.Config(**SIZES[name], vocab_size=10_000).build()
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(millions, rel=0.005)
    assert model.lstm.num_layers == 2


def test_first_weights_are_uniform_within_the_bound():
    torch.manual_seed(0)
    model = LstmLm.Config(hidden_size=50, vocab_size=100, bound=0.05).build()
    for name, weights in model.named_parameters():
        assert float(weights.detach().abs().max()) <= 0.05, name
        assert float(weights.detach().std()) == pytest.approx(0.05 / 3**0.5, rel=0.1), name


def test_dropout_leaves_the_memory_alone():
    """With all of the vertical connections cut, what a layer remembers is that of an input of zeros."""
    torch.manual_seed(0)
    model = LstmLm.Config(hidden_size=4, num_layers=1, vocab_size=9, dropout=1 - 1e-9).build().double().train()
    logits, (h, _) = model(torch.tensor([[3, 4, 5]]))
    empty, (h0, _) = model.lstm(torch.zeros(3, 1, 4, dtype=torch.float64))
    torch.testing.assert_close(h[0], h0[:, 0])
    torch.testing.assert_close(logits, model.head.bias.expand_as(logits))
    assert float(empty.detach().abs().max()) > 0
