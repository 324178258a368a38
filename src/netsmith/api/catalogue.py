"""The catalogue as data: what ``list`` prints, without torch: recipes with the state of their evidence."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from netsmith.core.cards import Card, Claim, card_of, variants_of
from netsmith.core.registry import Entry, find_recipe, recipes

__all__ = [
    "beside",
    "claim_figures",
    "evidence_of",
    "list_recipes",
    "row",
    "source_sha256",
    "summary",
    "systems",
]


def list_recipes() -> list[dict[str, Any]]:
    """Return every recipe with its level of evidence, status and claims; the contract of ``netsmith list --json``."""
    found = []
    for name, entry in sorted(recipes().items()):
        for variant in ["", *variants_of(entry)]:
            full = f"{name}:{variant}" if variant else name
            found.append(row(full, entry, variant))
    return found


def systems() -> list[dict[str, Any]]:
    """Return the catalogue's recipes with the state of their evidence; no torch is imported for it.

    Example:
        >>> [system["name"] for system in systems() if system["family"] == "tabular"][:1]
        ['mlp_digits']
    """
    return list_recipes()


def row(name: str, entry: Entry, variant: str) -> dict[str, Any]:
    """Return one recipe or variant as :func:`list_recipes` does."""
    card = card_of(entry, variant)
    evidence = evidence_of(entry, variant)
    claims = [{**claim.dump(), "measured": claim_figures(claim, card, entry, evidence)} for claim in card.claims]
    status = _status(card, evidence, entry, [claim["measured"] for claim in claims])
    return {
        "name": name,
        "title": card.title or entry.doc,
        "family": entry.path.parent.name,
        "paper": card.paper,
        "level": 3 if status == "reproduced" else 2 if evidence else 0,
        "status": status,
        "claims": claims,
        "gaps": dict(card.known_gaps),
    }


def claim_figures(claim: Claim, card: Card, entry: Entry, evidence: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return mean, deviation and number of seeds of what a claim is about; None where nobody has measured it.

    Args:
        claim: The claim.
        card: The card it stands on.
        entry: The recipe whose claim it is.
        evidence: What was measured of it.
    """

    def seeds_of(evidence: Mapping[str, Any]) -> dict[str, float]:
        found: dict[str, float] = evidence.get("measured", {}).get(claim.metric, {}).get("seeds", {})
        return found

    def seeds_of_other(name: str) -> dict[str, float]:
        return seeds_of(evidence_of(*find_recipe(beside(name, entry.name)))) if name else {}

    theirs = seeds_of_other(claim.against)
    teacher = seeds_of_other(card.teacher) if claim.between == "gap_closed" else {}
    numbers = claim.figures(seeds_of(evidence), theirs, teacher)
    return summary(numbers) if numbers else None


def beside(name: str, recipe: str) -> str:
    """Return the full name of a recipe that another one's card names.

    Example:
        >>> beside(":alone", "distilled_mnist:small"), beside("lenet5_mnist", "distilled_mnist")
        ('distilled_mnist:alone', 'lenet5_mnist')
    """
    return f"{recipe.partition(':')[0]}{name}" if name.startswith(":") else name


def summary(numbers: Sequence[float]) -> dict[str, Any]:
    """Return mean, standard deviation (0 of one number) and count."""
    sd = statistics.stdev(numbers) if len(numbers) > 1 else 0.0
    return {"mean": statistics.fmean(numbers), "sd": sd, "n": len(numbers)}


def _status(card: Card, evidence: dict[str, Any], entry: Entry, found: Sequence[dict[str, Any] | None]) -> str:
    """Return ``reproduced``, ``short``, ``stale``, ``unverified``, or ``measured`` where nothing is claimed."""
    if not evidence.get("measured"):
        return "unverified"
    if evidence.get("source_sha256") not in (None, source_sha256(entry)):
        return "stale"
    if not card.claims:
        return "measured"  # a control: figures without a claim
    if any(figures is None or figures["n"] < len(card.seeds) for figures in found):
        return "unverified"  # some seeds have not been run yet
    pairs = zip(card.claims, found, strict=True)
    return "reproduced" if all(figures and claim.holds(figures["mean"]) for claim, figures in pairs) else "short"


def source_sha256(entry: Entry) -> str:
    """Return the hash of a recipe's text, by which ``list`` sees without torch that a recipe has changed."""
    import hashlib

    return hashlib.sha256(entry.path.read_bytes()).hexdigest()


def evidence_of(entry: Entry, variant: str = "") -> dict[str, Any]:
    """Return the committed evidence of a recipe, ``{}`` where there is none."""
    file = entry.path.with_name(f"{entry.name}.evidence.json")
    if not file.is_file():
        return {}
    value = json.loads(file.read_text(encoding="utf-8"))
    found = value.get("variants", {}).get(variant or "default", {})
    return dict(found)
