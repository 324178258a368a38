"""Texts to rank: documents, queries, and how well the documents answer them; free of torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from netsmith.core.errors import DataError, shorten
from netsmith.core.keys import key as named_key

__all__ = ["Collection", "Document", "Query", "smart_records", "twin_collection"]

_FIELD = re.compile(r"\.([A-Z])(?:[ \t]+(\S+))?[ \t]*$")


@dataclass(frozen=True, slots=True)
class Document:
    """A text that may answer.

    Attributes:
        name: Its name in the collection.
        title: Its title; "" if it has none.
        text: The whole of it.
    """

    name: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Query:
    """A question.

    Attributes:
        name: Its name in the collection.
        text: Its words.
        grades: By document, how well it answers: 0 not at all; what was not judged is left out.
    """

    name: str
    text: str
    grades: Mapping[str, int]

    @property
    def answered(self) -> bool:
        """Whether a document answers it."""
        return any(grade > 0 for grade in self.grades.values())


@dataclass(frozen=True, slots=True)
class Collection:
    """Documents and queries.

    Attributes:
        dataset: Name of the data set.
        documents: The documents, by name.
        queries: The queries.
        closed: Whether only the judged documents of a query are to be ranked, else all documents.
    """

    dataset: str
    documents: Mapping[str, Document]
    queries: tuple[Query, ...]
    closed: bool


def smart_records(content: str, path: str) -> list[dict[str, str]]:
    """Return the records of a file in SMART's format: ``.I NUMBER``, then fields ``.T``, ``.W``, ... with their text.

    Lines may end in any way; a field that comes twice is joined.

    Raises:
        DataError: Text before the first record or field, or a record without a number; names the line.
    """
    records: list[dict[str, list[str]]] = []
    field = ""
    for row, line in enumerate(content.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1):
        match = _FIELD.fullmatch(line)
        if match and match[1] == "I":
            if not match[2]:
                raise DataError("a record without a number; expected '.I NUMBER'", path, row)
            records.append({"I": [match[2]]})
            field = ""
        elif match and not match[2] and records:
            field = match[1]
            records[-1].setdefault(field, [])
        elif field:
            records[-1][field].append(line)
        elif line.strip():
            raise DataError(f"{shorten(line, 40)!r} stands in no field; expected '.I NUMBER', then '.W'", path, row)
    return [{name: "\n".join(lines).strip() for name, lines in record.items()} for record in records]


def twin_collection(name: str, *, closed: bool, part: str = "", count: int = 40) -> Collection:
    """Make documents about one of ten topics each, and queries of two of a topic's words.

    A topic has six words of its own, which come among common ones; a document that has both words of the query has
    grade 2, another one of its topic with one of them grade 1.

    Args:
        name: Which data set; other names give other texts.
        closed: Whether a query has twelve candidates, else all documents.
        part: Which part of it.
        count: How many queries.
    """
    random = np.random.default_rng(named_key(0, "twin", f"{name}/{part}"))
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    vocabulary = list(dict.fromkeys("".join(random.choice(letters, 6)) for _ in range(160)))
    topics, common = [vocabulary[6 * at : 6 * at + 6] for at in range(10)], vocabulary[60:]
    documents: dict[str, Document] = {}
    held: dict[str, tuple[int, set[str]]] = {}
    for number in range(120):
        topic, size = number % 10, int(random.integers(10, 40))
        own = [str(word) for word in random.choice(topics[topic], int(random.integers(2, 6)))]
        tokens = [*own, *(str(word) for word in random.choice(common, size))]
        random.shuffle(tokens)
        documents[f"D{number}"] = Document(f"D{number}", " ".join(tokens[:4]), " ".join(tokens))
        held[f"D{number}"] = topic, set(own)
    queries: list[Query] = []
    for number in range(count):
        topic = number % 10
        wanted = {str(word) for word in random.choice(topics[topic], 2, replace=False)}
        text = " ".join([*sorted(wanted), str(random.choice(common))])
        grades = {one: len(wanted & own) * (at == topic) for one, (at, own) in held.items()}
        if closed:
            near = [one for one, (at, _) in held.items() if at == topic][:6]
            far = [one for one, (at, _) in held.items() if at != topic]
            chosen = {*near, *(str(one) for one in random.choice(far, 6, replace=False))}
            grades = {one: min(1, grade // 2) for one, grade in grades.items() if one in chosen}
        queries.append(Query(f"Q{number}", text, grades))
    return Collection(name, documents, tuple(queries), closed)
