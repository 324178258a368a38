"""Plain text cut into sentences and words, English or Chinese; and the words that carry no topic."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

__all__ = ["STOP_WORDS", "each_sentence", "is_chinese", "sentences", "words"]

_STOPS = re.compile(r"(?<=[。！？!?…；])[”’\"')）」』]*|(?<=[.])[\"'”’)]*(?=\s)|\n+")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:[A-Za-z]|Mr|Mrs|Ms|Dr|Prof|St|vs|etc|e\.g|i\.e|cf|al|Fig|No|Inc|Ltd|Jr|Sr)\.$"
)
_WORDS = re.compile(r"[A-Za-zÀ-ɏ0-9]+(?:['’-][A-Za-zÀ-ɏ0-9]+)*|[\u3400-\u9fff]|[^\W\d_]+")
_WORDS_AND_MARKS = re.compile(_WORDS.pattern + r"|[^\w\s]")
_LONGEST = 1000
_CHINESE = re.compile(r"[\u3400-\u9fff]")

_ENGLISH = """
a about above after again against all also although always am among an and another any anyone anything are
around as at away back be became because become been before being below between both but by came can cannot
could did do does doing done down during each either else enough etc even ever every few first for from further
get gets give given go goes going got had has have having he her here hers herself him himself his how however i
if in instead into is it its itself just keep last least less let like made make makes many may me might mine
more most much must my myself near never next no nor not nothing now of off often on once one only onto or other
others ought our ours ourselves out over own per perhaps put quite rather said same say says second see seem
seemed seems several shall she should since so some someone something still such take takes than that the their
theirs them themselves then there therefore these they thing things this those though three through thus to
together too took toward two under until up upon us use used very want was way we well went were what when where
whether which while who whom whose why will with within without would yes yet you your yours yourself yourselves
don't doesn't didn't isn't aren't wasn't weren't won't can't couldn't wouldn't shouldn't haven't hasn't hadn't
it's that's there's i'm i've you're they're we're he's she's let's s t re ve ll d m n't 's 're 've 'll
"""
_CHINESE_WORDS = """
的 了 和 是 就 都 而 及 与 着 或 一个 没有 我们 你们 他们 她们 它们 我 你 他 她 它 这 那 这个 那个 之 在 也
有 不 很 还 又 把 被 让 给 对 从 到 向 于 以 为 因为 所以 但 但是 如果 虽然 而且 并 并且 等 等等 个 们 么
什么 怎么 哪 吗 呢 吧 啊 呀 哦 嗯 上 下 里 中 说 要 会 能 可以 可 去 来 得 地 过 其 该 此 自己 这样 那样 一
二 三 两 没 将 使 由 则 且
"""

STOP_WORDS: Mapping[str, frozenset[str]] = MappingProxyType(
    {"en": frozenset(_ENGLISH.split()), "zh": frozenset(_CHINESE_WORDS.split())}
)
"""Words that carry no topic, by language."""


def is_chinese(text: str) -> bool:
    """Say whether a third of the letters or more are Chinese signs."""
    letters = sum(sign.isalpha() for sign in text)
    return letters > 0 and 3 * len(_CHINESE.findall(text)) >= letters


def sentences(text: str) -> list[str]:
    """Cut a text after full stops, question and exclamation marks and at line breaks; not after ``Mr.`` and the like.

    Example:
        >>> sentences("Mr. Li came. He left! 他走了。真的？")
        ['Mr. Li came.', 'He left!', '他走了。', '真的？']
    """
    found, rest = _cut(text)
    return [*found, rest.strip()] if _says(rest) else found


def each_sentence(lines: Iterable[str]) -> Iterator[str]:
    r"""Yield the sentences of a text that comes line by line: those of :func:`sentences`, a line at a time in memory.

    A sentence goes on in the next line only after ``Mr.`` and the like, and then for 1,000 signs at most.

    Args:
        lines: Lines, without their ends.

    Example:
        >>> list(each_sentence(["It rained. Then Mr.", "Li came."]))
        ['It rained.', 'Then Mr.\nLi came.']
    """
    rest = ""
    for line in lines:
        found, rest = _cut(f"{rest}{line}\n")
        yield from found
        if len(rest) > _LONGEST:
            yield from sentences(rest)
            rest = ""
    yield from sentences(rest)


def _cut(text: str) -> tuple[list[str], str]:
    """Return the sentences that end in a text, and what stands behind them."""
    found: list[str] = []
    start = 0
    for match in _STOPS.finditer(text):
        piece = text[start : match.end()]
        if match.end() > start and not _ABBREVIATION.search(piece.rstrip()[-8:]):
            found.append(piece.strip())
            start = match.end()
    return [sentence for sentence in found if _says(sentence)], text[start:]


def _says(sentence: str) -> bool:
    return any(sign.isalnum() for sign in sentence)


def words(text: str, *, marks: bool = False) -> list[str]:
    """Return the words of a text in lower case: between spaces and marks, of Chinese each sign.

    Args:
        text: The text.
        marks: Return each punctuation mark, too.

    Example:
        >>> words("It's a state-of-the-art 测试")
        ["it's", 'a', 'state-of-the-art', '测', '试']
        >>> words("yes, it is", marks=True)
        ['yes', ',', 'it', 'is']
    """
    pattern = _WORDS_AND_MARKS if marks else _WORDS
    return [match.group().lower().replace("’", "'") for match in pattern.finditer(text)]
