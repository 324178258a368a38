"""What the documents show works: commands exist, recipes exist, code runs."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import pytest

from netsmith.cli.app import app
from netsmith.core.registry import recipes
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment

ROOT = Path(__file__).resolve().parent.parent


def blocks(name: str, language: str) -> list[str]:
    text = (ROOT / name).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def test_the_first_screen_has_the_two_commands_and_the_picture() -> None:
    first = "\n".join((ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:24])
    assert "make demo" in first
    assert "make test" in first
    (picture,) = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", first)
    assert (ROOT / picture).stat().st_size < 400_000


def test_every_command_of_the_readme_exists() -> None:
    known = {command.name or command.callback.__name__ for command in app.registered_commands}  # type: ignore[union-attr]
    known |= {group.name for group in app.registered_groups}
    lines = [line for block in blocks("README.md", "console") for line in block.splitlines() if "netsmith " in line]
    verbs = {line.split("netsmith ")[1].split()[0] for line in lines}
    assert len(verbs) >= 10
    assert verbs <= known
    trained = re.findall(r"netsmith (?:train|show|verify) ([a-z]\w+)", "\n".join(lines))
    assert trained
    assert set(trained) <= set(recipes())


def test_the_system_of_contributing_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    model, recipe = blocks("CONTRIBUTING.md", "python")
    module = types.ModuleType("netsmith.models.vision.two_layer")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(model, "two_layer.py", "exec"), module.__dict__)
    names: dict[str, object] = {}
    exec(compile(recipe, "two_layer_digits.py", "exec"), names)
    config = names["experiment"]
    assert isinstance(config, Experiment.Config)
    engine = Engine(Experiment(config.derive(**{"data.twin": True, "epochs": 0, "steps": 3})))
    engine.fit()
    assert sum(p.numel() for p in engine.method.parameters()) == 64 * 32 + 32 + 32 * 10 + 10
