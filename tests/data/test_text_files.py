"""Text files of any kind: encodings found, lines streamed, folders with what is no text."""

import os
import tracemalloc

import pytest

from netsmith.core.errors import ConfigError, DataError
from netsmith.data._text_files import checked_encoding, guessed_encoding, text_files, text_lines

CHINESE = "机翼产生升力，飞机的机翼很长。" * 40


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (b"", "utf-8"),
        (b"plain\n", "utf-8"),
        ("é ü ß 机翼\n".encode(), "utf-8"),
        ("机翼".encode("utf-8-sig"), "utf-8-sig"),
        ("机翼".encode("utf-16"), "utf-16"),
        (b"\xfe\xff" + "wing".encode("utf-16-be"), "utf-16"),
        (f"{CHINESE}\n".encode("gb18030"), "gb18030"),
        ("Über die Flügel: café, naïve Größe.\n".encode("cp1252"), "cp1252"),
        (b"x" * 2**16 + "é".encode(), "utf-8"),  # a character across two reads
        (b"x" * (2**16 - 1) + "é".encode(), "utf-8"),
        (b"x" * 2**16 + b" caf\xe9 ", "cp1252"),  # found out after the first read
        (b"x" * 2**17 + b" caf\xe9", "cp1252"),  # at the very end
        (b"\x89PNG\r\n\x1a\n\0\0", ""),
        (bytes(range(1, 32)) * 5, ""),
    ],
)
def test_the_encoding_is_found(content, encoding, tmp_path):
    (tmp_path / "a").write_bytes(content)
    assert guessed_encoding(tmp_path / "a") == encoding
    if encoding:
        assert "".join(line for _, line in text_lines(tmp_path / "a", encoding)) == "".join(
            content.decode(encoding).splitlines()
        )


def test_lines_are_numbered_and_long_ones_come_in_parts(tmp_path):
    path = tmp_path / "a"
    path.write_text("one two\r\n\n" + "word " * 40_000 + "end\nlast one", newline="")
    found = list(text_lines(path, "utf-8"))
    assert found[0] == (1, "one two")
    assert found[1] == (2, "")
    assert found[-1] == (4, "last one")
    parts = [line for row, line in found if row == 3]
    assert len(parts) > 1
    assert max(map(len, parts)) <= 2**17
    assert all(part.endswith(" ") for part in parts[:-1])  # no word is cut
    assert "".join(parts) == "word " * 40_000 + "end"
    path.write_text("x" * 300_000)
    assert "".join(line for _, line in text_lines(path, "utf-8")) == "x" * 300_000
    for wrong in ("utf-8", "ascii"):
        path.write_bytes(b"a\nb\xff\n")
        with pytest.raises(UnicodeDecodeError):
            list(text_lines(path, wrong))


@pytest.mark.parametrize("end", [" ", "", "\n"])
def test_a_huge_file_is_streamed(end, tmp_path):
    path = tmp_path / "a"
    with path.open("w") as file:
        for _ in range(800):
            file.write(f"{'word ' * 4000}{end}" if end else "x" * 20_000)
    tracemalloc.start()
    size = sum(len(line) for _, line in text_lines(path, "utf-8"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size >= 16_000_000
    assert peak < 2_000_000


def test_files_of_a_folder(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / ".git").mkdir()
    for name in ("z.txt", "b/a.txt", ".hidden", ".git/config"):
        (tmp_path / name).write_text("x")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    os.mkfifo(tmp_path / "pipe")
    assert dict(text_files(tmp_path)) == {
        "gone": "cannot be read: No such file or directory",
        "pipe": "is not a plain file",
        "z.txt": "",
        "b/a.txt": "",
    }
    with pytest.raises(DataError, match=r"z\.txt: is a file; expected a folder"):
        list(text_files(tmp_path / "z.txt"))
    with pytest.raises(DataError, match="nowhere: does not exist"):
        list(text_files(tmp_path / "nowhere"))


def test_encodings_by_name():
    assert checked_encoding("GBK") == "gbk"
    for wrong in ("klingon", "base64", "a\0b"):
        with pytest.raises(ConfigError, match="no encoding of texts is named"):
            checked_encoding(wrong)
