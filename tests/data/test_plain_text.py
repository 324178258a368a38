"""The user's own text: its parts, its encodings, and files that are none."""

import pytest

from netsmith.core.errors import ConfigError, DataError
from netsmith.data.plain_text import PlainText
from netsmith.data.word_windows import WordWindows


def read(source, split):
    names = source.spec.outputs.names
    return [names[number] for number in source.stream(split).tolist()]


def build(path, **fields):
    return PlainText.Config(path=str(path), batch=1, **fields).build()


def test_lines_are_divided_in_order(tmp_path):
    path = tmp_path / "own.txt"
    path.write_text("".join(f"A b{line}\n" for line in range(10)))
    source = build(path, dev=0.2, test=0.1, lowercase=True)
    assert read(source, "train") == [part for line in range(7) for part in ("a", f"b{line}", "<eos>")]
    assert read(source, "dev") == ["a", "<unk>", "<eos>"] * 2
    assert read(source, "test") == ["a", "<unk>", "<eos>"]
    assert source.spec.dataset == "own.txt"
    windows = WordWindows.Config(text=source.config, min_count=1, dev=(), test=()).build()
    assert windows.spec.inputs.vocabulary[2:] == ("a", *(f"b{line}" for line in range(7)))


@pytest.mark.parametrize(("encoding", "given"), [("gb18030", ""), ("utf-16", ""), ("big5", "big5")])
def test_characters_of_any_encoding(tmp_path, encoding, given):
    path = tmp_path / "own.txt"
    path.write_text("春眠不覺曉\n\n處處聞啼鳥\n花落知多少\n" * 3, encoding=encoding)
    source = build(path, pattern=r"\S", encoding=given)
    assert read(source, "train")[:7] == [*"春眠不覺曉", "<eos>", "<eos>"]


@pytest.mark.parametrize(
    ("content", "fields", "what"),
    [
        (None, {}, "own.txt: is no file"),
        (b"a\nb\n", {}, "own.txt: has 2 lines; expected at least 3"),
        (b"a\0b\n" * 9, {}, "own.txt: is not text"),
        (b"a\n\xff\xfe\xfa b\nc\n" * 9, {"encoding": "utf-8"}, "own.txt: is not utf-8"),
        (b"\n\n\n\n", {"pattern": "x"}, None),
    ],
)
def test_a_file_that_is_no_text_is_named(tmp_path, content, fields, what):
    path = tmp_path / "own.txt"
    if content is not None:
        path.write_bytes(content)
    if what is None:
        assert read(build(path, **fields), "train") == ["<eos>", "<eos>"]
        return
    with pytest.raises(DataError, match=what):
        build(path, **fields)


def test_settings_that_cannot_be_are_refused(tmp_path):
    path = tmp_path / "own.txt"
    path.write_text("a\n" * 9)
    with pytest.raises(ConfigError, match="not a regular expression"):
        build(path, pattern="(")
    with pytest.raises(ConfigError, match="no encoding of texts"):
        build(path, encoding="klingon")
    with pytest.raises(DataError, match="is no file"):
        PlainText.Config().build()
