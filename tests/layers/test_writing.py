"""A writer with its search: against every text there is, GNMT's coverage written out, and what one beam does."""

import copy
import itertools
import math

import pytest
import torch

from netsmith.core.errors import ConfigError, DataError, UnsupportedError
from netsmith.layers.writing import Writing, allowed
from reversal import LETTERS, Reversal, SmallWriter


@pytest.fixture
def writer():
    torch.manual_seed(3)
    made = SmallWriter(SmallWriter.Config()).double().eval()
    with torch.no_grad():
        made.head.weight.mul_(6)  # so that texts differ in likelihood
    return made


@pytest.fixture
def source():
    return Reversal(Reversal.Config()).load("dev", torch.arange(6)).inputs["source"]


def lost(writer):
    """Return the writer after a training that diverged."""
    made = copy.deepcopy(writer)
    with torch.no_grad():
        made.head.bias.fill_(math.nan)
    return made


def read(writer, source, text):
    """Return log p of a text for one source alone, and what each token looked at, ``(T, L)``."""
    state, token, total, seen = writer.begin(source), torch.tensor([2]), 0.0, []
    for number in text:
        logits, state = writer.step(token, state)
        total += float(allowed(logits)[0, number])
        seen.append(writer.attention(state)[0])
        token = torch.tensor([number])
    return total, torch.stack(seen)


def texts(longest):
    for size in range(1, longest + 1):
        for text in itertools.product(range(2, LETTERS), repeat=size):
            if 2 not in text[:-1] and (size == longest or text[-1] == 2):
                yield text


@pytest.mark.parametrize(("penalty", "coverage"), [(0.0, 0.0), (1.0, 0.0), (0.6, 0.2), (0.0, 3.0)])
@torch.no_grad()
def test_a_wide_search_finds_the_best_of_all_texts_by_gnmts_score(writer, source, penalty, coverage):
    longest = 3
    found = Writing(writer, beams=7**longest, penalty=penalty, coverage=coverage, longest=longest).search(source[:3])
    for row in range(3):
        alone = source[row : row + 1, : int((source[row] != 0).sum())]
        scored = []
        for text in texts(longest):
            total, seen = read(writer, alone, text)
            covered = sum(math.log(min(1.0, float(place))) for place in seen.sum(0))
            scored.append((total / ((5 + len(text)) / 6) ** penalty + coverage * covered, text))
        scored.sort(reverse=True)
        for place in range(3):
            size = int(found.lengths[row, place])
            assert tuple(found.tokens[row, place, :size].tolist()) == scored[place][1]
            assert float(found.scores[row, place]) == pytest.approx(scored[place][0], rel=1e-9)


@torch.no_grad()
def test_one_beam_takes_the_likeliest_token_until_the_end(writer, source):
    greedy = Writing(writer, beams=1, longest=5, penalty=0.7)
    tokens, found = greedy(source), greedy.search(source)
    assert tokens.shape == (6, 5)
    assert tokens.tolist() == found.tokens[:, 0].tolist()
    for row in range(6):
        alone, text, token, total = source[row : row + 1], [], torch.tensor([2]), 0.0
        state = writer.begin(alone)
        while len(text) < 5 and 2 not in text:
            logits, state = writer.step(token, state)
            token = allowed(logits).argmax(1)
            total += float(allowed(logits)[0, token])
            text.append(int(token))
        assert tokens[row].tolist() == text + [0] * (5 - len(text))
        assert float(found.scores[row, 0]) == pytest.approx(total / ((5 + len(text)) / 6) ** 0.7, rel=1e-9)


@pytest.mark.parametrize("beams", [1, 4])
@torch.no_grad()
def test_a_text_does_not_depend_on_padding_or_company(writer, source, beams):
    writing = Writing(writer, beams=beams, longest=6)
    whole = writing(source)
    for row in range(len(source)):
        alone = source[row : row + 1, : int((source[row] != 0).sum())]
        assert torch.equal(writing(alone)[0], whole[row])


@torch.no_grad()
def test_no_padding_and_nothing_unknown_is_written_however_likely(writer, source):
    writer.head.bias[:2] += 50
    for beams in (1, 3):
        tokens = Writing(writer, beams=beams, longest=6)(source)
        ended = (tokens == 2).cumsum(1) - (tokens == 2).long() > 0
        assert bool((tokens[~ended] >= 2).all())
        assert not tokens[ended].any()


@torch.no_grad()
def test_the_attention_is_that_of_each_written_token(writer, source):
    found = Writing(writer, beams=3, longest=6).search(source, attention=True)
    assert found.attention.shape == (6, 6, source.shape[1])
    text = found.tokens[2, 0, : found.lengths[2, 0]].tolist()
    _, seen = read(writer, source[2:3], text)
    torch.testing.assert_close(found.attention[2, : len(text)], seen, rtol=1e-12, atol=1e-12)
    blind = SmallWriter(SmallWriter.Config(attends=False)).double()
    assert Writing(blind, beams=2, longest=3).search(source, attention=True).attention is None


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_what_cannot_be_is_refused(writer, source):
    with pytest.raises(ConfigError, match="beams=0"):
        Writing(writer, beams=0)
    for wrong in ({"penalty": math.nan}, {"penalty": math.inf}, {"coverage": math.nan}, {"coverage": math.inf}):
        with pytest.raises(ConfigError, match="finite numbers"):
            Writing(writer, **wrong)
    for beams in (1, 3):
        with pytest.raises(DataError, match="no probability but NaN"), torch.no_grad():
            Writing(lost(writer), beams=beams, longest=3)(source)
    blind = SmallWriter(SmallWriter.Config(attends=False)).double()
    with pytest.raises(ConfigError, match="SmallWriter has no attention"):
        Writing(blind, beams=2, coverage=0.1)
    with pytest.raises(UnsupportedError, match=r"greedy\(\) form"):
        torch.jit.trace(Writing(writer, beams=2, longest=2), (source,))
