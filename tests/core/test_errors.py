"""The exception tree: each class's message is read, and its exit code."""

import pytest

from netsmith.core import errors
from netsmith.core.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    DivergedError,
    InterruptedRun,
    MissingExtraError,
    NetsmithError,
    NotAtHandError,
    ProofError,
    RunError,
    UnknownNameError,
    UnsupportedError,
    UserError,
    did_you_mean,
    shorten,
)

TREE = {
    NetsmithError: (1, Exception),
    UserError: (2, ValueError),
    ConfigError: (2, UserError),
    UnknownNameError: (2, UserError),
    DataError: (2, UserError),
    NotAtHandError: (2, DataError),
    RunError: (2, UserError),
    CheckpointError: (2, UserError),
    UnsupportedError: (2, UserError),
    MissingExtraError: (3, ImportError),
    DivergedError: (4, ArithmeticError),
    ProofError: (5, NetsmithError),
    InterruptedRun: (130, NetsmithError),
}


def test_the_tree_is_complete_and_drawn():
    classes = {c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, Exception)}
    assert classes == set(TREE)
    for kind, (code, parent) in TREE.items():
        assert (kind.exit_code, issubclass(kind, parent), issubclass(kind, NetsmithError)) == (code, True, True)
        assert kind.__name__ in errors.__doc__
        assert kind.__name__ in errors.__all__


@pytest.mark.parametrize(
    ("error", "message"),
    [
        *((kind("what happened"), "what happened") for kind in TREE if "__init__" not in vars(kind)),
        (UnknownNameError("recipe", "lenet", ["lenet5", "vgg16"]), "no recipe named 'lenet'; did you mean 'lenet5'?"),
        (UnknownNameError("recipe", "xyz", ["b", "a"]), "no recipe named 'xyz'; known: a, b"),
        (UnknownNameError("recipe", "xyz", []), "no recipe named 'xyz'"),
        (
            DataError("row has 3 cells, expected 4", "/secret/place/a.csv", 7),
            "a.csv, row 7: row has 3 cells, expected 4",
        ),
        (DataError("is empty", "a.csv"), "a.csv: is empty"),
        (DataError("no file given"), "no file given"),
        (
            MissingExtraError("onnx", "export"),
            "onnx is not installed; mend it with: pip install 'netsmith[export]'",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_messages(error, message):
    assert str(error) == message


@pytest.mark.parametrize(
    ("problem", "path", "row"),
    [
        ("x" * 1000, "a" * 300 + ".csv", 10**30),
        ("line\nbreak\r\n\x0b\x85\u2028 and\ttab", "new\nline.csv", 1),
        ("ü" * 500, None, None),
        ("y" * 236, "a.c", None),
    ],
)
def test_data_errors_are_one_line_of_at_most_240_characters(problem, path, row):
    text = str(DataError(problem, path, row))
    assert len(text) <= 240
    assert len(text.splitlines()) == 1


def test_did_you_mean():
    known = ["accuracy", "loss", "perplexity"]
    assert did_you_mean("acuracy", known) == "; did you mean 'accuracy'?"
    assert did_you_mean("perp", known) == "; did you mean 'perplexity'?"
    assert did_you_mean("rollout", [*known, "attention_rollout"]) == "; did you mean 'attention_rollout'?"
    assert did_you_mean("zzz", known) == "; known: accuracy, loss, perplexity"
    assert did_you_mean("zzz", map(str, range(20))).endswith(", ...")
    assert did_you_mean("zzz", []) == ""


@pytest.mark.parametrize("limit", [4, 10, 59, 60, 61])
def test_shorten_keeps_both_ends(limit):
    text = "".join(chr(65 + n % 26) for n in range(60))
    short = shorten(text, limit)
    assert len(short) == min(limit, 60)
    if limit < 60:
        assert "..." in short
    if 10 <= limit < 60:
        assert (short[0], short[-1]) == (text[0], text[-1])
