"""Training tokens per second of attention on Multi30k against a plain PyTorch loop, in turns in one process.

Both train the recipe's network (Bahdanau et al. 2015, 256 units) on the same batches of Multi30k, from the same
weights: 64 pairs of about the same length, label smoothing, Adam, the gradient clipped at a norm of 1; both without
dropout, so that their losses can be compared. The plain loop is the one anyone would write on ``torch.nn`` modules:
``nn.GRU`` over a packed source, ``nn.GRUCell`` step by step, attention in four lines, logits of all places; it runs
without the engine's deterministic algorithms and reads its loss at every step, as ours does. They take turns, a step
each; a round is some of such pairs, and its ratio is theirs over ours in time, so above 1 ours is faster; beside it
stands that of the processor's time, which other work on the machine disturbs less. First it is checked that both have
the same losses.

Run: python benchmarks/seq2seq.py [--rounds 7] [--steps 6] [--out benchmarks/seq2seq.evidence.json]
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from _turns import main, take_turns
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from netsmith.api.experiments import find
from netsmith.engine.batch import Batch
from netsmith.engine.experiment import Experiment
from netsmith.engine.source import Source
from netsmith.models.translation.bahdanau import Bahdanau

CLIP, SMOOTHING, RATE = 1.0, 0.1, 2e-3
WARM = 4


class Plain(nn.Module):
    """A packed bidirectional GRU, and a GRU cell with additive attention."""

    def __init__(self, words: int, names: int, size: int, hidden: int, readout: int) -> None:
        super().__init__()
        self.source_embedding = nn.Embedding(words, size)
        self.encoder = nn.GRU(size, hidden, batch_first=True, bidirectional=True)
        self.start = nn.Linear(hidden, hidden)
        self.query = nn.Linear(hidden, hidden, bias=False)
        self.key = nn.Linear(2 * hidden, hidden, bias=False)
        self.out = nn.Linear(hidden, 1, bias=False)
        self.embedding = nn.Embedding(names, size)
        self.decoder = nn.GRUCell(size + 2 * hidden, hidden)
        self.readout = nn.Linear(3 * hidden + size, 2 * readout)
        self.head = nn.Linear(readout, names)

    def forward(self, source: Tensor, written: Tensor) -> Tensor:
        lengths = (source != 0).sum(1)
        packed = pack_padded_sequence(self.source_embedding(source), lengths, batch_first=True, enforce_sorted=False)
        memory, _ = pad_packed_sequence(self.encoder(packed)[0], batch_first=True)
        hidden = torch.tanh(self.start(memory[:, 0, memory.shape[2] // 2 :]))
        keys = self.key(memory)
        words = self.embedding(written)
        seen = []
        for word in words.unbind(1):
            scores = self.out(torch.tanh(self.query(hidden)[:, None] + keys)).squeeze(2)
            weights = scores.masked_fill(source == 0, -torch.inf).softmax(1)
            context = torch.bmm(weights[:, None], memory)[:, 0]
            hidden = self.decoder(torch.cat([word, context], 1), hidden)
            seen.append(torch.cat([hidden, word, context], 1))
        pieces = self.readout(torch.stack(seen, 1))
        return self.head(torch.maximum(*pieces.chunk(2, 2)))

    @torch.no_grad()
    def take(self, ours: Bahdanau) -> None:
        """Take the weights of ours."""
        for name in ("source_embedding", "start", "embedding", "readout", "head"):
            getattr(self, name).load_state_dict(getattr(ours, name).state_dict())
        assert ours.scores is not None
        for name in ("query", "key", "out"):
            getattr(self, name).load_state_dict(getattr(ours.scores, name).state_dict())
        for layer, ending in zip(ours.encoder.passes, ("", "_reverse"), strict=True):
            for name, value in layer.named_parameters():
                getattr(self.encoder, name + ending).copy_(value)
        assert ours.decoder.candidate_bias is not None
        self.decoder.weight_ih.copy_(ours.decoder.inputs.weight)
        self.decoder.bias_ih.copy_(ours.decoder.inputs.bias)
        self.decoder.weight_hh.copy_(ours.decoder.recurrent.weight)
        self.decoder.bias_hh.zero_()
        self.decoder.bias_hh[-len(ours.decoder.candidate_bias) :] = ours.decoder.candidate_bias


def plain_steps(model: Plain, batches: Iterator[Batch]) -> Iterator[float]:
    """Train a step at a time; yield the loss per token."""
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    criterion = nn.CrossEntropyLoss(label_smoothing=SMOOTHING)
    for batch in batches:
        optimizer.zero_grad()
        logits = model(batch.inputs["source"], batch.inputs["written"])
        loss = criterion(logits.flatten(0, 1), batch.targets.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        yield loss.item()


def compare(*, rounds: int, steps: int) -> dict[str, Any]:
    """Return the ratio of each round, their median, and both rates."""
    count = WARM + rounds * steps
    config = find("bahdanau_multi30k").config
    config = config.derive(epochs=0, steps=count, evaluate_every=count, checkpoint_every=count, select="")
    config = config.derive(**{"optimizers.model.schedule": "constant", "method.model.dropout": 0.0})
    rate = config.optimizers["model"].rate
    assert (config.clip_norm, config.method.task.label_smoothing, rate) == (CLIP, SMOOTHING, RATE)  # type: ignore[attr-defined]
    experiment = Experiment(config)
    source = experiment.source
    assert isinstance(source, Source)
    ours = experiment.method.product().writer
    assert isinstance(ours, Bahdanau)
    model = Plain(
        ours.source_embedding.num_embeddings,
        ours.embedding.num_embeddings,
        ours.embedding.embedding_dim,
        ours.decoder.hidden_size,
        ours.head.in_features,
    )
    model.take(ours)
    order = source.order("train", seed=config.seed, epoch=0)[:count]
    batches = [source.load("train", at) for at in order]
    tokens = [
        sum(int((batch.targets >= 0).sum()) for batch in batches[WARM + number * steps :][:steps])
        for number in range(rounds)
    ]
    return take_turns(experiment, plain_steps(model, iter(batches)), warm=WARM, tokens=tokens, steps=steps, apart=1e-4)


if __name__ == "__main__":
    main(__doc__, compare, rounds=7, steps=6)
