"""Poems of a run of poem_lstm: how many have form and rhyme, with the rules and without, and what a character costs.

Without the rules the model is handed the mark of the form alone and writes until its line ends. A poem has the form if
its four lines have the right length and end with the right signs; it rhymes if lines 2 and 4 end with two different
characters of one class of rhyme. The same is counted of the test split's own poems, and of those with the last line of
another poem, which is chance. The classes are learned from the training poems. Perplexity per character leaves the
marks and the signs between lines out, in nats and in number.

Run: NETSMITH_DATA=... python benchmarks/poems.py RUN [--count 500] [--out FILE]
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import torch
from _evidence import write

import netsmith
from netsmith.api.generate import generate
from netsmith.api.poems import write_poems
from netsmith.data.tang_quatrains import TangQuatrains
from netsmith.layers.quatrain import BREAKS, FORMS, is_verse


def lines_of(text: str, width: int) -> list[str] | None:
    """Return the lines of a poem of the form, None of any other text."""
    lines, at = [], 0
    for sign in BREAKS:
        line = text[at : at + width]
        if len(line) != width or not is_verse(line) or text[at + width : at + width + 1] != sign:
            return None
        lines.append(line)
        at += width + 1
    return lines if text[at:] == "" else None


def rhymes(lines: list[str] | tuple[str, ...], classes: dict[str, int]) -> bool:
    """Say whether lines 2 and 4 rhyme."""
    first, second = lines[1][-1], lines[3][-1]
    return first != second and 0 < classes.get(first, 0) == classes.get(second, -1)


def test_poems(source: TangQuatrains) -> list[list[str]]:
    """Return the poems of the test split."""
    names = source.spec.outputs.names
    text = [names[number] for number in source.stream("test").tolist()]
    poems: list[list[str]] = [[]]
    for sign in text:
        if sign == "\n":
            poems.append([])
        elif sign not in "57":
            poems[-1].append(sign)
    cut = []
    for signs in poems[:-1]:
        width = len(signs) // 4 - 1
        cut.append(
            ["".join("□" if s == "<unk>" else s for s in signs[i : i + width]) for i in range(0, len(signs), width + 1)]
        )
    return cut


def cost(network: Any, source: TangQuatrains) -> dict[str, float]:
    """Return the perplexity of the test split per sign and per character."""
    names = source.spec.outputs.names
    tokens = source.stream("test").long()
    inputs = torch.cat([torch.tensor([2]), tokens[:-1]])[None]
    state, nats = None, []
    with torch.no_grad():
        for piece in inputs.split(256, 1):
            logits, state = network.module(piece, state, carry=True)
            nats.append(logits[0].double().log_softmax(1))
    each = -torch.cat(nats).gather(1, tokens[:, None])[:, 0]
    verse = torch.tensor([names[number] == "<unk>" or is_verse(names[number]) for number in tokens.tolist()])
    return {
        "perplexity_per_sign": round(math.exp(each.mean()), 2),
        "perplexity_per_character": round(math.exp(each[verse].mean()), 2),
        "characters": int(verse.sum()),
    }


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("run", help="a finished run of poem_lstm")
    parser.add_argument("--count", type=int, default=500, help="poems of each form")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    asked = parser.parse_args()
    run = netsmith.load(asked.run)
    outputs = run.network.spec.outputs
    classes = dict(zip(outputs.names, outputs.rhymes, strict=True))
    found: dict[str, Any] = {}
    for form, width in FORMS.items():
        ruled = write_poems(run.network, form=form, count=asked.count)
        whole = 4 * (width + 1) + 1
        free = [text["text"] for text in generate(run.network, str(width), length=whole, count=asked.count)]
        # A text that has ended goes on with the next poem; one that has not is too long.
        cut = [lines_of(text.partition("\n")[0], width) if "\n" in text else None for text in free]
        formed = [lines for lines in cut if lines is not None]
        found[form] = {
            "rules: form": sum(lines_of(p["text"].replace("\n", ""), width) == p["lines"] for p in ruled) / asked.count,
            "rules: rhyme": sum(rhymes(poem["lines"], classes) for poem in ruled) / asked.count,
            "free: form": len(formed) / asked.count,
            "free: form and rhyme": sum(rhymes(lines, classes) for lines in formed) / asked.count,
        }
        print(form, json.dumps(found[form]), flush=True)
        for poem in ruled[:2]:
            print(poem["text"])
    source = run.found.config.data.build()
    poems = test_poems(source)
    turned = [[a, b, c, d] for (a, b, c, _), (_, _, _, d) in zip(poems, [*poems[1:], poems[0]], strict=True)]
    found["test poems"] = {
        "poems": len(poems),
        "rhyme": round(sum(rhymes(poem, classes) for poem in poems) / len(poems), 4),
        "rhyme by chance": round(sum(rhymes(poem, classes) for poem in turned) / len(poems), 4),
        **cost(run.network, source),
    }
    print(json.dumps(found["test poems"]))
    write(asked.out, found)


if __name__ == "__main__":
    main()
