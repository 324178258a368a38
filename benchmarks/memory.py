"""How much memory a text longer than memory takes: counted, numbered and read as a language model reads it.

The text is written first, in a temporary folder: words by a power law over some millions of different ones, as long
texts have them, in lines of a dozen. A process of its own then builds the source and reads all batches of dev and some
of training; its largest resident memory is told, and what it was after the imports alone.

Run: python benchmarks/memory.py [--megabytes 1000] [--out benchmarks/memory.evidence.json]
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from _evidence import write

from netsmith.data.text_file import TextFile

LIMIT = 500.0
DIFFERENT = 5_000_000


def write_text(path: Path, megabytes: int) -> None:
    """Write a text of so many megabytes; its words are numbers in letters."""
    draw = np.random.default_rng(0)
    letters = str.maketrans("0123456789abcdef", "abcdefghijklmnop")
    size = 0
    with path.open("w", encoding="ascii") as file:
        while size < megabytes * 10**6:
            ranks = (DIFFERENT ** draw.random((20_000, 12))).astype(np.int64)  # a density of 1 / rank
            lines = [" ".join([f"{rank:x}" for rank in line]) for line in ranks.tolist()]
            size += file.write("\n".join(lines).translate(letters) + "\n")


def peak() -> float:
    """Return the largest resident memory of this process so far, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 10**6


def read(path: str) -> dict[str, Any]:
    """Build the source and read from it."""
    before, begin = peak(), time.process_time()
    source = TextFile.Config(path=path, batch=20).build()
    built = peak()
    for split, most in (("train", 2000), ("dev", 10**9)):
        for number, indices in enumerate(source.order(split, seed=0, epoch=0)):
            if number == most:
                break
            source.load(split, indices)
    sizes = {split.name: split.size for split in source.spec.splits}
    known = len(source.spec.inputs.vocabulary)
    return {
        "tokens": sizes,
        "known": known,
        "mb_after_imports": round(before, 1),
        "mb_built": round(built, 1),
        "mb_most": round(peak(), 1),
        "cpu_s": round(time.process_time() - begin, 1),
    }


def main() -> None:
    """Measure, print, and write the evidence."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.txt"
        write_text(path, given.megabytes)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
            found = {"bytes": path.stat().st_size} | alone.submit(read, str(path)).result()
    found |= {"limit_mb": LIMIT, "result": "met" if found["mb_most"] < LIMIT else "short"}
    print(json.dumps(found, indent=1))
    write(given.out, found)


if __name__ == "__main__":
    main()
