"""Networks that match texts: each against a slow computation of its equations, and padding changes nothing."""

import collections
import math

import numpy as np
import pytest
import torch

from netsmith.core.config import AUTO
from netsmith.core.errors import ConfigError
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import Inputs, Outputs, Spec, Step
from netsmith.layers.bm25 import bm25_scores
from netsmith.layers.candidates import ABSENT, pack
from netsmith.layers.collection import WordVectors
from netsmith.layers.inverted_index import InvertedIndex
from netsmith.layers.kernel_pooling import kernel_centers
from netsmith.models.matching.as_given import AsGiven
from netsmith.tasks.rank import Rank

VOCABULARY = 30
CONFIGS = {
    "bm25": {"kind": "bm25", "k1": 1.5, "b": 0.6},
    "drmm": {"kind": "drmm", "bins": 6, "embedding_size": 4},
    "drmm_share": {"kind": "drmm", "bins": 5, "embedding_size": 4, "histogram": "share", "gate": "vector"},
    "drmm_count": {"kind": "drmm", "bins": 5, "embedding_size": 4, "histogram": "count", "hidden": [3, 4]},
    "knrm": {"kind": "knrm", "embedding_size": 4, "scale": 0.1},
    "dssm": {"kind": "dssm", "hidden": [7, 6], "embedding_size": 5},
    "cdssm": {"kind": "cdssm", "channels": 6, "embedding_size": 5},
    "cdssm_wide": {"kind": "cdssm", "channels": 4, "embedding_size": 5, "window": 5},
}
LETTERS = ("dssm", "cdssm", "cdssm_wide")


def built(name):
    torch.manual_seed(3)
    model = ModelConfig.load({**CONFIGS[name], "vocab_size": VOCABULARY}).build().double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, dtype=torch.float64))
    counts = getattr(model, "counts", None)
    if counts is not None:
        counts.count([torch.tensor(text) for _, *documents in texts() for text in documents])
    return model


def texts(seed=0, letters=False):
    """Return examples: the numbers of a query and of some documents; words of up to three n-grams with ``letters``."""
    rng = np.random.default_rng(seed)
    found = []
    for count in (3, 1, 4):
        words = [rng.integers(1, 12, int(rng.integers(1, 7))) for _ in range(1 + count)]
        if letters:
            table = rng.integers(1, VOCABULARY, (12, 3)) * (np.arange(3) < rng.integers(1, 4, (12, 1)))
            words = [table[text] for text in words]
        found.append(words)
    return found


def cosine(a, b):
    dot, left, right = (sum(x * y for x, y in zip(p, q, strict=True)) for p, q in ((a, b), (a, a), (b, b)))
    return dot / math.sqrt(left * right)


def affine(linear, x):
    weight, bias = linear.weight.tolist(), linear.bias.tolist()
    return [sum(w * v for w, v in zip(row, x, strict=True)) + b for row, b in zip(weight, bias, strict=True)]


def slow_drmm(model, query, document):
    config, vectors = model.config, model.embedding.weight.tolist()
    judged, gates = [], []
    for word in query:
        bins = [0.0] * config.bins
        for other in document:
            near = cosine(vectors[word], vectors[other])
            at = config.bins - 1 if near > 1 - 1e-9 else int((near + 1) / (2 / (config.bins - 1)))
            bins[at] += 1
        if config.histogram == "share":
            bins = [count / sum(bins) for count in bins]
        elif config.histogram == "log_count":
            bins = [math.log(1 + count) for count in bins]
        for layer in list(model.judge)[::2]:
            bins = [math.tanh(value) for value in affine(layer, bins)]
        judged.append(bins[0])
        terms = [model.counts.idf[word].item()] if config.gate == "idf" else vectors[word]
        gates.append(math.exp(sum(w * x for w, x in zip(model.gate.weight.tolist(), terms, strict=True))))
    return sum(gate * value for gate, value in zip(gates, judged, strict=True)) / sum(gates)


def slow_knrm(model, query, document):
    vectors = model.embedding.weight.tolist()
    pooled = []
    for mean, width in zip(*kernel_centers(), strict=True):
        pooled.append(0.0)
        for word in query:
            soft = sum(
                math.exp(-((cosine(vectors[word], vectors[other]) - mean) ** 2) / (2 * width**2)) for other in document
            )
            pooled[-1] += math.log(max(soft, 1e-10))
    return math.tanh(affine(model.head, [0.1 * value for value in pooled])[0])


def bag(words):
    return collections.Counter(int(gram) for word in words for gram in word if gram > 1)


def slow_dssm(model, query, document):
    ends = []
    for text in (query, document):
        found = bag(text)
        x = [float(found[gram]) for gram in range(2, VOCABULARY)]
        for layer in list(model.layers)[::2]:
            x = [math.tanh(value) for value in affine(layer, x)]
        ends.append(x)
    return cosine(*ends)


def slow_cdssm(model, query, document):
    size, channels = model.config.window, model.config.channels
    weight = model.window.view(VOCABULARY, size, channels).tolist()
    ends = []
    for text in (query, document):
        states = []
        for place in range(len(text)):
            state = model.bias.tolist()
            for by in range(size):
                at = place + by - size // 2
                for gram, count in (bag(text[at : at + 1]) if 0 <= at < len(text) else {}).items():
                    state = [s + count * w for s, w in zip(state, weight[gram][by], strict=True)]
            states.append([math.tanh(value) for value in state])
        pooled = [max(column) for column in zip(*states, strict=True)]
        ends.append([math.tanh(value) for value in affine(model.head, pooled)])
    return cosine(*ends)


def slow_bm25(model, query, document):
    index = InvertedIndex()
    every = [text for _, *documents in texts() for text in documents]
    for text in every:
        index.add(str(word) for word in text)
    place = next(at for at, text in enumerate(every) if np.array_equal(text, document))
    return bm25_scores(index, [str(word) for word in query if word > 1], k1=1.5, b=0.6)[place]


SLOW = {"bm25": slow_bm25, "drmm": slow_drmm, "knrm": slow_knrm, "dssm": slow_dssm, "cdssm": slow_cdssm}


@pytest.mark.parametrize("name", CONFIGS)
def test_scores_are_those_of_the_equations_and_padding_changes_nothing(name):
    model, examples = built(name), texts(letters=name in LETTERS)
    batch = pack(examples)
    slow = SLOW[name.partition("_")[0]]
    with torch.no_grad():
        found = model(batch)
        for row, (query, *documents) in zip(found.tolist(), examples, strict=True):
            wanted = [slow(model, query, document) for document in documents]
            assert row == pytest.approx(wanted + [ABSENT] * (4 - len(wanted)), rel=1e-6 if name == "bm25" else 1e-9)
        wider = torch.nn.functional.pad(batch, (0, 2, 0, 3, 0, 1) if name in LETTERS else (0, 3, 0, 1))
        assert model(wider)[:, :4].numpy() == pytest.approx(found.numpy(), rel=1e-12)
        assert (model(wider)[:, 4:] == ABSENT).all()


@pytest.mark.parametrize("name", CONFIGS)
def test_every_parameter_learns_and_the_config_survives_json(name):
    model = built(name)
    scores = model(pack(texts(letters=name in LETTERS)))
    parameters = dict(model.named_parameters())
    if parameters:
        there = scores > ABSENT / 2
        scale = torch.linspace(-1, 2, int(there.sum()), dtype=torch.float64)
        gradients = torch.autograd.grad((scores[there] * scale).sum(), list(parameters.values()))
        assert all(gradient.isfinite().all() and gradient.any() for gradient in gradients)
    config = ModelConfig.load(CONFIGS[name])
    assert ModelConfig.load(config.dump()) == config
    assert [field for field in type(config).model_fields if getattr(config, field) == AUTO] == ["vocab_size"]
    for place in model.landmarks().values():
        model.get_submodule(place)


def test_words_are_texts_of_one_letter_ngram_each():
    for name in LETTERS:
        model, batch = built(name), pack(texts())
        assert torch.equal(model(batch), model(batch[..., None]))


def test_a_gate_of_idf_needs_counts_and_whole_words_are_told_apart_from_letters():
    model = ModelConfig.load({"kind": "drmm", "vocab_size": 9}).build()
    with pytest.raises(ConfigError, match="set initialize to"):
        model(pack(texts()).clamp(max=8))
    step = Step(name="tokenize", pattern="x", letters=3)
    spec = Spec(
        dataset="some",
        inputs=Inputs(kind="text", shape=(-1, -1, -1), preprocessing=(step,), vocabulary=("", "", "a")),
        outputs=Outputs(kind="ranking"),
    )
    for kind in ("drmm", "knrm", "bm25"):
        assert f"the model {kind} compares whole words" in ModelConfig.load(kind).misfit(spec)
        flat = spec.derive(**{"inputs.shape": (-1,), "inputs.preprocessing": ()})
        assert "takes a query and its documents" in ModelConfig.load(kind).misfit(flat)
    assert ModelConfig.load("dssm").misfit(spec) == ""
    with pytest.raises(ConfigError, match="expected an odd number"):
        ModelConfig.load({"kind": "cdssm", "window": 2})


def test_the_order_given_is_kept_and_what_is_no_candidate_comes_last():
    inputs = torch.tensor([[[5, 0], [6, 7], [0, 0], [8, 0]], [[5, 6], [7, 0], [9, 9], [6, 0]]])
    scores = AsGiven.Config().build()(inputs)
    assert scores.argsort(1, descending=True).tolist() == [[0, 2, 1], [0, 1, 2]]
    assert scores[0, 1] == ABSENT
    assert torch.equal(AsGiven.Config().build()(inputs.flip(2)), scores)  # it reads no word


@pytest.mark.parametrize("name", ["drmm", "drmm_share", "knrm", "dssm", "cdssm"])
def test_in_bfloat16_it_learns_and_exact_matches_are_still_told(name):
    torch.manual_seed(0)
    model = ModelConfig.load({**CONFIGS[name], "embedding_size": 50, "vocab_size": VOCABULARY}).build()
    if getattr(model, "counts", None) is not None:
        model.counts.count([torch.arange(2, 20)])
    words = np.arange(2, 12)
    batch = pack([[words, words, words + 12, words % 5 + 2]])
    with torch.autocast("cpu", torch.bfloat16):
        scores = model(batch)
        loss = Rank.Config().build().loss(scores, torch.tensor([[1, 0, 0]])).total
    loss.backward()
    assert all(bool(one.grad.isfinite().all()) for one in model.parameters() if one.grad is not None)
    assert any(bool(one.grad.any()) for one in model.parameters() if one.grad is not None)
    torch.testing.assert_close(scores.float(), model(batch), rtol=0.03, atol=0.01)  # a lost bin is off by far more


def test_cosines_of_words_are_in_full_precision_under_autocast():
    vectors = WordVectors(500, 100, learned=False)
    words = torch.arange(1, 500)
    with torch.autocast("cpu", torch.bfloat16):
        found = vectors.cosines(words[:, None], words[:, None, None])
    assert found.dtype == torch.float32
    assert bool((found >= 1 - 1e-6).all())
