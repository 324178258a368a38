"""One's own dialogues: a JSON line for each, a list of turns."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field

from netsmith.core.errors import ConfigError, DataError, shorten
from netsmith.data._dialogues import Dialogue, DialogueFields, DialogueSource, Turn, emotions_of
from netsmith.data._files import read_capped
from netsmith.data._listing import divide
from netsmith.data._text_files import text_of
from netsmith.data.emotional_dialogues import drawn_dialogues
from netsmith.layers.dialogue_text import emotion_mark

__all__ = ["Dialogues", "read_dialogues"]

_LIMIT = 2**30


class Dialogues(DialogueSource):
    """Dialogues to learn to answer: ``.jsonl``, or a folder with ``train.jsonl`` (and ``dev.jsonl``, ``test.jsonl``).

    Splits that are not given are drawn, dialogue by dialogue. Emotions are those of the training part.

    Raises:
        ConfigError: No ``path`` and no ``twin``, or a speaker that nobody is.
        DataError: A line that is no dialogue, an emotion that training does not have; names the file and the line.
    """

    class Config(DialogueFields):
        """Where the dialogues are.

        Attributes:
            path: The file, or the folder.
            dev: Share held out as ``dev`` where there is no such file; 0 for none.
            test: Share held out as ``test`` where there is no such file.
            split_seed: Seed of the splits that are drawn.
            twin: Drawn dialogues of three speakers, in place of the file.
        """

        path: str = ""
        dev: Annotated[float, Field(ge=0, lt=0.5)] = 0.1
        test: Annotated[float, Field(ge=0, lt=0.5)] = 0.1
        split_seed: int = 0

    def __init__(self, config: Config) -> None:
        if config.twin:
            given, files = {"train": drawn_dialogues("own", 800, seed=0)}, {"train": "twin"}
        elif not config.path:
            raise ConfigError("Dialogues.Config.path is empty; expected a .jsonl file or a folder (--data PATH)")
        else:
            given, files = _given(Path(config.path))
        kinds = {split: torch.zeros(len(found), dtype=torch.int64) for split, found in given.items()}
        at, made = divide(kinds, dev=config.dev, test=config.test, seed=config.split_seed)
        dialogues = {split: [given[origin][int(one)] for one in where] for split, (origin, where) in at.items()}
        emotions = emotions_of(dialogues["train"])
        for split, found in dialogues.items():
            strange = [(one.row, name) for one in found for name in emotions_of([one]) if name not in emotions]
            if strange and config.emotion:
                row, name = min(strange)
                what = f"the emotion {name!r} is in no training turn, and one of {split} has it"
                raise DataError(f"{what}; rename it, or set data.emotion=false", files[at[split][0]], row)
        super().__init__(
            config,
            dataset=Path(config.path).name or "dialogues",
            dialogues=dialogues,
            emotions=emotions,
            name=Path(config.path).name or "twin",
            made=made,
            seeds={split: config.split_seed if made[split] != "given" else 0 for split in at},
        )


def read_dialogues(path: Path) -> list[Dialogue]:
    """Read dialogues: on each line a JSON list of turns, or an object with such a list under ``turns``.

    A turn is an object with ``text``, and if known ``speaker`` and ``emotion`` (one word), or the text alone. What one
    speaker says in several turns behind each other is one turn, with the last emotion of them. Empty lines are passed
    over.

    Raises:
        DataError: The file cannot be read, or a line is no dialogue of two turns or more (file and line are named).
    """
    lines = text_of(read_capped(path, limit=_LIMIT), path.name).split("\n")
    found = [Dialogue(_turns(line, path.name, row), row) for row, line in enumerate(lines, start=1) if line.strip()]
    if not found:
        raise DataError("holds no dialogue; expected a JSON list of turns on each line", path)
    return found


def _given(path: Path) -> tuple[Mapping[str, list[Dialogue]], Mapping[str, str]]:
    """Return the dialogues of the splits that are given, and the names of their files."""
    if not path.is_dir():
        return {"train": read_dialogues(path)}, {"train": path.name}
    names = {"train": "train", "dev": "dev", "val": "dev", "test": "test"}
    files = {split: path / f"{name}.jsonl" for name, split in names.items() if (path / f"{name}.jsonl").is_file()}
    if "train" not in files:
        raise DataError("holds no train.jsonl", path)
    return {split: read_dialogues(file) for split, file in files.items()}, {of: file.name for of, file in files.items()}


def _turns(line: str, name: str, row: int) -> tuple[Turn, ...]:
    try:
        whole: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        what = f"is not JSON ({shorten(str(error), 80)}); expected a dialogue: a JSON list of turns"
        raise DataError(what, name, row) from None
    given = whole.get("turns") if isinstance(whole, dict) else whole
    if not isinstance(given, list):
        raise DataError("expected a list of turns, or an object with such a list under 'turns'", name, row)
    turns: list[Turn] = []
    for number, one in enumerate(given, start=1):
        turn = _turn({"text": one} if isinstance(one, str) else one, number, name, row)
        if turns and turn.speaker and turn.speaker == turns[-1].speaker:
            before = turns.pop()
            turn = Turn(f"{before.text} {turn.text}", turn.speaker, turn.emotion or before.emotion)
        turns.append(turn)
    if len(turns) < 2:
        raise DataError(f"has {len(turns)} turn(s) of different speakers; expected two or more", name, row)
    return tuple(turns)


def _turn(one: Any, number: int, name: str, row: int) -> Turn:
    if not isinstance(one, dict) or not isinstance(one.get("text"), str) or not one["text"].strip():
        raise DataError(f"turn {number} has no text; expected {{'text': ..., 'speaker': ...}}", name, row)
    for key in ("speaker", "emotion"):
        if not isinstance(one.get(key) or "", str):
            raise DataError(f"turn {number}: {key} is {shorten(repr(one[key]), 40)}; expected a text", name, row)
    emotion = (one.get("emotion") or "").strip().lower()
    try:
        if emotion:
            emotion_mark(emotion)
    except ConfigError as error:
        raise DataError(f"turn {number}: {error}", name, row) from None
    return Turn(one["text"], one.get("speaker") or "", emotion)
