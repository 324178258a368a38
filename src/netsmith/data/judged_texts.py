"""One's own judged texts: queries, and how well each of some texts answers them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from netsmith.core.config import AUTO, Auto
from netsmith.core.errors import ConfigError, DataError
from netsmith.data._judged import Collection, twin_collection
from netsmith.data._judged_files import read_judged, table_collection
from netsmith.data._matching import MatchingFields, MatchingSource, Question, divided, questions_of, tokenizer
from netsmith.data._retrieved import bm25_best
from netsmith.data._splits import share_text
from netsmith.data._tables import Grid

__all__ = ["JudgedTexts"]

_TWIN = 200  # queries
_RETRIEVED = 100  # texts of a collection that are ranked again


class JudgedTexts(MatchingSource):
    """Texts to rank: a table of queries, texts and grades, or a collection with queries and TREC's judgments; see
    :func:`~netsmith.data._judged_files.read_judged`.

    Of a table a query's own texts are ranked, as of WikiQA; of a collection BM25's best 100, as of Cranfield: what
    answers and is not among them counts as not found. Queries that nothing answers are left out. Splits that are not
    given are drawn query by query, those with the same words together.

    A grade above 0 answers, the better the higher it is.

    Attributes:
        unanswered: How many queries were left out.

    Raises:
        ConfigError: No ``path`` and no ``twin``, a pattern that is not a regular expression, or a collection of which a
            table's columns are said.
        DataError: Another layout, a bad row (file and row are named), too few queries for the splits, or none that has
            both a text that answers and one that does not.
    """

    class Config(MatchingFields):
        """The files and how to read them.

        Attributes:
            path: The table, or the folder or archive.
            query: A table's column of queries; ``auto`` knows usual names, else the order query, text, grade.
            text: Its column of texts.
            grade: Its column of grades, whole numbers; below 0 counts as 0.
            header: Whether the first row of a TSV or CSV names the columns; ``auto``: where it holds no whole number.
            candidates: How many of BM25's best texts are ranked; 0: those that are judged; ``auto``: 0 of a table, 100
                of a collection.
            dev: Share of the queries held out as ``dev`` where it is not given.
            test: Share held out as ``test`` where it is not given.
            split_seed: Seed of the splits that are drawn.
        """

        path: str = ""
        query: str | Auto = AUTO
        text: str | Auto = AUTO
        grade: str | Auto = AUTO
        header: bool | Auto = AUTO
        candidates: Annotated[int, Field(ge=0, le=10_000)] | Auto = AUTO
        dev: Annotated[float, Field(ge=0, lt=0.5)] = 0.1
        test: Annotated[float, Field(ge=0, lt=0.5)] = 0.1
        split_seed: int = 0

    def __init__(self, config: Config) -> None:
        step = tokenizer(config)
        plain = step.derive(letters=0, stem=False)
        columns = {"query": config.query, "text": config.text, "grade": config.grade}
        if config.twin:
            given = {"train": table_collection(_twin_grid(), columns=dict.fromkeys(columns, AUTO), step=plain)}
        elif not config.path:
            raise ConfigError("JudgedTexts.Config.path is empty; expected a table or a folder (--data PATH)")
        else:
            given = read_judged(config.path, columns=columns, header=config.header, step=plain)
        whole = {name: one for part in given.values() for name, one in part.documents.items()}
        count = config.candidates
        if count == AUTO:
            count = 0 if given["train"].closed else _RETRIEVED
        retrieved = None
        if count:
            queries = tuple(one for part in given.values() for one in part.queries if one.answered)
            retrieved = bm25_best(Collection(config.path, whole, queries, False), step, count=count)
        asked = {
            split: questions_of(Collection(part.dataset, whole, part.queries, part.closed), retrieved=retrieved)
            for split, part in given.items()
        }
        self.unanswered = sum(len(part.queries) for part in given.values()) - sum(map(len, asked.values()))
        parts, made = _divided(asked, given, config)
        super().__init__(
            config,
            dataset=Path(config.path).name or "judged_texts",
            documents={name: one.text for name, one in whole.items()},
            known=list(whole) if count or not given["train"].closed else _seen(given, parts),
            questions=parts,
            made=made,
            seeds={split: config.split_seed if made[split] != "given" else 0 for split in parts},
        )


def _divided(
    asked: Mapping[str, list[Question]], given: Mapping[str, Collection], config: JudgedTexts.Config
) -> tuple[dict[str, list[Question]], dict[str, str]]:
    """Draw the splits that are missing from train, and see that each one has queries."""
    shares = {"dev": config.dev, "test": config.test}
    missing = {split: share for split, share in shares.items() if split not in asked and share}
    parts, made = dict(asked), dict.fromkeys(asked, "given")
    if missing:
        drawn = divided(
            asked["train"],
            [one.text for one in asked["train"]],
            dev=missing.get("dev", 0),
            test=missing.get("test", 0),
            seed=config.split_seed,
        )
        how = f"seeded {share_text(missing if len(asked) > 1 else shares)}"
        for split in ("train", *missing):
            parts[split], made[split] = drawn[split], how
    for split, questions in parts.items():
        if not questions and split in given and not asked[split]:
            raise DataError("holds no query that a text answers (with a grade above 0)", given[split].dataset)
        if not questions:
            count = f"{len(asked['train'])} queries with an answer"
            if split == "train":
                less = " ".join(f"--set data.{name}={min(share, 0.1):g}" for name, share in missing.items())
                shown = " and ".join(missing)
                raise DataError(
                    f"has {count}; {shown} as drawn leave none for training; draw less: {less}", config.path
                )
            fix = f"--set data.{split}=0"
            raise DataError(f"has {count}, too few to draw a {split} split; leave it out: {fix}", config.path)
    if not any(max(one.grades) > 0 and min(one.grades) == 0 for one in parts["train"]):
        raise DataError(
            "has no query for training with both a text that answers and one that does not; judge some with grade 0, "
            "or rank BM25's best of all texts: --set data.candidates=100",
            config.path,
        )
    return {split: parts[split] for split in ("train", "dev", "test") if split in parts}, made


def _seen(given: Mapping[str, Collection], parts: Mapping[str, Sequence[Question]]) -> list[str]:
    """Return the texts that training may see: those given for it that no query drawn for dev or test has alone."""
    own = {name for one in parts["train"] for name in one.candidates}
    drawn = {name for split in set(parts) - set(given) for one in parts[split] for name in one.candidates}
    return [name for name in given["train"].documents if name in own or name not in drawn]


def _twin_grid() -> Grid:
    twin = twin_collection("judged_texts", closed=True, count=_TWIN)
    rows = [
        (f"{query.text} {query.name}", twin.documents[name].text, str(grade))
        for query in twin.queries
        for name, grade in query.grades.items()
    ]
    cells = tuple(list(column) for column in zip(*rows, strict=True))
    return Grid("twin", ("query", "text", "grade"), cells, list(range(2, len(rows) + 2)))
