"""The card of a recipe: what it reproduces, what it claims, what differs, and which checks it cannot pass."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, cast

from pydantic import model_validator

from netsmith.core.config import Config, FrozenMap
from netsmith.core.errors import ConfigError
from netsmith.core.registry import Entry, find_recipe

__all__ = ["GAP_REASONS", "Card", "Claim", "LabCard", "Learns", "card_of", "lab_card_of", "variants_of"]

GAP_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "batch_statistics": "batch normalization in training couples the examples of a batch",
        "closed_form": "the learner counts or solves; there is no gradient and no loss curve",
        "live_source": "data come from an environment that answers actions; no fixed batch to overfit or split",
        "latent_input": "the product takes noise, not user data",
        "no_export": "the product contains an operation that ONNX cannot express",
        "no_feature_map": "there is no spatial feature map to look at",
        "adversarial_game": "a game has no loss that must fall",
        "inner_loop": "a task's loss contains a gradient step of its own",
    }
)
"""The closed list of reasons a gap may give."""


class Claim(Config):
    """One figure a recipe is held to: its own, or its own beside another recipe's.

    Attributes:
        metric: Split and metric, for example ``test/accuracy``; ``onnx/...`` is measured of the exported files.
        value: The claimed figure, in the metric's unit.
        tolerance: How far below (or above, where lower is better) the measured mean may lie.
        source: Where the figure comes from: a table of the paper, or ``netsmith`` for a target of our own.
        direction: ``at_least`` (higher is better), ``at_most``, or ``equal``.
        against: Another recipe (``:variant`` for one of the same file): the claim is then on what lies between the
            two, paired by seed; ``""`` for a claim on the figure itself.
        between: ``difference`` (ours less theirs), ``ratio`` (ours over theirs), or ``gap_closed``: the share of the
            way from theirs to the card's teacher, ``(ours - theirs) / (teacher - theirs)``, of a metric of which more
            is better; a seed whose teacher is no better has no gap and is left out.
    """

    metric: str
    value: float
    tolerance: float
    source: str
    direction: Literal["at_least", "at_most", "equal"] = "at_least"
    against: str = ""
    between: Literal["difference", "ratio", "gap_closed"] = "difference"

    def figures(
        self, ours: Mapping[str, float], theirs: Mapping[str, float], teacher: Mapping[str, float] | None = None
    ) -> list[float]:
        """Return what the claim is about, a figure per seed.

        Args:
            ours: The metric by seed.
            theirs: The metric of the recipe it stands against, by seed; seeds that only one of them has are left out.
            teacher: The metric of the card's teacher, by seed; asked for by ``gap_closed`` alone.
        """
        if not self.against:
            return list(ours.values())
        if self.between == "gap_closed":
            ends = teacher or {}
            whole = [seed for seed in ours if seed in theirs and seed in ends]
            gaps = [(ours[seed] - theirs[seed], ends[seed] - theirs[seed]) for seed in whole]
            return [made / gap for made, gap in gaps if gap > 0]
        pairs = [(value, theirs[seed]) for seed, value in ours.items() if seed in theirs]
        if self.between == "difference":
            return [a - b for a, b in pairs]
        return [a / b if b else math.nan for a, b in pairs]

    def holds(self, measured: float) -> bool:
        """Whether a measured mean satisfies the claim."""
        if self.direction == "at_least":
            return measured >= self.value - self.tolerance
        if self.direction == "at_most":
            return measured <= self.value + self.tolerance
        return abs(measured - self.value) <= self.tolerance


class Learns(Config):
    """What a recipe must reach on its synthetic twin in a short run (evidence level 2).

    Attributes:
        metric: Split and metric.
        value: The figure to reach.
        steps: Steps of the short run.
        direction: ``at_least`` or ``at_most``.
    """

    metric: str
    value: float
    steps: int
    direction: Literal["at_least", "at_most"] = "at_least"


class Card(Config):
    """A recipe's card, read as a literal from its file.

    Attributes:
        title: What it is, in a few words.
        paper: arXiv number, DOI or citation.
        claims: The figures it is held to.
        deviations: What differs from the paper.
        known_gaps: Conformance checks it cannot pass, each with a reason of :data:`GAP_REASONS`.
        seeds: Seeds of the evidence.
        learns: What it must reach on its twin.
        teacher: The recipe whose run of the same seed teaches it, where it takes a teacher from outside; its evidence
            then compares the exported files of both.
        start: The recipe (``:variant`` for one of the same file) whose run of the same seed it begins with, where it
            fine-tunes.
    """

    title: str = ""
    paper: str
    claims: tuple[Claim, ...] = ()
    deviations: tuple[str, ...] = ()
    known_gaps: FrozenMap[str] = FrozenMap[str]()
    seeds: tuple[int, ...] = (0, 1, 2)
    learns: Learns | None = None
    teacher: str = ""
    start: str = ""

    @model_validator(mode="after")
    def _check(self) -> Card:
        for check, reason in self.known_gaps.items():
            if reason not in GAP_REASONS:
                raise ValueError(f"known_gaps[{check!r}]: {reason!r} is not one of {', '.join(GAP_REASONS)}")
        for claim in self.claims:
            if claim.between == "gap_closed" and not (claim.against and self.teacher):
                raise ValueError(f"a claim on {claim.metric} by gap_closed needs `against` and the card's `teacher`")
        return self


class LabCard(Config):
    """A lab's card, read as a literal from its file.

    Attributes:
        title: What it is, in a few words.
        paper: arXiv number, DOI or citation.
        shows: What its figures show, in one line.
        quick: Settings under which it takes seconds, for a first look and for tests; its figures then say little.
    """

    title: str
    paper: str
    shows: str
    quick: FrozenMap[Any] = FrozenMap[Any]()


def lab_card_of(entry: Entry) -> LabCard:
    """Return the card of a lab's file.

    Raises:
        ConfigError: The card is not of the documented form.
    """
    try:
        return LabCard.load(entry.literals["CARD"])
    except ConfigError as error:
        raise ConfigError(f"{entry.path.name}: {error}") from None


def variants_of(entry: Entry) -> dict[str, dict[str, Any]]:
    """Return ``VARIANTS`` of a recipe file: by name, a dict with ``set`` (dotted changes) and any field of the card."""
    return cast("dict[str, dict[str, Any]]", entry.literals.get("VARIANTS", {}))


def card_of(name: str | Entry, variant: str = "") -> Card:
    """Return the card of a recipe, with a variant's own fields in place of the file's.

    A variant's ``deviations`` follow the file's; none is said twice.

    Raises:
        UnknownNameError: No such recipe.
        ConfigError: The card is not of the documented form.
    """
    if isinstance(name, Entry):
        entry = name
    else:
        entry, variant = find_recipe(name)
    fields = dict(cast("dict[str, Any]", entry.literals["CARD"]))
    if variant:
        own = {key: value for key, value in variants_of(entry)[variant].items() if key != "set"}
        shared, more = fields.get("deviations"), own.get("deviations")
        fields |= own
        if isinstance(shared, (list, tuple)) and isinstance(more, (list, tuple)):
            # what differs in the file differs here too
            fields["deviations"] = list(dict.fromkeys(cast("list[Any]", [*shared, *more])))
    try:
        return Card.load(fields)
    except ConfigError as error:
        raise ConfigError(f"{entry.path.name}: {error}") from None
