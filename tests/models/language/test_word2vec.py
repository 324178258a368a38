"""word2vec: the gradients of its four forms, the compiled loop, sparse steps, and that it learns what gensim learns."""

import pytest
import torch
from torch.nn import functional as F

from netsmith.core.errors import ConfigError, MissingExtraError
from netsmith.engine.batch import Batch
from netsmith.engine.random import keyed_uniform
from netsmith.layers.alias import alias_table
from netsmith.layers.huffman import huffman_paths
from netsmith.models.language import word2vec
from netsmith.models.language.word2vec import Word2vec

WORDS, WIDTH, SIZE = 30, 6, 7
FORMS = [(form, output) for form in ("skip_gram", "cbow") for output in ("negative", "hierarchical")]


def counts():
    return [0, 0, *(torch.arange(WORDS - 2, 0, -1) ** 2).tolist()]


def batch(rows=40, words=WORDS):
    generator = torch.Generator().manual_seed(1)
    contexts = torch.randint(2, words, (rows, WIDTH), generator=generator)
    contexts[torch.rand(rows, WIDTH, generator=generator) < 0.4] = 0
    contexts[:, 2] = 3
    keys = torch.randint(0, 2**62, (rows,), generator=generator)
    return Batch(contexts, torch.randint(2, words, (rows,), generator=generator), keys=keys)


def build(words=WORDS, **fields):
    torch.manual_seed(0)
    model = Word2vec.Config(size=SIZE, vocab_size=words, negative=4, **fields).build().double()
    model.outputs.normal_(generator=torch.Generator().manual_seed(2))
    model.embedding.weight.mul_(10)
    if words == WORDS:
        model.observe(counts())
    return model


def written_out(vectors, outputs, given, form, output, negative=4):
    """Return the summed loss of a batch, word by word, as the papers write it."""
    total = torch.zeros((), dtype=torch.float64)
    chances, others = (torch.from_numpy(table) for table in alias_table(torch.tensor(counts()[2:]).double() ** 0.75))
    paths = huffman_paths(counts()[2:])
    for row in range(len(given)):
        around, word = [int(c) for c in given.inputs[row] if c], int(given.targets[row])
        key = given.keys[row : row + 1]
        many = 1 if form == "cbow" else WIDTH
        u = keyed_uniform(key, many, negative, stream="word2vec noise")[0] * len(chances)
        drawn = [[int(v) if v - int(v) < chances[int(v)] else int(others[int(v)]) for v in each] for each in u]
        places = [place for place, c in enumerate(given.inputs[row]) if c]
        xs = [(0, vectors[around].mean(0))] if form == "cbow" else [(p, vectors[given.inputs[row, p]]) for p in places]
        for place, x in xs:
            if output == "hierarchical":
                for node in paths[word - 2]:
                    if node:
                        sign = 1 if node > 0 else -1
                        total = total - F.logsigmoid(sign * (x @ outputs[abs(int(node)) - 1]))
            else:
                total = total - F.logsigmoid(x @ outputs[word])
                for other in drawn[place]:
                    if other + 2 != word:
                        total = total - F.logsigmoid(-(x @ outputs[other + 2]))
    return total


@pytest.mark.parametrize(("form", "output"), FORMS)
@pytest.mark.parametrize("whole_error", [False, True])
def test_a_step_is_the_gradient_of_the_loss_as_it_is_written(form, output, whole_error):
    if whole_error and form != "cbow":
        pytest.skip("about the mean of CBOW")
    model = build(form=form, output=output, block=1000, compiled=False, whole_error=whole_error)
    before = model.embedding.weight.clone(), model.outputs.clone()
    vectors, outputs = (part.clone().requires_grad_() for part in before)
    given = batch() if not whole_error else batch(1)  # of one word the whole error is the gradient times its window
    loss = written_out(vectors, outputs, given, form, output)
    wanted = torch.autograd.grad(loss, (vectors, outputs))
    predictions = len(given) if form == "cbow" else int((given.inputs > 0).sum())
    logs = model.learn(given, rate=0.1)
    assert logs["loss"] == pytest.approx(loss.item() / predictions, rel=1e-12)
    times = int((given.inputs > 0).sum()) if whole_error else 1
    torch.testing.assert_close(before[0] - model.embedding.weight, 0.1 * wanted[0] * times, rtol=1e-10, atol=1e-13)
    torch.testing.assert_close(before[1] - model.outputs, 0.1 * wanted[1], rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize(("form", "output"), FORMS)
@pytest.mark.parametrize("block", [1, 16])
def test_the_compiled_loop_gives_the_same_vectors(form, output, block):
    pytest.importorskip("numba")
    found = []
    for compiled in (False, True):
        model = build(form=form, output=output, block=block, compiled=compiled, whole_error=form == "cbow")
        losses = [model.learn(batch(), rate=0.1)["loss"] for _ in range(2)]
        found.append((torch.tensor(losses), model.embedding.weight, model.outputs))
    torch.testing.assert_close(found[0], found[1], rtol=1e-11, atol=1e-13)


def test_blocks_are_steps_one_after_another():
    whole, parts = build(block=8, compiled=False), build(block=1000, compiled=False)
    given = batch()
    whole.learn(given, rate=0.1)
    for start in range(0, len(given), 8):
        parts.learn(given.part(start, start + 8), rate=0.1)
    torch.testing.assert_close(whole.embedding.weight, parts.embedding.weight, rtol=0, atol=0)


def test_only_the_words_that_take_part_are_moved():
    model = build(compiled=False)
    before = model.embedding.weight.clone()
    given = batch(5)
    model.learn(given, rate=0.1)
    moved = (model.embedding.weight != before).any(1).nonzero()[:, 0].tolist()
    assert moved == sorted({int(c) for c in given.inputs.flatten() if c})


def test_negative_words_are_drawn_by_the_power_of_their_counts():
    model = build(compiled=False)
    given = Batch(torch.full((20_000, 1), 3), torch.full((20_000,), 2), keys=torch.arange(20_000) * 7919)
    rows, labels, counted = model._aims(given)
    drawn = rows[labels == 0]
    assert bool((counted == ((labels == 1) | (rows != 2))).all())  # a draw of the word itself does not count
    shares = torch.bincount(drawn, minlength=WORDS).double() / len(drawn)
    wanted = torch.tensor(counts()).double() ** 0.75
    assert float((shares - wanted / wanted.sum()).abs().max()) < 0.004
    assert float(shares[:2].sum()) == 0


def test_an_empty_batch_teaches_nothing():
    model = build(compiled=False)
    before = model.embedding.weight.clone()
    assert model.learn(batch().part(0, 0), rate=0.1) == {}
    assert torch.equal(before, model.embedding.weight)


def test_words_near_a_sum_of_words():
    model = build()
    unit = F.normalize(model.embedding.weight, dim=1)
    found = model(torch.tensor([[-4, 5, 6], [7, 1, 0], [1, 0, 0]]))
    torch.testing.assert_close(found[0], unit @ F.normalize(unit[5] + unit[6] - unit[4], dim=0))
    torch.testing.assert_close(found[1], unit @ unit[7])
    assert float(found[2].abs().max()) == 0  # nothing known was asked


def test_what_cannot_be_is_refused(monkeypatch):
    with pytest.raises(ConfigError, match="about the mean of CBOW"):
        build(whole_error=True)
    with pytest.raises(ConfigError, match="at least two words"):
        build(words=3)
    model = build(words=9, compiled=False)
    with pytest.raises(ConfigError, match="not seen the counts"):
        model.learn(batch(words=9), rate=0.1)
    for wrong in ([1, 2, 3], [0, 0, 1, 1, 0, 1, 1, 1, 1]):
        with pytest.raises(ConfigError, match="needs as many counts"):
            model.observe(wrong)

    def missing():
        raise MissingExtraError("numba", "fast")

    monkeypatch.setattr(word2vec, "_compiled_once", missing)
    with pytest.raises(MissingExtraError):
        build(compiled=True).learn(batch(), rate=0.1)
    assert build().learn(batch(), rate=0.1)  # left to itself, it goes on without
