"""The dictionary segmenter: full, accurate and search mode, tags, places, words of the user's own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from netsmith.core.errors import DataError, UnknownNameError, UnsupportedError
from netsmith.models.chinese._blocks import BLOCK, LATIN, TAG_BLOCK, pieces
from netsmith.models.chinese._every_word import every_word
from netsmith.models.chinese._place_hmm import PlaceHmm
from netsmith.models.chinese._prefix_dictionary import PrefixDictionary, decoded
from netsmith.models.chinese._routes import first_nodes, route_ends, words_inside
from netsmith.models.chinese._tag_hmm import TaggedWord, TagHmm

if TYPE_CHECKING:
    from netsmith.models.chinese._fast import FastSegmenter

__all__ = ["Mode", "Segmenter", "Token"]

Mode = Literal["accurate", "full", "search"]

_USER_LINE = re.compile(r"(.+?)( [0-9]+)?( [a-z]+)?")
_LETTERS_OR_ONE = re.compile("[a-zA-Z0-9]+|.", re.DOTALL)
_BREAK = re.compile("(\r\n)")
_LONG = 2**14
_NOT_TAGGED = str.maketrans("%-", "\0\0")


class Token(NamedTuple):
    """A word with the place of its first character and the place after its last one, in characters."""

    word: str
    start: int
    end: int


_token: Callable[[Iterable[object]], Token] = partial(tuple.__new__, Token)  # a third of the time of Token(...)


class Segmenter:
    r"""Cuts Chinese text into words by a dictionary, and by a hidden Markov model where the dictionary ends.

    Given the same dictionary and table, every mode gives what jieba 0.42.1 gives, word for word.

    Stretches of Chinese characters, Latin letters, digits and ``+#&._%-`` are segmented, each for itself; every other
    character stands alone (``\r\n`` together). In a stretch:

    - ``accurate``: the most probable row of words (:func:`best_route`). Neighbors that stay single characters are cut
      again by the hidden Markov model, if there is one; without it, Latin letters and digits are gathered.
    - ``search``: the same, and before each word of three and more characters the words of two and of three in it.
    - ``full``: every word of the dictionary, and the characters that none covers.

    Args:
        dictionary: The words; changed by :meth:`add_word` and its like.
        hmm: Finds words that are not in the dictionary.
        tag_hmm: Finds them with their parts of speech, for :meth:`tag`.
        fast: Let :meth:`segment` and :meth:`tokens` run compiled (extra ``fast``): seconds to begin with, then many
            times as fast, with the same words.

    Example:
        >>> words = PrefixDictionary({"北京": 34488, "北京大学": 20530, "大学": 20025})
        >>> segmenter = Segmenter(words)
        >>> segmenter.segment("去北京大学玩。"), segmenter.segment("北京大学", mode="full")
        (['去', '北京大学', '玩', '。'], ['北京', '北京大学', '大学'])
    """

    def __init__(
        self,
        dictionary: PrefixDictionary,
        *,
        hmm: PlaceHmm | None = None,
        tag_hmm: TagHmm | None = None,
        fast: bool = False,
    ) -> None:
        self.dictionary = dictionary
        self.hmm = hmm
        self.tag_hmm = tag_hmm
        self.forced: set[str] = set()
        """Words that were deleted: the hidden Markov model may not bring them back."""
        self._fast = _fast() if fast else None

    def segment(self, text: str, *, mode: Mode = "accurate", hmm: bool | None = None) -> list[str]:
        """Return the words of a text, in order; joined, they give the text again (but in full and search mode).

        Args:
            text: Any text.
            mode: ``accurate``, ``search`` or ``full``; full mode knows no hidden Markov model.
            hmm: Whether unknown words are found by it; None: if there is one.

        Raises:
            UnknownNameError: No such mode.
            UnsupportedError: The hidden Markov model is asked for, and there is none, or none in this mode.
        """
        if mode not in get_args(Mode):
            raise UnknownNameError("mode", mode, get_args(Mode))
        if mode == "full" and hmm:
            raise UnsupportedError("full mode gives the words of the dictionary alone; take hmm off or another mode")
        model = None if mode == "full" else self._model(hmm)
        if self._fast is not None:
            return self._fast.segment(text, self.dictionary, mode=mode, hmm=model, forced=self.forced)
        if mode == "full":
            return [word for piece in pieces(text, _LONG) for word in every_word(piece, self.dictionary)]
        return self._words(text, model, search=mode == "search")

    def tokens(self, text: str, *, mode: Mode = "accurate", hmm: bool | None = None) -> list[Token]:
        """Return the words with their places; in search mode, the shorter words in a word stand before it.

        Raises:
            UnsupportedError: In full mode, where Latin letters of several places may make one word.
        """
        if mode == "full":
            raise UnsupportedError("full mode gives no places; take the mode accurate or search")
        if mode not in get_args(Mode):
            raise UnknownNameError("mode", mode, get_args(Mode))
        words = self.segment(text, hmm=hmm)
        ends = list(accumulate(map(len, words)))
        whole = list(map(_token, zip(words, [0, *ends], ends, strict=False)))
        if mode == "accurate":
            return whole
        found: list[Token] = []
        for token in whole:
            if len(token[0]) > 2:
                found += self._parts(token)
            found.append(token)
        return found

    def tag(self, text: str, *, hmm: bool | None = None) -> list[TaggedWord]:
        """Return the words in accurate mode with their parts of speech.

        A word of the dictionary has the tag it has there, else ``x``; unknown words have what the model of tags says.
        With a model of places alone, they are cut by it, and numbers are ``m``, Latin words ``eng``, the rest ``x``.
        In contrast to :meth:`segment`, ``%`` and ``-`` stand alone.

        Raises:
            UnsupportedError: A hidden Markov model is asked for, and there is none.
        """
        use = hmm if hmm is not None else (self.tag_hmm or self.hmm) is not None
        if use and self.tag_hmm is None:
            self._model(True)
        found: list[TaggedWord] = []
        for piece in pieces(text):
            self._tag(piece, use, found)
        return found

    def add_word(self, word: str, *, count: int | None = None, tag: str = "") -> None:
        """Add a word, or change its count.

        Args:
            word: The word.
            count: How often it comes; None: as often as it must to be taken whole (:meth:`suggest_count`).
            tag: Its part of speech.

        Raises:
            DataError: The word is empty, or the count negative or beyond 2**62.
        """
        self.dictionary.add(word, self.suggest_count(word) if count is None else count, tag=tag)
        if count == 0:
            self.forced.add(word)

    def delete_word(self, word: str) -> None:
        """Let a word be none: neither the dictionary nor the hidden Markov model gives it any more."""
        self.add_word(word, count=0)

    def suggest_count(self, segment: str | Sequence[str]) -> int:
        r"""Return the count at which a word is taken whole, or, for a row of parts, at which it is taken apart.

        With :math:`N` the total and :math:`c_i` the counts of the parts the word is cut into now,
        :math:`\max(\lfloor N \prod_i c_i / N \rfloor + 1, c)`; for given parts :math:`\min(\lfloor N \prod_i c_i / N
        \rfloor, c)`, where :math:`c` is the word's own count.
        """
        words, whole = self.dictionary, isinstance(segment, str)
        parts = self._words(segment, None) if isinstance(segment, str) else [*segment]
        total = float(words.total)
        share = 1.0
        for part in parts:
            share *= self._count(part, 1) / total
        word = "".join(parts)
        if whole:
            return max(int(share * words.total) + 1, self._count(word, 1))
        return min(int(share * words.total), self._count(word, 0))

    def load_user_words(self, path: str | Path) -> int:
        """Add the words of a file, a line each: ``word``, ``word count``, ``word tag`` or ``word count tag``; UTF-8.

        A word may hold blanks. Without a count it gets the one of :meth:`suggest_count`; 0 deletes it. Returns how
        many lines were taken.

        Raises:
            DataError: The file is not UTF-8, or a count beyond 2**62; names the line.
            OSError: There is no such file.
        """
        path = Path(path)
        taken = 0
        for row, line in enumerate(decoded(path.read_bytes(), path).split("\n"), start=1):
            found = _USER_LINE.fullmatch(line.strip())
            if found is not None:
                word, count, tag = found.groups()
                try:
                    self.add_word(word, count=None if count is None else int(count), tag=(tag or "").strip())
                except ValueError as error:
                    raise DataError(str(error), path, row) from None
                taken += 1
        return taken

    def _count(self, word: str, missing: int) -> int:
        found = self.dictionary.counts.get(word)
        return found if found is not None else 0 if self.dictionary.is_prefix(word) else missing

    def _model(self, wanted: bool | None) -> PlaceHmm | None:
        if wanted and self.hmm is None:
            raise UnsupportedError("there is no hidden Markov model; give a table of B, E, M, S, or take hmm off")
        return None if wanted is False else self.hmm

    def _words(self, text: str, model: PlaceHmm | None, *, search: bool = False) -> list[str]:
        words: list[str] = []
        for piece in pieces(text):
            chars, nodes = first_nodes(piece, self.dictionary)
            ends = route_ends(chars, nodes, spans := _spans(piece), self.dictionary)
            if search:
                own: list[str] = []
                self._cut(piece, spans, ends, model, own)
                words += words_inside(piece, nodes, own)
            else:
                self._cut(piece, spans, ends, model, words)
        return words

    def _cut(
        self,
        piece: str,
        spans: Sequence[tuple[int, int]],
        ends: Sequence[int],
        model: PlaceHmm | None,
        found: list[str],
    ) -> None:
        counts = self.dictionary.counts
        add = found.append
        gathers = model is None and LATIN.search(piece) is not None
        begun = 0
        for first, last in spans:
            if begun < first:
                found += _alone(piece[begun:first])
            begun = last
            start = first
            if model is None and not (gathers and LATIN.search(piece, first, last)):
                while start < last:
                    end = ends[start] or start + 1
                    add(piece[start:end])
                    start = end
                continue
            while start < last:
                end = ends[start]
                if end:
                    add(piece[start:end])
                    start = end
                    continue
                end = start + 1
                while end < last and not ends[end]:
                    end += 1
                if end - start == 1:
                    add(piece[start])
                else:
                    run = piece[start:end]
                    if model is None:
                        found += _LETTERS_OR_ONE.findall(run) if LATIN.search(run) else run
                    else:
                        found += run if counts.get(run) else model.split(run, forced=self.forced)
                start = end
        if begun < len(piece):
            found += _alone(piece[begun:])

    def _tag(self, piece: str, use: bool, found: list[TaggedWord]) -> None:
        spans = [match.span() for match in TAG_BLOCK.finditer(piece)]
        ends = route_ends(*first_nodes(piece.translate(_NOT_TAGGED), self.dictionary), spans, self.dictionary)
        counts, tagged = self.dictionary.counts, self.dictionary.tagged
        gathers = not use and LATIN.search(piece) is not None
        add = found.append
        begun = 0
        for first, last in [*spans, (len(piece), len(piece))]:
            if begun < first:
                found += [TaggedWord(sign, "x") for sign in _alone(piece[begun:first])]
            begun = last
            start = first
            while start < last:
                end = ends[start]
                if end:
                    add(tagged[piece[start:end]])
                    start = end
                    continue
                end = start + 1
                while end < last and not ends[end]:
                    end += 1
                run = piece[start:end]
                start = end
                if use and len(run) > 1 and not counts.get(run):
                    found += self._unknown(run)
                elif gathers and LATIN.search(run):
                    for word in _LETTERS_OR_ONE.findall(run):
                        add(TaggedWord(word, "eng") if LATIN.match(word) else tagged[word])
                elif len(run) == 1:
                    add(tagged[run])
                else:
                    found += map(tagged.__getitem__, run)

    def _unknown(self, run: str) -> Iterable[TaggedWord]:
        if self.tag_hmm is not None:
            return self.tag_hmm.split(run)
        assert self.hmm is not None
        tag_of = self.dictionary.tags.get
        return [
            TaggedWord(word, tag_of(word) or ("m" if word[0].isdecimal() else "eng" if LATIN.match(word) else "x"))
            for word in self.hmm.split(run, forced=self.forced)
        ]

    def _parts(self, token: Token) -> list[Token]:
        counts, (word, start, _) = self.dictionary.counts.get, token
        return [
            Token(word[at : at + size], start + at, start + at + size)
            for size in (2, 3)
            if size < len(word)
            for at in range(len(word) - size + 1)
            if counts(word[at : at + size])
        ]


def _fast() -> FastSegmenter:
    from netsmith.models.chinese._fast import FastSegmenter

    return FastSegmenter()


def _spans(piece: str) -> list[tuple[int, int]]:
    return [match.span() for match in BLOCK.finditer(piece)]


def _alone(gap: str) -> Iterable[str]:
    if "\r\n" not in gap:
        return gap
    return (sign for number, part in enumerate(_BREAK.split(gap)) for sign in ((part,) if number % 2 else part))
