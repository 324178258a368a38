"""WikiQA: questions of people to a search engine, and the sentences of a Wikipedia page's summary that answer them.

Yang, Yih & Meek, "WikiQA: A Challenge Dataset for Open-Domain Question Answering", EMNLP 2015.
"""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from types import MappingProxyType
from typing import Literal, get_args

from netsmith.core.errors import DataError, UnknownNameError, shorten
from netsmith.data._download import OfficialFile, official_contents, official_files
from netsmith.data._judged import Collection, Document, Query, twin_collection

__all__ = ["wikiqa", "wikiqa_collection"]

_FILES = MappingProxyType(
    {
        "train": OfficialFile(
            "WikiQA-train.tsv", 4379303, "295757943bc4df27f09763fc73b9f63063b13a577718b17805cbc9bb436f9dbe"
        ),
        "dev": OfficialFile(
            "WikiQA-dev.tsv", 579837, "023c530e742caca2a760d48bd249e13259248c11f3b880a4c1842aa259a30a54"
        ),
        "test": OfficialFile(
            "WikiQA-test.tsv", 1310942, "3c3b66966cb183b71abf19510bc2302295c68dd7a25284ec9cf8b63d5b6929e3"
        ),
    }
)
_COLUMNS = ("QuestionID", "Question", "DocumentID", "DocumentTitle", "SentenceID", "Sentence", "Label")
_PACKED = MappingProxyType(
    {
        "train": OfficialFile(
            "WikiQA-train.tsv.gz", 1275725, "a176cfb7e9f9a6c838ba5556e1b9214cbfaee0dfd18d6d5de0f627a69d597e5a"
        ),
        "dev": OfficialFile(
            "WikiQA-dev.tsv.gz", 168231, "588f6976ccb1ba9ad27359573dd55bbd95d31c65effa47b396bce1382477fb6e"
        ),
        "test": OfficialFile(
            "WikiQA-test.tsv.gz", 380984, "c8085521a6ce28a2405f10c394d53e0b2a0cb59ed5178a7f145228fd2d94c4bc"
        ),
    }
)
_MIRRORS = ("https://raw.githubusercontent.com/rohantilva/Google-Like-Question-Answering-System/master/data",)

Part = Literal["train", "dev", "test"]


def wikiqa(part: Part, *, twin: bool = False) -> Collection:
    """Return a part, from ``$NETSMITH_DATA/wikiqa``, the cache, or the network.

    The parts have 2,118, 296 and 633 questions, of which 873, 126 and 243 have an answer: papers leave the others out
    of MAP and MRR (:attr:`~netsmith.data._judged.Query.answered`). Only a question's own sentences are to be ranked;
    documents are sentences, with the title of their page.

    Args:
        part: ``train``, ``dev`` or ``test``.
        twin: Take a small made-up one in its place.

    Raises:
        UnknownNameError: No such part.
        DataError: The official file is neither at hand nor to be downloaded, or is damaged.
    """
    if part not in get_args(Part):
        raise UnknownNameError("part of wikiqa", part, get_args(Part))
    if twin:
        return twin_collection("wikiqa", closed=True, part=part)
    file = _FILES[part]
    given = os.environ.get("NETSMITH_DATA")
    if given and any((Path(given) / "wikiqa" / name).is_file() for name in (file.name, f"{file.name}.gz")):
        content = official_contents("wikiqa", [file], mirrors=())[file.name]
    else:
        packed = _PACKED[part]
        content = gzip.decompress(official_files("wikiqa", [packed], mirrors=_MIRRORS)[packed.name].read_bytes())
    return wikiqa_collection(content, file.name)


def wikiqa_collection(content: bytes, path: str) -> Collection:
    """Read a part from the contents of its file: tab-separated, no quoting, a head, a row for each sentence.

    Raises:
        DataError: It breaks this form; names the row.
    """
    documents: dict[str, Document] = {}
    texts: dict[str, str] = {}
    grades: dict[str, dict[str, int]] = {}
    for row, line in enumerate(content.split(b"\n"), start=1):
        try:
            cells = line.removesuffix(b"\r").decode().split("\t")
        except UnicodeDecodeError as error:
            raise DataError(f"is not UTF-8 text (byte {error.start + 1} of the line)", path, row) from None
        if row == 1 and tuple(cells) != _COLUMNS:
            raise DataError(f"begins with {shorten(str(cells), 60)}; expected {', '.join(_COLUMNS)}", path, row)
        if row == 1 or cells == [""]:
            continue
        if len(cells) != len(_COLUMNS) or cells[6] not in ("0", "1"):
            raise DataError(f"{len(cells)} cells, the last {cells[-1]!r}; expected 7, the last 0 or 1", path, row)
        query, text, _, title, name, sentence, label = cells
        if documents.setdefault(name, Document(name, title, sentence)).text != sentence:
            raise DataError(f"the sentence {name!r} is another one than in an earlier row", path, row)
        texts.setdefault(query, text)
        grades.setdefault(query, {})[name] = int(label)
    queries = tuple(Query(name, text, grades[name]) for name, text in texts.items())
    return Collection("wikiqa", documents, queries, True)
