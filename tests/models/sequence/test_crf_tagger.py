"""The CRF tagger: its features and scores written out, what it learns."""

import itertools

import pytest
import torch

from netsmith.core.errors import ConfigError
from netsmith.layers.chain import best_paths, inside_chain, path_scores, surprisal
from netsmith.models.sequence.crf_tagger import CRFTagger

TEXTS = [[5, 2, 7, 2, 3], [4, 4], [6]]


def padded(rows, length=6):
    return torch.tensor([row + [0] * (length - len(row)) for row in rows])


def build(**fields):
    torch.manual_seed(0)
    model = (
        CRFTagger.Config(**{"window": 5, "buckets": 11, "vocab_size": 9, "num_classes": 3} | fields).build().double()
    )
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_()
    return model.eval()


def features(model, tokens, at):
    """The rows of one place's features, one after another."""
    window, buckets = model.config.window, model.config.buckets
    reach = window // 2

    def near(offset):
        return tokens[at + offset] if 0 <= at + offset < len(tokens) else 0

    rows = [(offset + reach) * 9 + near(offset) for offset in range(-reach, reach + 1)]
    if buckets:
        pairs = [(near(offset), near(offset + 1)) for offset in range(-reach, reach)]
        pairs += [(near(-1), near(1))] if reach else []
        rows += [
            window * 9 + (first * 2_654_435_761 + second * 40_503 + kind * 97) % buckets
            for kind, (first, second) in enumerate(pairs)
        ]
    return rows


@pytest.mark.parametrize(("window", "buckets"), [(1, 11), (3, 11), (5, 11), (5, 0)])
def test_scores_are_sums_of_the_weights_of_features(window, buckets):
    model = build(window=window, buckets=buckets)
    with torch.no_grad():
        potentials = model(padded(TEXTS))
    assert inside_chain(potentials).sum(1).tolist() == [5, 2, 1]
    for row, tokens in enumerate(TEXTS):
        tags = [(at + row) % 3 for at in range(len(tokens))]
        score = model.start[tags[0]] + model.end[tags[-1]]
        score += sum(model.transitions[a, b] for a, b in itertools.pairwise(tags))
        for at, tag in enumerate(tags):
            rows = features(model, tokens, at)
            assert model.numbers(padded(TEXTS))[row, at].tolist() == rows
            score += model.features.weight[rows, tag].sum()
        path = torch.tensor([tags + tags[-1:] * (6 - len(tags))])
        assert path_scores(potentials[row : row + 1], path).item() == pytest.approx(score.item(), abs=1e-12)


def test_it_begins_without_an_opinion_and_learns_a_tag_that_only_a_pair_tells():
    """The tag says whether a token is the one before: neither token alone tells it."""
    torch.manual_seed(0)
    model = CRFTagger.Config(window=3, buckets=1009, vocab_size=6, num_classes=2).build()
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(2, 6, (64, 8), generator=generator)
    tags = (tokens == torch.nn.functional.pad(tokens[:, :-1], (1, 0))).long()
    assert surprisal(model(tokens), tags).detach().div(8).tolist() == pytest.approx([0.6931] * 64, abs=1e-3)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    for _ in range(60):
        optimizer.zero_grad()
        surprisal(model(tokens), tags).mean().backward()
        optimizer.step()
    assert bool((best_paths(model(tokens)).tags == tags).all())


def test_an_even_window_is_refused():
    with pytest.raises(ConfigError, match="window=4: expected an odd number"):
        CRFTagger.Config(window=4)
