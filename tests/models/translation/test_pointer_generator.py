"""The pointer-generator against loops in float64: Eqs. 1 to 13, the ends p_gen = 0 and 1, steps, padding."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from netsmith.core.errors import ConfigError
from netsmith.core.spec import Inputs, Outputs, Spec, Step
from netsmith.layers.writing import Writing
from netsmith.models.translation.pointer_generator import PointerGenerator, mixed

_WORDS = 9
_SOURCE = torch.tensor([[4, 10, 3, 10, 8], [6, 4, 4, 0, 0], [9, 10, 11, 12, 0]])  # 9 and above: V + the place
_WRITTEN = torch.tensor([[2, 4, 10, 3], [2, 5, 0, 0], [2, 11, 9, 12]])


def _model(*, copying: bool = True, coverage: bool = False, coverage_loss: float = 0.0) -> PointerGenerator:
    torch.manual_seed(0)
    config = PointerGenerator.Config(
        embedding_size=5,
        hidden_size=7,
        copying=copying,
        coverage=coverage,
        coverage_loss=coverage_loss,
        vocab_size=_WORDS,
    )
    model = PointerGenerator(config).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)
        model.offset.copy_(torch.linspace(-1, 1, 7))
    return model


def _p_gen(model: PointerGenerator, value: float) -> None:
    """Make p_gen 0 or 1, exactly."""
    assert model.generates is not None
    with torch.no_grad():
        model.generates.weight.zero_()
        model.generates.bias.fill_(1e4 if value else -1e4)


def _lstm(layer: nn.Module, rows: list[Tensor], state: tuple[Tensor, Tensor]) -> list[Tensor]:
    """Return the state after each row, by a cell with the layer's weights."""
    cell = nn.LSTMCell(len(rows[0]), 7, dtype=torch.float64)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    found = []
    for row in rows:
        state = cell(row, state)
        found.append(state[0])
    return found


def _by_loops(model: PointerGenerator, row: int) -> tuple[list[list[float]], float]:
    """Return the probabilities of each place of a text and its cost (Eqs. 1 to 12), a word after the other."""
    source = [number for number in _SOURCE[row].tolist() if number]
    read = [model.embedding.weight[number if number < _WORDS else 1] for number in source]
    vectors = [model.embedding.weight[number if number < _WORDS else 1] for number in _WRITTEN[row].tolist()]
    nothing = (torch.zeros(7, dtype=torch.float64),) * 2
    forward = _lstm(model.encoder.passes[0], read, nothing)
    backward = _lstm(model.encoder.passes[1], read[::-1], nothing)[::-1]
    h = [torch.cat([one, other]) for one, other in zip(forward, backward, strict=True)]
    ends = torch.cat([forward[-1], backward[0]])
    hidden, memory = (torch.relu(layer.weight @ ends + layer.bias) for layer in model.first)
    s = _lstm(model.decoder, vectors, (hidden, memory))
    coverage = [0.0] * len(source)
    cost = 0.0
    found = []
    for x, s_t in zip(vectors, s, strict=True):
        e = []
        for h_i, c_i in zip(h, coverage, strict=True):
            inner = model.scores.key.weight @ h_i + model.scores.query.weight @ s_t + model.offset
            if model.covered is not None:
                inner = inner + model.covered.weight[:, 0] * c_i
            e.append(float(model.scores.out.weight[0] @ torch.tanh(inner)))
        a = [math.exp(score) / sum(map(math.exp, e)) for score in e]
        cost += sum(min(pair) for pair in zip(a, coverage, strict=True))
        coverage = [before + now for before, now in zip(coverage, a, strict=True)]
        context = sum(weight * h_i for weight, h_i in zip(a, h, strict=True))
        assert isinstance(context, Tensor)
        vocabulary = model.head(model.mix(torch.cat([s_t, context]))).softmax(0).tolist()
        p = 1.0 if model.generates is None else float(model.generates(torch.cat([context, s_t, x])).sigmoid())
        final = [p * share for share in vocabulary] + [0.0] * _SOURCE.shape[1]
        for number, weight in zip(source, a, strict=True):
            final[number] += (1 - p) * weight
        found.append(final)
    return found, cost


@pytest.mark.parametrize("coverage", [False, True])
@pytest.mark.parametrize("copying", [False, True])
@torch.no_grad()
def test_probabilities_are_the_equations_by_loops(*, copying: bool, coverage: bool) -> None:
    model = _model(copying=copying, coverage=coverage, coverage_loss=0.5 if coverage else 0.0)
    inside = _WRITTEN > 0
    logs, costs = model.costly(_SOURCE, _WRITTEN, inside)
    torch.testing.assert_close(logs.exp().sum(2), torch.ones(3, 4, dtype=torch.float64), rtol=0, atol=1e-12)
    for row in (0, 2):
        wanted, cost = _by_loops(model, row)
        torch.testing.assert_close(logs[row].exp(), torch.tensor(wanted, dtype=torch.float64), rtol=1e-10, atol=1e-14)
        assert float(costs[row]) == pytest.approx(0.5 * cost if coverage else 0, abs=1e-12)


@torch.no_grad()
def test_a_sure_generator_is_the_vocabularys_softmax() -> None:
    model = _model()
    _p_gen(model, 1)
    logs = model(_SOURCE, _WRITTEN)
    plain = _model(copying=False)
    plain.load_state_dict(model.state_dict(), strict=False)
    torch.testing.assert_close(logs[..., :_WORDS], plain(_SOURCE, _WRITTEN)[..., :_WORDS], rtol=0, atol=1e-12)
    assert (logs[..., _WORDS:].exp() == 0).all()


@torch.no_grad()
def test_a_sure_copier_is_the_attention_on_equal_words() -> None:
    model = _model()
    _p_gen(model, 0)
    state = model.begin(_SOURCE)
    logs, state = model.step(torch.full((3,), 2), state)
    for row, tokens in enumerate(_SOURCE.tolist()):
        for word in range(_WORDS + 5):
            share = sum(float(state.weights[row, at]) for at, token in enumerate(tokens) if token == word and word)
            assert math.exp(float(logs[row, word])) == pytest.approx(share, abs=1e-15)
    assert float(logs[0, 10].exp()) == pytest.approx(float(state.weights[0, [1, 3]].sum()), abs=1e-15)


@pytest.mark.parametrize("coverage", [False, True])
@torch.no_grad()
def test_steps_give_what_teacher_forcing_gives(*, coverage: bool) -> None:
    model = _model(coverage=coverage)
    whole = model(_SOURCE, _WRITTEN)
    state = model.begin(_SOURCE)
    for at, tokens in enumerate(_WRITTEN.unbind(1)):
        logs, state = model.step(tokens, state)
        live = tokens > 0
        torch.testing.assert_close(logs[live], whole[:, at][live], rtol=0, atol=1e-12)
        weights = model.attention(state)
        torch.testing.assert_close(weights.sum(1), torch.ones(3, dtype=torch.float64))
        assert not weights[_SOURCE == 0].any()


@pytest.mark.parametrize("coverage", [False, True])
@torch.no_grad()
def test_padding_changes_nothing(*, coverage: bool) -> None:
    model = _model(coverage=coverage)
    whole = model(_SOURCE, _WRITTEN)
    alone = model(_SOURCE[1:2, :3], _WRITTEN[1:2, :2])
    torch.testing.assert_close(alone, whole[1:2, :2, : _WORDS + 3], rtol=0, atol=1e-12)
    assert (whole[1, :2, _WORDS + 3 :] == -torch.inf).all()


@pytest.mark.parametrize("beams", [1, 4])
@torch.no_grad()
def test_what_a_sure_copier_writes_stands_in_the_source(*, beams: int) -> None:
    model = _model()
    _p_gen(model, 0)
    found = Writing(model, beams=beams, longest=6)(_SOURCE)
    for row, tokens in zip(found.tolist(), _SOURCE.tolist(), strict=True):
        assert set(row) - {0} <= set(tokens)


def test_gradients_are_finite_where_words_are_impossible() -> None:
    model = _model(coverage=True, coverage_loss=1.0)
    logs, costs = model.costly(_SOURCE, _WRITTEN, _WRITTEN > 0)
    loss = torch.nn.functional.cross_entropy(logs.flatten(0, 1), torch.tensor([10, 3, 8, 2, 5, 2, 2, 2, 11, 9, 12, 2]))
    (loss + costs.sum()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


def test_the_gradient_of_a_mixture_is_right() -> None:
    generator = torch.Generator().manual_seed(3)
    logs = torch.randn(2, 3, 6, generator=generator, dtype=torch.float64).requires_grad_()
    weights = torch.randn(2, 3, 4, generator=generator, dtype=torch.float64).requires_grad_()
    share = torch.rand(2, 3, generator=generator, dtype=torch.float64).requires_grad_()
    source = torch.tensor([[3, 7, 3, 9], [6, 5, 8, 2]])

    def probabilities(logs: Tensor, weights: Tensor, share: Tensor) -> Tensor:
        return mixed(logs.log_softmax(2), weights.log_softmax(2), source, share).exp()

    assert torch.autograd.gradcheck(probabilities, (logs, weights, share))


def test_a_mixture_in_logarithms_is_the_sum_of_probabilities() -> None:
    generator = torch.Generator().manual_seed(4)
    logs = torch.randn(2, 3, 6, generator=generator, dtype=torch.float64).mul(3).log_softmax(2)
    source = torch.tensor([[3, 7, 3, 9, 3], [6, 5, 8, 5, 0]])
    scores = torch.randn(2, 3, 5, generator=generator, dtype=torch.float64) * 3
    weights = scores.masked_fill((source == 0)[:, None], -torch.inf).softmax(2)
    odds = torch.randn(2, 3, generator=generator, dtype=torch.float64) * 4
    share = odds.sigmoid()[..., None]
    wanted = torch.nn.functional.pad(logs.exp() * share, (0, 5))
    for row, tokens in enumerate(source.tolist()):
        for at, token in enumerate(tokens):
            wanted[row, :, token] += weights[row, :, at] * (1 - share[row, :, 0])
    torch.testing.assert_close(mixed(logs, weights.log(), source, odds), wanted.log(), rtol=0, atol=1e-10)


@pytest.mark.parametrize("bias", [20.0, -90.0])
def test_a_gate_that_float32_cannot_tell_from_its_end_still_learns(*, bias: float) -> None:
    model = _model().float()
    assert model.generates is not None
    with torch.no_grad():
        model.generates.bias.fill_(bias)
    target = torch.tensor([[10, 5], [5, 2], [11, 12]])  # half must be copied, half cannot be
    logs = model(_SOURCE, _WRITTEN[:, :2])
    loss = torch.nn.functional.cross_entropy(logs.flatten(0, 1), target.flatten())
    loss.backward()
    assert 0.3 * abs(bias) < loss.item() < abs(bias) + 10
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    assert float(model.generates.bias.grad) == pytest.approx(math.copysign(0.5, bias), rel=1e-4)


def _spec(*, copies: bool, shared: bool = True) -> Spec:
    step = Step(name="tokenize", pattern=r"\S+", copies=copies)
    words = ("<pad>", "<unk>", "<eos>", "a", "b")
    return Spec(
        dataset="pairs",
        inputs=Inputs(kind="text", shape=(-1,), preprocessing=(step,), vocabulary=words, max_length=9),
        outputs=Outputs(kind="tokens", names=words if shared else words[:4], steps=(step,)),
    )


def test_data_that_it_cannot_copy_from_are_refused() -> None:
    config = PointerGenerator.Config()
    assert config.misfit(_spec(copies=True)) == config.misfit(_spec(copies=False)) == ""
    assert "data.shared=true" in config.misfit(_spec(copies=False, shared=False))
    plain = config.derive(copying=False)
    assert "data.copies=false" in plain.misfit(_spec(copies=True))
    assert plain.misfit(_spec(copies=False)) == ""
    with pytest.raises((ValueError, ConfigError), match="coverage_loss"):
        PointerGenerator.Config(coverage_loss=1.0)
