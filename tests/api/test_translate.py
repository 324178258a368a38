"""Translating by a network that is at hand: copied words, what is refused, and what is said of unknown words."""

import json

import pytest
import torch

from netsmith.api.network import Network
from netsmith.api.translate import translate
from netsmith.core.errors import ConfigError, DataError, UnknownNameError
from netsmith.data.multi30k_multilingual import Multi30kMultilingual
from netsmith.layers.writing import Writing
from netsmith.models.translation.pointer_generator import PointerGenerator
from netsmith.serve._answers import Answers
from netsmith.serve._body import Refused
from netsmith.serve._requests import Limits
from netsmith.tasks.write import Write


@pytest.fixture(scope="module")
def copying():
    """A network of two languages that only copies."""
    spec = (
        Multi30kMultilingual.Config(
            directions=("en-de", "en-fr"), twin=True, merges=0, copies=True, min_count=300, pattern=r"\S+"
        )
        .build()
        .spec
    )
    torch.manual_seed(0)
    size = len(spec.inputs.vocabulary)
    writer = PointerGenerator.Config(vocab_size=size, embedding_size=8, hidden_size=8).build()
    with torch.no_grad():
        writer.generates.bias.fill_(-60.0)
    return Network(Writing(writer, beams=1, longest=6), spec, task=Write.Config().build(), name="copying")


@pytest.mark.parametrize("text", ["AAA", "AAA BBB", "AAA BBB CCC DDD"])
@pytest.mark.parametrize("sign", [1.0, -1.0])  # of one of them it looks at the mark, of the other at the last word
def test_copied_words_are_those_of_the_text_that_was_read(copying, text, sign):
    with torch.no_grad():
        copying.module.writer.scores.out.weight.mul_(50 * sign)
    (asked,) = translate(copying, [text], to="fr")
    (marked,) = translate(copying, [f"<2fr> {text}"])
    with torch.no_grad():
        copying.module.writer.scores.out.weight.div_(50 * sign)
    assert asked == marked | {"source": text}
    assert set(asked["tokens"]) <= {"<2fr>", *text.split()}


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        (torch.tensor([[3, 5], [0, 0]]), "input 2 has no token: its numbers are all 0, which is padding"),
        ([[0, 0, 0]], "input 1 has no token"),
        (torch.zeros(2, 0, dtype=torch.int64), "input 1 has no token"),
        (torch.zeros(0, 3, dtype=torch.int64), "the list of inputs is empty"),
    ],
)
def test_rows_without_a_token_are_refused(copying, numbers, says):
    with pytest.raises(DataError, match=says):
        copying.predict(numbers)


def test_a_text_that_is_too_long_is_refused_by_predict_as_by_translate(copying):
    texts = ["<2de> A dog.", "<2de> " + "the " * 25_000]
    for verb in (copying.predict, lambda values: translate(copying, values)):
        with pytest.raises(DataError, match="text 2 has 25001 tokens, and copying reads 512; give it in parts"):
            verb(texts)


def test_predict_and_serve_ask_for_the_language_as_translate_does(copying):
    with pytest.raises(
        ConfigError, match="writes de, fr; say which one: --to de of translate, or text 2 beginning with"
    ):
        copying.predict(["<2de> A dog.", "A dog."])
    with pytest.raises(UnknownNameError, match="target language of copying named 'xx'"):
        copying.predict(["<2xx> A dog."])
    answers = Answers(copying, Limits())
    with pytest.raises(Refused, match="say which one"):
        answers(json.dumps({"inputs": ["A dog."]}).encode())
    (served,) = json.loads(answers(json.dumps(answers.requests.example).encode()))["predictions"]
    assert [served] == copying.predict(["<2de> an example"])
