"""Numbers for people, and one table drawn three ways."""

import pytest

from netsmith.core.errors import UserError
from netsmith.report.tables import (
    Table,
    bytes_text,
    count_text,
    milliseconds_text,
    percent_text,
    ratio_text,
)


@pytest.mark.parametrize(
    ("function", "value", "text"),
    [
        (count_text, 0, "0"),
        (count_text, 999, "999"),
        (count_text, 2_713, "2.7 k"),
        (count_text, 99_949, "99.9 k"),
        (count_text, 512_300, "512 k"),
        (count_text, 999_499, "999 k"),
        (count_text, 999_960, "1.0 M"),
        (count_text, 41_000_000_000, "41.0 G"),
        (count_text, 0.5, "0.5"),
        (count_text, None, "–"),
        (count_text, float("nan"), "–"),
        (bytes_text, 512, "512 B"),
        (bytes_text, 1_234_567, "1.2 MB"),
        (bytes_text, 233_000, "233 kB"),
        (milliseconds_text, 0.432, "0.43 ms"),
        (milliseconds_text, 0.0124, "12 µs"),
        (milliseconds_text, 0.0996, "100 µs"),
        (milliseconds_text, 9.96, "10 ms"),
        (milliseconds_text, 109.4, "109 ms"),
        (milliseconds_text, 2300, "2.3 s"),
        (milliseconds_text, 180_000, "3 min"),
        (milliseconds_text, 0, "0 µs"),
        (ratio_text, 4.13, "4.1x"),
        (ratio_text, 12.6, "13x"),
        (ratio_text, 0.874, "0.87x"),
        (ratio_text, 9.99, "10x"),
        (ratio_text, float("inf"), "–"),
        (percent_text, 0.983, "98.3 %"),
        (percent_text, 1.0, "100.0 %"),
        (percent_text, 0.9997, "99.97 %"),
        (percent_text, 0.0, "0.0 %"),
    ],
)
def test_numbers_for_people(function, value, text):
    assert function(value) == text


TABLE = Table(["model", "size"], [["a|b <i>", "1 kB"], ["[bold]c[/bold]", "12 kB"]], marked=[1])


def test_html_is_escaped_aligned_and_marked():
    assert TABLE.html() == (
        '<table><thead><tr><th scope="col">model</th><th scope="col" class="number">size</th></tr></thead>'
        '<tbody><tr><td>a|b &lt;i&gt;</td><td class="number">1 kB</td></tr>'
        '<tr class="marked"><td>[bold]c[/bold]</td><td class="number">12 kB</td></tr></tbody></table>'
    )


def test_markdown_cells_cannot_break_the_table():
    lines = TABLE.markdown().splitlines()
    assert lines[1] == "|:---|---:|"
    assert lines[2] == "| a\\|b &lt;i> | 1 kB |"
    assert lines[3] == "| **[bold]c[/bold]** | **12 kB** |"


def test_the_terminal_shows_markup_as_text_and_numbers_to_the_right():
    lines = [line.rstrip() for line in TABLE.terminal(width=60).splitlines() if line.strip()]
    assert any("[bold]c[/bold]" in line for line in lines)
    assert lines[-1].endswith("12 kB")
    assert lines[-2].endswith(" 1 kB")
    assert len(lines[-1]) == len(lines[-2])
    assert "\x1b" not in TABLE.terminal()
    assert "\x1b[1m" in TABLE.terminal(color=True)


def test_rows_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match="row 0 has 1 cells; expected 2"):
        Table(["a", "b"], [["x"]])
    with pytest.raises(UserError, match="align is 'lx'"):
        Table(["a", "b"], [], align="lx")
