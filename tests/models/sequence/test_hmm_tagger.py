"""The HMM tagger: probabilities by their definition, sequences by sums over all of them, what it has not seen."""

import itertools
import math

import pytest
import torch

from netsmith.core.errors import DataError
from netsmith.engine.task import UNLABELED
from netsmith.layers.chain import best_paths, inside_chain, log_partition, path_scores
from netsmith.models.sequence.hmm_tagger import HMMTagger

TOKENS = [[2, 3, 2, 4], [3, 2, 3], [5, 2], [4]]
TAGS = [[0, 1, 0, 2], [1, 0, 1], [2, 0], [2]]


def padded(rows, fill, length=5):
    return torch.tensor([row + [fill] * (length - len(row)) for row in rows])


def build(**fields):
    fields = {"step_alpha": 0.5, "token_alpha": 0.25, "vocab_size": 7, "num_classes": 3} | fields
    return HMMTagger.Config(**fields).build()


def learned(**fields):
    model = build(**fields)
    model.fit(padded(TOKENS, 0), padded(TAGS, UNLABELED))
    return model


class ByHand:
    """The probabilities by their definition, from lists."""

    def __init__(self, step_weight, token_weight):
        self.step_weight, self.token_weight = step_weight, token_weight
        self.steps, self.pairs, self.tokens, self.starts = [], [], [], []
        for tokens, tags in zip(TOKENS, TAGS, strict=True):
            self.starts.append(tags[0])
            self.tokens += zip(tags, tokens, strict=True)
            self.steps += zip(tokens, tags, [*tags[1:], "end"], strict=True)
            self.pairs += zip(tokens, tokens[1:], tags[1:], strict=False)
        once = [x for x in range(7) if sum(token == x for _, token in self.tokens) == 1]
        self.tokens += [(tag, 1) for tag, token in self.tokens if token in once]

    def start(self, tag):
        return (self.starts.count(tag) + 0.5) / (len(self.starts) + 1.5)

    def step(self, before, i, j):
        rows = [(b, k) for b, a, k in self.steps if a == i]
        alone = (sum(k == j for _, k in rows) + 0.5) / (len(rows) + 2)
        rows = [k for b, k in rows if b == before]
        nu = self.step_weight
        return (rows.count(j) + nu * alone) / (len(rows) + nu) if nu else alone

    def token(self, before, j, x):
        rows = [token for tag, token in self.tokens if tag == j]
        alone = (rows.count(x) + 0.25) / (len(rows) + 6 * 0.25)
        rows = [second for first, second, tag in self.pairs if first == before and tag == j]
        mu = self.token_weight
        return (rows.count(x) + mu * alone) / (len(rows) + mu) if mu and before is not None else alone

    def joint(self, tokens, tags):
        p = self.start(tags[0]) * self.token(None, tags[0], tokens[0])
        for at in range(1, len(tags)):
            p *= self.step(tokens[at - 1], tags[at - 1], tags[at]) * self.token(tokens[at - 1], tags[at], tokens[at])
        return p * self.step(tokens[-1], tags[-1], "end")


@pytest.mark.parametrize("step_weight", [0.0, 2.0])
@pytest.mark.parametrize("token_weight", [0.0, 3.0])
def test_potentials_are_the_logarithms_of_the_smoothed_shares(step_weight, token_weight):
    model = learned(step_weight=step_weight, token_weight=token_weight)
    hand = ByHand(step_weight, token_weight)
    texts = [[2, 3, 2], [1, 6, 4, 2], [5]]  # 6 is in the vocabulary and was not seen, 1 is not in it
    potentials = model(padded(texts, 0))
    assert inside_chain(potentials).sum(1).tolist() == [3, 4, 1]
    for row, tokens in enumerate(texts):
        every = {y: hand.joint(tokens, y) for y in itertools.product(range(3), repeat=len(tokens))}
        assert log_partition(potentials)[row].exp().item() == pytest.approx(sum(every.values()), rel=1e-12)
        best = max(every, key=every.get)
        assert tuple(best_paths(potentials).tags[row, : len(tokens)].tolist()) == best
        for tags, p in every.items():
            path = torch.tensor([[*tags, *[tags[-1]] * (5 - len(tags))]])
            assert path_scores(potentials[row : row + 1], path).item() == pytest.approx(math.log(p), abs=1e-10)


@pytest.mark.parametrize("weight", [0.0, 2.0])
def test_it_is_a_distribution_over_all_texts(weight):
    """The probabilities of all texts of a length, and of those that go on, make up what is left."""
    model, left = learned(step_weight=weight, token_weight=weight), 1.0
    for length in (1, 2, 3):
        texts = torch.tensor(list(itertools.product(range(1, 7), repeat=length)))
        left -= log_partition(model(texts)).exp().sum().item()
        assert 0 < left < 1
    ends = model._steps()[:, :, -1].min().item()
    assert left <= (1 - ends) ** 3 + 1e-12


def test_weights_count_and_places_without_a_label_do_not():
    model, doubled = build(token_weight=1.0), build(token_weight=1.0)
    model.fit(padded(TOKENS, 0), padded(TAGS, UNLABELED), weights=torch.tensor([2.0, 0.0, 1.0, 1.0]))
    rows = [0, 0, 2, 3]
    doubled.fit(padded([TOKENS[r] for r in rows], 0), padded([TAGS[r] for r in rows], UNLABELED))
    for name in ("start", "token", "step"):
        assert torch.equal(model.get_buffer(f"{name}_count"), doubled.get_buffer(f"{name}_count"))
    tags = padded(TAGS, UNLABELED)
    tags[0, 1] = UNLABELED
    model.fit(padded(TOKENS, 0), tags)
    assert model.token_count.sum() == 9
    assert model.step_count.sum() == 8  # four ends, and the six steps less the two at that place


def test_a_tag_out_of_range_is_refused():
    with pytest.raises(DataError, match=r"expected tags in 0..2, got 0..3"):
        build().fit(padded(TOKENS, 0), padded([[0, 1, 0, 3], *TAGS[1:]], UNLABELED))
