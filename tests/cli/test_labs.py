"""``netsmith lab``: a list, a run, errors in one line."""

import json
from pathlib import Path

from netsmith.core.registry import labs


def test_lab_list_names_every_lab(netsmith):
    code, out, err = netsmith("lab list")
    assert (code, err) == (0, "")
    assert all(name in out for name in labs())
    rows = json.loads(netsmith("lab list --json").out)
    assert [row["name"] for row in rows] == list(labs())
    assert all(row["shows"] and row["family"] and row["title"] and row["paper"] for row in rows)


def test_a_lab_runs_where_it_is_told_and_says_what_it_wrote(netsmith):
    code, out, _ = netsmith("lab schedules --set steps=20")
    assert code == 0
    assert Path("runs/lab/schedules/lab.html").exists()
    assert "page: runs/lab/schedules/lab.html" in out
    assert "The mean factor is largest for constant" in out
    assert netsmith("lab word-hashing --quick").code == 0
    assert Path("runs/lab/word_hashing/lab.html").exists()
    found = json.loads(netsmith("lab schedules --set steps=30 --out here --json").out)
    assert found["config"]["steps"] == 30
    assert Path(found["page"]) == Path("here/lab.html")
    assert Path("here/schedule_cosine.svg").exists()


def test_what_is_wrong_is_told_in_one_line(netsmith):
    result = netsmith("lab shedules")
    assert result.code == 2
    assert "'schedules'" in result.line
    result = netsmith("lab schedules --set step=3")
    assert result.code == 2
    assert "did you mean 'steps'" in result.line
    assert "--out is for one lab" in netsmith("lab list --out x").line
    assert not Path("runs").exists()
