"""Which pictures a folder or archive holds, with their labels and splits; nothing is decoded."""

from __future__ import annotations

import dataclasses
import posixpath

import torch

from netsmith.core.errors import DataError, did_you_mean
from netsmith.data._files import Tree
from netsmith.data._pictures import PICTURE_SUFFIXES
from netsmith.data._splits import draw_splits, share_text
from netsmith.data._tables import parse_table

__all__ = ["SPLIT_NAMES", "Listing", "divide", "is_picture", "list_pictures"]

SPLIT_NAMES = {
    "train": "train", "training": "train", "val": "dev", "valid": "dev", "validation": "dev", "dev": "dev",
    "test": "test", "testing": "test",
}  # fmt: skip
METADATA = "metadata.csv"


@dataclasses.dataclass(frozen=True)
class Listing:
    """Pictures by split.

    Attributes:
        names: The classes, sorted.
        files: Names of the files, by split in the order train, dev, test.
        labels: Positions in ``names``, in the same form.
        made: How each split was made.
    """

    names: tuple[str, ...]
    files: dict[str, tuple[str, ...]]
    labels: dict[str, torch.Tensor]
    made: dict[str, str]


def is_picture(name: str) -> bool:
    """Say whether a file's name ends like a picture's."""
    return name.lower().endswith(PICTURE_SUFFIXES)


def list_pictures(tree: Tree, *, dev: float, test: float, seed: int) -> Listing:
    """List the pictures of ``class/*``, ``train|val|test/class/*``, or ``metadata.csv`` (``file_name,label[,split]``).

    Splits that are given are kept; those that are missing are drawn class by class.

    Raises:
        DataError: Another layout, an empty class, one class only, a label that train lacks, a file that is no picture.
    """
    rows = _from_metadata(tree) if METADATA in tree.files else _from_folders(tree)
    names = tuple(sorted({label for _, label, _ in rows}))
    if len(names) < 2:
        raise DataError(f"holds {len(names)} class ({', '.join(names)}); expected at least 2", tree.path)
    given: dict[str, list[tuple[str, str]]] = {}
    for name, label, split in rows:
        given.setdefault(split, []).append((name, label))
    return _divide_files(tree, names, given, dev=dev, test=test, seed=seed)


def _divide_files(
    tree: Tree,
    names: tuple[str, ...],
    given: dict[str, list[tuple[str, str]]],
    *,
    dev: float,
    test: float,
    seed: int,
) -> Listing:
    numbers = {label: number for number, label in enumerate(names)}
    labels = {split: torch.tensor([numbers[label] for _, label in rows]) for split, rows in given.items()}
    trained = {label for _, label in given["train"]}
    for rows in given.values():
        for name, label in rows:
            if label not in trained:
                raise DataError(f"{name} has the label {label!r}, which no training picture has", tree.path)
    at, made = divide(labels, dev=dev, test=test, seed=seed)
    for split, (_, where) in at.items():
        if not len(where):
            few = f"{len(given['train'])} training pictures are too few to draw a {split} split"
            raise DataError(f"{few}; expected 3 of one class at least", tree.path)
    return Listing(
        names=names,
        files={split: tuple(given[source][i][0] for i in where.tolist()) for split, (source, where) in at.items()},
        labels={split: labels[source][where] for split, (source, where) in at.items()},
        made=made,
    )


def divide(
    labels: dict[str, torch.Tensor], *, dev: float, test: float, seed: int
) -> tuple[dict[str, tuple[str, torch.Tensor]], dict[str, str]]:
    """Complete the splits that are given: draw those that are missing from train.

    Args:
        labels: Class of each example, by the splits that are given; ``train`` is among them.
        dev: Share of ``dev`` where it is missing.
        test: Share of ``test`` where it is missing.
        seed: The seed of the draw.

    Returns:
        For each split where its examples come from (a given split and positions in it), and how it was made.
    """
    missing = {name: share for name, share in (("dev", dev), ("test", test)) if name not in labels and share}
    drawn = draw_splits(labels["train"], missing, seed=seed)
    at: dict[str, tuple[str, torch.Tensor]] = {}
    made: dict[str, str] = {}
    for split in ("train", "dev", "test"):
        if split in drawn:
            at[split] = ("train", drawn[split])
            whole = share_text({"dev": dev, "test": test})
            made[split] = f"seeded {share_text(missing) if len(labels) > 1 else whole}" if missing else "given"
        elif split in labels:
            at[split] = (split, torch.arange(len(labels[split])))
            made[split] = "given"
    return at, made


def _from_folders(tree: Tree) -> list[tuple[str, str, str]]:
    """Return (file, label, split) for the two layouts by folders."""
    pictures = [name for name in tree.files if is_picture(name)]
    if not pictures:
        raise DataError("holds no picture; expected class/*.png, train/class/*.png or metadata.csv", tree.path)
    by_split = {name.split("/")[0] for name in pictures if name.count("/") == 2}
    by_split = {top for top in by_split if top.lower() in SPLIT_NAMES}
    depth = 2 if by_split else 1
    odd = next((name for name in tree.files if name.count("/") and not is_picture(name)), None)
    if odd is not None:
        raise DataError(f"{odd} is no picture (by its ending); remove it from the class folder", tree.path)
    rows: list[tuple[str, str, str]] = []
    for name in pictures:
        parts = name.split("/")
        if len(parts) != depth + 1 or (by_split and parts[0].lower() not in SPLIT_NAMES):
            wanted = "train|val|test/class/file" if by_split else "class/file"
            raise DataError(f"{name} lies elsewhere than the others; expected {wanted}", tree.path)
        rows.append((name, parts[-2], SPLIT_NAMES[parts[0].lower()] if by_split else "train"))
    if "train" not in {split for _, _, split in rows}:
        raise DataError(f"holds {', '.join(sorted(by_split))} but no train folder", tree.path)
    full = {posixpath.dirname(name) for name in pictures}
    for folder in tree.folders:
        needed = not by_split or SPLIT_NAMES.get(folder.split("/")[0].lower()) == "train"
        if folder.count("/") == depth - 1 and needed and folder not in full:
            raise DataError(f"the class folder {folder!r} holds no picture; fill it or remove it", tree.path)
    return rows


def _from_metadata(tree: Tree) -> list[tuple[str, str, str]]:
    """Return (file, label, split) of ``metadata.csv``."""
    table = parse_table(tree.read(METADATA), METADATA)
    for column in ("file_name", "label"):
        if column not in table.columns:
            raise DataError(f"has no column {column!r}{did_you_mean(column, table.columns)}", METADATA)
    files, labels = table.column("file_name"), table.column("label")
    splits = table.column("split") if "split" in table.columns else ["train"] * len(files)
    known, seen = set(tree.files), set()
    rows: list[tuple[str, str, str]] = []
    for name, label, split, row in zip(files, labels, splits, table.rows, strict=True):
        if name in seen:
            raise DataError(f"{name} is listed twice", METADATA, row)
        if name not in known:
            raise DataError(f"{name!r} is not a file beside it; expected a path inside the folder", METADATA, row)
        if not is_picture(str(name)):
            raise DataError(f"{name} is no picture (by its ending)", METADATA, row)
        if not str(label).strip():
            raise DataError("has no label", METADATA, row)
        if str(split).lower() not in SPLIT_NAMES:
            raise DataError(f"has the split {split!r}; expected train, val or test", METADATA, row)
        seen.add(name)
        rows.append((str(name), str(label).strip(), SPLIT_NAMES[str(split).lower()]))
    if "train" not in {split for _, _, split in rows}:
        raise DataError("has no row of the split train", METADATA)
    return rows
