"""Multilingual translation by direction: BLEU, directly and by way of English, and what language was written.

Run: python benchmarks/zero_shot.py RUN [--split test] [--most 0] [--out FILE] (needs NETSMITH_DATA/multi30k)
"""

from __future__ import annotations

import argparse
from pathlib import Path

from _evidence import write

from netsmith.api.run import load
from netsmith.workflows.zero_shot import Direction, judge_directions

__all__ = ["main", "shown"]


def main() -> None:
    """Print a table, and write the evidence."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="a finished run of gnmt_multilingual_multi30k")
    parser.add_argument("--split", default="test", choices=("dev", "test"))
    parser.add_argument("--most", type=int, default=0, help="texts of each direction; 0 for all")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    given = parser.parse_args()
    found = judge_directions(load(given.run), split=given.split, most=given.most)
    print(shown(found))
    write(given.out, {"directions": [one._asdict() for one in found]})


def shown(found: list[Direction]) -> str:
    """Return the directions as a table in Markdown."""
    lines = [
        "| direction | trained | BLEU | in the target language | by way of English: BLEU | in the target language | "
        "source unchanged: BLEU | references told rightly |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in found:
        around = one.pivot is not None and one.pivot_in_target is not None
        pivot = (f"{one.pivot:.1f}", f"{one.pivot_in_target:.1%}") if around else ("-", "-")
        cells = [one.name, "yes" if one.trained else "no", f"{one.bleu:.1f}", f"{one.in_target:.1%}", *pivot]
        lines.append(f"| {' | '.join([*cells, f'{one.untranslated:.1f}', f'{one.told:.1%}'])} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
