"""The full matrix of resumes: cut at an epoch boundary and at three random places, with and without loader workers,
each continued in a really new process.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from netsmith.core.keys import key
from netsmith.engine import checkpoint
from netsmith.engine.source import LiveSource
from netsmith.verify.subject import Cut, Subject, weights_sha256

__all__ = ["resume_matrix"]

_CONTINUE = """
import json, sys
from pathlib import Path
from netsmith.verify.matrix import finish
print(json.dumps(finish(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))))
"""


def finish(name: str, steps: int, folder: Path, workers: int, threads: int) -> list[str]:
    """Continue a cut run in this process and return the hash of what it learned, and the notices."""
    import torch

    torch.set_num_threads(threads)
    engine = Subject.of(name, steps=steps).engine(path=folder, workers=workers)
    snapshot, notices = checkpoint.load_latest(folder)
    engine.restore(snapshot)
    engine.fit()
    return [weights_sha256(engine), *notices, *engine.notices]


def resume_matrix(name: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Yield each case of the matrix and ``passed`` or what differs."""
    import torch

    subject = Subject.of(name)
    source = subject.config.data.build()
    live = isinstance(source, LiveSource)
    epoch = 4 if live else min(8, len(source.order("train", seed=0, epoch=0)))
    steps = 2 * epoch + 2
    subject = Subject.of(name, steps=steps)
    whole = subject.engine()
    whole.fit()
    wanted = weights_sha256(whole)
    draw = random.Random(key(1, name))
    cuts = {"at the epoch boundary": epoch}
    inside = [step for step in range(2, steps) if step != epoch]
    cuts |= {f"at step {cut}": cut for cut in sorted(draw.sample(inside, min(3, len(inside))))}
    for label, cut in cuts.items():
        for before in (0,) if live else (0, 2):
            for after in (0,) if live else (0, 2):
                place = folder / f"{cut}-{before}-{after}"
                engine = subject.engine(path=place, hooks=(Cut(cut),), checkpoint_every=max(1, cut - 1), workers=before)
                Cut.run(engine)
                text = [sys.executable, "-c", _CONTINUE, name, str(steps), str(place), str(after)]
                done = subprocess.run(
                    [*text, str(torch.get_num_threads())], capture_output=True, text=True, timeout=300, check=False
                )
                case = f"{label}, workers {before} then {after}, new process"
                if done.returncode:
                    yield (
                        case,
                        f"FAILED: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else 'no output'}",
                    )
                    continue
                found = json.loads(done.stdout.strip().splitlines()[-1])
                yield case, "passed" if found[0] == wanted else f"FAILED: the weights differ; notices: {found[1:]}"
