"""One's own tagged sentences, in columns as CoNLL's: a token and its tag on a line, empty lines between sentences."""

from __future__ import annotations

import collections
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, cast

import torch
from pydantic import AfterValidator, Field
from torch import Tensor

from netsmith.core.config import later
from netsmith.core.errors import ConfigError, DataError, shorten
from netsmith.core.keys import key as named_key
from netsmith.core.spec import Outputs, TokenFeature
from netsmith.data._files import open_tree, read_capped
from netsmith.data._listing import SPLIT_NAMES, divide
from netsmith.data._text_files import refuse_null, utf16_hint
from netsmith.data._texts import TextFields, TextSource, tokenizer
from netsmith.engine.task import UNLABELED
from netsmith.layers.spans import SCHEMES, Scheme, Span, convert, every_tag, fault, is_tag, repaired, tags_of
from netsmith.layers.token_features import factored
from netsmith.layers.tokenize import CHARACTER, tokenize

__all__ = ["CONLL_SUFFIXES", "Conll", "conll_texts"]

CONLL_SUFFIXES = (".conll", ".conll2003", ".conll03", ".bio", ".iob", ".iob2", ".bioes", ".iobes", ".bmes")
_LIMIT = 512 * 2**20
_RENAMED = {"L": "E", "U": "S"}  # BILOU's


class _Sentence(NamedTuple):
    tokens: tuple[str, ...]
    tags: tuple[str, ...]
    file: str
    row: int
    values: tuple[tuple[str, ...], ...] = ()


def _numbers_of_columns(columns: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(columns)) < len(columns) or min(columns, default=2) < 2:
        raise ValueError(f"{columns}: expected different numbers of columns from 2; the first holds the tokens")
    return columns


class Conll(TextSource):
    """Tagged sentences: one file that is divided, or a folder or archive of ``train``, ``dev`` and ``test`` files.

    The first column holds tokens, the last one tags; blanks or tabs are between. Every line has as many columns as the
    first. Of those between, ``features`` says which are read beside the tokens (parts of speech, phrases, kinds of
    names); their values are those of training, and another one counts as none of them. Lines ``-DOCSTART-`` are left
    out. Where every token of training is one character, a text is cut into characters; else where blanks are.

    Tags may mark names in any scheme of :mod:`netsmith.layers.spans`, BILOU's letters included; they come out in
    ``written``, so that one recipe serves all. Tags of no scheme (parts of speech) are ``plain``, and words
    (``B M E S`` alone) stay as they are.

    Attributes:
        scheme: The scheme of the files' tags, told from them where ``auto`` was asked for; a run records it.
        cut: How many sentences are longer than ``max_length`` and lose what is behind it.

    Raises:
        ConfigError: No ``path`` and no ``twin``.
        DataError: A damaged file, a line with too few columns, a tag that breaks the scheme or that training lacks;
            names file and line.
    """

    class Config(TextFields):
        """The files and how to read them.

        Attributes:
            path: A file, or a folder or archive whose files are named for the splits (``train.conll``, ``dev.txt``).
            test: Share held out as ``test`` where there is no such file; ``dev`` alike.
            scheme: The scheme of the tags; ``auto`` tells it from those of training.
            written: The scheme they come out in, where they name kinds.
            broken: Tags that break the scheme are refused, or repaired: their names by CoNLL's rule, written anew.
            encoding: Of the files.
            max_length: Longest sentence in tokens; what is longer is cut.
            pattern: Regular expression of one token; ``auto``: a character, or what stands between blanks.
            lowercase: Lower the case first.
            max_tags: The most different tags, as they are written; more are taken for a column of words.
            features: Columns between the first and the last that are read too, by number: the second is 2.
        """

        path: str = ""
        test: Annotated[float, Field(ge=0, lt=0.5)] = 0.1
        scheme: Scheme | Literal["auto", "plain"] = "auto"
        written: Scheme = "bioes"
        broken: Literal["refuse", "repair"] = "refuse"
        encoding: Literal["utf-8", "gb18030", "big5", "latin-1", "utf-16", "utf-16-le", "utf-16-be"] = "utf-8"
        max_length: Annotated[int, Field(gt=0, le=100_000)] = 256
        pattern: str = "auto"
        lowercase: bool = False
        features: Annotated[tuple[int, ...], AfterValidator(_numbers_of_columns)] = later(())
        max_tags: int = later(2000)

    def __init__(self, config: Config) -> None:
        found = {"train": _twin(config.features)} if config.twin else _read(config)
        scheme = _told(found["train"]) if config.scheme == "auto" else config.scheme
        found = _rewritten(found, scheme, config)
        self.scheme = scheme
        single = all(len(token) == 1 for sentence in found["train"] for token in sentence.tokens)
        pattern = config.pattern if config.pattern != "auto" else CHARACTER if single else r"\S+"
        names = _names({tag for sentence in found["train"] for tag in sentence.tags}, scheme, config.written)
        if len(names) > config.max_tags:
            written = f" as {config.written}" if scheme != "plain" else ""
            what = f"the last column, of the tags of tokens, holds {len(names):,} different ones{written}"
            remedy = "name the right one last, or allow more with --set data.max_tags="
            raise DataError(f"{what}; expected at most {config.max_tags:,}; {remedy}", config.path)
        read = config.derive(pattern=pattern)
        every = {split: torch.zeros(len(sentences), dtype=torch.int64) for split, sentences in found.items()}
        at, made = divide(every, dev=config.dev, test=config.test, seed=config.split_seed)
        parts = {split: [found[source][row] for row in where.tolist()] for split, (source, where) in at.items()}
        small = next((split for split, sentences in parts.items() if not sentences), "")
        if small:
            few = (
                f"has {len(found['train'])} sentence(s), too few to draw a {small} split; empty lines are between them"
            )
            raise DataError(few, config.path)
        joint = "" if single else " "
        self.cut = sum(len(one.tokens) > config.max_length for of in parts.values() for one in of)
        super().__init__(
            read,
            dataset=Path(config.path).name or "conll",
            texts={
                split: [factored(s.tokens, s.values) if config.features else joint.join(s.tokens) for s in of]
                for split, of in parts.items()
            },
            targets={split: _targets(of, names, read, joint=joint) for split, of in parts.items()},
            outputs=Outputs(kind="tags", names=names, size=len(names)),
            made=made,
            seeds={split: config.split_seed if made[split] != "given" else 0 for split in parts},
            features=_features(parts["train"], config.features),
        )


def conll_texts(
    data: bytes, name: str, features: Sequence[TokenFeature] = (), *, joint: str = " "
) -> list[tuple[int, str]]:
    r"""Return the sentences of a file as texts, each with its first line (1-based); tags are not asked for.

    Tokens that have features bring them along (:func:`~netsmith.layers.token_features.factored`).

    Args:
        data: Its contents, UTF-8: the columns of training, of which the last, the tag, may be missing.
        name: Stands in errors.
        features: What the tokens have.
        joint: What stands between tokens that have none; nothing where the network reads characters.

    Raises:
        DataError: A damaged file, or a line without one of the columns; names the line.

    Example:
        >>> conll_texts(b"Ann B-PER\nslept O\n\nhe O\n", "a.conll")
        [(1, 'Ann slept'), (4, 'he')]
    """
    wanted = [feature.column for feature in features if feature.column]
    least = max(wanted, default=1)
    expected = f"{least}, since the network was trained with that one beside the tokens" if wanted else "a token"
    found = list(_blocks(data, name, "utf-8", least=least, expected=expected))
    if wanted:
        return [
            (row, factored([line[0] for line in lines], [tuple(line[at - 1] for at in wanted) for line in lines]))
            for row, lines in found
        ]
    return [(row, joint.join(line[0] for line in lines)) for row, lines in found]


def _features(train: Sequence[_Sentence], columns: tuple[int, ...]) -> tuple[TokenFeature, ...]:
    rows = [row for sentence in train for row in sentence.values]
    return tuple(
        TokenFeature(name=f"column-{column}", values=tuple(sorted({row[place] for row in rows})), column=column)
        for place, column in enumerate(columns)
    )


def _read(config: Conll.Config) -> dict[str, list[_Sentence]]:
    """Return the sentences by the splits that are given, ``train`` first."""
    if not config.path:
        raise ConfigError("Conll.Config.path is empty; expected a file or a folder of train, dev, test (--data PATH)")
    place = Path(config.path)
    if place.is_file() and place.suffix.lower() not in (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz"):
        return {"train": _parsed(read_capped(place, limit=_LIMIT), place.name, config)}
    tree = open_tree(place)
    found: dict[str, list[_Sentence]] = {}
    files: dict[str, str] = {}
    for name in tree.files:
        split = SPLIT_NAMES.get(name.rpartition("/")[2].partition(".")[0].lower(), "")
        if not split:
            continue
        if split in files:
            raise DataError(f"{name} and {files[split]} are both the split {split!r}; keep one", place)
        files[split] = name
        found[split] = _parsed(tree.read(name, limit=_LIMIT), name, config)
    if "train" not in found:
        raise DataError("holds no file of that name: expected train.conll (or .txt, .bio), and dev and test", place)
    return {split: found[split] for split in ("train", "dev", "test") if split in found}


def _parsed(data: bytes, name: str, config: Conll.Config) -> list[_Sentence]:
    found: list[_Sentence] = []
    last = max(config.features, default=1)
    expected = f"{last + 1}, the column {last} of data.features before the tag" if last > 1 else "a token and its tag"
    for row, lines in _blocks(data, name, config.encoding, least=last + 1, expected=expected):
        tokens, tags = tuple(line[0] for line in lines), tuple(_renamed(line[-1]) for line in lines)
        values = tuple(tuple(line[column - 1] for column in config.features) for line in lines)
        found.append(_Sentence(tokens, tags, name, row, values))
    return found


def _blocks(
    data: bytes, name: str, encoding: str, *, least: int, expected: str
) -> Iterator[tuple[int, list[list[str]]]]:
    """Yield the first line (1-based) of each sentence and the columns of its lines, as many in all of the file."""
    try:
        text = data.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeDecodeError as error:
        row = data[: error.start].count(b"\n") + 1
        hint = utf16_hint(data, encoding=encoding, option="--set data.encoding=")
        hint = hint or "save it as UTF-8, or name what it is: --set data.encoding=gb18030"
        raise DataError(f"is not {encoding} (byte {error.start + 1}); {hint}", name, row) from None
    refuse_null(text, name, 1, option="--set data.encoding=")
    lines: list[list[str]] = []
    empty, wanted = True, 0
    for row, line in enumerate([*text.split("\n"), ""], start=1):
        columns = line.split()
        if columns and columns[0] != "-DOCSTART-":
            wanted = wanted or len(columns)
            if len(columns) != wanted or wanted < least:
                right = f"{wanted}, as in the first line" if wanted >= least else expected
                shown = shorten(repr(line), 40)
                raise DataError(f"has {len(columns)} column(s), {shown}; expected {right}", name, row)
            lines.append(columns)
        elif lines:
            yield row - len(lines), lines
            empty, lines = False, []
    if empty:
        raise DataError("has no sentence; expected a token and its tag on each line", name)


def _rewritten(
    found: dict[str, list[_Sentence]], scheme: Scheme | Literal["plain"], config: Conll.Config
) -> dict[str, list[_Sentence]]:
    """Check the tags against their scheme, and write them in the one that is wanted."""
    if scheme == "plain":
        return found
    whole: dict[str, list[_Sentence]] = {}
    for split, sentences in found.items():
        whole[split] = []
        for sentence in sentences:
            wrong = fault(sentence.tags, scheme)
            if wrong and (config.broken == "refuse" or not all(is_tag(tag, scheme) for tag in sentence.tags)):
                raise DataError(
                    f"{wrong[1]}; --set data.broken=repair mends that; data.scheme says what tags are "
                    f"({', '.join(SCHEMES)}, plain, auto)",
                    sentence.file,
                    sentence.row + wrong[0],
                )
            tags = repaired(sentence.tags, scheme)
            whole[split].append(sentence._replace(tags=tags if scheme == "words" else convert(tags, config.written)))
    return whole


def _names(tags: set[str], scheme: str, written: Scheme) -> tuple[str, ...]:
    """Return the names of the tags; where they name kinds, of every tag that such a name may need."""
    if scheme == "plain":
        return tuple(sorted(tags))
    if scheme == "words":
        return ("B", "E", "M", "S")
    kinds = {tag.partition("-")[2] for tag in tags} - {""}
    return tuple(sorted({"O"} | {tag for kind in kinds for tag in every_tag(kind, written)}))


def _renamed(tag: str) -> str:
    letter, hyphen, kind = tag.partition("-")
    return f"{_RENAMED[letter]}-{kind}" if hyphen and kind and letter in _RENAMED else tag


def _told(sentences: Sequence[_Sentence]) -> Scheme | Literal["plain"]:
    """Return the first scheme that most names' tags are of, with fewest that are not, then fewest broken sentences."""
    tags = collections.Counter(tag for sentence in sentences for tag in sentence.tags if tag != "O")
    found: dict[Scheme, tuple[int, int]] = {}
    for scheme in cast("tuple[Scheme, ...]", ("iob2", "iob1", "bioes", "bmes", "words")):
        foreign = sum(count for tag, count in tags.items() if not is_tag(tag, scheme))
        if 2 * foreign < tags.total():
            found[scheme] = foreign, sum(fault(sentence.tags, scheme) is not None for sentence in sentences)
    return min(found, key=lambda scheme: found[scheme]) if found else "plain"


def _targets(sentences: Sequence[_Sentence], names: tuple[str, ...], config: Conll.Config, *, joint: str) -> Tensor:
    """Return the number of each token's tag, ``(N, max_length)`` int64."""
    numbers, step = {name: number for number, name in enumerate(names)}, tokenizer(config)
    targets = torch.full((len(sentences), config.max_length), UNLABELED)
    for row, sentence in enumerate(sentences):
        if len(tokenize(joint.join(sentence.tokens), step)) != len(sentence.tokens):
            raise DataError(
                f"the pattern {config.pattern!r} does not cut this sentence into its {len(sentence.tokens)} tokens; "
                "leave data.pattern at auto",
                sentence.file,
                sentence.row,
            )
        for place, tag in enumerate(sentence.tags):
            if tag not in numbers:
                shown = shorten(", ".join(names), 80)
                raise DataError(f"{tag!r} is no tag of training: {shown}", sentence.file, sentence.row + place)
        known = [numbers[tag] for tag in sentence.tags[: config.max_length]]
        targets[row, : len(known)] = torch.tensor(known)
    return targets


def _twin(features: tuple[int, ...]) -> list[_Sentence]:
    """Make sentences in which a title announces a name of one to three words, which stand elsewhere, too."""
    words = [f"word{number}" for number in range(30)]
    generator = torch.Generator().manual_seed(named_key(0, "twin", "conll"))
    found: list[_Sentence] = []
    for _ in range(400):
        draw = torch.randint(0, 2**31, (40,), generator=generator).tolist()
        tokens: list[str] = []
        spans: list[Span] = []
        for at in range(1 + draw[0] % 4):
            kind, count, *inside = draw[1 + 9 * at : 10 + 9 * at]
            tokens += [words[one % 30] for one in inside[: 1 + kind % 3]]
            tokens.append(("Mr", "of")[kind % 2])
            start = len(tokens)
            tokens += [words[one % 30] for one in inside[3 : 4 + count % 3]]
            spans.append(Span(("PER", "LOC")[kind % 2], start, len(tokens)))
            tokens.append("said")
        values = tuple(("word" if token in words else "sign",) * len(features) for token in tokens)
        found.append(_Sentence(tuple(tokens), tags_of(spans, len(tokens), "iob2"), "twin", 1, values))
    return found
