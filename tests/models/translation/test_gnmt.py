"""GNMT is the paper's equations written out; from the third layer on, layers that add nothing change nothing."""

import pytest
import torch
from torch import nn

from models.drawn import shaken
from netsmith.core.errors import ConfigError
from netsmith.layers.writing import Writing
from netsmith.models.translation.gnmt import Gnmt

E, H, A, V, U = 5, 6, 4, 11, 9
SIZES = {"vocab_size": V, "num_outputs": U, "embedding_size": E, "hidden_size": H, "attention_size": A}
SOURCE = torch.tensor([[3, 7, 4, 10, 5], [8, 2, 0, 0, 0]])
WRITTEN = torch.tensor([[2, 5, 8, 3], [2, 4, 6, 0]])


def cell_of(layer):
    """Return torch's cell with the weights of a fused layer, or of a cell of ours, whose one bias is the sum."""
    size = layer.input_size
    cell = nn.LSTMCell(size, H).double()
    if isinstance(layer, nn.LSTM):
        given = [layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0, layer.bias_hh_l0]
    else:
        given = [layer.inputs.weight, layer.recurrent.weight, layer.inputs.bias, torch.zeros(4 * H)]
    for ours, theirs in zip(cell.parameters(), given, strict=True):
        ours.copy_(theirs)
    return cell


def read(cell, inputs):
    state, outputs = None, []
    for x in inputs:
        state = cell(x, state)
        outputs.append(state[0])
    return outputs


@torch.no_grad()
@pytest.mark.parametrize("layers", [2, 3, 5])
def test_the_network_is_the_papers_equations_one_text_and_one_step_at_a_time(layers):
    model = shaken(Gnmt.Config(**SIZES, num_layers=layers).build())
    found = model(SOURCE, WRITTEN)
    cells = [cell_of(model.first), *(cell_of(layer.passes[0]) for layer in model.decoder)]
    for row in range(2):
        words = [model.source_embedding.weight[token] for token in SOURCE[row] if token]
        there, back = (cell_of(one) for one in model.bottom.passes)
        pairs = zip(read(there, words), reversed(read(back, words[::-1])), strict=True)
        x = [torch.cat(pair) for pair in pairs]
        for number, layer in enumerate(model.encoder, 2):
            m = read(cell_of(layer.passes[0]), x)
            x = [a + b for a, b in zip(m, x, strict=True)] if number >= 3 else m  # Eq. 6
        states = [(torch.zeros(H).double(), torch.zeros(H).double()) for _ in cells]
        for place, token in enumerate(WRITTEN[row]):
            query = model.scores.query.weight @ states[0][0]  # the bottom layer's output at the step before
            scores = [model.scores.out.weight[0] @ torch.tanh(query + model.scores.key.weight @ one) for one in x]
            weights = torch.stack(scores).softmax(0)  # Eq. 4
            context = sum(weight * one for weight, one in zip(weights, x, strict=True))
            y = model.embedding.weight[token]
            for number, cell in enumerate(cells, 1):
                states[number - 1] = cell(torch.cat([y, context]), states[number - 1])
                y = states[number - 1][0] + y if number >= 3 else states[number - 1][0]
            logits = model.head.weight @ y + model.head.bias
            torch.testing.assert_close(found[row, place], logits, rtol=1e-10, atol=1e-12)


@torch.no_grad()
def test_layers_from_the_third_on_that_answer_zero_leave_the_network_of_two():
    deep = shaken(Gnmt.Config(**SIZES, num_layers=6).build())
    flat = Gnmt.Config(**SIZES, num_layers=2).build().double()
    flat.load_state_dict({name: deep.state_dict()[name] for name in flat.state_dict()})
    assert (deep(SOURCE, WRITTEN) - flat(SOURCE, WRITTEN)).abs().max() > 0.01
    for layer in (*deep.encoder[1:], *deep.decoder[1:]):
        for parameter in layer.parameters():
            parameter.zero_()
    torch.testing.assert_close(deep(SOURCE, WRITTEN), flat(SOURCE, WRITTEN), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("layers", [2, 3, 8])
def test_parameters_are_counted_by_the_formula(layers):
    def lstm(size, biases=2):
        return 4 * H * (size + H + biases)

    above = layers - 1
    encoder = 2 * lstm(E) + lstm(2 * H) + (above - 1) * lstm(H)
    decoder = lstm(E + H, biases=1) + above * lstm(2 * H)
    rest = 2 * A * H + A + U * (H + 1)
    counts = {
        shared: sum(p.numel() for p in Gnmt.Config(**SIZES | sizes, num_layers=layers).build().parameters())
        for shared, sizes in ((False, {}), (True, {"vocab_size": U, "share_embeddings": True}))
    }
    assert counts == {False: (V + U) * E + encoder + decoder + rest, True: U * E + encoder + decoder + rest}


@torch.no_grad()
def test_one_table_reads_and_writes_where_it_is_shared():
    model = shaken(Gnmt.Config(**SIZES | {"vocab_size": U}, share_embeddings=True).build())
    apart = Gnmt.Config(**SIZES | {"vocab_size": U}).build().double()
    apart.load_state_dict(model.state_dict() | {"source_embedding.weight": model.embedding.weight})
    source = SOURCE % U
    torch.testing.assert_close(model(source, WRITTEN), apart(source, WRITTEN), rtol=1e-12, atol=0)
    assert model.landmarks()["stem"] == "embedding"
    with pytest.raises(ConfigError, match="one vocabulary for both sides, got 11 and 9 tokens"):
        Gnmt.Config(**SIZES, share_embeddings=True).build()


def test_weights_are_drawn_evenly_within_the_papers_range():
    torch.manual_seed(0)
    drawn = torch.cat([p.detach().flatten() for p in Gnmt.Config(vocab_size=99, num_outputs=99).build().parameters()])
    assert 0.0399 < float(drawn.abs().max()) <= 0.04
    assert float(drawn.square().mean()) == pytest.approx(0.04**2 / 3, rel=0.01)
    free = Gnmt.Config(vocab_size=99, num_outputs=99, init_range=0).build()
    assert float(free.embedding.weight.detach().std()) == pytest.approx(1, rel=0.05)


@torch.no_grad()
def test_the_search_pays_for_words_it_did_not_look_at():
    model = shaken(Gnmt.Config(**SIZES).build())
    beta, alpha = 0.3, 0.7
    found = Writing(model, beams=4, longest=6, penalty=alpha, coverage=beta).search(SOURCE, attention=True)
    for row, size in enumerate((5, 2)):
        length = int(found.lengths[row, 0])
        text = found.tokens[row, 0, :length]
        read_ = torch.cat([torch.tensor([2]), text[:-1]])
        logits = model(SOURCE[row : row + 1, :size], read_[None])[0]
        logits[:, :2] = -torch.inf
        nats = float(logits.log_softmax(1).gather(1, text[:, None]).sum())
        looked = found.attention[row, :length, :size].sum(0)
        cp = beta * float(looked.clamp(max=1).log().sum())  # Eq. 14
        assert float(found.scores[row, 0]) == pytest.approx(nats / ((5 + length) / 6) ** alpha + cp, rel=1e-9)
