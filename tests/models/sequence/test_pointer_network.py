"""Pointer networks: steps and teacher forcing agree, padding is nothing, Eq. 3 by loops, places named once."""

import pytest
import torch

from netsmith.layers.sets import pad_sets
from netsmith.layers.writing import Writing
from netsmith.models.sequence.pointer_network import PointerNetwork

_FORMS = [(glimpse, repeats) for glimpse in (False, True) for repeats in (False, True)]


def _model(*, glimpse: bool = False, repeats: bool = True) -> PointerNetwork:
    torch.manual_seed(0)
    config = PointerNetwork.Config(hidden_size=12, in_features=2, glimpse=glimpse, repeats=repeats)
    model = PointerNetwork(config).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)  # so that differences show
    return model


def _sets() -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    sets = [torch.rand(count, 2, generator=generator, dtype=torch.float64) for count in (6, 3, 5)]
    return pad_sets(sets)


_WRITTEN = torch.tensor([[2, 5, 3, 8, 7], [2, 3, 5, 4, 0], [2, 7, 0, 0, 0]])


@pytest.mark.parametrize(("glimpse", "repeats"), _FORMS)
@torch.no_grad()
def test_steps_give_what_teacher_forcing_gives(*, glimpse: bool, repeats: bool) -> None:
    model, sets = _model(glimpse=glimpse, repeats=repeats), _sets()
    whole = model(sets, _WRITTEN)
    assert whole.shape == (3, 5, 9)
    state = model.begin(sets)
    for at, tokens in enumerate(_WRITTEN.unbind(1)):
        logits, state = model.step(tokens, state)
        live = tokens > 0
        torch.testing.assert_close(logits[live], whole[:, at][live], rtol=0, atol=1e-12)
        shares = whole[:, at].softmax(1)
        torch.testing.assert_close(model.attention(state)[live], shares[live][:, 3:], rtol=0, atol=1e-12)


@pytest.mark.parametrize(("glimpse", "repeats"), _FORMS)
@torch.no_grad()
def test_padding_changes_nothing(*, glimpse: bool, repeats: bool) -> None:
    model, sets = _model(glimpse=glimpse, repeats=repeats), _sets()
    whole = model(sets, _WRITTEN)
    alone = model(sets[1:2, :3], _WRITTEN[1:2, :4])
    torch.testing.assert_close(alone, whole[1:2, :4, :6], rtol=0, atol=1e-12)
    assert (whole[1, :, 6:] == -torch.inf).all()
    assert (whole[:, :, :2] == -torch.inf).all()


@torch.no_grad()
def test_a_distribution_is_equation_3() -> None:
    model, sets = _model(), _sets()[:1]
    items, lstm = model.embedding(sets[0, :, :2]), model.encoder.passes[0]
    states, ends = lstm(items[None])
    slots = [model.end_state, *states[0]]
    read, _ = model.decoder(torch.stack([model.end_item, items[2], items[0]])[None], ends)
    for step, d in enumerate(read[0]):
        u = [
            sum(v * torch.tanh(w1 @ e + w2 @ d) for v, w1, w2 in zip(
                model.pointer.out.weight[0], model.pointer.key.weight, model.pointer.query.weight, strict=True
            ))
            for e in slots
        ]  # fmt: skip
        torch.testing.assert_close(model(sets, _WRITTEN[:1])[0, step, 2:], torch.stack(u), rtol=0, atol=1e-12)


@torch.no_grad()
def test_a_place_is_named_once_where_repeats_are_off() -> None:
    model, sets = _model(repeats=False), _sets()
    whole = model(sets, _WRITTEN)
    for row, tokens in enumerate(_WRITTEN.tolist()):
        for at in range(5):
            gone = {token for token in tokens[: at + 1] if token > 2}
            assert {token for token in gone if whole[row, at, token] > -torch.inf} == set()
            assert whole[row, at, 2] > -torch.inf
    for beams in (1, 4):
        found = Writing(model, beams=beams, longest=9)(sets)
        for row, count in zip(found.tolist(), (6, 3, 5), strict=True):
            places = [token for token in row if token > 2]
            assert len(set(places)) == len(places) <= count
            assert all(token < 3 + count for token in places)


def test_every_parameter_learns() -> None:
    model = _model(glimpse=True)
    logits = model(_sets(), _WRITTEN)
    logits.log_softmax(2)[:, :, 2:5].sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in model.parameters())
