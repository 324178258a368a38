"""The structured perceptron against all sequences, counts by hand, and its mistake bound."""

import itertools

import pytest
import torch

from netsmith.core.errors import ConfigError
from netsmith.engine.batch import Batch
from netsmith.models.foundations.structured_perceptron import StructuredPerceptron

TAGS, WORDS = 3, 6


def model(*, window=3, average=True, seed=0):
    config = StructuredPerceptron.Config(window=window, average=average, vocab_size=WORDS, num_classes=TAGS)
    made = config.build()
    generator = torch.Generator().manual_seed(seed)
    for name in ("emission", "transition"):
        made.get_buffer(name).normal_(generator=generator)
        made.get_buffer(f"{name}_sum").copy_(2 * made.get_buffer(name))
    made.steps.fill_(2)
    return made


def counts(tokens, tags, window):
    """Phi(x, y), in the shapes of the weights, one place after another."""
    emission, transition = torch.zeros(window, WORDS, TAGS).double(), torch.zeros(TAGS, TAGS).double()
    for at, tag in enumerate(tags):
        for place in range(window):
            near = at + place - window // 2
            emission[place, tokens[near] if 0 <= near < len(tokens) else 0, tag] += 1
        if at:
            transition[tags[at - 1], tag] += 1
    return emission, transition


def score(weights, tokens, tags):
    emission, transition = counts(tokens, tags, len(weights.emission))
    return float((weights.emission * emission).sum() + (weights.transition * transition).sum())


def padded(*sentences):
    longest = max(map(len, sentences))
    return torch.tensor([list(one) + [0] * (longest - len(one)) for one in sentences])


SENTENCES = ([2, 5, 3, 1, 4], [3, 3], [1])


@pytest.mark.parametrize("window", [1, 3, 5])
def test_the_best_sequence_is_the_best_of_all(window):
    weights = model(window=window)
    found, answers = weights.best_path(padded(*SENTENCES)), weights(padded(*SENTENCES))
    for row, tokens in enumerate(SENTENCES):
        every = {tags: score(weights, tokens, tags) for tags in itertools.product(range(TAGS), repeat=len(tokens))}
        best = max(every, key=every.get)
        assert tuple(found[row, : len(tokens)].tolist()) == best
        assert tuple(answers[row, : len(tokens)].argmax(1).tolist()) == best
        for at, tag in itertools.product(range(len(tokens)), range(TAGS)):
            through = max(value for tags, value in every.items() if tags[at] == tag)
            assert float(answers[row, at, tag]) == pytest.approx(through, abs=1e-12)
    assert not found[1, 2:].any()


def test_a_step_adds_the_right_counts_and_takes_away_those_that_were_found():
    weights = model()
    before = {name: buffer.clone() for name, buffer in weights.named_buffers()}
    tokens, right = [2, 5, 3, 1], [0, 2, 2, 1]
    found = weights.best_path(torch.tensor([tokens]))[0].tolist()
    assert found != right
    logs = weights.learn(Batch(torch.tensor([tokens]), torch.tensor([right])), rate=0.5)
    (a, b), (c, d) = counts(tokens, right, 3), counts(tokens, found, 3)
    torch.testing.assert_close(weights.emission, before["emission"] + 0.5 * (a - c), rtol=0, atol=1e-12)
    torch.testing.assert_close(weights.transition, before["transition"] + 0.5 * (b - d), rtol=0, atol=1e-12)
    torch.testing.assert_close(weights.emission_sum, before["emission_sum"] + weights.emission, rtol=0, atol=1e-12)
    assert logs == {"mistakes": 1.0}
    assert int(weights.steps) == 3


def test_what_is_right_changes_nothing_and_padding_counts_nowhere():
    weights = model()
    inputs = padded(*SENTENCES)
    targets = weights.best_path(inputs).masked_fill(inputs == 0, -100)
    before = weights.emission.clone(), weights.transition.clone()
    assert weights.learn(Batch(inputs, targets), rate=1.0) == {"mistakes": 0.0}
    assert torch.equal(weights.emission, before[0])
    assert torch.equal(weights.transition, before[1])
    targets[0, 0] = (targets[0, 0] + 1) % TAGS
    weights.learn(Batch(inputs, targets), rate=1.0)
    alone = model()
    alone.learn(Batch(inputs[:1], targets[:1]), rate=1.0)
    torch.testing.assert_close(weights.emission, alone.emission, rtol=0, atol=1e-12)


def test_the_mean_of_the_weights_is_used_or_the_last():
    torch.manual_seed(0)
    tokens, targets = torch.randint(1, WORDS, (20, 5)), torch.randint(TAGS, (20, 5))
    answers = {}
    for average in (True, False):
        weights = StructuredPerceptron.Config(average=average, vocab_size=WORDS, num_classes=TAGS).build()
        history = []
        for at in range(20):
            weights.learn(Batch(tokens[at : at + 1], targets[at : at + 1]), rate=1.0)
            history.append((weights.emission.clone(), weights.transition.clone()))
        answers[average] = weights(tokens)
    last = model(average=False)
    last.emission.copy_(history[-1][0])
    last.transition.copy_(history[-1][1])
    mean = model(average=False)
    mean.emission.copy_(torch.stack([one for one, _ in history]).mean(0))
    mean.transition.copy_(torch.stack([one for _, one in history]).mean(0))
    torch.testing.assert_close(answers[False], last(tokens), rtol=0, atol=1e-12)
    torch.testing.assert_close(answers[True], mean(tokens), rtol=0, atol=1e-12)


def test_on_separable_sentences_the_mistakes_stay_below_the_bound():
    """Theorem 1: at most R^2 / delta^2, with the separating weights that made the sentences."""
    teacher = model(seed=4)
    norm = float((teacher.emission.square().sum() + teacher.transition.square().sum()).sqrt())
    generator = torch.Generator().manual_seed(1)
    sentences, margin, radius = [], float("inf"), 0.0
    for tokens in torch.randint(1, WORDS, (60, 4), generator=generator).tolist():
        ranked = sorted(
            itertools.product(range(TAGS), repeat=4), key=lambda tags: score(teacher, tokens, tags), reverse=True
        )
        gap = (score(teacher, tokens, ranked[0]) - score(teacher, tokens, ranked[1])) / norm
        if gap < 0.02:
            continue
        sentences.append((tokens, ranked[0]))
        margin = min(margin, gap)
        best = torch.cat([part.flatten() for part in counts(tokens, ranked[0], 3)])
        others = [torch.cat([part.flatten() for part in counts(tokens, tags, 3)]) for tags in ranked[1:]]
        radius = max(radius, *(float((best - other).norm()) for other in others))
    assert len(sentences) > 30
    weights = StructuredPerceptron.Config(average=False, vocab_size=WORDS, num_classes=TAGS).build()
    mistakes, clean = 0, False
    while not clean:
        made = [
            weights.learn(Batch(torch.tensor([tokens]), torch.tensor([tags])), rate=1.0)["mistakes"]
            for tokens, tags in sentences
        ]
        mistakes, clean = mistakes + int(sum(made)), not any(made)
        assert mistakes <= radius**2 / margin**2
    assert mistakes > 5


def test_a_window_without_a_middle_is_refused():
    with pytest.raises(ConfigError, match="window=2: expected an odd number"):
        StructuredPerceptron.Config(window=2)
