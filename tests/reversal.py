"""A small world of written texts: sources of letters, to be written backwards; and a writer of two dozen lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from netsmith.core.roles import ModelConfig, SourceConfig
from netsmith.core.spec import Inputs, Outputs, Spec, Split
from netsmith.engine.batch import Batch
from netsmith.engine.random import example_keys
from netsmith.engine.source import Source, cut_batches
from netsmith.layers.writing import Writer

LETTERS = 9
NAMES = ("<pad>", "<unk>", "<eos>", *"abcdef")


class Reversal(Source):
    """120 texts of one to six letters for training, 20 for dev; the answer is the text backwards."""

    class Config(SourceConfig):
        batch: int = 24
        evaluation_batch: int = 7
        longest: int = 6

    def __init__(self, config: Config) -> None:
        self.config = config
        generator = torch.Generator().manual_seed(1)
        self.letters = torch.randint(3, LETTERS, (140, config.longest), generator=generator)
        self.lengths = torch.randint(1, config.longest + 1, (140,), generator=generator)
        self.spec = Spec(
            dataset="reversal",
            inputs=Inputs(kind="text", shape=(-1,), dtype="int64", vocabulary=NAMES, max_length=config.longest),
            outputs=Outputs(kind="tokens", names=NAMES),
            splits=(Split(name="train", size=120), Split(name="dev", size=20)),
        )

    def order(self, split: str, *, seed: int, epoch: int) -> Sequence[Tensor]:
        if split == "train":
            return cut_batches(120, self.config.batch, seed=seed, epoch=epoch, drop_last=True)
        return cut_batches(20, self.config.evaluation_batch, seed=None, epoch=0, drop_last=False)

    def load(self, split: str, indices: Tensor, *, key: int | None = None) -> Batch:
        at = indices + (120 if split == "dev" else 0)
        lengths = self.lengths[at]
        longest = int(lengths.max())
        source = torch.zeros(len(at), longest, dtype=torch.int64)
        written = torch.zeros(len(at), longest + 1, dtype=torch.int64)
        targets = torch.full_like(written, -100)
        for row, (place, length) in enumerate(zip(at.tolist(), lengths.tolist(), strict=True)):
            text = self.letters[place, :length]
            source[row, :length] = text
            written[row, 0] = 2
            written[row, 1 : length + 1] = text.flip(0)
            targets[row, : length + 1] = torch.cat([text.flip(0), torch.tensor([2])])
        keys = None if key is None else example_keys(key, indices)
        return Batch({"source": source, "written": written}, targets, keys=keys, indices=indices)


class Memory(NamedTuple):
    hidden: Tensor
    vectors: Tensor
    inside: Tensor
    weights: Tensor


class SmallWriter(Writer):
    """A GRU that looks at the vectors of the source's letters, with their places added."""

    class Config(ModelConfig):
        size: int = 12
        attends: bool = True

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(LETTERS, config.size)
        self.places = nn.Embedding(16, config.size)
        self.cell = nn.GRUCell(2 * config.size, config.size)
        self.head = nn.Linear(config.size, LETTERS)

    def begin(self, source: Tensor) -> Memory:
        inside = source != 0
        vectors = (self.embedding(source) + self.places(torch.arange(source.shape[1]))) * inside[..., None]
        return Memory(vectors.sum(1), vectors, inside, torch.zeros_like(vectors[..., 0]))

    def step(self, tokens: Tensor, state: Memory) -> tuple[Tensor, Memory]:
        scores = (state.vectors @ state.hidden[..., None])[..., 0].masked_fill(~state.inside, -torch.inf)
        weights = scores.softmax(1)
        context = (weights[:, None] @ state.vectors)[:, 0]
        hidden = self.cell(torch.cat([self.embedding(tokens), context], 1), state.hidden)
        return self.head(hidden), state._replace(hidden=hidden, weights=weights)

    def attention(self, state: Memory) -> Tensor | None:
        return state.weights if self.config.attends else None

    def attends(self) -> bool:
        return self.config.attends
