"""ImageNet in folders (ILSVRC 2012): crops of pictures of any size, and the test by several crops.

Russakovsky et al., "ImageNet Large Scale Visual Recognition Challenge", IJCV 2015.
"""

from __future__ import annotations

import collections
import csv
import dataclasses
import functools
import io
import posixpath
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from netsmith.core.errors import ConfigError, DataError, shorten
from netsmith.core.spec import Step
from netsmith.data._arrays import ImageFields, ImageSource, Part, digest
from netsmith.data._files import Tree, open_tree
from netsmith.data._listing import is_picture
from netsmith.data._pictures import cut_picture, decode_picture
from netsmith.data._splits import draw_splits
from netsmith.data._twin import twin_images
from netsmith.engine.batch import Batch, Views
from netsmith.engine.random import example_keys, keyed_uniform
from netsmith.layers.preprocess import resize_window

__all__ = ["ImageNet"]

_FULL = 224  # the crop for which scales are given
_WORDS = ("synset_words.txt", "LOC_synset_mapping.txt")
_TRUTHS = ("val.txt", "LOC_val_solution.csv")
_STATISTICS = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # of the official training part, as usually published
_LIMIT = 2**26  # bytes of a list
_DIGITS = 9  # of a class's number, at most

_Scale = Annotated[int, Field(ge=_FULL, le=2048)]


class ImageNet(ImageSource):
    """Large pictures of many classes, read when they are needed: ``train/<wnid>/*.JPEG`` beside ``val``.

    ``val`` has a folder per class too, or lies flat as in the official archive; then ``val.txt`` (a line of file name
    and class: the wnid or its position among the sorted wnids) or ``LOC_val_solution.csv`` says what is in it. Names of
    classes are those of ``synset_words.txt`` or ``LOC_synset_mapping.txt`` where there is one, else the wnids. The
    official validation part is ``test`` here, as in the papers; ``dev`` is drawn from the training part.

    In training the shorter side of a picture is scaled to a length drawn from ``train_scale``, and a random square of
    ``image_size`` is cut out (Simonyan & Zisserman 2015, section 3.1). Elsewhere one sees the square in the middle of
    the first of ``test_scales``. Evaluation may look at more: with ``test_crops=10`` the four corners and the middle,
    each mirrored too (Krizhevsky et al. 2012, section 4.1), at each of the ``test_scales``; the task averages the
    answers (:class:`~netsmith.engine.batch.Views`).

    Deviations: pictures are normalized by the published mean and deviation of each channel, not measured; that of the
    papers is a mean per pixel, or per channel.

    The hash of a split is that of its files' names, sizes and labels: what is in the pictures is not read for it.

    Raises:
        ConfigError: No ``path`` and no ``twin``.
        DataError: Another layout; when a picture is needed: a damaged one, by its name.
        MissingExtraError: Pillow is not installed.
    """

    class Config(ImageFields):
        """A folder or archive of the official layout.

        Attributes:
            path: The folder that holds ``train`` and ``val``.
            image_size: Height and width of a crop, in pixels.
            train_scale: Shortest and longest length that the shorter side is scaled to in training, in pixels for crops
                of 224, in proportion for others.
            test_scales: Lengths of the shorter side in evaluation, in the same unit.
            test_crops: Crops of each scale in evaluation.
        """

        path: str = ""
        image_size: Annotated[int, Field(ge=8, le=1024)] = _FULL
        train_scale: tuple[_Scale, _Scale] = (256, 480)
        test_scales: Annotated[tuple[_Scale, ...], Field(min_length=1)] = (256,)
        test_crops: Literal[1, 10] = 1

        @model_validator(mode="after")
        def _check(self) -> ImageNet.Config:
            if self.train_scale[0] > self.train_scale[1]:
                raise ValueError(f"train_scale must be two lengths, the shorter first; got {self.train_scale}")
            return self

    def __init__(self, config: Config) -> None:
        self._pictures: dict[str, _Pictures] = {}
        if config.twin:
            names, labeled = _twin(config)
        elif not config.path:
            raise ConfigError("ImageNet.Config.path is empty; expected the folder that holds train and val")
        else:
            names, labeled = _listed(open_tree(Path(config.path)))
        held, labels = labeled["train"]
        splits = draw_splits(labels, {"dev": config.dev}, seed=config.split_seed)
        parts = {}
        for split, at in splits.items():
            made = f"train without dev ({100 * config.dev:.3g} %)" if config.dev else "train"
            made = f"seeded {100 * config.dev:.3g} % of train" if split == "dev" else made
            parts[split] = self._cropped(split, held.some(at), labels[at], config, made=made)
        held, labels = labeled["test"]
        parts["test"] = self._cropped("test", held, labels, config, made="the official validation part")
        size = config.image_size
        super().__init__(
            config,
            dataset="imagenet",
            parts=parts,
            shape=(3, size, size),
            names=names,
            before=(Step(name="resize", size=(size, size), shorter=_length(config.test_scales[0], config)),),
            statistics=_STATISTICS,
        )
        self._several = config.test_crops * len(config.test_scales) > 1
        self._views = config

    def judged(self, split: str, indices: Tensor) -> Batch:
        """Return what evaluation sees of some examples: their :class:`~netsmith.engine.batch.Views` where several."""
        if not self._several:
            return self.load(split, indices)
        every = torch.stack([self._crops(split, index) for index in indices.tolist()])  # (B, V, 3, S, S)
        return Batch(
            inputs=Views(self._prepare(every.flatten(0, 1), None).unflatten(0, every.shape[:2])),
            targets=self._part(split).targets.index_select(0, indices),
            keys=example_keys(0, indices),
            indices=indices,
        )

    def _cropped(self, split: str, pictures: _Pictures, labels: Tensor, config: Config, *, made: str) -> Part:
        self._pictures[split] = pictures
        return Part(
            functools.partial(_seen, pictures=pictures, config=config),
            labels,
            pictures.digest(labels),
            made=made,
            seed=config.split_seed if split != "test" else 0,
            redraw=functools.partial(_drawn, pictures=pictures, labels=labels, config=config)
            if split == "train"
            else None,
        )

    def _crops(self, split: str, index: int) -> Tensor:
        """Return every crop of a picture, scale by scale: ``(V, 3, S, S)`` uint8."""
        config, pictures = self._views, self._pictures[split]
        picture = pictures.one(index)
        lengths = [_length(length, config) for length in config.test_scales]
        if config.test_crops == 1:
            return torch.stack([_middle(picture, length, config.image_size) for length in lengths])
        return torch.cat([_ten_crops(picture, length, config.image_size) for length in lengths])


@dataclasses.dataclass(frozen=True)
class _Pictures:
    """Pictures that are read one by one.

    Attributes:
        files: Their names.
        tree: Where they are; None for those that lie in memory.
        held: ``(N, 3, H, W)`` uint8, a twin's.
    """

    files: tuple[str, ...]
    tree: Tree | None = None
    held: Tensor | None = None

    def some(self, at: Tensor) -> _Pictures:
        held = None if self.held is None else self.held[at]
        return _Pictures(tuple(self.files[index] for index in at.tolist()), self.tree, held)

    def digest(self, labels: Tensor) -> str:
        """Return the SHA-256 of names, labels and, of files, how many bytes each has."""
        if self.tree is None:
            return digest("\n".join(self.files), labels)
        return digest("\n".join(f"{name} {self.tree.size(name)}" for name in self.files), labels)

    def one(self, index: int) -> Tensor:
        if self.held is not None:
            return self.held[index]
        assert self.tree is not None
        name = self.files[index]
        return decode_picture(self.tree.read(name), channels=3, size=None, name=name)


def _seen(at: Tensor, *, pictures: _Pictures, config: ImageNet.Config) -> Tensor:
    """Return the squares in the middle."""
    length = _length(config.test_scales[0], config)
    return torch.stack([_middle(pictures.one(index), length, config.image_size) for index in at.tolist()])


def _drawn(
    at: Tensor, keys: Tensor, *, pictures: _Pictures, labels: Tensor, config: ImageNet.Config
) -> tuple[Tensor, Tensor]:
    """Return random squares of pictures of random scale, and their classes."""
    u = keyed_uniform(keys, 3, stream="imagenet")
    size, (low, high) = config.image_size, config.train_scale
    lengths = low + (u[:, 0] * (high - low + 1)).long()
    crops = []
    for index, length, (down, right) in zip(at.tolist(), lengths.tolist(), u[:, 1:].tolist(), strict=True):
        picture = pictures.one(index)
        full, _, _ = resize_window(tuple(picture.shape[1:]), (size, size), shorter=_length(length, config))
        top, left = int(down * (full[0] - size + 1)), int(right * (full[1] - size + 1))
        crops.append(cut_picture(picture, full, (size, size), top=top, left=left))
    return torch.stack(crops), labels[at]


def _length(length: int, config: ImageNet.Config) -> int:
    """Return a length of the shorter side, given for crops of 224 pixels, for those of the config."""
    return round(length * config.image_size / _FULL)


def _middle(picture: Tensor, shorter: int, size: int) -> Tensor:
    full, top, left = resize_window(tuple(picture.shape[1:]), (size, size), shorter=shorter)
    return cut_picture(picture, full, (size, size), top=top, left=left)


def _ten_crops(picture: Tensor, shorter: int, size: int) -> Tensor:
    """Return the four corners and the middle, then their mirror images: ``(10, 3, S, S)``."""
    (height, width), top, left = resize_window(tuple(picture.shape[1:]), (size, size), shorter=shorter)
    down, right = height - size, width - size
    places = [(0, 0), (0, right), (down, 0), (down, right), (top, left)]
    five = torch.stack([cut_picture(picture, (height, width), (size, size), top=y, left=x) for y, x in places])
    return torch.cat([five, five.flip(-1)])


def _listed(tree: Tree) -> tuple[tuple[str, ...], dict[str, tuple[_Pictures, Tensor]]]:
    """Return the names of the classes, and the pictures and labels of ``train`` and ``test``."""
    by_top: dict[str, list[str]] = collections.defaultdict(list)
    for name in tree.files:
        if "/" in name and is_picture(name):
            by_top[name.split("/")[0]].append(name)
    train = by_top["train"]
    odd = next((name for name in train if name.count("/") != 2), None)
    if not train or odd is not None:
        found = f"{odd} lies elsewhere" if odd else "holds no picture in train"
        raise DataError(f"{found}; expected train/<wnid>/*.JPEG", tree.path)
    wnids = sorted({name.split("/")[1] for name in train})
    if len(wnids) < 2:
        raise DataError(f"train holds {len(wnids)} class ({wnids[0]}); expected at least 2", tree.path)
    numbers = {wnid: number for number, wnid in enumerate(wnids)}
    val = by_top["val"]
    if not val:
        raise DataError("holds no picture in val; expected val/<wnid>/*.JPEG, or val/*.JPEG and val.txt", tree.path)
    flat = [name for name in val if name.count("/") == 1]
    truth = _truth(tree, numbers) if flat else {}
    labels = []
    for name in val:
        wnid = _found(truth, name) if flat else name.split("/")[1]
        if name.count("/") != (1 if flat else 2) or wnid is None:
            raise DataError(f"{name} has no class; expected val/<wnid>/*.JPEG, or a line of {_TRUTHS[0]}", tree.path)
        if wnid not in numbers:
            raise DataError(f"{name} has the class {wnid!r}, which no training picture has", tree.path)
        labels.append(numbers[wnid])
    return _names(tree, wnids), {
        "train": (_Pictures(tuple(train), tree), torch.tensor([numbers[name.split("/")[1]] for name in train])),
        "test": (_Pictures(tuple(val), tree), torch.tensor(labels)),
    }


def _lines(tree: Tree, name: str) -> list[str]:
    try:
        return tree.read(name, limit=_LIMIT).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"is not UTF-8 text (byte {error.start + 1})", name) from None


def _truth(tree: Tree, numbers: dict[str, int]) -> dict[str, str]:
    """Return the class of each picture of a flat ``val``, by the file's name as the list gives it."""
    name = next((name for name in _TRUTHS if name in tree.files), None)
    if name is None:
        raise DataError(f"val lies flat, and {' or '.join(_TRUTHS)} that names its classes is missing", tree.path)
    wnids = list(numbers)
    found: dict[str, str] = {}
    lines = _lines(tree, name)
    table = csv.reader(io.StringIO("\n".join(lines[1:]))) if name.endswith(".csv") else (line.split() for line in lines)
    for row, cells in enumerate(_rows(table, name), start=2 if name.endswith(".csv") else 1):
        if not cells:
            continue
        answer = cells[1].split()[:1] if len(cells) == 2 else []
        if not answer:
            raise DataError(f"holds {len(cells)} columns; expected a picture and its class", name, row)
        wnid = answer[0]
        if wnid not in numbers and wnid.isascii() and wnid.isdigit():  # a folder may be called by a number
            if len(wnid) > _DIGITS or int(wnid) >= len(wnids):
                raise DataError(f"class {shorten(wnid, 40)}; expected numbers below {len(wnids)}", name, row)
            wnid = wnids[int(wnid)]
        picture = posixpath.basename(cells[0])
        if picture in found:
            raise DataError(f"names {shorten(picture, 100)} for the second time; expected one line for each", name, row)
        found[picture] = wnid
    return found


def _found(truth: dict[str, str], name: str) -> str | None:
    """Return the class of a picture, which a list names with its ending or without."""
    base = posixpath.basename(name)
    keys = (base, posixpath.splitext(base)[0])
    if all(key in truth for key in keys):
        raise DataError(f"its list names {keys[0]} and {keys[1]}; expected one line for each picture", name)
    return next((truth[key] for key in keys if key in truth), None)


def _rows(table: Iterable[list[str]], name: str) -> Iterator[list[str]]:
    try:
        yield from table
    except csv.Error as error:
        raise DataError(f"cannot be read as CSV: {error}", name) from None


def _names(tree: Tree, wnids: Sequence[str]) -> tuple[str, ...]:
    """Return the first word for each class; where two share it (crane, maillot) the wnid stands beside it."""
    file = next((name for name in _WORDS if name in tree.files), None)
    if file is None:
        return tuple(wnids)
    words: dict[str, str] = {}
    for line in _lines(tree, file):
        wnid, _, rest = line.strip().partition(" ")
        words[wnid] = rest.partition(",")[0].strip()
    missing = next((wnid for wnid in wnids if not words.get(wnid)), None)
    if missing is not None:
        raise DataError(f"has no words for the class {missing}", file)
    counts = collections.Counter(words[wnid] for wnid in wnids)
    return tuple(words[wnid] if counts[words[wnid]] == 1 else f"{words[wnid]} ({wnid})" for wnid in wnids)


def _twin(config: ImageNet.Config) -> tuple[tuple[str, ...], dict[str, tuple[_Pictures, Tensor]]]:
    """Make pictures a little larger than a crop, wider than high, of ten classes."""
    height = round(config.image_size * 8 / 7)
    names = tuple(f"class {number}" for number in range(10))
    found = {}
    for split, count in (("train", 640), ("test", 200)):
        shape = (3, height, round(height * 5 / 4))
        images, labels = twin_images(f"imagenet/{split}", count=count, classes=10, shape=shape)
        files = tuple(f"{split}/{index}" for index in range(count))
        found[split] = _Pictures(files, held=images), labels
    return names, found
