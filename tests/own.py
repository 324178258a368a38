"""Small data of one's own, in the shapes people have them."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import numpy as np
from PIL import Image

COLORS = {"cat": (200, 40, 40), "dog": (40, 200, 40), "owl": (40, 40, 200)}
WORDS = {"summer": ["sun", "warm", "beach"], "winter": ["snow", "cold", "ice"], "autumn": ["rain", "wet", "grey"]}


def write_table(path: Path, header: list[str], rows: list[list[object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def picture(color: tuple[int, int, int], *, seed: int = 0) -> Image.Image:
    noise = np.random.default_rng(seed).normal(0, 30, (20, 24, 3))
    return Image.fromarray(np.clip(np.array(color) + noise, 0, 255).astype("uint8"))


def write_own_data(folder: Path) -> Path:
    """Write ``pictures/`` (3 classes), ``texts.csv``, ``table.csv`` (classes), ``values.csv`` (a value)."""
    draw = random.Random(0)
    for label, color in COLORS.items():
        (folder / "pictures" / label).mkdir(parents=True)
        for number in range(10):
            picture(color, seed=number).save(folder / "pictures" / label / f"{number}.png")
    texts = []
    for number in range(60):
        label = list(WORDS)[number % 3]
        texts.append([number, " ".join(draw.choice([*WORDS[label], "the", "of"]) for _ in range(8)), label])
    write_table(folder / "texts.csv", ["text", "label"], [row[1:] for row in texts])
    write_table(folder / "mixed.csv", ["stars", "review", "label"], texts)
    rows = [
        [f"{draw.gauss(2 * (n % 2), 1):.3f}", f"{draw.gauss(0, 1):.3f}", draw.choice(["red", "blue"]), "ab"[n % 2]]
        for n in range(60)
    ]
    write_table(folder / "table.csv", ["height", "weight", "color", "label"], rows)
    values = []
    for _ in range(60):
        a, b = draw.gauss(0, 1), draw.gauss(0, 1)
        values.append([f"{a:.3f}", f"{b:.3f}", f"{2 * a - b:.4f}"])
    write_table(folder / "values.csv", ["a", "b", "y"], values)
    return folder
