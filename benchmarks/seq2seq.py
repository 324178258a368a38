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

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from netsmith.api.experiments import find
from netsmith.engine.batch import Batch
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.engine.hook import Hook
from netsmith.engine.run_folder import environment
from netsmith.engine.source import Source
from netsmith.models.translation.bahdanau import Bahdanau

LIMIT = 0.97
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


class Turns(Hook):
    """After each step of the engine's, take one of the plain loop's; keep times and losses of both."""

    def __init__(self, other: Iterator[float]) -> None:
        self.other = other
        self.times: list[tuple[tuple[float, float], tuple[float, float]]] = []
        self.losses: list[tuple[float, float]] = []

    def start(self, engine: Engine) -> None:  # noqa: ARG002
        self.begin = _clocks()

    def after_step(self, engine: Engine, logs: Any) -> None:  # noqa: ARG002
        ours = _since(self.begin)
        torch.use_deterministic_algorithms(False)
        begin = _clocks()
        theirs = next(self.other)
        self.times.append((ours, _since(begin)))
        torch.use_deterministic_algorithms(True)
        self.losses.append((logs["loss"], theirs))
        self.begin = _clocks()


def _clocks() -> tuple[float, float]:
    """Return the time on the wall and that of the processor, in seconds."""
    return time.perf_counter(), time.process_time()


def _since(begin: tuple[float, float]) -> tuple[float, float]:
    wall, processor = _clocks()
    return wall - begin[0], processor - begin[1]


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
    hook = Turns(plain_steps(model, iter(batches)))
    source.splits = lambda: ["train"]  # type: ignore[method-assign]  # nothing is evaluated at the end
    Engine(experiment, hooks=[hook]).fit()
    apart = max(abs(a - b) / b for a, b in hook.losses[:WARM])  # at this rate, roundings grow from step to step
    assert apart < 1e-4, f"the losses differ by {apart:.1e}: this is not the same training"
    cut = [hook.times[WARM + number * steps :][:steps] for number in range(rounds)]
    ours_, theirs = ([[sum(pair[who][clock] for pair in pairs) for pairs in cut] for clock in (0, 1)] for who in (0, 1))
    ratios, busy = ([b / a for a, b in zip(ours_[clock], theirs[clock], strict=True)] for clock in (0, 1))
    tokens = [
        sum(int((batch.targets >= 0).sum()) for batch in batches[WARM + number * steps :][:steps])
        for number in range(rounds)
    ]
    return {
        "median_ratio": statistics.median(ratios),
        "ratios": ratios,
        "median_ratio_processor_time": statistics.median(busy),
        "ratios_processor_time": busy,
        "tokens_per_second": statistics.median(n / t for n, t in zip(tokens, ours_[0], strict=True)),
        "tokens_per_second_plain": statistics.median(n / t for n, t in zip(tokens, theirs[0], strict=True)),
        "steps_per_round": steps,
        "largest_difference_of_losses": apart,
        "limit": LIMIT,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    found = {"training": compare(rounds=arguments.rounds, steps=arguments.steps), "threads": arguments.threads}
    facts = environment()
    found |= {"date": datetime.now(UTC).date().isoformat(), "versions": facts["versions"]}
    found |= {"processor": facts["processor"], "command": "python benchmarks/seq2seq.py"}
    text = json.dumps(found, indent=2)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n", encoding="utf-8")
    if found["training"]["median_ratio"] < LIMIT:
        raise SystemExit(f"below {LIMIT}")


if __name__ == "__main__":
    main()
