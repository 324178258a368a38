"""A dictionary of words with counts, and the tree of their beginnings."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from math import log
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeAlias

from netsmith.core.errors import DataError, shorten
from netsmith.core.files import write_atomic
from netsmith.layers.frequency import by_frequency
from netsmith.models.chinese._blocks import BLOCK, CODES, code_points
from netsmith.models.chinese._later_characters import LaterCharacters
from netsmith.models.chinese._tag_hmm import TaggedWord

__all__ = ["Node", "PrefixDictionary", "decoded"]

Node: TypeAlias = "tuple[float | None, dict[str, Node] | None]"
"""The logarithm of a word's count (None: only the beginning of one), and the characters that may follow."""

_NOTHING: dict[str, Node] = {}
_MOST = 2**62


class PrefixDictionary:
    """Words, how often each comes, its part of speech, and what every beginning of a word can go on with.

    A word's probability is its count over the total of all counts. The tree answers which words begin at a place of a
    text by one look-up a character, and stops where no word goes on.

    Args:
        counts: Each word with how often it comes; 0 for one that is known but never a word.
        tags: Parts of speech of some of them.
        total: The sum of all counts, where a word stood in the file more than once and the sum is larger.

    Raises:
        DataError: No word has a count above zero, or a count is negative.

    Example:
        >>> words = PrefixDictionary({"北京": 34488, "北京大学": 2053, "大学": 20025})
        >>> words.total, len(words), sorted(words.prefixes())
        (56566, 3, ['北', '北京', '北京大', '北京大学', '大', '大学'])
    """

    def __init__(
        self, counts: Mapping[str, int], *, tags: Mapping[str, str] | None = None, total: int | None = None
    ) -> None:
        self.counts = dict(counts)
        self.tags = dict(tags or {})
        self.total = sum(self.counts.values()) if total is None else total
        if self.total <= 0 or min(self.counts.values()) < 0:
            raise DataError("a dictionary needs a word with a count above zero, and no negative count")
        self.version = 0
        """Counts the changes, for what is derived from the words."""
        self.trees = [_NOTHING] * CODES
        """The code point of the first character of words of two and more -> the tree of what follows."""
        self.chars = list(map(chr, range(CODES)))
        """Each character itself: one object for all places of a text, so that it stays at hand and has its hash."""
        self.single_weights = _SingleWeights(self)
        """A character -> the log-probability of it as a word; a count of 1 where it is none."""
        self.tagged = _Tagged(self.tags)
        """A word of the dictionary, or a character -> it with its part of speech, ``x`` where it has none."""
        self._strange: set[str] = set()  # words that hold a character at which a text is always cut: never found
        self._later: LaterCharacters | None = None
        self._same: dict[str, str] = {}  # one object for each character: a third of the tree's memory less
        self._plant()

    def __len__(self) -> int:
        return sum(map(bool, self.counts.values()))

    @property
    def later(self) -> LaterCharacters:
        """The characters at each later place of words; gathered when they are first asked for."""
        if self._later is None:
            self._later = LaterCharacters(self.trees)
        return self._later

    @classmethod
    def from_file(cls, path: str | Path) -> PrefixDictionary:
        """Read a dictionary in jieba's form: ``word count tag`` on each line, the tag may be missing; UTF-8.

        Raises:
            DataError: The file is not UTF-8, or a line breaks the form; names the line.
            OSError: There is no such file.
        """
        path = Path(path)
        counts: dict[str, int] = {}
        tags: dict[str, str] = {}
        total = 0
        for row, line in enumerate(decoded(path.read_bytes(), path).split("\n"), start=1):
            try:
                word, digits, tag = line.strip().split(" ")
                count = int(digits)
            except ValueError:
                if not line.strip():
                    continue
                word, count, tag = _two_columns(line.strip(), path, row)
            if not 0 <= count < _MOST:
                shown = shorten(str(count), 30)
                raise DataError(f"{shorten(word, 30)} has the count {shown}; expected 0 to 2**62", path, row)
            counts[word] = count  # a later line wins, but both count in the total, as in jieba
            total += count
            if tag:
                tags[word] = tag
        if not total:
            raise DataError("has no word with a count above zero; expected lines of 'word count tag'", path)
        return cls(counts, tags=tags, total=total)

    def write(self, path: str | Path) -> None:
        """Write the words in jieba's form, the most frequent first; jieba reads the file, too."""
        lines = (f"{word} {count} {self.tags.get(word, 'x')}\n" for word, count in by_frequency(self.counts) if count)
        write_atomic(Path(path), "".join(lines).encode())

    def prefixes(self) -> set[str]:
        """Every beginning of a word, words themselves included."""
        return {word[:end] for word in self.counts for end in range(1, len(word) + 1)}

    def is_prefix(self, text: str) -> bool:
        """Whether a word begins with ``text`` or is ``text``."""
        if text in self.counts:
            return True
        tree = self.tree_of(text[0]) if text else None
        for char in text[1:]:
            node = tree.get(char) if tree else None
            if node is None:
                return any(word.startswith(text) for word in self._strange)
            tree = node[1]
        return bool(tree) or any(word.startswith(text) for word in self._strange)

    def tree_of(self, first: str) -> dict[str, Node]:
        """Return the tree of what follows a first character; empty where nothing does."""
        code = ord(first)
        return self.trees[code] if code < CODES else _NOTHING

    def at_each(self, text: str) -> tuple[Sequence[int], Callable[[Sequence[Any]], tuple[Any, ...]], Sequence[str]]:
        """Return the code points of a text, what takes each place's entry of a list by code point, and its characters.

        Two signs with which no word goes on stand behind the text.
        """
        codes, whole = code_points(text)
        of_each = itemgetter(*codes, 0, 0)
        return codes, of_each, of_each(self.chars) if whole else (*text, "\0", "\0")

    def add(self, word: str, count: int, *, tag: str = "") -> None:
        """Add a word or change its count; 0 makes it no word. The total grows by ``count``, as in jieba.

        Raises:
            DataError: The word is empty, or the count negative or beyond 2**62.
        """
        if not word or not 0 <= count < _MOST:
            shown = f"{shorten(repr(word), 40)} and {shorten(str(count), 30)}"
            raise DataError(f"expected a word and a count of 0 to 2**62, got {shown}")
        self.counts[word] = count
        self.total += count
        if tag:
            self.tags[word] = tag
        self.tagged.pop(word, None)
        self._insert(word, (log(count) if count else None, None))
        if self._later is not None and (tree := self.tree_of(word[0])):
            self._later.renew(ord(word[0]), tree)
        self.single_weights.clear()
        self.version += 1

    def _plant(self) -> None:
        leaves: dict[int, Node] = {0: (None, None)}  # words of one count share theirs: less memory, and nearer
        collects = gc.isenabled()
        gc.disable()  # half a million small objects that stay: looking through them would double the time
        try:
            # Frequent words first: what a text needs most lies close together in memory.
            for word, count in sorted(self.counts.items(), key=itemgetter(1), reverse=True):
                leaf = leaves.get(count)
                if leaf is None:
                    leaf = leaves[count] = log(count), None
                self._insert(word, leaf)
        finally:
            if collects:
                gc.enable()

    def _insert(self, word: str, leaf: Node) -> None:
        if BLOCK.fullmatch(word) is None:
            self._strange.add(word)
            return
        if len(word) == 1:
            return
        first, *middle, last = map(self._same.setdefault, word, word)
        tree = self.trees[ord(first)]
        if not tree:  # the empty one serves all; a copy of the dictionary holds another one
            tree = self.trees[ord(first)] = {}
        for char in middle:
            node = tree.get(char)
            if node is None or node[1] is None:
                below: dict[str, Node] = {}
                tree[char] = (None if node is None else node[0]), below
                tree = below
            else:
                tree = node[1]
        node = tree.get(last)
        tree[last] = leaf if node is None or node[1] is None else (leaf[0], node[1])


class _SingleWeights(dict[str, float]):
    """Filled as characters are met: a change of the total makes all of them wrong at once."""

    def __init__(self, words: PrefixDictionary) -> None:
        self._words = words

    def __missing__(self, char: str) -> float:
        weight = self[char] = log(self._words.counts.get(char) or 1) - log(self._words.total)
        return weight


class _Tagged(dict[str, TaggedWord]):
    """Filled as words are met: one object for all places of a word, as most words of a text come again."""

    def __init__(self, tags: Mapping[str, str]) -> None:
        self._tags = tags

    def __missing__(self, word: str) -> TaggedWord:
        found = self[word] = TaggedWord(word, self._tags.get(word, "x"))
        return found


def decoded(data: bytes, path: str | Path, encoding: str = "utf-8") -> str:
    """Return the text of a file, without a mark at its beginning.

    Raises:
        DataError: It holds another encoding, or a NUL; names the line and the byte in it (both 1-based).
    """
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        byte = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        problem = f"is not {encoding.upper()}: {error.reason} at byte {byte} of the line; save it as UTF-8"
        raise DataError(problem, path, row) from None
    if "\0" in text:
        row = text.count("\n", 0, text.index("\0")) + 1
        raise DataError(f"holds a NUL; expected a text in {encoding.upper()}", path, row)
    return text.removeprefix("\ufeff")


def _two_columns(line: str, path: Path, row: int) -> tuple[str, int, str]:
    word, _, digits = line.partition(" ")
    try:
        return word, int(digits), ""
    except ValueError:
        shown = shorten(repr(line), 60)
        raise DataError(f"expected 'word count tag' with single blanks between, got {shown}", path, row) from None
