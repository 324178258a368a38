"""Readers of dialogues: which turns are answers, what is read before each, and bad lines."""

import itertools
import json
import re

import pytest
import torch

from netsmith.api.experiments import find
from netsmith.api.own_data import with_data
from netsmith.core.errors import ConfigError, DataError
from netsmith.data._sniff import describe
from netsmith.data.captions import Captions
from netsmith.data.dialogues import Dialogues, read_dialogues
from netsmith.data.emotional_dialogues import EMOTIONS, EmotionalDialogues, drawn_dialogues
from netsmith.layers.dialogue_text import FIRST_EMOTION, TURN_NUMBER, dialogue_text

TALK = [
    {"text": "Hello .", "speaker": "ann"},
    {"text": "Hi !", "speaker": "bob", "emotion": "Joy"},
    {"text": "How are you ?", "speaker": "ann"},
    {"text": "Bad <turn> .", "speaker": "bob", "emotion": "sadness"},
    {"text": "My cat ran away .", "speaker": "bob"},
    {"text": "Oh no !", "speaker": "ann", "emotion": "fear"},
]


def write(path, *lines):
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), encoding="utf-8")
    return path


def texts(source, split="train"):
    return source.texts(split, torch.arange(source.spec.split(split).size))


def test_each_turn_is_an_answer_to_those_before_it(tmp_path):
    path = write(tmp_path / "talk.jsonl", {"turns": TALK}, "", ["a", "b"])
    source = Dialogues.Config(path=str(path), dev=0, test=0, turns=2, batch=1).build()
    assert texts(source) == [
        ("<joy> Hello .", "Hi !"),
        ("<neutral> Hello . <turn> Hi !", "How are you ?"),
        ("<sadness> Hi ! <turn> How are you ?", "Bad <turn> . My cat ran away ."),  # two turns of one speaker are one
        ("<fear> How are you ? <turn> Bad turn . My cat ran away .", "Oh no !"),
        ("<neutral> a", "b"),
    ]
    assert source.emotions == ("fear", "joy", "neutral", "sadness")
    words = source.spec.inputs.vocabulary
    assert words[TURN_NUMBER] == "<turn>"
    assert words[FIRST_EMOTION : FIRST_EMOTION + 4] == ("<fear>", "<joy>", "<neutral>", "<sadness>")
    tokens = source.load("train", torch.tensor([3])).inputs["source"][0]
    assert tokens[0] == FIRST_EMOTION
    assert int((tokens == TURN_NUMBER).sum()) == 1
    assert "hello" in words


def test_only_one_speaker_answers_and_emotions_may_be_left_out(tmp_path):
    path = write(tmp_path / "talk.jsonl", TALK, TALK)
    source = Dialogues.Config(path=str(path), dev=0, test=0, answers="bob", emotion=False, batch=1).build()
    assert [target for _, target in texts(source)] == ["Hi !", "Bad <turn> . My cat ran away ."] * 2
    assert texts(source)[0] == ("Hello .", "Hi !")
    assert "<joy>" not in source.spec.inputs.vocabulary
    with pytest.raises(ConfigError, match="nobody is called 'bop'; did you mean 'bob'"):
        Dialogues.Config(path=str(path), answers="bop").build()


def test_files_that_are_given_are_the_splits(tmp_path):
    for name, count in (("train", 5), ("val", 2), ("test", 1)):
        write(tmp_path / f"{name}.jsonl", *[TALK] * count)
    source = Dialogues.Config(path=str(tmp_path), batch=1).build()
    assert [(split.name, split.size, split.made) for split in source.spec.splits] == [
        ("train", 20, "given"), ("dev", 8, "given"), ("test", 4, "given"),
    ]  # fmt: skip
    write(tmp_path / "test.jsonl", TALK, [{"text": "x"}, {"text": "y", "emotion": "awe"}])
    with pytest.raises(DataError, match=r"test\.jsonl, row 2: the emotion 'awe' is in no training turn"):
        Dialogues.Config(path=str(tmp_path)).build()
    source = Dialogues.Config(path=str(tmp_path), emotion=False, batch=1).build()
    assert source.emotions == ()
    write(tmp_path / "val.jsonl", TALK, TALK, [{"text": "x"}, {"text": "y", "emotion": "awe"}])
    with pytest.raises(DataError, match=r"val\.jsonl, row 3: the emotion 'awe' is in no training turn, .* dev"):
        Dialogues.Config(path=str(tmp_path)).build()


def test_emotions_are_those_of_the_training_part_of_one_file(tmp_path):
    known = refused = 0
    for place in range(12):
        talks = [TALK[:2]] * place + [[{"text": "x"}, {"text": "y", "emotion": "rage"}]] + [TALK[:2]] * (11 - place)
        path = write(tmp_path / "talk.jsonl", *talks)
        try:
            source = Dialogues.Config(path=str(path), batch=1).build()
        except DataError as error:
            assert re.search(rf"talk\.jsonl, row {place + 1}: the emotion 'rage' is in no training turn", str(error))  # noqa: PT017
            refused += 1
        else:
            assert any(source_text.startswith("<rage>") for source_text, _ in texts(source))
            known += 1
    assert (known, refused) == (10, 2)


def test_nobody_can_write_a_mark():
    for size in range(1, 8):
        for signs in itertools.product("<>a ", repeat=size):
            assert not re.search(r"<\w+>", dialogue_text(["".join(signs)]))
    assert dialogue_text(["<<turn>> <t<ur>n> a<b 1 > 0", "<3"]) == "turn turn a<b 1 > 0 <turn> <3"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", r"row 2: is not JSON \(Expecting .*\); expected a dialogue: a JSON list of turns"),
        ('["a", "b\0"]', "row 2: holds a NUL"),
        ("3", "row 2: expected a list of turns"),
        ('{"talk": []}', "row 2: expected a list of turns"),
        ('["one"]', r"row 2: has 1 turn\(s\)"),
        ('[{"text": "a", "speaker": "x"}, {"text": "b", "speaker": "x"}]', r"row 2: has 1 turn\(s\)"),
        ('["a", " "]', "row 2: turn 2 has no text"),
        ('["a", {"speaker": "x"}]', "row 2: turn 2 has no text"),
        ('["a", {"text": "b", "speaker": 3}]', "row 2: turn 2: speaker is 3"),
        ('["a", {"text": "b", "emotion": "very sad"}]', "row 2: turn 2: the emotion 'very sad' is no name"),
        ('["a", {"text": "b", "emotion": "turn"}]', "row 2: turn 2: the emotion 'turn' is no name"),
        ("[" * 100_000, "row 2: is not JSON"),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, says):
    path = write(tmp_path / "talk.jsonl", TALK, line)
    with pytest.raises(DataError) as caught:
        read_dialogues(path)
    assert re.search(rf"talk\.jsonl, {says}", str(caught.value)), str(caught.value)


def test_other_bad_files_are_named(tmp_path):
    with pytest.raises(DataError, match="holds no dialogue"):
        read_dialogues(write(tmp_path / "empty.jsonl", "", " "))
    (tmp_path / "bytes.jsonl").write_bytes(b"\xff")
    with pytest.raises(DataError, match=r"bytes\.jsonl.*not UTF-8"):
        read_dialogues(tmp_path / "bytes.jsonl")
    with pytest.raises(DataError, match=r"holds no train\.jsonl"):
        Dialogues.Config(path=str(tmp_path)).build()
    with pytest.raises(ConfigError, match="path is empty"):
        Dialogues.Config().build()


def test_the_drawn_answer_follows_from_the_first_turn_the_question_and_the_emotion():
    topics = {
        "cat called": "called (\\w+)",
        "do i live": "live in (\\w+)",
        "i like": "like (\\w+)",
        "car": "car is (\\w+)",
    }
    other = 0
    for dialogue in drawn_dialogues("x", 300, seed=0):
        user, friend, question, answer = dialogue.turns
        (pattern,) = [pattern for key, pattern in topics.items() if key in question.text]
        value = re.search(pattern, user.text)[1]
        assert value in answer.text
        other += bool(re.search(pattern, friend.text)) and value not in friend.text
    assert other > 60  # who listens to the friend is wrong often
    moods = {}
    for dialogue in drawn_dialogues("x", 300, seed=0):
        answer = dialogue.turns[3]
        moods.setdefault(answer.emotion, set()).add(re.sub(r"\b(it is|is it) \w+|^\w+|really \w+", "_", answer.text))
    assert sorted(moods) == sorted(EMOTIONS)


def test_drawn_splits_are_others_and_the_twin_is_small():
    source = EmotionalDialogues.Config(twin=True).build()
    assert [split.size for split in source.spec.splits] == [600, 100, 100]
    assert source.emotions == EMOTIONS
    known = set(texts(source))
    assert sum(pair in known for pair in texts(source, "test")) < 5
    assert len({split.sha256 for split in source.spec.splits}) == 3


def test_a_file_goes_into_the_recipes_of_dialogues(tmp_path):
    path = write(tmp_path / "talk.jsonl", *[TALK] * 12)
    own = with_data(find("chatbot"), path).config
    assert isinstance(own.data, Dialogues.Config)
    assert (own.data.path, own.data.batch) == (str(path), 32)
    source = own.data.build()
    assert source.spec.facts()["emotions"] == 4
    assert own.resolve(source.spec, batches=1).method.model.emotions == 4
    drawn = with_data(find("hred_emotional_dialogues"), path).config
    assert isinstance(drawn.data, Dialogues.Config)
    assert drawn.data.answers == ""
    with pytest.raises(ConfigError, match="emotions"):  # the recipe knows six
        drawn.resolve(source.spec, batches=1)
    assert describe(source).startswith("read as dialogues: ")


def test_a_folder_goes_into_the_recipes_of_captions(tmp_path):
    for name in ("captioner", "show_attend_tell_shapes"):
        config = with_data(find(name), tmp_path).config
        assert isinstance(config.data, Captions.Config)
        assert config.data.path == str(tmp_path)
        assert config.data.batch == find(name).config.data.batch
