"""Poems keep their form whatever the model has learned; draws are keyed; what is no poem is refused."""

import pytest
import torch

from netsmith.api.network import Network
from netsmith.api.poems import write_poems
from netsmith.core.errors import ConfigError, DataError, UnsupportedError
from netsmith.data.tang_quatrains import TangQuatrains
from netsmith.data.tiny_shakespeare import TinyShakespeare
from netsmith.layers.reading import Reading
from netsmith.models.language.lstm_lm import LstmLm
from netsmith.models.tabular.mlp import MLP
from netsmith.tasks.next_token import NextToken


def network_of(data):
    spec = data.Config(twin=True).build().spec
    torch.manual_seed(0)
    built = LstmLm.Config(hidden_size=6, bound=1.0, vocab_size=len(spec.inputs.vocabulary)).build().double()
    return Network(Reading(built), spec, task=NextToken.Config().build(), name="poet")


@pytest.fixture(scope="module")
def poet():
    return network_of(TangQuatrains)


@pytest.mark.parametrize(("form", "width"), [("quatrain5", 5), ("quatrain7", 7)])
@pytest.mark.parametrize("settings", [{}, {"temperature": 2.0}, {"top_k": 3}, {"top_p": 0.5}, {"temperature": 0.0}])
def test_every_poem_has_the_form_and_rhymes(poet, form, width, settings):
    classes = dict(zip(poet.spec.outputs.names, poet.spec.outputs.rhymes, strict=True))
    for poem in write_poems(poet, form=form, count=20, **settings):
        assert [len(line) for line in poem["lines"]] == [width] * 4
        first, second = poem["rhyme"]
        assert first != second
        assert classes[first] == classes[second] > 0
        assert poem["text"].count("\n") == 1
        assert poem["text"].replace("\n", "") == "{}，{}。{}，{}。".format(*poem["lines"])


def test_the_nats_are_those_of_what_was_not_given(poet):
    given = "一丁丂七丄"
    (poem,) = write_poems(poet, first_line=given, seed=3)
    assert poem["lines"][0] == given
    names = poet.spec.outputs.names
    signs = [2, *(names.index(sign) for sign in "5{}，{}。{}，{}。".format(*poem["lines"]))]
    with torch.no_grad():
        logs = poet.module(torch.tensor([signs]))[0].log_softmax(-1)
    places = [place for place in range(8, len(signs)) if names[signs[place]] not in "，。"]
    assert poem["nats"] == pytest.approx(-sum(float(logs[place - 1, signs[place]]) for place in places), rel=1e-9)


def test_hidden_words_begin_the_lines(poet):
    for poem in write_poems(poet, form="quatrain7", hidden="一丁丂七", count=5):
        assert "".join(line[0] for line in poem["lines"]) == "一丁丂七"


def test_draws_depend_on_the_seed_and_the_poem_alone(poet):
    three = write_poems(poet, count=3, seed=5)
    assert [poem["text"] for poem in write_poems(poet, count=2, seed=5)] == [poem["text"] for poem in three[:2]]
    assert write_poems(poet, seed=6)[0]["text"] != three[0]["text"]


def test_what_cannot_be_is_refused(poet):
    with pytest.raises(DataError, match="expected 5"):
        write_poems(poet, first_line="一丁")
    with pytest.raises(ConfigError, match="count=0"):
        write_poems(poet, count=0)
    with pytest.raises(ConfigError, match="leave out top_k"):
        write_poems(poet, temperature=0, top_k=3)
    with pytest.raises(UnsupportedError, match="poet knows no rhymes"):
        write_poems(network_of(TinyShakespeare))
    spec = poet.spec.derive(**{"outputs.rhymes": ()})
    with pytest.raises(UnsupportedError, match="is no language model"):
        write_poems(Network(MLP.Config(in_features=2, num_outputs=2).build(), spec, name="table"))
