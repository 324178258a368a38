"""The BiLSTM-CRF: emissions of a packed LSTM with biases, whatever the padding; that tags in a row matter."""

import torch
from torch import nn

from netsmith.layers.chain import best_paths, surprisal
from netsmith.layers.linear_chain import pack, unpack
from netsmith.models.sequence.bilstm_crf import BiLSTMCRF

TEXTS = [[5, 2, 7, 2, 3], [4, 4], [6]]


def padded(rows, length):
    return torch.tensor([row + [0] * (length - len(row)) for row in rows])


def build(**fields):
    torch.manual_seed(0)
    sizes = {"embedding_size": 4, "hidden_size": 3, "vocab_size": 9, "num_classes": 3}
    return BiLSTMCRF.Config(**sizes | fields).build().double().eval()


def test_it_equals_a_packed_lstm_with_biases_and_a_chain():
    model = build()
    with torch.no_grad():
        for weight in [model.transitions, model.start, model.end, *model.lstm.parameters()]:
            weight.normal_()
    own = nn.LSTM(model.lstm.input_size - 1, 3, batch_first=True, bidirectional=True).double()
    state = {}
    for suffix in ("", "_reverse"):
        inputs = model.lstm.state_dict()[f"weight_ih_l0{suffix}"]
        state |= {f"weight_ih_l0{suffix}": inputs[:, :-1], f"bias_ih_l0{suffix}": inputs[:, -1]}
        state |= {f"weight_hh_l0{suffix}": model.lstm.state_dict()[f"weight_hh_l0{suffix}"]}
        state |= {f"bias_hh_l0{suffix}": torch.zeros(12).double()}
    own.load_state_dict(state)
    for length in (5, 9):
        tokens = padded(TEXTS, length)
        found = unpack(model(tokens))
        assert torch.equal(found.inside, tokens != 0)
        assert torch.equal(found.transitions, model.transitions.expand(3, -1, -1))
        for row, text in enumerate(TEXTS):
            vectors = model.embedding(torch.tensor([text]))
            emissions = model.head(own(vectors)[0])
            inside = torch.ones(1, len(text), dtype=torch.bool)
            wanted = unpack(pack(emissions, model.transitions, inside, start=model.start, end=model.end))
            torch.testing.assert_close(found.emissions[row, : len(text)], wanted.emissions[0], rtol=0, atol=1e-12)


def test_every_part_learns_and_padding_does_not():
    model = build()
    tags = torch.zeros(3, 6, dtype=torch.int64)
    surprisal(model(padded(TEXTS, 6)), tags).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name
    assert not model.embedding.weight.grad[0].any()


def test_tags_in_a_row_decide_where_tokens_say_nothing():
    """All tokens are alike; every other tag is 1, which neither a token nor its neighbors tell."""
    model = build(embedding_dropout=0.0, dropout=0.0)
    with torch.no_grad():
        for weight in (model.head.weight, model.head.bias):
            weight.zero_()
        model.transitions.copy_(torch.tensor([[-1.0, 1.0, -9.0], [1.0, -1.0, -9.0], [0.0, 0.0, 0.0]]))
        model.start.copy_(torch.tensor([1.0, 0.0, -9.0]))
    assert best_paths(model(padded([[3] * 6], 8))).tags[0, :6].tolist() == [0, 1, 0, 1, 0, 1]
