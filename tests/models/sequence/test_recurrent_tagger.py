import pytest
import torch

from netsmith.layers.recurrent.kinds import CellKind
from netsmith.models.sequence.recurrent_regressor import RecurrentRegressor
from netsmith.models.sequence.recurrent_tagger import RecurrentTagger

TEXTS = [[3, 1, 4, 1, 5, 9], [2, 6], [7]]
KINDS = CellKind.__args__


def build(**fields):
    torch.manual_seed(0)
    fields = {"embedding_size": 5, "hidden_size": 4, "vocab_size": 20, "num_classes": 3, **fields}
    return RecurrentTagger.Config(**fields).build().double().eval()


@pytest.mark.parametrize("cell", ["elman", "jordan", "lstm_peephole", "gru"])
@pytest.mark.parametrize("both", [False, True])
def test_each_place_is_answered_as_in_the_text_alone(cell, both):
    model = build(cell=cell, bidirectional=both, num_layers=2)
    tokens = torch.tensor([text + [0] * (9 - len(text)) for text in TEXTS])
    answers = model(tokens)
    for row, text in enumerate(TEXTS):
        alone = model(torch.tensor([text]))[0]
        assert (answers[row, : len(text)] - alone).abs().max() < 1e-12
        assert torch.equal(answers[row, len(text) :], model.head.bias.expand(9 - len(text), 3))


def test_only_two_directions_see_what_follows():
    before, after = torch.tensor([[3, 1, 4, 1]]), torch.tensor([[3, 1, 4, 5]])
    for both in (False, True):
        model = build(bidirectional=both)
        gap = (model(before) - model(after))[0].abs().amax(1)
        assert (gap[:3] > 0).tolist() == [both] * 3
        assert gap[3] > 0


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_of_every_cell_learns(kind):
    x = torch.randn(4, 6, 1, dtype=torch.float64)
    tagger, regressor = build(cell=kind), RecurrentRegressor.Config(cell=kind, num_outputs=2).build().double()
    for model, given in ((tagger, torch.tensor([TEXTS[0], TEXTS[0][::-1]])), (regressor, x)):
        output = model(given)
        named = dict(model.named_parameters())
        gradients = torch.autograd.grad((output * torch.randn_like(output)).sum(), list(named.values()))
        assert [name for name, g in zip(named, gradients, strict=True) if not g.any()] == []
