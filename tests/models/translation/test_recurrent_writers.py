"""The recurrent writers: steps equal teacher forcing, padding changes nothing, and each is its paper's formula."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from models.drawn import shaken
from netsmith.core.roles import ModelConfig
from netsmith.layers.writing import Packs, Writing
from netsmith.models.translation.bahdanau import Bahdanau
from netsmith.models.translation.gnmt import Gnmt
from netsmith.models.translation.luong import Luong
from netsmith.models.translation.seq2seq import Seq2Seq

SIZES = {"vocab_size": 11, "num_outputs": 9, "embedding_size": 5, "hidden_size": 6}
CONFIGS = {
    "bahdanau": Bahdanau.Config(**SIZES, attention_size=4, readout_size=3),
    "bahdanau, reset before": Bahdanau.Config(**SIZES, readout_size=3, reset="before"),
    "bahdanau, bilinear": Bahdanau.Config(**SIZES, readout_size=3, attention="bilinear"),
    "bahdanau, none": Bahdanau.Config(**SIZES, readout_size=3, attention="none"),
    "gnmt": Gnmt.Config(**SIZES, num_layers=4, attention_size=3),
    "luong, fed": Luong.Config(**SIZES),
    "luong, dot": Luong.Config(**SIZES, attention="dot", feeding=False),
    "luong, concat": Luong.Config(**SIZES, attention="additive", num_layers=1, reverse=False),
    "seq2seq": Seq2Seq.Config(**SIZES, num_layers=3),
    "seq2seq, not reversed": Seq2Seq.Config(**SIZES, reverse=False),
}


def texts():
    generator = torch.Generator().manual_seed(2)
    source = torch.randint(1, 11, (4, 6), generator=generator)
    written = torch.randint(2, 9, (4, 5), generator=generator)
    written[:, 0] = 2
    for row, length in enumerate((6, 3, 1, 5)):
        source[row, length:] = 0
    return source, written


@pytest.fixture(params=CONFIGS)
def writer(request):
    return shaken(CONFIGS[request.param].build())


@torch.no_grad()
def test_steps_equal_teacher_forcing_packed_or_not(writer):
    source, written = texts()
    whole = writer(source, written)
    state, found = writer.begin(source), []
    for tokens in written.unbind(1):
        logits, state = writer.step(tokens, state)
        found.append(logits)
        weights = writer.attention(state)
        if weights is not None:
            torch.testing.assert_close(weights.sum(1), torch.ones(4).double(), rtol=1e-12, atol=0)
            assert not weights[source == 0].any()
    torch.testing.assert_close(torch.stack(found, 1), whole, rtol=1e-10, atol=1e-12)
    assert isinstance(writer, Packs)
    inside = torch.rand(4, 5, generator=torch.Generator().manual_seed(0)) < 0.5
    torch.testing.assert_close(writer.packed(source, written, inside), whole[inside], rtol=1e-10, atol=1e-12)


@torch.no_grad()
def test_padding_and_company_change_nothing(writer):
    source, written = texts()
    whole = writer(F.pad(source, (0, 3)), written)
    for row in range(4):
        length = int((source[row] != 0).sum())
        alone = writer(source[row : row + 1, :length], written[row : row + 1, :3])
        torch.testing.assert_close(alone[0], whole[row, :3], rtol=1e-10, atol=1e-12)


@torch.no_grad()
def test_beams_are_followed_by_selecting_rows_of_the_state(writer):
    source, _ = texts()
    found = Writing(writer, beams=3, longest=5).search(source)
    for row in range(4):
        text = found.tokens[row, 0, : found.lengths[row, 0]]
        state, token, total = writer.begin(source[row : row + 1]), torch.tensor([2]), 0.0
        for number in text:
            logits, state = writer.step(token, state)
            logits[:, :2] = -torch.inf
            total += float(logits.log_softmax(1)[0, number])
            token = number[None]
        assert float(found.scores[row, 0]) == pytest.approx(total / ((5 + len(text)) / 6), rel=1e-10)


def test_configs_survive_json_and_every_parameter_learns(writer):
    source, written = texts()
    logits = writer(source, written)
    parameters = dict(writer.named_parameters())
    gradients = torch.autograd.grad(logits.square().sum(), list(parameters.values()), allow_unused=True)
    dead = [name for name, g in zip(parameters, gradients, strict=True) if g is None or not g.any()]
    assert not dead
    for config in CONFIGS.values():
        assert ModelConfig.load(config.dump()) == config
    for name in writer.landmarks().values():
        writer.get_submodule(name)


@torch.no_grad()
def test_bahdanau_is_the_papers_formulas_written_out():
    writer = shaken(CONFIGS["bahdanau, reset before"].build())
    source, written = texts()
    x, y = source[3, :5], written[3]
    forward, backward = writer.encoder.passes

    def gru(cell, given, hidden):
        (wr, wz, wn), (br, bz, bn) = cell.inputs.weight.chunk(3), cell.inputs.bias.chunk(3)
        ur, uz = cell.recurrent.weight.chunk(2)
        reset, keep = (torch.sigmoid(w @ given + u @ hidden + b) for w, u, b in ((wr, ur, br), (wz, uz, bz)))
        new = torch.tanh(wn @ given + cell.candidate.weight @ (reset * hidden) + bn)
        return (1 - keep) * new + keep * hidden

    words = writer.source_embedding.weight[x]
    there, back, hidden = [], [], torch.zeros(6).double()
    for word in words:
        hidden = gru(forward, word, hidden)
        there.append(hidden)
    hidden = torch.zeros(6).double()
    for word in words.flip(0):
        hidden = gru(backward, word, hidden)
        back.insert(0, hidden)
    annotations = [torch.cat(pair) for pair in zip(there, back, strict=True)]
    state = torch.tanh(writer.start.weight @ back[0] + writer.start.bias)
    scores = writer.scores
    for place, token in enumerate(y):
        energies = torch.stack(
            [
                scores.out.weight[0] @ torch.tanh(scores.query.weight @ state + scores.key.weight @ annotation)
                for annotation in annotations
            ]
        )
        context = sum(weight * annotation for weight, annotation in zip(energies.softmax(0), annotations, strict=True))
        word = writer.embedding.weight[token]
        state = gru(writer.decoder, torch.cat([word, context]), state)
        pieces = writer.readout.weight @ torch.cat([state, word, context]) + writer.readout.bias
        most = torch.maximum(pieces[:3], pieces[3:])
        logits = writer.head.weight @ most + writer.head.bias
        torch.testing.assert_close(writer(source, written)[3, place], logits, rtol=1e-10, atol=1e-12)


@torch.no_grad()
@pytest.mark.parametrize("reverse", [True, False])
def test_seq2seq_is_two_of_torchs_lstms(reverse):
    writer = shaken(Seq2Seq.Config(**SIZES, num_layers=2, reverse=reverse).build())
    source, written = texts()
    encoder, decoder = (nn.LSTM(5, 6, 2, batch_first=True).double() for _ in range(2))
    for ours, theirs in ((writer.encoder, encoder), (writer.decoder, decoder)):
        for layer, one in enumerate(ours.passes):
            for name, value in one.named_parameters():
                getattr(theirs, name.replace("l0", f"l{layer}")).copy_(value)
    x = source[3:4, :5].flip(1) if reverse else source[3:4, :5]
    _, state = encoder(writer.source_embedding(x))
    outputs, _ = decoder(writer.embedding(written[3:4]), state)
    torch.testing.assert_close(writer(source, written)[3:4], writer.head(outputs), rtol=1e-10, atol=1e-12)


@torch.no_grad()
def test_luong_feeds_what_it_found_to_the_next_step():
    writer = shaken(Luong.Config(**SIZES, num_layers=1).build())
    source, written = texts()
    cell, (encoder,) = writer.decoder.passes[0], writer.encoder.passes
    memory, (hidden, cells) = encoder(writer.source_embedding(source[:1].flip(1)))
    memory, hidden, cells = memory[0].flip(0), hidden[0, 0], cells[0, 0]
    fed = torch.zeros(6).double()
    for place, token in enumerate(written[0]):
        gates = cell.inputs.weight @ torch.cat([writer.embedding.weight[token], fed]) + cell.inputs.bias
        i, f, g, o = (gates + cell.recurrent.weight @ hidden).chunk(4)
        cells = torch.sigmoid(f) * cells + torch.sigmoid(i) * torch.tanh(g)
        hidden = torch.sigmoid(o) * torch.tanh(cells)
        weights = torch.stack([hidden @ writer.scores.key.weight @ one for one in memory]).softmax(0)
        fed = torch.tanh(writer.combine.weight @ torch.cat([weights @ memory, hidden]))
        torch.testing.assert_close(writer(source, written)[0, place], writer.head(fed), rtol=1e-10, atol=1e-12)
