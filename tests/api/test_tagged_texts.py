"""What is predicted for texts by a tagger: words and names as they stand there, however long the text."""

import pytest
import torch

from netsmith.api.network import Network
from netsmith.core.errors import DataError
from netsmith.core.spec import Inputs, Outputs, Spec, Step
from netsmith.engine.task import UNLABELED
from netsmith.models.sequence.hmm_tagger import HMMTagger
from netsmith.tasks.chain import Chain
from netsmith.tasks.frame import Frame
from netsmith.tasks.tag import Tag


def network(*, vocabulary, names, pattern, scheme, taught, length=6):
    """An HMM that was shown some texts (numbers of tokens and tags) over and over."""
    inputs = Inputs(
        kind="text", shape=(length,), dtype="int64", preprocessing=(Step(name="tokenize", pattern=pattern),),
        vocabulary=("<pad>", "<unk>", *vocabulary), max_length=length,
    )  # fmt: skip
    outputs = Outputs(kind="tags", names=names, size=len(names))
    config = {"step_alpha": 1e-3, "token_alpha": 1e-3, "vocab_size": len(vocabulary) + 2, "num_classes": len(names)}
    model = HMMTagger.Config(**config).build()
    tokens = [[vocabulary.index(token) + 2 for token, _ in text] for text in taught]
    tags = [[names.index(tag) for _, tag in text] for text in taught]
    rows = [
        torch.tensor([row + [fill] * (length - len(row)) for row in part])
        for part, fill in ((tokens, 0), (tags, UNLABELED))
    ]
    model.fit(*rows)
    task = Chain.Config(scheme=scheme, tags=names).build()
    return Network(model, Spec(dataset="made up", inputs=inputs, outputs=outputs), task=task)


@pytest.fixture
def segmenter():
    taught = ["我S", "爱S", "北B京E", "天B安M门E", "。S"]
    pairs = [[(word[at], word[at + 1]) for at in range(0, len(word), 2)] for word in taught]
    return network(
        vocabulary=tuple("我爱北京天安门。"), names=("B", "E", "M", "S"), pattern=r"\S", scheme="words",
        taught=[pairs[0] + pairs[1] + pairs[2], pairs[3] + pairs[4], pairs[0] + pairs[1] + pairs[3]],
    )  # fmt: skip


def test_a_segmenter_answers_with_words(segmenter):
    (found,) = segmenter.predict("我爱 北京")
    assert found["words"] == ["我", "爱", "北京"]
    assert found["labels"] == ["S", "S", "B", "E"]
    assert "spans" not in found
    both = segmenter.predict(["我爱天安门", "天安门。"])
    assert [one["words"] for one in both] == [["我", "爱", "天安门"], ["天安门", "。"]]


def test_a_text_that_is_longer_than_the_network_takes_is_read_in_pieces(segmenter):
    (found,) = segmenter.predict("我爱天安门。" * 5000)
    assert found["words"] == ["我", "爱", "天安门", "。"] * 5000
    assert len(found["labels"]) == len(found["probabilities"]) == len(found["tokens"]) == 30_000
    with pytest.raises(DataError, match="text 2 has no token"):
        segmenter.predict(["我", "  "])


def test_names_come_with_their_texts_and_places():
    names = ("B-LOC", "E-LOC", "O", "S-PER")
    tagger = network(
        vocabulary=("Ann", "saw", "New", "York", "."), names=names, pattern=r"\S+", scheme="bioes",
        taught=[[("Ann", "S-PER"), ("saw", "O"), ("New", "B-LOC"), ("York", "E-LOC"), (".", "O")]],
    )  # fmt: skip
    (found,) = tagger.predict("Ann saw New York . Ann saw New York")
    assert found["spans"] == [
        {"kind": "PER", "start": 0, "end": 1, "text": "Ann"},
        {"kind": "LOC", "start": 2, "end": 4, "text": "New York"},
        {"kind": "PER", "start": 5, "end": 6, "text": "Ann"},
        {"kind": "LOC", "start": 7, "end": 9, "text": "New York"},
    ]


class Alone(torch.nn.Module):
    """Answers a token's number modulo that of the classes, at every place; 0 for padding, too."""

    def __init__(self, classes, *, before=0):
        super().__init__()
        self.classes, self.before = classes, before

    def forward(self, tokens):
        tokens = torch.cat([torch.full_like(tokens[:, :1], 3)] * self.before + [tokens], 1)
        return torch.nn.functional.one_hot(tokens % self.classes, self.classes).double()


def test_tags_on_their_own_are_without_those_of_padding(segmenter):
    tagger = Network(Alone(4), segmenter.spec, task=Tag.Config().build())
    (text,) = tagger.predict("我爱北")
    assert text["tokens"] == list("我爱北")
    assert text["labels"] == ["M", "S", "B"]  # tokens 2, 3, 4
    assert len(text["probabilities"]) == 3
    assert "words" not in text
    numbers = tagger.predict([[2, 3, 4, 0, 0, 0], [5, 0, 4, 3, 2, 3]])
    assert [one["labels"] for one in numbers] == [["M", "S", "B"], ["E", "B", "B", "S", "M", "S"]]
    with pytest.raises(DataError, match="input 2 has no token"):
        tagger.predict([[2, 3, 4, 0, 0, 0], [0] * 6])
    assert numbers[0] == {name: text[name] for name in ("labels", "probabilities")}
    assert tagger.predict(torch.tensor([[2, 3, 4, 0, 0, 0]])) == numbers[:1]


def test_tags_on_their_own_mark_spans_where_they_have_a_scheme(segmenter):
    names = ("B", "E", "M", "S")
    tagger = Network(Alone(4), segmenter.spec, task=Tag.Config(scheme="words", tags=names).build())
    (text,) = tagger.predict("我爱北京天安门")  # tokens 2 to 8 in pieces of 6: M S B E M S | B
    assert text["words"] == ["我", "爱", "北京", "天", "安", "门"]
    (numbers,) = tagger.predict([[4, 5, 3, 0, 0, 0]])
    assert numbers["spans"] == [{"kind": "", "start": 0, "end": 2}, {"kind": "", "start": 2, "end": 3}]


def test_a_row_of_numbers_without_a_vocabulary_has_no_padding(segmenter):
    spec = segmenter.spec.derive(inputs=Inputs(kind="tokens", shape=(6,), dtype="int64"))
    (found,) = Network(Alone(4), spec, task=Tag.Config().build()).predict([[2, 3, 0, 0, 0, 0]])
    assert len(found["labels"]) == 6


def test_a_frame_of_a_text_is_an_intent_and_the_slots_of_its_tokens(segmenter):
    names = ("B-to", "I-to", "O", "flight")  # the first one is what Alone says of padding
    spec = segmenter.spec.derive(outputs=Outputs(kind="tags", names=names, size=4))
    network = Network(Alone(4, before=1), spec, task=Frame.Config(tags=names).build())
    short, cut = network.predict(["北京我", "天安门北京我爱北京"])  # tokens 4 5 2; 6 7 8 4 5 2 | 3 4 5
    assert short["intent"] == cut["intent"] == "flight"
    assert short["intent_probability"] == cut["intent_probability"] == 1
    assert (short["labels"], short["tokens"]) == (["B-to", "I-to", "O"], list("北京我"))
    assert short["spans"] == [{"kind": "to", "start": 0, "end": 2, "text": "北京"}]
    # an intent's name stands at no token: where it would be the likeliest, the first of the tags is
    assert [(span["start"], span["text"]) for span in cut["spans"]] == [
        (1, "安"), (2, "门"), (3, "北京"), (6, "爱"), (7, "北京"),
    ]  # fmt: skip
    numbers = network.predict([[4, 5, 2, 0, 0, 0]])
    assert numbers[0]["spans"] == [{"kind": "to", "start": 0, "end": 2}]
    assert numbers[0]["labels"] == short["labels"]


def test_long_texts_are_answered_a_few_pieces_at_a_time(segmenter, monkeypatch):
    seen = []
    answers = segmenter.answers
    monkeypatch.setattr(segmenter, "answers", lambda raw: seen.append(len(raw)) or answers(raw))
    (found,) = segmenter.predict("我爱天安门。" * 1000)
    assert found["words"] == ["我", "爱", "天安门", "。"] * 1000
    assert sum(seen) == 1000
    assert max(seen) == 64  # chains of all pieces at once would fill memory
