"""Cranfield: 1,400 abstracts on aerodynamics and 225 questions, judged in five grades; the first test collection.

Cleverdon, "The Cranfield tests on index language devices", Aslib Proceedings 19:6, 1967.
"""

from __future__ import annotations

from netsmith.core.errors import DataError, shorten
from netsmith.data._download import OfficialFile, official_contents
from netsmith.data._judged import Collection, Document, Query, smart_records, twin_collection

__all__ = ["cranfield", "cranfield_collection"]

_DOCUMENTS = OfficialFile("cran.all.1400", 1644707, "73d33d7e445b884bc32332034e7bc7d07ad5089d9030ead9f1de3493da21da1d")
_QUERIES = OfficialFile("cran.qry", 28957, "99578ceb88941ef89c14faf7c63c23776a376d8fba319b990f01d0c601d8b03f")
_GRADES = OfficialFile("cranqrel", 19541, "92e54b58dac0b980152178f350d892fae66c8a239b8a11715b835fb8d2f6bc0e")
_MIRRORS = ("https://raw.githubusercontent.com/Chetan-Prasad/IR-Lucene_Cran/master",)
_CODES = {1: 4, 2: 3, 3: 2, 4: 1, -1: 0}


def cranfield(*, twin: bool = False) -> Collection:
    """Return the collection, from ``$NETSMITH_DATA/cranfield``, the cache, or the network.

    Every document is to be ranked for each query; 1,837 pairs are judged, 1,612 of them with a grade above 0.

    The other 225 have the code -1, which no description of the file explains. It comes once for each question, for 128
    documents in all: 78 times for the same one as in the question before. Questions were got
    from authors, who were asked what had led to a paper of theirs and which of the papers it cites answer that
    (Cleverdon, Mills & Keen 1966, volume 1, pages 16 and 21): all speaks for it that -1 marks this paper itself, which
    nobody judged. Here its grade is 0, and who ranks for a comparison leaves it out of its own questions' rankings, as
    :class:`~netsmith.data.cranfield_ranking.CranfieldRanking` does. (Who counts all 1,837 pairs as relevant, 8.2 for
    each question, takes it for an answer.)

    Args:
        twin: Take a small made-up one in its place.

    Raises:
        DataError: The official files are neither at hand nor to be downloaded, or are damaged.
    """
    if twin:
        return twin_collection("cranfield", closed=False)
    files = (_DOCUMENTS, _QUERIES, _GRADES)
    contents = official_contents("cranfield", files, mirrors=_MIRRORS)
    return cranfield_collection(*(contents[file.name].decode("latin-1") for file in files))


def cranfield_collection(documents: str, queries: str, grades: str) -> Collection:
    """Read a collection from the contents of its three files.

    Queries are numbered by their place in the file, as the judgments do, not by their ``.I``. The judgments' codes run
    from 1, a complete answer, to 4, of minimum interest (5, of no interest, does not come), and -1, see
    :func:`cranfield`; grades are 4 to 1, and 0.

    Args:
        documents: Records with title ``.T`` and text ``.W``, which begins with the title.
        queries: Records with text ``.W``.
        grades: Lines of a query, a document and a code.

    Raises:
        DataError: A file breaks its form; names it and the line.
    """
    found = {
        record["I"]: Document(record["I"], _line(record.get("T", "")), record.get("W", "") or record.get("T", ""))
        for record in smart_records(documents, _DOCUMENTS.name)
    }
    texts = [_line(record.get("W", "")) for record in smart_records(queries, _QUERIES.name)]
    judged: list[dict[str, int]] = [{} for _ in texts]
    for row, line in enumerate(grades.splitlines(), start=1):
        if not line.strip():
            continue
        parts = line.split()
        try:
            query, code = int(parts[0]), _CODES[int(parts[2])]
            known = len(parts) == 3 and 1 <= query <= len(texts) and parts[1] in found
        except (ValueError, IndexError, KeyError):
            query, code, known = 0, 0, False
        if not known:
            expected = f"a query of 1..{len(texts)}, a document, and a code of 1..4 or -1"
            raise DataError(f"{shorten(line, 40)!r}; expected {expected}", _GRADES.name, row)
        judged[query - 1][parts[1]] = code
    made = tuple(
        Query(str(number), text, of) for number, (text, of) in enumerate(zip(texts, judged, strict=True), start=1)
    )
    return Collection("cranfield", found, made, False)


def _line(text: str) -> str:
    return " ".join(text.split())
