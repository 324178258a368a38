"""Kneser-Ney n-grams: every probability against the definition, computed by hand from the text."""

import collections
import itertools

import pytest
import torch

from netsmith.core.errors import UnsupportedError
from netsmith.export.onnx import export_onnx
from netsmith.layers.reading import Reading
from netsmith.models.language.ngram import Ngram

V = 8  # 0 padding, 1 unknown, 2 the end of a line, and five words


def drawn(count, *, seed=0):
    """Return a text in lines whose words depend on each other."""
    generator = torch.Generator().manual_seed(seed)
    text, at = [], 3
    for draw in torch.randint(0, 100, (count,), generator=generator).tolist():
        at = 2 if draw < 12 else 3 + (at + draw % 2) % 5 if draw < 80 else 3 + draw % 5
        text.append(at)
    return text


class ByHand:
    """Kneser-Ney smoothing as the formulas stand, on dictionaries; the first token of the text is a context only."""

    def __init__(self, text, order, *, end, plain):
        grams = [collections.Counter() for _ in range(order + 1)]
        for place in range(1, len(text)):
            for k in range(1, order + 1):
                gram = tuple(text[place - k + 1 : place + 1])
                if len(gram) == k and end not in gram[1:-1] and (k == 1 or place - k + 1 >= 0):
                    grams[k][gram] += 1
        self.counts = [None, *(collections.Counter() for _ in range(order))]
        self.counts[order] = grams[order]
        for k in range(1, order):
            before = collections.defaultdict(set)
            for gram in grams[k + 1]:
                before[gram[1:]].add(gram[0])
            for gram in grams[k]:
                begins = k > 1 and gram[0] == end
                self.counts[k][gram] = grams[k][gram] if begins else len(before[gram])
        self.discounts = [None, *(self.discount(self.counts[k], plain) for k in range(1, order + 1))]
        self.order, self.end = order, end

    @staticmethod
    def discount(counts, plain):
        n = [sum(count == many for count in counts.values()) for many in range(5)]
        share = n[1] / (n[1] + 2 * n[2]) if n[1] else 0.5
        if plain or not all(n[1:]):
            return lambda count: share * (count > 0)
        by = [0, *(k - (k + 1) * share * n[k + 1] / n[k] for k in (1, 2, 3))]
        return lambda count: min(by[min(count, 3)], count)

    def p(self, word, context):
        for place in range(len(context) - 1, -1, -1):  # nothing before the last line's end
            if context[place] == self.end:
                context = context[place:]
                break
        return self._p(word, tuple(context)[-(self.order - 1) :] if self.order > 1 else ())

    def _p(self, word, context):
        counts, discount = self.counts[len(context) + 1], self.discounts[len(context) + 1]
        beside = {gram[-1]: count for gram, count in counts.items() if gram[:-1] == context and count}
        lower = (1 / (V - 1) if word else 0) if not context else self._p(word, context[1:])
        total = sum(beside.values())
        if not total:
            return lower
        kept = {one: count - discount(count) for one, count in beside.items()}
        return kept.get(word, 0) / total + (1 - sum(kept.values()) / total) * lower


@pytest.mark.parametrize(("order", "plain"), [(1, False), (2, True), (3, False), (4, True), (5, False)])
@pytest.mark.parametrize("end", [2, 0])
def test_every_probability_is_the_definition(order, plain, end):
    text = [2, *drawn(400)]
    model = Ngram.Config(order=order, smoothing="plain" if plain else "modified", vocab_size=V, end=end).build()
    model.fit([torch.tensor(text)])
    reference = ByHand(text, order, end=end if end else None, plain=plain)
    places = range(20, 60)
    contexts = [text[place - 6 : place] for place in places] + [[3, 3, 3, 3, 3, 3], [7, 2, 7, 7, 7, 7]]
    found = model.probabilities(
        torch.tensor([context[6 - (order - 1) :] for context in contexts]).view(len(contexts), order - 1)
    )
    wanted = [[reference.p(word, context[6 - (order - 1) :]) for word in range(V)] for context in contexts]
    torch.testing.assert_close(found, torch.tensor(wanted, dtype=torch.float64), rtol=1e-12, atol=1e-15)


def test_counts_of_a_text_by_hand():
    model = Ngram.Config(order=2, vocab_size=V).build()
    model.fit([torch.tensor([2, 3, 4, 3, 4, 5, 2, 3])])
    assert (model.keys_2 // V).tolist() == [2, 3, 4, 4, 5]
    assert (model.keys_2 % V).tolist() == [3, 4, 3, 5, 2]
    assert model.counts_2.tolist() == [2, 2, 1, 1, 1]
    assert model.counts_1.tolist() == [0, 0, 1, 2, 1, 1, 0, 0]  # 3 comes after the end and after 4: two contexts


def test_probabilities_sum_to_one_after_seen_and_unseen_contexts():
    model = Ngram.Config(order=4, vocab_size=V).build()
    model.fit([torch.tensor([2, *drawn(300)]), torch.tensor([5, *drawn(100, seed=1)])])
    contexts = torch.tensor(list(itertools.product(range(V), repeat=3)))
    found = model.probabilities(contexts)
    torch.testing.assert_close(found.sum(1), torch.ones(len(contexts), dtype=torch.float64), rtol=1e-12, atol=0)
    assert bool((found[:, 1:] > 0).all())
    assert bool((found[:, 0] == 0).all())


def test_windows_with_the_state_carried_answer_as_the_whole_text():
    model = Ngram.Config(order=4, vocab_size=V).build()
    model.fit([torch.tensor([2, *drawn(300)])])
    tokens = torch.tensor([drawn(30, seed=2), drawn(30, seed=3)])
    whole, end = model(tokens)
    first, state = model(tokens[:, :7])
    second, last = model(tokens[:, 7:], state)
    assert torch.equal(torch.cat([first, second], 1), whole)
    assert torch.equal(last, end)
    assert torch.equal(end, tokens[:, -3:])


def test_before_the_fit_all_tokens_are_alike_and_a_graph_is_refused(tmp_path):
    model = Ngram.Config(order=3, vocab_size=V).build()
    logits, _ = model(torch.tensor([[3, 4]]))
    assert torch.equal(logits[0, :, 1:].exp(), torch.full((2, 7), 1 / 7, dtype=torch.float64))
    with pytest.raises(UnsupportedError, match="which ONNX cannot express"):
        export_onnx(Reading(model), torch.tensor([[3, 4]]), tmp_path / "x.onnx", exporter="torchscript")
