"""From text to token numbers; the same function in training, predict and serve."""

from __future__ import annotations

import itertools
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor

from netsmith.core.errors import ConfigError, DataError
from netsmith.core.spec import Inputs, Step
from netsmith.layers.plurals import singular
from netsmith.layers.subwords import marked, subwords, unmarked

__all__ = [
    "CHARACTER",
    "END",
    "PADDING",
    "UNKNOWN",
    "count_slots",
    "cutter",
    "detokenize",
    "encode",
    "joint_of",
    "numbered",
    "numbering",
    "tokenize",
    "tokenizer_of",
    "unknown_slots",
]

PADDING = "<pad>"
UNKNOWN = "<unk>"
END = "<eos>"

CHARACTER = r"\S"
"""The pattern of a token that is a character."""

_DIGIT = re.compile("[0-9]")


def tokenize(text: str, step: Step) -> list[str]:
    r"""Cut a text into tokens: every match of ``step.pattern``, lower-cased first where the step says so.

    Where the step has negations, what they negate is marked (Das & Chen 2001; Pang et al. 2002): each token after one
    of them, up to the first that has no letter or digit, begins with ``NOT_``. Where it has ``digits``, they stand for
    each digit from 0 to 9 of a token. With ``stem`` English plurals become singulars.

    Where the step has merges, what the pattern cuts the text into, its blanks marked, are pieces, and the tokens are
    parts of those; see :mod:`netsmith.layers.subwords`.

    Args:
        text: Any text.
        step: A step named ``tokenize``.

    Raises:
        ConfigError: The pattern is not a regular expression, or empty.

    Example:
        >>> tokenize("It isn't.", Step(name="tokenize", pattern=r"[a-z']+|[.]", lowercase=True))
        ['it', "isn't", '.']
        >>> tokenize("not a good one, or", Step(name="tokenize", pattern=r"\w+|,", negations=("not",)))
        ['not', 'NOT_a', 'NOT_good', 'NOT_one', ',', 'or']
        >>> tokenize("flight 417", Step(name="tokenize", pattern=r"\w+", digits="DIGIT"))
        ['flight', 'DIGITDIGITDIGIT']
        >>> tokenize("so low", Step(name="tokenize", pattern=r"▁?\w+", merges=("o w", "▁ l", "▁l ow")))
        ['▁', 's', 'o', '▁low']
    """
    return cutter(step)(text)


def cutter(step: Step) -> Callable[[str], list[str]]:
    """Return what cuts texts as :func:`tokenize` does; for many texts it is faster.

    Raises:
        ConfigError: The pattern is not a regular expression, or empty.
    """
    if step.name != "tokenize" or not step.pattern:
        raise ConfigError(f"tokenizing needs a step 'tokenize' with a pattern, got {step!r}")
    try:
        pattern = re.compile(step.pattern)
    except re.error as error:
        raise ConfigError(f"the token pattern {step.pattern!r} is not a regular expression: {error}") from None
    parts = subwords(step.merges) if step.merges else None

    def cut(text: str) -> list[str]:
        text = text.lower() if step.lowercase else text
        text = marked(text) if parts else text
        found = [match.group() for match in pattern.finditer(text)] if pattern.groups else pattern.findall(text)
        pieces = [piece for piece in found if piece]
        if parts:
            return list(itertools.chain.from_iterable(map(parts, pieces)))
        tokens = [singular(piece) for piece in pieces] if step.stem else pieces
        tokens = [_DIGIT.sub(lambda _: step.digits, token) for token in tokens] if step.digits else tokens
        return _marked(tokens, step.negations) if step.negations else tokens

    return cut


def detokenize(tokens: Sequence[str], step: Step) -> str:
    r"""Return the text that tokens of a step were cut from.

    Of merges it is the text itself, but for runs of blanks, case and signs that the pattern leaves out. Else characters
    stand side by side and words have blanks between.

    Args:
        tokens: The tokens, marks as :data:`PADDING` and :data:`END` not among them.
        step: A step named ``tokenize``.

    Example:
        >>> detokenize(["▁", "s", "o", "▁low"], Step(name="tokenize", pattern=r"▁?\w+", merges=("o w",)))
        'so low'
        >>> detokenize(["so", "low"], Step(name="tokenize", pattern=r"\w+"))
        'so low'
    """
    if step.merges:
        return unmarked("".join(tokens))
    return ("" if len(tokenize("ab", step)) == 2 else " ").join(tokens)


def _marked(tokens: Sequence[str], negations: tuple[str, ...]) -> list[str]:
    """Return the tokens with those marked that are negated."""
    endings = tuple(word for word in negations if "'" in word) or ("\0",)
    marked: list[str] = []
    negated = False
    for token in tokens:
        if not any(sign.isalnum() for sign in token):
            negated = False
        marked.append(f"NOT_{token}" if negated else token)
        negated = negated or token.lower() in negations or token.lower().endswith(endings)
    return marked


def unknown_slots(count: int) -> tuple[str, ...]:
    """Return names of slots that unknown tokens share: right behind padding and unknown in a vocabulary.

    A token that is not known then has the number of the slot that its letters point to, always the same one: who
    compares texts sees where two of them have the same unknown word.

    Example:
        >>> unknown_slots(2)
        ('<unk:0>', '<unk:1>')
    """
    return tuple(f"<unk:{slot}>" for slot in range(count))


def count_slots(vocabulary: Sequence[str]) -> int:
    """Return how many slots for unknown tokens a vocabulary has.

    Example:
        >>> count_slots(("<pad>", "<unk>", *unknown_slots(3), "wing"))
        3
    """
    slots = 0
    while slots + 2 < len(vocabulary) and vocabulary[slots + 2] == f"<unk:{slots}>":
        slots += 1
    return slots


def numbering(vocabulary: Sequence[str]) -> Callable[[str], int]:
    """Return what gives a token its number: its place, else 1, or where there are slots for unknown tokens one of them.

    Example:
        >>> number = numbering(("<pad>", "<unk>", *unknown_slots(100), "wing"))
        >>> number("wing"), number("flap"), number("flap"), number("slat")
        (102, 71, 71, 39)
    """
    numbers = _Numbers({word: number for number, word in enumerate(vocabulary) if number > 1})
    numbers.slots = count_slots(vocabulary)
    return numbers.__getitem__


class _Numbers(dict[str, int]):
    """Numbers of tokens; looking up one that is known runs no Python code."""

    slots = 0

    def __missing__(self, token: str) -> int:
        return zlib.crc32(token.encode(errors="surrogatepass")) % self.slots + 2 if self.slots else 1


def joint_of(step: Step) -> str:
    """Return what stands between tokens where they are made a text again: nothing where each is a character."""
    return "" if step.pattern == CHARACTER else " "


def tokenizer_of(inputs: Inputs) -> Step:
    """Return the step that cuts texts into tokens.

    Raises:
        ConfigError: The schema has none.
    """
    step = next((step for step in inputs.preprocessing if step.name == "tokenize"), None)
    if step is None or inputs.max_length < 1:
        raise ConfigError(
            f"inputs of kind {inputs.kind!r} have no tokenizer; expected a step 'tokenize' and max_length"
        )
    return step


def numbered(
    texts: Iterable[str], step: Step, vocabulary: Sequence[str], *, sources: Iterable[str] | None = None
) -> Iterator[list[int]]:
    """Yield the token numbers of each text: its tokens' places in the vocabulary, 1 for what is not there.

    With ``step.copies`` what is not there has the vocabulary's size and the place where it first stands as its number;
    of a text with a source the place there, and 1 if it is not there either.

    Args:
        texts: Texts.
        step: A step named ``tokenize``.
        vocabulary: Tokens by number; the first two are padding and unknown.
        sources: Of each text the one that it is written for; None where they are no answers.

    Raises:
        DataError: An element that is not a text or has no token; names its position (1-based).
    """
    cut = cutter(step)
    number = numbering(vocabulary)
    own: dict[str, int] = {}
    given = None if sources is None else iter(sources)
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise DataError(f"text {row + 1}: expected a text, got {type(text).__name__}")
        tokens = cut(text)
        if not tokens:
            raise DataError(f"text {row + 1} has no token; expected at least one match of {step.pattern!r}")
        if step.copies:
            there = tokens if given is None else cut(next(given))
            own = {there[place]: len(vocabulary) + place for place in reversed(range(len(there)))}
        numbers = list(map(number, tokens))
        if own and 1 in numbers:
            numbers = [own.get(token, 1) if known == 1 else known for token, known in zip(tokens, numbers, strict=True)]
        yield numbers


def encode(texts: Sequence[str], inputs: Inputs) -> Tensor:
    """Return the token numbers of some texts: cut after ``max_length`` tokens, padded with 0, unknown tokens 1.

    Args:
        texts: ``B`` texts.
        inputs: The schema's inputs of kind ``text``: a step ``tokenize``, a vocabulary, ``max_length``.

    Returns:
        ``(B, max_length)`` int64; where the schema leaves the length free, as long as the longest text.

    Raises:
        DataError: An element that is not a text or has no token; names its position (1-based).
        ConfigError: The schema has no tokenizer.
    """
    step = tokenizer_of(inputs)
    rows = [tokens[: inputs.max_length] for tokens in numbered(texts, step, inputs.vocabulary)]
    length = max(map(len, rows)) if inputs.shape == (-1,) else inputs.max_length
    result = torch.zeros(len(texts), length, dtype=torch.int64)  # (B, L)
    for row, known in enumerate(rows):
        result[row, : len(known)] = torch.tensor(known)
    return result
