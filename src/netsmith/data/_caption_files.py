"""Which pictures have which captions, in the layouts of Flickr8k and of COCO; no picture is decoded."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from netsmith.core.errors import DataError, shorten
from netsmith.data._files import Tree
from netsmith.data._listing import is_picture
from netsmith.data._text_files import text_of

__all__ = ["Captioned", "read_captions"]

_TEXT_LIMIT = 512 * 2**20
_TOKENS = re.compile(r"(^|/)(?![^/]*\.lemma\.)[^/]*\.token(\.txt)?$")  # the lemmas are no captions
_SPLIT = re.compile(r"(^|/)[^/]*\.(train|dev|test)Images\.txt$")
_COCO = re.compile(r"(^|/)captions_(train|val)[^/]*\.json$")
_LAYOUTS = "Flickr8k.token.txt, captions.txt (image,caption) or annotations/captions_train*.json"


class Captioned(NamedTuple):
    """Some pictures with their captions.

    Attributes:
        files: Names of the pictures in their folder or archive.
        captions: Of each picture, as many as there are.
    """

    files: tuple[str, ...]
    captions: tuple[tuple[str, ...], ...]


def read_captions(tree: Tree) -> dict[str, Captioned]:
    """Read the captions of a folder or archive, by the splits that it gives (``train`` among them).

    Flickr8k: ``*.token.txt`` with lines ``picture.jpg#0<tab>caption``, and ``*.trainImages.txt``, ``*.devImages.txt``,
    ``*.testImages.txt`` with a name on each line; pictures of none of the three are left out, and without them all are
    ``train``. The form ``captions.txt`` with the columns ``image,caption`` is read alike. COCO:
    ``captions_train*.json`` is ``train``, ``captions_val*.json`` is ``test`` (COCO's own test has no captions). The
    pictures may lie in any folder.

    Raises:
        DataError: None of these or several, a line or an entry that is not as it should be (named), a missing picture.
    """
    places = _Places(tree)
    coco = _by_split(tree, _COCO)
    if coco:
        if "train" not in coco:
            raise DataError("holds captions_val*.json and no captions_train*.json", tree.path)
        names = {"train": "train", "val": "test"}
        return {names[part]: _coco(tree, coco[part], places) for part in ("train", "val") if part in coco}
    found = [name for name in tree.files if _TOKENS.search(name) or name.endswith("captions.txt")]
    if not found:
        raise DataError(f"holds no captions; expected {_LAYOUTS}", tree.path)
    name = _only(found, tree)
    captions: dict[str, list[str]] = {}
    first: dict[str, int] = {}
    for row, picture, text in _rows(tree, name):
        if not re.search(r"\w", text):
            raise DataError(f"the caption {shorten(repr(text), 40)} of {shorten(picture, 40)} has no word", name, row)
        captions.setdefault(picture, []).append(text)
        first.setdefault(picture, row)
    if not captions:
        raise DataError("holds no caption", name)
    splits = _by_split(tree, _SPLIT)
    if not splits:
        return {"train": _chosen({picture: (name, row) for picture, row in first.items()}, captions, places)}
    if "train" not in splits:
        raise DataError(f"holds {', '.join(sorted(splits.values()))} and no *.trainImages.txt", tree.path)
    seen: dict[str, str] = {}
    parts: dict[str, Captioned] = {}
    for split in ("train", "dev", "test"):
        if split not in splits:
            continue
        wanted: dict[str, tuple[str, int]] = {}
        for row, line in _lines(tree, splits[split]):
            if line not in captions:
                raise DataError(f"{shorten(line, 60)!r} has no caption in {name}", splits[split], row)
            if line in seen:
                raise DataError(f"{shorten(line, 60)!r} is in {seen[line]} already", splits[split], row)
            seen[line] = splits[split]
            wanted[line] = (splits[split], row)
        if not wanted:
            raise DataError("names no picture", splits[split])
        parts[split] = _chosen(wanted, captions, places)
    return parts


def _by_split(tree: Tree, pattern: re.Pattern[str]) -> dict[str, str]:
    """Return the one file of each split, which is the second group of a pattern of names."""
    found: dict[str, list[str]] = {}
    for name in tree.files:
        if match := pattern.search(name):
            found.setdefault(match[2], []).append(name)
    return {split: _only(names, tree) for split, names in found.items()}


def _only(names: Sequence[str], tree: Tree) -> str:
    if len(names) > 1:
        raise DataError(f"holds {', '.join(names)}; expected one of them: take the others away", tree.path)
    return names[0]


class _Places:
    """Where pictures lie, by the last part of their names."""

    def __init__(self, tree: Tree) -> None:
        self._paths: dict[str, list[str]] = {}
        for name in tree.files:
            if is_picture(name):
                self._paths.setdefault(PurePosixPath(name).name, []).append(name)

    def __call__(self, picture: str, *, near: str = "") -> str:
        """Return a picture's place, of several the one in a folder of that name; ``""`` where there is none."""
        paths = self._paths.get(PurePosixPath(picture).name, [])
        return next((path for path in paths if near and near in PurePosixPath(path).parts), paths[0] if paths else "")


def _chosen(wanted: Mapping[str, tuple[str, int]], captions: Mapping[str, list[str]], places: _Places) -> Captioned:
    files = []
    for picture, (name, row) in wanted.items():
        place = places(picture)
        if not place:
            raise DataError(f"there is no picture {shorten(picture, 60)!r} in any folder", name, row)
        files.append(place)
    return Captioned(tuple(files), tuple(tuple(captions[picture]) for picture in wanted))


def _rows(tree: Tree, name: str) -> Iterator[tuple[int, str, str]]:
    """Yield row, picture and caption of a file of captions."""
    if _TOKENS.search(name):
        for row, line in _lines(tree, name):
            picture, tab, text = line.partition("\t")
            key, mark, number = picture.rpartition("#")
            if not tab or not mark or not key or not number.isdigit():
                shown = shorten(repr(line), 60)
                raise DataError(f"expected 'picture.jpg#0', a tab and a caption, got {shown}", name, row)
            yield row, key, text.strip()
        return
    reader = csv.reader(io.StringIO(_text(tree, name)), strict=True)
    try:
        for number, cells in enumerate(reader):
            if number == 0:
                if [cell.strip() for cell in cells] != ["image", "caption"]:
                    raise DataError(f"expected the columns image,caption, got {shorten(','.join(cells), 60)}", name, 1)
            elif cells:
                if len(cells) != 2:
                    raise DataError(f"has {len(cells)} columns; expected image,caption", name, reader.line_num)
                yield reader.line_num, cells[0].strip(), cells[1].strip()
    except csv.Error as error:
        raise DataError(f"is no CSV: {error}", name, reader.line_num) from None


def _coco(tree: Tree, name: str, places: _Places) -> Captioned:
    try:
        whole: Any = json.loads(_text(tree, name))
    except (ValueError, RecursionError) as error:
        raise DataError(f"is not JSON: {shorten(str(error), 80)}", name) from None
    if not isinstance(whole, dict) or not all(isinstance(whole.get(key), list) for key in ("images", "annotations")):
        raise DataError("expected an object with the lists images and annotations", name)
    near = PurePosixPath(name).stem.removeprefix("captions_")
    pictures: dict[int, str] = {}
    for number, image in enumerate(whole["images"]):
        known = isinstance(image, dict) and isinstance(image.get("id"), int) and isinstance(image.get("file_name"), str)
        if not known:
            raise DataError(f"images[{number}] has no whole id or no file_name", name)
        if image["id"] in pictures:
            raise DataError(f"images[{number}] has the id {image['id']} of another one", name)
        pictures[image["id"]] = image["file_name"]
    captions: dict[int, list[str]] = {}
    for number, note in enumerate(whole["annotations"]):
        key, text = (note.get("image_id"), note.get("caption")) if isinstance(note, dict) else (None, None)
        if not isinstance(key, int) or key not in pictures:
            raise DataError(f"annotations[{number}] has no image_id of {len(pictures)} images", name)
        if not isinstance(text, str) or not re.search(r"\w", text):
            raise DataError(f"annotations[{number}] has no caption with a word", name)
        captions.setdefault(key, []).append(" ".join(text.split()))
    if not captions:
        raise DataError("holds no caption", name)
    files = []
    for key in captions:
        place = places(pictures[key], near=near)
        if not place:
            raise DataError(f"there is no picture {shorten(pictures[key], 60)!r} in any folder", name)
        files.append(place)
    return Captioned(tuple(files), tuple(tuple(texts) for texts in captions.values()))


def _lines(tree: Tree, name: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file that are not empty, with their numbers."""
    for row, line in enumerate(_text(tree, name).split("\n"), start=1):
        if line.strip():
            yield row, line.strip()


def _text(tree: Tree, name: str) -> str:
    return text_of(tree.read(name, limit=_TEXT_LIMIT), name)
