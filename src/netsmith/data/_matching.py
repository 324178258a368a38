"""What sources of texts to rank share: queries, each with the documents that may answer it, as token numbers."""

from __future__ import annotations

import collections
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.keys import key as named_key
from netsmith.core.spec import Inputs, Outputs, Spec, Step
from netsmith.data._arrays import BatchFields, FixedSource, Part, digest
from netsmith.data._judged import Collection
from netsmith.engine.batch import Batch
from netsmith.engine.random import example_keys, keyed_uniform
from netsmith.engine.task import UNLABELED
from netsmith.layers.candidates import TextNumbers, pack
from netsmith.layers.frequency import by_frequency
from netsmith.layers.letter_ngrams import letter_ngrams
from netsmith.layers.tokenize import PADDING, UNKNOWN, tokenize, unknown_slots

__all__ = ["MatchingFields", "MatchingSource", "Question", "divided", "questions_of"]


class MatchingFields(BatchFields):
    """The fields of every source of texts to rank.

    Attributes:
        batch: Queries per training batch.
        evaluation_batch: Queries per evaluation batch, each with all of its candidates.
        negatives: How many documents that do not answer stand beside one that does, in training.
        max_length: Longest text in tokens; what is longer is cut.
        min_count: How often a word (or letter n-gram) must come in the training part to be known.
        unknown: Slots that unknown words share, so that most of them are told apart; 0: they are one word.
        stem: Whether plurals count as their singulars.
        letters: Cut each word into its letter n-grams of so many letters; 0 leaves it whole.
        pattern: Regular expression of one word.
        lowercase: Lower the case first.
    """

    batch: Annotated[int, Field(gt=0)] = 32
    evaluation_batch: Annotated[int, Field(gt=0)] = 16
    negatives: Annotated[int, Field(gt=0)] = 4
    max_length: Annotated[int, Field(gt=0, le=100_000)] = 200
    min_count: Annotated[int, Field(gt=0)] = 1
    unknown: Annotated[int, Field(ge=0, le=100_000)] = 1000
    stem: bool = True
    letters: Annotated[int, Field(ge=0, le=10)] = 0
    pattern: str = r"\w+"
    lowercase: bool = True


@dataclass(frozen=True)
class Question:
    """A query with its candidates.

    Attributes:
        name: Its name in the collection.
        text: Its words.
        candidates: Names of the documents that are to be ranked, in the collection's order.
        grades: Of each of them: how well it answers, 0 not at all.
        missed: Grades of documents that answer and are not among them.
    """

    name: str
    text: str
    candidates: tuple[str, ...]
    grades: tuple[int, ...]
    missed: tuple[int, ...] = ()


class MatchingSource(FixedSource):
    """Abstract: an example is a query with its candidates; see :mod:`netsmith.layers.candidates`.

    In training it has one candidate that answers and ``negatives`` that do not, drawn anew for each epoch by the
    example's key: a resumed run draws the same ones, and so does another cut into batches. Elsewhere it has all of
    them. Targets ``(B, C)`` are grades, ``UNLABELED`` where there is no candidate; a document that answers and was not
    retrieved has its grade behind the others and a row of zeros.

    The vocabulary is that of the training part (documents and queries), the most frequent first, behind padding,
    unknown and the slots for unknown words.

    Args:
        config: The reader's config.
        dataset: Name of the data set.
        documents: Texts by name, of all parts.
        known: Names of the documents that training may see: the collection.
        questions: By split, ``train`` first; each has a candidate that answers.
        made: How each split was made.
        seeds: The seed of each split; 0 for one that is given.
    """

    config: MatchingFields

    def __init__(
        self,
        config: MatchingFields,
        *,
        dataset: str,
        documents: Mapping[str, str],
        known: Sequence[str],
        questions: Mapping[str, Sequence[Question]],
        made: Mapping[str, str],
        seeds: Mapping[str, int],
    ) -> None:
        step = tokenizer(config)
        seen = [documents[name] for name in known]
        inputs = Inputs(
            kind="text",
            shape=(-1, -1, -1) if config.letters else (-1, -1),
            dtype="int64",
            preprocessing=(step,),
            vocabulary=_vocabulary([*seen, *(one.text for one in questions["train"])], step, config),
            max_length=config.max_length,
        )
        self._numbers = TextNumbers(inputs)
        self._seen = seen
        self._documents = documents
        self._cut: dict[str, np.ndarray] = {}
        self._questions = {
            # without something that does not answer there is nothing to learn
            split: [one for one in of if split != "train" or (max(one.grades) > 0 and min(one.grades) == 0)]
            for split, of in questions.items()
        }
        parts = {
            split: Part(
                fetch=lambda indices, of=of: self._whole([of[at] for at in indices.tolist()]),
                targets=_targets(of),
                sha256=_digest(of, documents),
                made=made[split],
                seed=seeds[split],
            )
            for split, of in self._questions.items()
        }
        super().__init__(
            config, spec=Spec(dataset=dataset, inputs=inputs, outputs=Outputs(kind="ranking")), parts=parts
        )

    def load(self, split: str, indices: Tensor, *, key: int | None = None) -> Batch:
        """Load some queries: with a key those of a training step, else with all of their candidates."""
        self._part(split)
        chosen = [self._questions[split][at] for at in indices.tolist()]
        keys = example_keys(0 if key is None else key, indices)
        if key is not None:
            chosen = self._drawn(chosen, keys)
        return Batch(self._whole(chosen), _targets(chosen), keys=keys, indices=indices)

    def collection(self) -> Iterator[Tensor]:
        """Yield the numbers of the whole text of each document that training may see."""
        for text in self._seen:
            yield torch.from_numpy(self._numbers(text, whole=True))

    def questions(self, split: str) -> list[Question]:
        """Return the queries of a split as they are."""
        self._part(split)
        return list(self._questions[split])

    def _drawn(self, questions: Sequence[Question], keys: Tensor) -> list[Question]:
        most = max(len(one.candidates) for one in questions)
        right = keyed_uniform(keys, 1, stream="relevant candidate")[:, 0].tolist()
        order = keyed_uniform(keys, most, stream="other candidates").numpy()
        found = []
        for one, draw, ranks in zip(questions, right, order, strict=True):
            good = [at for at, grade in enumerate(one.grades) if grade > 0]
            bad = [at for at, grade in enumerate(one.grades) if grade == 0]
            others = np.argsort(ranks[: len(bad)], kind="stable")[: self.config.negatives]
            places = [good[int(draw * len(good))], *(bad[at] for at in others)]
            found.append(
                Question(
                    one.name,
                    one.text,
                    tuple(one.candidates[at] for at in places),
                    tuple(one.grades[at] for at in places),
                )
            )
        return found

    def _whole(self, questions: Sequence[Question]) -> Tensor:
        empty = self._numbers("x")[:0]
        return pack(
            [
                [self._numbers(one.text), *map(self._document, one.candidates), *[empty] * len(one.missed)]
                for one in questions
            ]
        )

    def _document(self, name: str) -> np.ndarray:
        if name not in self._cut:
            self._cut[name] = self._numbers(self._documents[name]).astype(np.int32)
        return self._cut[name]


def tokenizer(config: MatchingFields) -> Step:
    """Return the step that cuts a text into words.

    Raises:
        ConfigError: The pattern is not a regular expression.
    """
    step = Step(
        name="tokenize",
        pattern=config.pattern,
        lowercase=config.lowercase,
        stem=config.stem,
        letters=config.letters,
    )
    tokenize("", step)  # a wrong pattern is refused here, before any file is read
    return step


def _vocabulary(texts: Sequence[str], step: Step, config: MatchingFields) -> tuple[str, ...]:
    counts = collections.Counter(token for text in texts for token in tokenize(text, step))
    if step.letters:
        words, counts = counts, collections.Counter[str]()
        for word, count in words.items():
            for gram in letter_ngrams(word, size=step.letters):
                counts[gram] += count
    slots = () if step.letters else unknown_slots(config.unknown)
    return (PADDING, UNKNOWN, *slots, *(token for token, count in by_frequency(counts) if count >= config.min_count))


def _targets(questions: Sequence[Question]) -> Tensor:
    rows = [[*one.grades, *one.missed] for one in questions]
    found = torch.full((len(rows), max(map(len, rows), default=0)), UNLABELED)
    for row, grades in enumerate(rows):
        found[row, : len(grades)] = torch.tensor(grades, dtype=torch.int64)
    return found


def _digest(questions: Sequence[Question], documents: Mapping[str, str]) -> str:
    rows = [
        f"{one.text}\0{one.grades}\0{one.missed}\0" + "\0".join(documents[name] for name in one.candidates)
        for one in questions
    ]
    return digest("\n".join(rows))


def divided(
    questions: Sequence[Question], groups: Sequence[str], *, dev: float, test: float, seed: int
) -> dict[str, list[Question]]:
    """Divide queries into train, dev and test, those of one group together.

    Args:
        questions: The queries.
        groups: What group each is of.
        dev: Share of the groups that is held out for choices.
        test: Share that is held out for the end.
        seed: Of the draw.
    """
    names = list(dict.fromkeys(groups))
    drawn = torch.randperm(len(names), generator=torch.Generator().manual_seed(named_key(seed, "queries"))).tolist()
    ends = round(test * len(names)), round((dev + test) * len(names))
    place = {names[at]: rank for rank, at in enumerate(drawn)}
    parts: dict[str, list[Question]] = {"train": [], "dev": [], "test": []}
    for one, group in zip(questions, groups, strict=True):
        parts["test" if place[group] < ends[0] else "dev" if place[group] < ends[1] else "train"].append(one)
    return parts


def questions_of(collection: Collection, *, retrieved: Mapping[str, Sequence[str]] | None = None) -> list[Question]:
    """Return the answered queries of a collection with their candidates.

    Args:
        collection: The documents and queries.
        retrieved: By query, the documents to rank; by default those that are judged.
    """
    place = {name: at for at, name in enumerate(collection.documents)}
    found = []
    for query in collection.queries:
        if not query.answered:
            continue
        chosen = query.grades if retrieved is None else retrieved[query.name]
        names = sorted(chosen, key=place.__getitem__)
        missed = tuple(grade for name, grade in query.grades.items() if grade > 0 and name not in set(names))
        grades = tuple(query.grades.get(name, 0) for name in names)
        found.append(Question(query.name, query.text, tuple(names), grades, missed))
    return found
