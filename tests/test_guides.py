"""The guides under docs/ run as they are written: each block in turn, in an empty folder."""

from __future__ import annotations

import re
import shlex
import sys
import types
from pathlib import Path

import pytest

from netsmith.cli import main

DOCS = Path(__file__).resolve().parent.parent / "docs"
GUIDES = sorted(path.stem for path in DOCS.glob("*.md"))


@pytest.mark.parametrize("guide", GUIDES)
def test_it_runs(
    guide: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = types.ModuleType("__guide__")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.chdir(tmp_path)
    text = (DOCS / f"{guide}.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```(python|console)\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    assert blocks
    for language, body in blocks:
        if language == "python":
            exec(compile(body, guide, "exec"), module.__dict__)
            continue
        for line in body.splitlines():
            prompt, program, *words = shlex.split(line, comments=True)
            assert (prompt, program) == ("$", "netsmith"), line
            assert main(words) == 0, f"{line}\n{capsys.readouterr().err}"


def test_the_readme_leads_to_every_guide() -> None:
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    assert {f"docs/{guide}.md" for guide in GUIDES} <= set(re.findall(r"\]\(([^)]+)\)", readme))
