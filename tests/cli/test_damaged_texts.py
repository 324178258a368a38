"""Files that are no text, in every command that reads one of the user's: refused with their line, not read as words."""

from pathlib import Path

import pytest

CUT = "text segment bad --dictionary words.txt"
COMMANDS = {
    CUT: "",
    "text sentiment bad": "; if it is UTF-16 without a mark, say --encoding utf-16-le",
    "text keywords bad": "; if it is UTF-16 without a mark, say --encoding utf-16-le",
    "text summarize bad": "; if it is UTF-16 without a mark, say --encoding utf-16-le",
    "train tagger --data bad": "; if it is UTF-16 without a mark, say --set data.encoding=utf-16-le",
    "train kneser_ney_ptb --data bad": "",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_null_is_refused_with_its_line(netsmith, command):
    Path("words.txt").write_text("北京 3 ns\n")
    lines = ["ann\tO", "sleeps\tO", "", "b\0b\tO", ""] + ["ann\tO", ""] * 40
    Path("bad").write_bytes("\n".join(lines).encode())
    found = netsmith(command)
    assert found.line == f"bad, row 4: holds a NUL; expected a text{COMMANDS[command]}"
    assert not Path("runs").exists()
    for order in ("le", "be"):  # without the mark of UTF-16
        Path("bad").write_bytes("\n".join(lines).replace("\0", "").encode(f"utf-16-{order}"))
        line = netsmith(command).line
        assert "bad, row 1: holds a NUL" in line
        assert line.endswith(COMMANDS[command].replace("-le", f"-{order}"))
