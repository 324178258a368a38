"""Tang quatrains: four lines of five or seven characters, from ten thousand of the Complete Tang Poems.

The Complete Tang Poems (Quan Tang Shi, 1705) as the chinese-poetry project passes them on (MIT licence), in
traditional characters.
"""

from __future__ import annotations

import itertools
import json
import re
import urllib.parse
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field

from netsmith.core.errors import DataError
from netsmith.core.keys import key as named_key
from netsmith.core.spec import Step
from netsmith.data._download import OfficialFile, official_contents
from netsmith.data._rhymes import rhyme_classes
from netsmith.data._streams import StreamFields, StreamSource
from netsmith.layers.quatrain import BREAKS, FORMS, MARKS, is_verse
from netsmith.layers.tokenize import UNKNOWN

__all__ = ["TangQuatrains", "poems_of"]

Poem = tuple[str, ...]
"""The lines of a poem."""

_SHA256 = (
    (0, 408405, "4f88f429938082523cdc72a1612bd7a7c3e3f7a33f8192c61ae51340efc3c92d"),
    (1000, 477519, "6e703b8d8dcedbd6110f6d48d043665ca2131db2035a5bfcef5e59a19aeb6d75"),
    (2000, 417948, "ec28efa7e2ae9cdbbba09f0ed186e32ccae47a325ad1e5816b7ad56071c1665a"),
    (3000, 453811, "9e4ba2323752b6b9fbdba875cdbc6a26636fe0cabc85fd066370d4915952001f"),
    (4000, 488655, "b8a7946c879b9658a6c667a4c55f776fae7e5e00a17789ab06b274c1429afc66"),
    (5000, 467225, "a0306e6962cff01639ad9a00b042a201b8dec1f30fa5d768a7b112589887861e"),
    (6000, 470031, "982a21d2b15922b406911f1c825785054314c686da86b2155d7aebb362d22771"),
    (7000, 474558, "a6fb69d7b4343c904dc56ae5aae34facc2478d196b51c37ceba9d1e2f171b342"),
    (8000, 574248, "ac3848e95b02736168003863795de4474838c2d6a71a24ca2a4a280ea5177773"),
    (9000, 476882, "b99d6596e3a1fe1a661652383083f92d196b8baf4e461d087081d5e1e1b7a51f"),
)
_FILES = tuple(
    OfficialFile(
        f"全唐诗/poet.tang.{number}.json",
        size,
        digest,
        there=urllib.parse.quote(f"全唐诗/poet.tang.{number}.json"),
    )
    for number, size, digest in _SHA256
)
_MIRRORS = ("https://raw.githubusercontent.com/chinese-poetry/chinese-poetry/master",)
_BREAK = re.compile("[，。！？；、：]")
_LINES = 4
_COUPLETS = 4  # of a poem whose rhyme is taken to be one
_MADE = "a keyed tenth of the quatrains each for dev and test"


class TangQuatrains(StreamSource):
    """Poems as one text, character by character, each after the mark of its form: ``5床前明月光，疑是地上霜。...``.

    Of the 10,008 poems at hand those are read whose lines are all of five or all of seven characters, an even number of
    lines, four at least, without a lacuna. 1,857 are quatrains, of which a tenth each is for dev and test (a poem that
    stands there twice counts once). The other
    quatrains are for training, and with ``stanzas`` every four lines of the longer poems too (an eight-line poem is two
    stanzas that rhyme as quatrains do); what shares a line with dev or test is left out. Characters that come less than
    ``min_count`` times in training are ``<unk>``.

    The schema's ``outputs.rhymes`` are classes learned from the training poems
    (:func:`~netsmith.data._rhymes.rhyme_classes`): no table of Tang rhymes, and no tones, are at hand.

    Raises:
        DataError: The official files are neither at hand nor to be downloaded, or are damaged.
    """

    class Config(StreamFields):
        """The official files, from ``$NETSMITH_DATA/chinese-poetry``, the cache, or the network.

        Attributes:
            stanzas: Whether longer poems are cut into fours of lines for training.
            min_count: How often a character must come in training to be known.
        """

        characters: ClassVar[bool] = True

        stanzas: bool = True
        min_count: Annotated[int, Field(ge=1)] = 2

    def __init__(self, config: Config) -> None:
        poems = _twin() if config.twin else _official()
        parts = _divided(poems)
        training = parts["train"] if config.stanzas else [poem for poem in parts["train"] if len(poem) == _LINES]
        shown = parts | {"train": _stanzas(training, without=[*parts["dev"], *parts["test"]])}
        counts = Counter(sign for poem in shown["train"] for line in poem for sign in line)
        known = {sign for sign, count in counts.items() if count >= config.min_count}
        super().__init__(
            config,
            dataset="tang-quatrains",
            tokens={part: _signs(shown[part], known) for part in ("train", "dev", "test")},
            step=Step(name="tokenize", pattern=r"[\s\S]"),
            end="\n",
            made=_MADE,
        )
        held = {line for part in ("dev", "test") for poem in parts[part] for line in poem}
        classes = rhyme_classes([ends for poem in parts["train"] if not held & set(poem) for ends in _endings(poem)])
        names = self.spec.outputs.names
        self.spec = self.spec.derive(**{"outputs.rhymes": tuple(classes.get(name, 0) for name in names)})


def poems_of(content: bytes, path: str) -> list[Poem]:
    """Return the poems of a file that are of four lines at least, an even number, all of five or seven characters.

    Args:
        content: A JSON list of objects with ``paragraphs``, a list of couplets with their punctuation.
        path: Its name, for errors.

    Raises:
        DataError: It is not such a list; names the poem by its place.
    """
    try:
        listed: Any = json.loads(content)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise DataError(f"is not JSON: {error}", path) from None
    if not isinstance(listed, list):
        raise DataError(f"expected a list of poems, got {type(listed).__name__}", path)
    found = []
    for place, item in enumerate(listed, start=1):
        paragraphs = item.get("paragraphs") if isinstance(item, dict) else None
        if not isinstance(paragraphs, list) or not all(isinstance(part, str) for part in paragraphs):
            raise DataError(f"poem {place} has no list 'paragraphs' of texts", path)
        lines = tuple(line for line in _BREAK.split("".join(paragraphs)) if line)
        widths = {len(line) for line in lines}
        formed = len(widths) == 1 and widths <= set(FORMS.values()) and len(lines) >= _LINES and len(lines) % 2 == 0
        if formed and all(map(is_verse, lines)):
            found.append(lines)
    return found


def _official() -> list[Poem]:
    contents = official_contents("chinese-poetry", _FILES, mirrors=_MIRRORS)
    return [poem for file in _FILES for poem in poems_of(contents[file.name], file.name)]


def _divided(poems: Sequence[Poem]) -> dict[str, list[Poem]]:
    """Return the poems by split: of the quatrains a tenth each for dev and test, each poem once, of both in test."""
    quatrains = [place for place, poem in enumerate(poems) if len(poem) == _LINES]
    generator = torch.Generator().manual_seed(named_key(0, "split", "tang_quatrains"))
    drawn = [quatrains[place] for place in torch.randperm(len(quatrains), generator=generator).tolist()]
    tenth = len(drawn) // 10
    parts = {"dev": sorted(drawn[:tenth]), "test": sorted(drawn[tenth : 2 * tenth])}
    held = {place for places in parts.values() for place in places}
    test = dict.fromkeys(poems[place] for place in parts["test"])
    dev = dict.fromkeys(poems[place] for place in parts["dev"] if poems[place] not in test)
    return {
        "train": [poem for place, poem in enumerate(poems) if place not in held],
        "dev": list(dev),
        "test": list(test),
    }


def _stanzas(poems: Iterable[Poem], *, without: Iterable[Poem]) -> list[Poem]:
    """Return the poems four lines at a time, a rest left out, and what shares a line with some poems."""
    held = {line for poem in without for line in poem}
    cut = (poem[at : at + _LINES] for poem in poems for at in range(0, len(poem) - _LINES + 1, _LINES))
    return [stanza for stanza in cut if not held & set(stanza)]


def _signs(poems: Iterable[Poem], known: set[str]) -> Iterator[str]:
    for poem in poems:
        yield MARKS[len(poem[0])]
        for line, sign in zip(poem, BREAKS, strict=True):
            yield from (each if each in known else UNKNOWN for each in line)
            yield sign
        yield "\n"


def _endings(poem: Poem) -> list[list[str]]:
    """Return the characters that rhyme together: a long poem may change its rhyme, so there only neighbors."""
    ends = [line[-1] for line in poem[1::2]]
    return [ends] if len(ends) <= _COUPLETS else [list(pair) for pair in itertools.pairwise(ends)]


def _twin() -> list[Poem]:
    """Return made-up poems: after two characters of a line each comes as far behind the one before it; lines rhyme."""
    generator = torch.Generator().manual_seed(named_key(0, "twin", "tang_quatrains"))
    signs = [chr(0x4E00 + number) for number in range(26 + 12)]
    found = []
    for _ in range(1200):
        form, rhyme, length, *draws = torch.randint(0, 2**31, (3 + 24,), generator=generator).tolist()
        width = (5, 7)[form % 2]
        lines = []
        for line in range((4, 4, 8)[length % 3]):
            first, step, end = (draw // 3 for draw in draws[3 * line : 3 * line + 3])
            walk = [(first + step * place) % 26 for place in range(width)]
            if line % 2:  # the rhymes: four classes of three characters
                walk[-1] = 26 + rhyme % 4 * 3 + end % 3
            lines.append("".join(signs[number] for number in walk))
        found.append(tuple(lines))
    return found
