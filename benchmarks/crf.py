"""What the chain of a CRF costs beside pytorch-crf: the loss with its gradients, and the best sequences.

Both get the same emissions (B, L, K), tags and mask, single precision, sentences of different lengths up to L, and the
same weights. Ours packs the chain, sums and differentiates them; theirs is ``CRF.forward`` with
``reduction='sum'`` and its gradients, and ``CRF.decode``. Each round times some calls of both right after each other,
in an order that alternates; the ratio is their time over ours. Gradients and sequences are compared first.

Run: python benchmarks/crf.py [--rounds 9] [--threads 1] [--out benchmarks/crf.evidence.json]
Needs pytorch-crf.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from _evidence import write
from torchcrf import CRF

from netsmith.layers.chain import best_paths, surprisal
from netsmith.layers.linear_chain import pack

SIZES = {"resume_ner": (16, 178, 28), "segmenter": (32, 128, 4), "slots": (32, 46, 127)}
"""Sentences, places, tags."""
WANTED = 2.0


def seconds(call: Callable[[], Any], *, count: int) -> float:
    """Return the time of some calls."""
    begin = time.perf_counter()
    for _ in range(count):
        call()
    return time.perf_counter() - begin


def compared(ours: Callable[[], Any], theirs: Callable[[], Any], *, rounds: int, count: int) -> dict[str, Any]:
    """Return the median, least and largest ratio of their time to ours, and the median milliseconds of ours."""
    for call in (ours, theirs):
        call()
    ratios, spent = [], []
    for number in range(rounds):
        found: dict[Callable[[], Any], float] = {}
        for call in (ours, theirs) if number % 2 else (theirs, ours):
            found[call] = seconds(call, count=count)
        ratios.append(found[theirs] / found[ours])
        spent.append(1000 * found[ours] / count)
    return {
        "median": statistics.median(ratios),
        "least": min(ratios),
        "largest": max(ratios),
        "ms": statistics.median(spent),
    }


def sizes(count: int, places: int, tags: int, *, rounds: int, calls: int) -> dict[str, Any]:
    """Compare both at one size."""
    generator = torch.Generator().manual_seed(0)
    emissions = torch.randn(count, places, tags, generator=generator).requires_grad_()
    lengths = torch.randint(places // 8, places + 1, (count,), generator=generator)
    lengths[0] = places
    inside = torch.arange(places) < lengths[:, None]
    chosen = torch.randint(tags, (count, places), generator=generator)
    chain = torch.where(inside, chosen, chosen.gather(1, lengths[:, None] - 1))
    torch.manual_seed(0)
    crf = CRF(tags, batch_first=True)
    weights = (emissions, crf.transitions, crf.start_transitions, crf.end_transitions)

    def chain_of() -> torch.Tensor:
        return pack(emissions, crf.transitions, inside, start=crf.start_transitions, end=crf.end_transitions)

    def our_loss() -> tuple[torch.Tensor, ...]:
        return torch.autograd.grad(surprisal(chain_of(), chain).sum(), weights)

    def their_loss() -> tuple[torch.Tensor, ...]:
        return torch.autograd.grad(-crf(emissions, chosen, mask=inside, reduction="sum"), weights)

    def our_best() -> list[list[int]]:
        with torch.no_grad():
            tags_of = best_paths(chain_of()).tags.tolist()
        return [row[:length] for row, length in zip(tags_of, lengths.tolist(), strict=True)]

    def their_best() -> list[list[int]]:
        with torch.no_grad():
            return crf.decode(emissions, inside)

    error = max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(our_loss(), their_loss(), strict=True))
    assert error < 1e-4, f"the gradients differ by {error:.1e}"
    assert our_best() == their_best(), "the sequences differ"
    return {
        "sentences": count,
        "places": places,
        "tags": tags,
        "loss_and_gradients": compared(our_loss, their_loss, rounds=rounds, count=calls),
        "decoding": compared(our_best, their_best, rounds=rounds, count=calls),
    }


def main() -> None:
    """Measure, print, and write the evidence."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    found = {name: sizes(*size, rounds=given.rounds, calls=given.calls) for name, size in SIZES.items()}
    main_size = found["resume_ner"]
    good = min(main_size[what]["median"] for what in ("loss_and_gradients", "decoding")) >= WANTED
    evidence = {
        "wanted": WANTED,
        "sizes": found,
        "result": "met" if good else "short",
    }
    print(json.dumps(evidence, indent=1))
    write(given.out, evidence)


if __name__ == "__main__":
    main()
