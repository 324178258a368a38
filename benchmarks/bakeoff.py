"""The bakeoff's scores of a trained segmenter on the test texts of 2005 (icwb2: PKU or MSR).

The gold words are those of the official file, wide Latin letters and digits read as plain ones, as in training. Words
not in the known list are new: the official list of the bakeoff's training words, so that OOV means what it does in its
tables. A run that was trained on other text (PFR is an earlier release of PKU's month) is not in the closed track.

Run: python benchmarks/bakeoff.py RUN ... [--test pku] [--lines 0] [--out benchmarks/bakeoff.evidence.json]
(needs NETSMITH_DATA/icwb2)
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from pathlib import Path

from _evidence import write

from netsmith.api.run import Run, load
from netsmith.core.errors import DataError
from netsmith.data._download import OfficialFile, official_contents
from netsmith.data._words import narrow
from netsmith.layers.bakeoff import score_words

FILES = {
    "pku": (
        OfficialFile(
            "gold/pku_test_gold.utf8", 716386, "fe329f11e7b080d35060f1b743bd7680dbfa1463fb6fc179a2b6b3baccf9a434"
        ),
        OfficialFile(
            "gold/pku_training_words.utf8", 490217, "68fdbcef065d315e5dc3dc4c0e1b68997b1849141ba93b8fa2325fb088b5b0f3"
        ),
    ),
    "msr": (
        OfficialFile(
            "gold/msr_test_gold.utf8", 762801, "41f883846d26a96cb7462a6664b202b930936658d2a7904e8d7a06bf57da876d"
        ),
        OfficialFile(
            "gold/msr_training_words.utf8", 1065391, "d5328d5cc8576c8e008e70ad33882aae4ce2cbbbf6cd1130c59a66a248961b8c"
        ),
    ),
}


def scored(run: Run, true: list[list[str]], known: set[str]) -> dict[str, float]:
    """Segment and score."""
    found: list[list[str]] = []
    for at in range(0, len(true), 50):
        found += [answer["words"] for answer in run.predict(["".join(line) for line in true[at : at + 50]])]
    return score_words(true, found, known=known)._asdict()


def main() -> None:
    """Segment, score and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--test", choices=sorted(FILES), default="pku")
    parser.add_argument("--lines", type=int, default=0, help="only so many lines, evenly spread; 0 for all")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    given = parser.parse_args()
    if not os.environ.get("NETSMITH_DATA"):
        raise DataError("NETSMITH_DATA is not set; expected the folder that holds icwb2 (its terms forbid a download)")
    gold, words = official_contents("icwb2", FILES[given.test], mirrors=()).values()
    true = [narrow(line).split() for line in gold.decode("utf-8-sig").split("\n")]
    true = [line for line in true if line]
    if given.lines:
        true = true[:: max(1, len(true) // given.lines)][: given.lines]
    known = {narrow(word) for word in words.decode("utf-8-sig").split()}
    rows: dict[str, dict[str, float]] = {}
    for path in given.runs:
        rows[path.name] = scored(load(path), true, known)
        print(path.name, json.dumps(rows[path.name]), flush=True)
    recipes: dict[str, list[float]] = {}
    for name, row in rows.items():
        recipes.setdefault(name.rpartition("-seed")[0] or name, []).append(row["f1"])
    means = {name: {"f1": statistics.fmean(values), "seeds": len(values)} for name, values in recipes.items()}
    print(json.dumps(means, indent=1))
    write(given.out, {"test": given.test, "lines": len(true), "runs": rows, "means": means})


if __name__ == "__main__":
    main()
