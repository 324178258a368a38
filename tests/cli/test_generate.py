"""The verbs on a language model: it writes, says what a line costs, and refuses what it is not."""

import json
import math

import pytest

import netsmith as package


@pytest.fixture(scope="module")
def spoken(tmp_path_factory):
    root = tmp_path_factory.mktemp("spoken")
    sets = {"data.twin": True, "epochs": 0, "steps": 40, "method.model.hidden_size": 32, "data.bptt": 16}
    package.train("char_lstm_shakespeare", name="letters", sets=sets, root=root, notice=lambda _: None)
    return root / "letters"


def test_it_writes_what_the_seed_and_the_settings_say(netsmith, spoken):
    one = netsmith(f"generate {spoken} --prompt +ab --length 30 --seed 4")
    assert one.code == 0, one.err
    assert one.out.startswith("+ab")
    assert len(one.out) == len("+ab") + 30 + 1
    assert netsmith(f"generate {spoken} --prompt +ab --length 30 --seed 4").out == one.out
    assert netsmith(f"generate {spoken} --prompt +ab --length 30 --seed 5").out != one.out
    found = json.loads(netsmith(f"generate {spoken} --prompt +ab --length 30 --seed 4 --count 2 --json").out)
    assert [len(text["tokens"]) for text in found] == [30, 30]
    assert one.out == "+ab" + found[0]["text"] + "\n"
    greedy = netsmith(f"generate {spoken} --prompt - --length 12 --temperature 0").out
    assert greedy == netsmith(f"generate {spoken} --prompt - --length 12 --top-k 1 --seed 9").out
    assert greedy == netsmith(f"generate {spoken} --prompt - --length 12 --top-p 0.0001 --seed 9").out
    (line,) = json.loads(netsmith(f"generate {spoken} --prompt - --length 12 --beam 3 --json").out)
    assert line["nats"] > 0
    assert line["tokens"][-1] == "\n" or len(line["tokens"]) == 12


def test_a_prompt_that_is_not_known_is_told(netsmith, spoken):
    lost = netsmith(f"generate {spoken} --prompt 漢字 --length 3")
    assert lost.err == "letters knows no token of the prompt; what it writes says nothing of it\n"
    assert netsmith(f"generate {spoken} --prompt 漢a --length 3").err == ""


def test_the_run_says_the_same_in_python(netsmith, spoken):
    written = package.load(spoken, notice=lambda _: None).generate("+", length=5, seed=2)
    assert json.loads(netsmith(f"generate {spoken} --prompt + --length 5 --seed 2 --json").out) == [
        {"prompt": "+", **written[0]}
    ]


def test_a_file_of_lines_is_judged_line_by_line(netsmith, spoken):
    found = json.loads(netsmith(f"predict {spoken} --json", stdin=b"+abc\n\n-m\n").out)
    assert [(row["input"], row["tokens"]) for row in found] == [("row 1", 4), ("row 3", 2)]
    for row in found:
        assert 1 < row["perplexity"] < math.inf
        assert len(row["next"]) == 5
    printed = netsmith(f"predict {spoken}", stdin=b"+abc\n").out
    perplexity, after = printed.rstrip("\n").removeprefix("row 1\t").split("\t")
    assert perplexity == f"perplexity {found[0]['perplexity']:.5g}"
    likely = ", ".join(f"{token} {share:.4f}" for token, share in found[0]["next"].items())
    assert after == "next: " + likely.replace("\n", "\\n")


def test_evaluate_says_what_training_said(netsmith, spoken):
    found = json.loads(netsmith(f"evaluate {spoken} --json").out)
    assert found == pytest.approx({name: figure for name, figure in _figures(spoken).items() if name in found})
    assert set(found) == {"test/perplexity", "test/bits"}


def _figures(run):
    return json.loads((run / "evaluation.json").read_text())["figures"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--top-p 0", "top_p=0: expected a share in (0, 1]"),
        ("--beam 3 --temperature 2", "beam search takes the likeliest texts"),
        ("--beam 3 --count 4", "beam=3 finds so many texts at most; count=4 asks for more"),
    ],
)
def test_settings_that_cannot_be_are_refused(netsmith, spoken, words, line):
    result = netsmith(f"generate {spoken} {words}")
    assert result.code == 2
    assert line in result.line


def test_a_classifier_does_not_write(netsmith, runs):
    result = netsmith(f"generate {runs}/text --prompt good")
    assert result.code == 2
    assert result.line == "text is no language model; it takes text inputs"


@pytest.fixture(scope="module")
def poet(tmp_path_factory):
    root = tmp_path_factory.mktemp("poet")
    sets = {"data.twin": True, "epochs": 0, "steps": 3, "method.model.hidden_size": 8}
    package.train("poem_lstm", name="poet", sets=sets, root=root, notice=lambda _: None)
    return root / "poet"


def test_it_writes_poems_of_a_form(netsmith, poet):
    printed = netsmith(f"generate {poet} --form quatrain5 --first-line 一丁丂七丄 --count 2")
    assert printed.code == 0, printed.err
    poems = printed.out.split("\n--------\n")
    assert len(poems) == 2
    for poem in poems:
        first, second = poem.strip().split("\n")
        assert first.startswith("一丁丂七丄，")
        assert len(first) == len(second) == 12
    (found,) = json.loads(netsmith(f"generate {poet} --form quatrain7 --hidden 一丁丂七 --json").out)
    assert [line[0] for line in found["lines"]] == list("一丁丂七")
    assert set(found) == {"text", "lines", "rhyme", "nats"}


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--form quatrain6", "no form named 'quatrain6'"),
        ("--form quatrain5 --first-line 一丁", "has 2 characters; expected 5"),
        ("--form quatrain5 --hidden 一丁丂龘", "does not know 龘"),
        ("--form quatrain5 --prompt 一", "--form decides how a poem goes"),
        ("--form quatrain5 --length 20", "--form decides how a poem goes"),
        ("--hidden 一丁丂七", "give --form quatrain5 or quatrain7"),
    ],
)
def test_what_is_no_poem_is_one_line(netsmith, poet, words, line):
    refused = netsmith(f"generate {poet} {words}")
    assert refused.code == 2
    assert line in refused.err
    assert len(refused.err.strip().splitlines()) == 1


def test_a_model_of_plain_text_writes_no_poem(netsmith, spoken):
    refused = netsmith(f"generate {spoken} --form quatrain5")
    assert refused.code == 2
    assert "knows no rhymes" in refused.err
