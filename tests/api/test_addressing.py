"""The mark of the language to write: added, or refused by name."""

from types import SimpleNamespace

import pytest

from netsmith.api.addressing import addressed
from netsmith.core.errors import ConfigError, DataError, UnknownNameError, UnsupportedError
from netsmith.core.spec import Inputs
from netsmith.data.multi30k_multilingual import Multi30kMultilingual
from netsmith.layers.tokenize import tokenize, tokenizer_of


def network(*marks):
    words = ("<pad>", "<unk>", "<eos>", *marks, "a")
    inputs = Inputs(kind="text", shape=(-1,), dtype="int64", vocabulary=words, max_length=9)
    return SimpleNamespace(name="net", spec=SimpleNamespace(inputs=inputs))


def test_a_language_is_asked_for_once():
    several = network("▁<2de>", "▁<2fr>")
    assert addressed(several, ["a", "b c"], to="fr") == ["<2fr> a", "<2fr> b c"]
    assert addressed(several, ["<2de> a", "<2fr> b"]) == ["<2de> a", "<2fr> b"]
    assert addressed(network(), ["a", "<2de> b"]) == ["a", "<2de> b"]


@pytest.mark.parametrize(
    ("marks", "texts", "to", "error", "says"),
    [
        (("<2de>", "<2fr>"), ["a"], "dee", UnknownNameError, "no target language of net named 'dee'; did you mean"),
        (("<2de>", "<2fr>"), ["<2de> a", "<2xx> a"], "", UnknownNameError, "no target language of net named 'xx'"),
        (("<2de>", "<2fr>"), ["<2de> a", "a"], "", ConfigError, "net writes de, fr; say which one: --to de"),
        (("<2de>", "<2fr>"), ["a", "<2de> a"], "fr", DataError, "text 2 begins with <2de>, and --to fr is given"),
        ((), ["a", 7], "", DataError, "text 2: expected a text, got int"),
        (("<2de>", "<2fr>"), [None], "", DataError, "text 1: expected a text, got NoneType"),
        ((), ["a"], "de", UnsupportedError, "net writes one language alone; leave out --to de"),
    ],
)
def test_what_was_not_taught_is_refused_by_name(marks, texts, to, error, says):
    with pytest.raises(error, match=says):
        addressed(network(*marks), texts, to=to)


def test_the_mark_is_one_token_of_the_schema():
    source = Multi30kMultilingual.Config(directions=("en-de", "en-fr"), twin=True, merges=300).build()
    fake = SimpleNamespace(name="net", spec=source.spec)
    (text,) = addressed(fake, ["The dog."], to="de")
    first, *_ = tokenize(text, tokenizer_of(source.spec.inputs))
    assert source.spec.inputs.vocabulary.index(first) == 3
    (text, _), *_ = source.texts("test-en-fr", [0])
    assert addressed(fake, [text.split(maxsplit=1)[1]], to="fr") == [text]
