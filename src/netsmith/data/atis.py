"""ATIS: 5,871 spoken requests to an airline's desk, with a slot for each word and an intent for each request.

Hemphill, Godfrey & Doddington, "The ATIS spoken language systems pilot corpus", HLT 1990 (doi:10.3115/116580.116613).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.config import later
from netsmith.core.errors import ConfigError, DataError, shorten
from netsmith.core.keys import key as named_key
from netsmith.core.spec import Outputs, TokenFeature
from netsmith.data._download import OfficialFile, official_contents
from netsmith.data._gazetteer import gazetteer, kind_of
from netsmith.data._texts import TextSource, TokenFields, tokenizer
from netsmith.engine.task import UNLABELED
from netsmith.layers.spans import fault
from netsmith.layers.tokenize import tokenize

__all__ = ["Atis", "Request", "atis_requests"]

_FILES = {
    "train": OfficialFile(
        "atis-2.train.w-intent.iob", 808016, "c4b1fe74c23b226814ca0cb905eb68190226f3954799277a873a7d29347b7d0e"
    ),
    "dev": OfficialFile(
        "atis-2.dev.w-intent.iob", 92042, "99385eebb9295a214ed8a1c0cc547eb8e8d0618c2a4f1094720d52d8902f7ffc"
    ),
    "test": OfficialFile(
        "atis.test.w-intent.iob", 153924, "744bc272bce1c6a828df7b5580b47a4aee2ad2019e5d2376c348bea1c15f0d6e"
    ),
}
_MIRRORS = ("https://raw.githubusercontent.com/yvchen/JointSLU/master/data",)
_TWIN = {"train": 320, "dev": 80, "test": 80}


class Request(NamedTuple):
    """One request.

    Attributes:
        words: At least one.
        slots: As many tags, in IOB2.
        intent: What is wanted; ``a#b`` where it is two things.
    """

    words: tuple[str, ...]
    slots: tuple[str, ...]
    intent: str


class Atis(TextSource):
    """Which words say where from, where to, when, ...: a tag in IOB2 for each word; and what the request is about.

    The parts are those of the papers on joint slots and intents: 4,478 requests for training, 500 for dev, 893 for
    test; the first two together are the 4,978 of the papers on slots alone. The longest have 46 words without the marks
    at beginning and end, which are left out. As in those papers (Mesnil et al. 2013), each digit becomes ``DIGIT``.

    The names are those of all parts, 127 tags and 26 intents: 7 tags and 5 intents come in dev or test alone, and who
    learns from training cannot find them. Two intents at once are an intent of their own.

    The files have no named entities beside the words, as those of the papers had. In their place ``entities`` makes a
    gazetteer of training, by :func:`~netsmith.data._gazetteer.gazetteer`: of each word, which kind of name requests
    mark it as, where from and where to being one kind. A request of training does not count for itself.

    Raises:
        DataError: The official files are neither at hand nor to be downloaded, or are damaged.
    """

    class Config(TokenFields):
        """The official files, from ``$NETSMITH_DATA/atis``, the cache, or the network.

        Attributes:
            answer: What the targets are: the ``slots`` of the words, the ``intent`` of the request, or the whole
                ``frame``: the intent in the first place, behind it the slots; its names are the tags', then the
                intents'.
            max_length: Longest request, in words.
            pattern: A token is what stands between blanks.
            digits: What each digit becomes.
            entities: How many requests of training must mark a word as a name of a kind for that kind to stand beside
                it, as the feature ``entity``; 0 for no such feature.
        """

        answer: Literal["slots", "intent", "frame"] = "slots"
        max_length: Annotated[int, Field(gt=0, le=100_000)] = 46
        pattern: str = r"\S+"
        digits: str = "DIGIT"
        entities: int = later(0, ge=0)

    def __init__(self, config: Config) -> None:
        found = atis_requests(twin=config.twin)
        every = [request for of in found.values() for request in of]
        slots = tuple(sorted({slot for request in every for slot in request.slots}))
        intents = tuple(sorted({request.intent for request in every}))
        names = {"slots": slots, "intent": intents, "frame": slots + intents}[config.answer]
        features, learned = _entities(found["train"], config) if config.entities else ((), None)
        super().__init__(
            config,
            dataset="atis",
            texts={split: [" ".join(request.words) for request in of] for split, of in found.items()},
            targets={split: _targets(of, names, config) for split, of in found.items()},
            outputs=Outputs(kind="classes" if config.answer == "intent" else "tags", names=names, size=len(names)),
            made=dict.fromkeys(found, "official"),
            seeds=dict.fromkeys(found, 0),
            features=features,
            learned=learned,
        )


def requests(data: bytes, name: str) -> list[Request]:
    """Return the requests of a file: on each line ``BOS``, the words and ``EOS``; a tab; a tag each, then the intent.

    The intent stands where the tag of ``EOS`` would.

    Args:
        data: Its contents, UTF-8.
        name: Stands in errors.

    Raises:
        DataError: Another encoding or form, or tags that break IOB2; names the line (1-based).
    """
    try:
        lines = data.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        row = data[: error.start].count(b"\n") + 1
        raise DataError(f"is not UTF-8: {error.reason} at byte {error.start}", name, row) from None
    found = []
    for row, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        given, tab, tags = line.partition("\t")
        words, marks = given.split(), tags.split()
        if not tab or len(words) < 3 or words[0] != "BOS" or words[-1] != "EOS":
            shown = shorten(repr(line), 60)
            raise DataError(f"is {shown}; expected BOS, words, EOS, a tab, a tag each and the intent", name, row)
        if len(words) != len(marks):
            raise DataError(f"has {len(words)} words and {len(marks)} tags, BOS, EOS and the intent counted", name, row)
        request = Request(tuple(words[1:-1]), tuple(marks[1:-1]), marks[-1])
        wrong = fault(request.slots, "iob2")
        if wrong:
            raise DataError(f"word {wrong[0] + 1}: {wrong[1]}", name, row)
        found.append(request)
    if not found:
        raise DataError("has no request; expected one on each line", name)
    return found


def atis_requests(*, twin: bool = False) -> dict[str, list[Request]]:
    """Return the requests of each part: ``train``, ``dev``, ``test``.

    Args:
        twin: Made-up ones.

    Raises:
        DataError: As :class:`Atis`.
    """
    return _twin() if twin else _official()


def _official() -> dict[str, list[Request]]:
    contents = official_contents("atis", tuple(_FILES.values()), mirrors=_MIRRORS)
    return {split: requests(contents[file.name], file.name) for split, file in _FILES.items()}


def _entities(of: Sequence[Request], config: Atis.Config) -> tuple[tuple[TokenFeature, ...], Tensor]:
    """Return the feature of the words that training makes, and its numbers there, ``(N, L, 1)`` int64."""
    step = tokenizer(config)
    words = [tokenize(" ".join(request.words), step) for request in of]
    kinds = [[kind_of(slot) for slot in request.slots] for request in of]
    if any(len(cut) != len(told) for cut, told in zip(words, kinds, strict=True)):
        raise ConfigError(
            f"entities={config.entities} needs a token for each word; pattern={config.pattern!r} cuts others"
        )
    feature, seen = gazetteer(words, kinds, least=config.entities, length=config.max_length)
    return (feature,), torch.tensor(seen)[..., None]


def _targets(of: Sequence[Request], names: Sequence[str], config: Atis.Config) -> Tensor:
    """Return the number of each word's tag ``(N, L)``, of the intent ``(N,)``, or of both ``(N, 1 + L)``; int64."""
    numbers = {name: number for number, name in enumerate(names)}
    if config.answer == "intent":
        return torch.tensor([numbers[request.intent] for request in of])
    first = config.answer == "frame"
    targets = torch.full((len(of), first + config.max_length), UNLABELED)
    for row, request in enumerate(of):
        whole = [*([request.intent] if first else []), *request.slots[: config.max_length]]
        targets[row, : len(whole)] = torch.tensor([numbers[name] for name in whole])
    return targets


def _twin() -> dict[str, list[Request]]:
    """Make requests whose cities are told apart by the word before, and whose intents by the first word."""
    cities = [("boston",), ("new", "york"), ("denver",), ("san", "jose"), ("dallas",), ("oakland",)]
    openings: Mapping[str, Iterable[str]] = {
        "flight": ("show", "list"),
        "airfare": ("price", "cost"),
        "meal": ("food",),
    }
    starts = [(word, intent) for intent, words in openings.items() for word in words]
    generator = torch.Generator().manual_seed(named_key(0, "twin", "atis"))
    found: dict[str, list[Request]] = {}
    for split, count in _TWIN.items():
        found[split] = []
        for draw in torch.randint(0, 2**31, (count, 8), generator=generator).tolist():
            word, intent = starts[draw[0] % len(starts)]
            words, slots = [word, "please"][: 1 + draw[1] % 2], ["O", "O"][: 1 + draw[1] % 2]
            roles = [("from", "fromloc"), ("to", "toloc")]
            for at, (sign, kind) in enumerate(roles[:: 1 - 2 * (draw[2] % 2)]):
                city = cities[draw[3 + at] % len(cities)]
                words += [sign, *city]
                slots += ["O", f"B-{kind}.city_name", *[f"I-{kind}.city_name"] * (len(city) - 1)]
            if draw[5] % 2:
                words += ["at", str(100 + draw[6] % 1900), "pm"[: 2 * (draw[7] % 2)] or "today"]
                slots += ["O", "B-time", "I-time" if draw[7] % 2 else "O"]
            found[split].append(Request(tuple(words), tuple(slots), intent))
    return found
