"""Beam search against every text there is, and against the search written out on lists."""

import itertools
import math

import pytest
import torch

from netsmith.core.errors import ConfigError, DataError
from netsmith.layers.beam_search import beam_search

V, END = 4, 1


def language(rows, *, seed):
    """Return a random language whose next token depends on the two tokens before, and its first distribution."""
    generator = torch.Generator().manual_seed(seed)
    table = (2 * torch.randn(rows, V, V, V, generator=generator, dtype=torch.float64)).log_softmax(-1)
    first = torch.randn(rows, V, generator=generator, dtype=torch.float64).log_softmax(-1)

    def following(tokens, state):
        before, row = state.unbind(1)
        return table[row, before, tokens], torch.stack([tokens, row], 1)

    def log_p(row, text):
        padded = [0, *text]
        return float(first[row, text[0]]) + sum(
            float(table[row, padded[i - 1], padded[i], padded[i + 1]]) for i in range(1, len(text))
        )

    return following, first, torch.stack([torch.zeros(rows, dtype=torch.int64), torch.arange(rows)], 1), log_p


def penalty(text, alpha):
    return ((5 + len(text)) / 6) ** alpha


def texts(length, end):
    """Return every text: ended, or of full length."""
    for size in range(1, length + 1):
        for text in itertools.product(range(V), repeat=size):
            if end in text[:-1] or (size < length and text[-1] != end):
                continue
            yield text


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("end", [END, None])
def test_a_wide_beam_finds_the_best_of_all_texts(alpha, end):
    following, first, state, log_p = language(3, seed=1)
    found = beam_search(following, first, state, beams=V**4, length=4, end=end, penalty=alpha)
    for row in range(3):
        scored = sorted(((log_p(row, text) / penalty(text, alpha), text) for text in texts(4, end)), reverse=True)
        for place in range(5):
            size = int(found.lengths[row, place])
            assert tuple(found.tokens[row, place, :size].tolist()) == scored[place][1]
            assert float(found.scores[row, place]) == pytest.approx(scored[place][0], rel=1e-12)
            assert not found.tokens[row, place, size:].any()


def on_lists(log_p, row, *, beams, length, end, alpha):
    """Beam search written out: texts that end are kept, the ``beams`` likeliest others go on."""
    kept, going = [], [()]
    for step in range(length):
        candidates = sorted(
            ((log_p(row, (*text, token)), (*text, token)) for text in going for token in range(V)), reverse=True
        )[: 2 * beams]
        for score, text in candidates:
            if text[-1] == end or step == length - 1:
                kept.append((score / penalty(text, alpha), text))
        going = [text for _, text in candidates if text[-1] != end][:beams]
    return sorted(kept, reverse=True)[:beams]


@pytest.mark.parametrize("beams", [1, 2, 3])
@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_a_narrow_beam_is_the_search_written_out_and_stopping_early_loses_nothing(beams, alpha):
    rows = 12
    following, first, state, log_p = language(rows, seed=2)
    found = beam_search(following, first, state, beams=beams, length=7, end=END, penalty=alpha)
    for row in range(rows):
        wanted = on_lists(log_p, row, beams=beams, length=7, end=END, alpha=alpha)
        assert [s for s in found.scores[row].tolist() if s > -math.inf] == pytest.approx(
            [s for s, _ in wanted], rel=1e-12
        )
        sizes = found.lengths[row].tolist()
        for place, (score, _) in enumerate(wanted):  # texts of the same steps in another order score alike
            text = tuple(found.tokens[row, place, : sizes[place]].tolist())
            assert log_p(row, text) / penalty(text, alpha) == pytest.approx(score, rel=1e-12)


def test_one_beam_without_an_end_is_greedy():
    following, first, state, _ = language(5, seed=3)
    found = beam_search(following, first, state, beams=1, length=6, end=None)
    logs = first
    for step in range(6):
        token = logs.argmax(1)
        assert token.tolist() == found.tokens[:, 0, step].tolist()
        logs, state = following(token, state)


def test_settings_out_of_range_are_refused():
    following, first, state, _ = language(1, seed=0)
    with pytest.raises(ConfigError, match="beams=0"):
        beam_search(following, first, state, beams=0, length=1, end=None)


@pytest.mark.parametrize("wrong", [{"penalty": math.nan}, {"penalty": math.inf}, {"coverage": math.nan}])
def test_settings_that_are_no_finite_numbers_are_refused(wrong):
    following, first, state, _ = language(1, seed=0)
    with pytest.raises(ConfigError, match="finite numbers that are not negative"):
        beam_search(following, first, state, beams=2, length=3, end=END, attention=lambda _: first, **wrong)


def test_a_network_that_answers_nan_is_refused_and_a_text_that_cannot_be_may_go_on_to_it():
    following, first, state, _ = language(2, seed=0)
    with pytest.raises(DataError, match="no probability but NaN"):
        beam_search(following, first * torch.nan, state, beams=2, length=3, end=END)
    with pytest.raises(DataError, match="no probability but NaN"):
        beam_search(lambda t, s: (following(t, s)[0] * torch.nan, s), first, state, beams=2, length=3, end=END)
    only = torch.tensor([[0.0, -torch.inf, -torch.inf, -torch.inf]], dtype=torch.float64)  # token 0, forever

    def forever(tokens, after):
        return torch.where(tokens[:, None] == 0, only, torch.nan), after

    found = beam_search(forever, only, torch.zeros(1, 1), beams=3, length=4, end=END)
    assert found.tokens[0, 0].tolist() == [0, 0, 0, 0]
    assert found.scores[0].tolist() == [0, -math.inf, -math.inf]
