"""The verb that talks with a network of dialogues."""

import json

import pytest

import netsmith as package
from netsmith.api.chat import Chat


@pytest.fixture(scope="module")
def talker(tmp_path_factory):
    root = tmp_path_factory.mktemp("talker")
    sets = {"data.twin": True, "epochs": 0, "steps": 250, "evaluate_every": 250, "data.batch": 32}
    package.train("hred_emotional_dialogues", name="bot", sets=sets, root=root, notice=lambda _: None)
    return root / "bot"


TALK = b"my cat is called tom and i live in rome\nmy cat is called max\nwhat is my cat called ?\n"


def test_it_answers_the_last_of_several_turns_in_a_mood(netsmith, talker):
    joy = netsmith(f"chat {talker} --once --emotion joy", stdin=TALK)
    assert joy.code == 0, joy.err
    assert joy.out.rstrip().endswith(", how lovely !")
    assert "it knows anger, fear, joy, neutral, sadness, surprise" in joy.err
    anger = netsmith(f"chat {talker} --once --emotion anger", stdin=TALK)
    assert anger.out.rstrip().endswith(", as i told you !")
    assert netsmith(f"chat {talker} --once", stdin=b"something\n/new\n" + TALK + b"/emotion joy\n").out == joy.out
    neutral = netsmith(f"chat {talker} --once", stdin=TALK)
    assert neutral.out.startswith("it is ")
    text = "<joy> my cat is called tom and i live in rome <turn> my cat is called max <turn> what is my cat called ?"
    (row,) = json.loads(netsmith(f"predict {talker} --json", stdin=text.encode()).out)
    assert row["text"] + "\n" == joy.out


def test_a_talk_remembers_both_sides_until_it_is_told_to_forget(netsmith, talker):
    bot = Chat(package.load(talker, notice=lambda _: None).network)
    first, second = bot.say("i live in rome"), bot.say("where do i live ?")
    assert bot.turns == ["i live in rome", first, "where do i live ?", second]
    assert second == bot.answer(["i live in rome", first, "where do i live ?"])
    bot.change("fear")
    afraid = bot.answer(["where do i live ?"])
    said = b"i live in rome\n\nwhere do i live ?\n/new\n/emotion fear\nwhere do i live ?\n"
    heard = netsmith(f"chat {talker}", stdin=said)
    assert heard.out.splitlines() == [first, second, afraid]
    assert "knows no word" not in heard.err
    for once in ("", "--once"):
        lost = netsmith(f"chat {talker} {once}", stdin="where do i live ?\n漢字\n".encode())
        assert lost.err.splitlines()[-1] == "bot knows no word of that"


@pytest.mark.parametrize(
    ("words", "stdin", "says"),
    [
        ("--emotion joyy", b"hi\n", "no emotion named 'joyy'; did you mean 'joy'"),
        ("", b"hi\n/emotion hate\n", "stdin, row 2: no emotion named 'hate'"),
        ("", b"/forget\n", "stdin, row 1: '/forget' is no command; there are /emotion NAME and /new"),
        ("", b"\xff\n", "stdin, row 1: is not UTF-8"),
        ("--once", b"\n", "nothing is said"),
        ("--once", b"hi\n/emotion hate\n", "stdin, row 2: no emotion named 'hate'"),
        ("", b"a " * 600, "the last turn has more than 512 tokens"),
    ],
)
def test_what_it_cannot_do_is_said_in_one_line(netsmith, talker, words, stdin, says):
    result = netsmith(f"chat {talker} {words}", stdin=stdin)
    assert result.code == 2
    assert says in result.line


def test_a_network_of_something_else_is_refused(netsmith, tmp_path):
    sets = {"data.twin": True, "epochs": 0, "steps": 1}
    package.train("cnn_digits", name="digits", sets=sets, root=tmp_path, notice=lambda _: None)
    result = netsmith(f"chat {tmp_path}/digits", stdin=b"hi\n")
    assert result.code == 2
    assert "does not answer in dialogues" in result.line


def test_a_long_talk_loses_its_beginning(talker):
    bot = Chat(package.load(talker, notice=lambda _: None).network)
    long = ["tom " * 200, "max " * 200, "luna " * 200, "what is my cat called ?"]
    assert bot.answer(long) == bot.answer(long[2:])
