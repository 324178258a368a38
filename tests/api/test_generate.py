"""Text from language models: keyed draws, the likeliest token, the likeliest line, and what a line costs."""

import math

import pytest
import torch
from torch.nn import functional as F

from netsmith.api.generate import generate
from netsmith.api.network import Network
from netsmith.core.errors import ConfigError, UnsupportedError
from netsmith.data.ptb import Ptb
from netsmith.data.tiny_shakespeare import TinyShakespeare
from netsmith.layers.reading import Reading
from netsmith.models.language.lstm_lm import LstmLm
from netsmith.models.language.ngram import Ngram
from netsmith.tasks.next_token import NextToken


def network_of(data, model):
    spec = data.Config(twin=True).build().spec
    torch.manual_seed(0)
    built = model.derive(vocab_size=len(spec.inputs.vocabulary)).build().double()
    return Network(Reading(built), spec, task=NextToken.Config(top=3).build(), name="spoken")


@pytest.fixture
def words():
    return network_of(Ptb, LstmLm.Config(hidden_size=6, bound=1.0))


@pytest.fixture
def letters():
    return network_of(TinyShakespeare, LstmLm.Config(hidden_size=6, bound=1.0))


def logs_after(network, text):
    """Return the log-probabilities after a text, in one go, without padding and the unknown word."""
    names = network.spec.inputs.vocabulary
    tokens = torch.tensor([[2, *(names.index(word) for word in text)]])
    with torch.no_grad():
        logits = network.module(tokens)[0, -1]
    logits[:2] = -torch.inf
    return logits.log_softmax(-1)


def test_the_likeliest_token_each_time(words):
    (found,) = generate(words, "+ a", length=6, temperature=0)
    text, nats = ["+", "a"], 0.0
    for token in found["tokens"]:
        logs = logs_after(words, text)
        assert words.spec.inputs.vocabulary[int(logs.argmax())] == token
        nats -= float(logs.max())
        text.append(token)
    assert found["nats"] == pytest.approx(nats, rel=1e-10)


def test_draws_depend_on_the_seed_and_the_text_alone(words):
    three = generate(words, length=8, count=3, seed=5)
    assert generate(words, length=8, count=2, seed=5) == [
        {**text, "nats": pytest.approx(text["nats"])} for text in three[:2]
    ]
    assert generate(words, length=8, count=3, seed=6) != three
    assert len({text["text"] for text in three}) == 3
    assert generate(words, length=5, top_k=1)[0]["tokens"] == generate(words, length=5, temperature=0)[0]["tokens"]
    many = generate(words, length=30, count=40)
    assert not {"<pad>", "<unk>"} & {token for text in many for token in text["tokens"]}


def test_drawn_tokens_have_the_models_distribution(words):
    found = [text["tokens"][0] for text in generate(words, "- b", length=1, count=4000)]
    p = logs_after(words, ["-", "b"]).exp()
    for number, name in enumerate(words.spec.inputs.vocabulary):
        assert found.count(name) / 4000 == pytest.approx(float(p[number]), abs=4 * 0.5 / 4000**0.5)


def test_a_beam_as_wide_as_all_texts_finds_the_likeliest_line(words):
    found = generate(words, "+", length=2, beam=31 * 31, penalty=0.0, count=4)
    names = words.spec.inputs.vocabulary
    first = logs_after(words, ["+"])
    scores = {"<eos>": float(first[2])}
    for number in range(3, 31):
        after = logs_after(words, ["+", names[number]])
        scores |= {f"{names[number]} {names[k]}": float(first[number] + after[k]) for k in range(2, 31)}
    best = sorted(scores, key=scores.get, reverse=True)[:4]
    assert [" ".join(text["tokens"]) for text in found] == best
    assert [text["score"] for text in found] == pytest.approx([scores[text] for text in best], rel=1e-10)
    assert [text["nats"] for text in found] == pytest.approx([-scores[text] for text in best], rel=1e-10)


def test_characters_stand_side_by_side_and_words_apart(letters, words):
    (found,) = generate(letters, "+ab\n-", length=40, seed=1)
    assert found["text"] == "".join(found["tokens"])
    assert len(found["text"]) == 40
    (found,) = generate(words, "+ a\n", length=40, seed=1)
    assert found["text"].replace("\n", " <eos> ").split() == found["tokens"]


def test_an_ngram_model_writes_what_it_counted():
    network = network_of(Ptb, Ngram.Config(order=3))
    names = network.spec.inputs.vocabulary
    line = [names.index(word) for word in ("+", "a", "h", "o", "<eos>")]
    network.module.network.fit([torch.tensor([2, *line * 20])])
    assert generate(network, "+ a", length=3, temperature=0)[0]["text"] == "h o\n"


def test_a_line_is_told_its_perplexity_and_what_follows(words):
    texts = ["+ a h", "- b n z zzz", "+"]
    found = words.predict(texts)
    names = words.spec.inputs.vocabulary
    for text, line in zip(texts, found, strict=True):
        tokens = [names.index(word) if word in names else 1 for word in text.split()]
        with torch.no_grad():
            logits = words.module(torch.tensor([[2, *tokens]]))[0]
        nats = F.cross_entropy(logits[:-1], torch.tensor(tokens))
        assert line["perplexity"] == pytest.approx(math.exp(float(nats)), rel=1e-9)
        assert line["tokens"] == len(tokens)
        p = logits[-1].softmax(-1)
        assert list(line["next"].values()) == pytest.approx(p.sort(descending=True).values[:3].tolist(), rel=1e-9)


@pytest.mark.parametrize(
    ("settings", "words_of"),
    [
        ({"length": 0}, "length=0"),
        ({"beam": 2, "top_k": 3}, "leave out temperature"),
        ({"beam": 2, "count": 3}, "count=3 asks for more"),
        ({"temperature": 0, "top_p": 0.5}, "temperature=0"),
    ],
)
def test_settings_that_exclude_each_other_are_refused(words, settings, words_of):
    with pytest.raises(ConfigError, match=words_of):
        generate(words, **settings)


def test_other_networks_do_not_write(words):
    other = Network(torch.nn.Identity(), words.spec, name="other")
    with pytest.raises(UnsupportedError, match="other is no language model"):
        generate(other)
