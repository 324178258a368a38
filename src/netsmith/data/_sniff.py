"""What kind of data lies at a path, and one line that says how it was read."""

from __future__ import annotations

import re
from pathlib import Path

from netsmith.core.errors import DataError, shorten
from netsmith.core.roles import SourceConfig
from netsmith.data._arrays import FixedSource
from netsmith.data._columns import find_target, read_grids
from netsmith.data._files import open_tree
from netsmith.data._listing import METADATA, SPLIT_NAMES, is_picture
from netsmith.data._pairs import PairSource
from netsmith.data._streams import StreamSource
from netsmith.data._tables import TABLE_SUFFIXES, Grid
from netsmith.data.conll import CONLL_SUFFIXES, Conll
from netsmith.data.image_folder import ImageFolder
from netsmith.data.judged_texts import JudgedTexts
from netsmith.data.table import Table, column_kind
from netsmith.data.text_pairs import TextPairs
from netsmith.data.text_table import TextTable, looks_like_text
from netsmith.data.word_windows import WordWindows
from netsmith.engine.source import Source

__all__ = ["describe", "notes", "sniff"]

_NAME = re.compile(r"[A-Za-z_](?:[\w.-]*\w)?|\w{1,4}")
_SHAPES = "class/*.png, train/class/*.png, metadata.csv, a .csv, .tsv, .jsonl or .parquet file, or a .conll file"


def sniff(path: str | Path, *, target: str = "auto") -> SourceConfig:
    """Return the config of the source that reads what lies at a path.

    Args:
        path: An image folder, a table, tagged sentences in columns, a folder of ``train`` and ``test`` tables, or an
            archive of these.
        target: The column to predict, for a table.

    Raises:
        DataError: Nothing known lies there, or a table has free text beside other columns.
    """
    place = Path(path)
    if place.suffix.lower() in TABLE_SUFFIXES and not place.is_dir():
        return _sniff_table(place, target)
    if place.suffix.lower() in CONLL_SUFFIXES and not place.is_dir():
        return Conll.Config(path=str(path))
    if place.is_file() and is_picture(place.name):
        raise DataError("is one picture; expected the folder that holds the classes", place)
    tree = open_tree(place)
    if METADATA in tree.files or any(is_picture(name) for name in tree.files):
        return ImageFolder.Config(path=str(path))
    tables = [name for name in tree.files if name.lower().endswith(TABLE_SUFFIXES)]
    if any(name.rpartition(".")[0].lower() in SPLIT_NAMES for name in tables):
        return _sniff_table(place, target)
    if any(name.lower().endswith(CONLL_SUFFIXES) for name in tree.files):
        return Conll.Config(path=str(path))
    raise DataError(f"holds nothing that is known; expected {_SHAPES}", place)


def _sniff_table(place: Path, target: str) -> SourceConfig:
    grid = read_grids(str(place), kind="sniff")["train"]
    name = find_target(grid, target)
    others = [column for column in grid.columns if column != name]
    texts = [column for column in others if looks_like_text(grid.column(column))]
    if not texts and len(others) == 1 and column_kind(grid, others[0]) == "text" and _varied(grid, others[0]):
        texts = others
    if not texts:
        return Table.Config(path=str(place), target=name)
    if len(others) == 1:
        return TextTable.Config(path=str(place), target=name, text=texts[0])
    raise DataError(
        f"column {shorten(texts[0], 40)!r} is free text beside {len(others) - 1} other columns; choose data=text_table "
        f"with text={shorten(texts[0], 20)!r}, or data=table with that column in drop",
        grid.name,
    )


def _varied(grid: Grid, column: str) -> bool:
    cells = grid.column(column)
    return len(set(cells)) > max(64, len(cells) // 4)


def describe(source: Source) -> str:
    """Return one line that says how data was read.

    Example:
        ``read as image folder: 3 classes, 412 images, split 80/10/10, seed 0``
    """
    spec = source.spec
    if isinstance(source, WordWindows):
        return _of_words(source)
    total = sum(split.size for split in spec.splits)
    kind = (
        source.config.kind_name().replace("_", " ")
        if isinstance(source, (FixedSource, PairSource, StreamSource))
        else spec.dataset
    )
    pairs = {"text": "pairs" if isinstance(source, PairSource) else "tokens"} if spec.outputs.kind == "tokens" else {}
    nouns = {"image": "images", "table": "rows", "text": "texts"} | pairs
    if spec.outputs.kind == "ranking":
        nouns["text"] = "queries"
    facts = [f"{total} {nouns.get(spec.inputs.kind, 'examples')}"]
    if isinstance(source, JudgedTexts) and source.unanswered:
        facts.append(f"{source.unanswered} more that nothing answers left out")
    if spec.outputs.kind == "classes":
        facts.insert(0, f"{spec.outputs.size} classes")
    elif spec.outputs.kind == "tags":
        scheme = f" (the file's scheme: {source.scheme})" if isinstance(source, Conll) else ""
        facts.insert(0, f"{spec.outputs.size} tags{scheme}")
    elif spec.outputs.kind == "tokens":
        read = f"{len(spec.inputs.vocabulary)} known to be read, {spec.outputs.size} to be written"
        facts.insert(0, read if spec.inputs.vocabulary else f"{spec.outputs.size} known to be written")
    elif spec.outputs.names:
        facts.insert(0, f"target {shorten(spec.outputs.names[0], 40)!r} (a value)")
    if spec.inputs.kind == "table":
        count = len(spec.inputs.columns)
        facts.append(f"{count} column" + "s" * (count != 1))
    drawn = {split.made.removeprefix("seeded ") for split in spec.splits if split.made.startswith("seeded ")}
    if len(drawn) == 1 and all(split.made.startswith("seeded ") for split in spec.splits):
        facts += [f"split {drawn.pop()}", f"seed {spec.splits[0].seed}"]
    else:
        facts.append("split " + ", ".join(f"{split.name} {split.size} ({split.made})" for split in spec.splits))
    return f"read as {kind}: {', '.join(facts)}"


def notes(source: Source) -> list[str]:
    """Return what is lost of data as they were read, a line each: too long sentences, a first row that is no header."""
    found: list[str] = []
    if isinstance(source, Conll) and source.cut:
        what, are = ("1 sentence", "is") if source.cut == 1 else (f"{source.cut:,} sentences", "are")
        most = source.spec.inputs.max_length
        found.append(f"{what} of more than {most} tokens {are} cut there; data.max_length says where")
    odd = isinstance(source, TextPairs) and source.columns_told and not all(map(_NAME.fullmatch, source.columns))
    if isinstance(source, TextPairs) and odd:
        shown = shorten(" and ".join(map(repr, source.columns)), 80)
        found.append(f"the first row, {shown}, was taken as the columns' names; --set data.header=false keeps it")
    return found


def _of_words(source: WordWindows) -> str:
    """Return what a text for word vectors has, and which questions can be asked of it, by name."""
    spec = source.spec
    places = next(split.size for split in spec.splits if split.name == "train")
    facts = [f"{len(spec.inputs.vocabulary) - 2} words known in {places} places"]
    if source.asked:
        facts.append("asked " + ", ".join(f"{name} ({of} of {all_})" for name, (of, all_) in source.asked.items()))
    why: dict[str, list[str]] = {}
    for name, reason in source.left_out.items():
        why.setdefault(reason, []).append(name)
    facts += [f"left out {', '.join(names)} ({reason})" for reason, names in why.items()]
    return f"read as running text, {spec.dataset}: {'; '.join(facts)}"
