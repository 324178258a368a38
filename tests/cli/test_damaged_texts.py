"""Files that are no text, in every command that reads one of the user's: refused with their line, not read as words."""

from pathlib import Path

import pytest

CUT = "text segment bad --dictionary words.txt"
COMMANDS = {
    CUT: "",
    "text sentiment bad": "; if it is UTF-16, say --encoding utf-16",
    "text keywords bad": "; if it is UTF-16, say --encoding utf-16",
    "text summarize bad": "; if it is UTF-16, say --encoding utf-16",
    "train tagger --data bad": "; if it is UTF-16, say --set data.encoding=utf-16",
    "train kneser_ney_ptb --data bad": "",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_null_is_refused_with_its_line(netsmith, command):
    Path("words.txt").write_text("北京 3 ns\n")
    lines = ["ann\tO", "slept\tO", "", "b\0b\tO", ""] + ["ann\tO", ""] * 40
    Path("bad").write_bytes("\n".join(lines).encode())
    found = netsmith(command)
    assert found.line == f"bad, row 4: holds a NUL; expected a text in UTF-8{COMMANDS[command]}"
    assert not Path("runs").exists()
    Path("bad").write_bytes("\n".join(lines).replace("\0", "").encode("utf-16-le"))  # without the mark of UTF-16
    assert "bad, row 1: holds a NUL" in netsmith(command).line
