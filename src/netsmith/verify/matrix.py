"""The full matrix of resumes: cut at an epoch boundary and at three random places, with and without loader workers,
each continued in a really new process.
"""

from __future__ import annotations

import itertools
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

__all__ = ["finish_all", "resume_matrix"]

_CONTINUE = "import sys; from netsmith.verify.matrix import finish_all; finish_all(sys.argv[1])"


def finish_all(work: str) -> None:
    """Continue every cut run that the file ``work`` lists, in this new process, and write what they learned."""
    import torch

    path = Path(work)
    asked = json.loads(path.read_text(encoding="utf-8"))
    torch.set_num_threads(asked["threads"])
    found = {}
    for case, (folder, workers) in asked["cases"].items():
        engine = Subject.of(asked["name"], steps=asked["steps"]).engine(path=Path(folder), workers=workers)
        snapshot, notices = checkpoint.load_latest(Path(folder))
        engine.restore(snapshot)
        engine.fit()
        found[case] = [weights_sha256(engine), *notices, *engine.notices]
    path.with_suffix(".found").write_text(json.dumps(found), encoding="utf-8")


def resume_matrix(name: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Yield each case of the matrix and ``passed`` or what differs."""
    import torch

    source = Subject.of(name).config.data.build()
    live = isinstance(source, LiveSource)
    epoch = 4 if live else min(8, len(source.order("train", seed=0, epoch=0)))
    steps = 2 * epoch + 2
    subject = Subject.of(name, steps=steps)
    whole = subject.engine()
    whole.fit()
    wanted = weights_sha256(whole)
    inside = [step for step in range(2, steps) if step != epoch]
    drawn = random.Random(key(1, name)).sample(inside, min(3, len(inside)))
    cuts = {"at the epoch boundary": epoch} | {f"at step {cut}": cut for cut in sorted(drawn)}
    choices = (0,) if live else (0, 2)
    cases: dict[str, tuple[str, int]] = {}
    for label, cut in cuts.items():
        for before, after in itertools.product(choices, choices):
            place = folder / f"{cut}-{before}-{after}"
            # Saved where it is cut, so that the boundary is the boundary.
            Cut.run(
                subject.engine(path=place, hooks=(Cut(cut, after_save=True),), checkpoint_every=cut, workers=before)
            )
            cases[f"{label}, workers {before} then {after}"] = (str(place), after)
    work = folder / "work.json"
    asked = {"name": name, "steps": steps, "threads": torch.get_num_threads(), "cases": cases}
    work.write_text(json.dumps(asked), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", _CONTINUE, str(work)], capture_output=True, text=True, timeout=600, check=False
    )
    if done.returncode:
        yield "in a new process", f"FAILED: {done.stderr.strip()[-500:]}"
        return
    for case, found in json.loads(work.with_suffix(".found").read_text(encoding="utf-8")).items():
        yield case, "passed" if found[0] == wanted else f"FAILED: the weights differ; notices: {found[1:]}"
