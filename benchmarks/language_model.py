"""Training tokens per second of the LSTM language model against a plain PyTorch loop, in turns in one process.

Both train the recipe's network (Zaremba et al. 2014, small) on the Penn Treebank, from the same weights: 20 rows, 20
tokens each, the state carried over, SGD, the gradient clipped at a norm of 5. The plain loop is the one anyone would
write on ``torch.nn`` modules, time first, without the engine's deterministic algorithms; it reads its loss at every
step, as ours does to stop where it is not finite. They take turns, a step each; a round is some of such pairs, and its
ratio is theirs over ours in time, so above 1 ours is faster; beside it stands that of the processor's time, which other
work on the machine disturbs less. First it is checked that both have the same losses.

Run: python benchmarks/language_model.py [--rounds 9] [--steps 20] [--out benchmarks/language_model.evidence.json]
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

from netsmith.api.experiments import find
from netsmith.data._streams import StreamSource
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.engine.hook import Hook
from netsmith.engine.run_folder import environment

LIMIT = 0.97
ROWS, WINDOW, CLIP = 20, 20, 5.0
WARM = 5


class Plain(nn.Module):
    """An embedding, torch's LSTM, a linear layer; time is the first axis."""

    def __init__(self, vocabulary: int, size: int, layers: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, size)
        self.lstm = nn.LSTM(size, size, layers)
        self.head = nn.Linear(size, vocabulary)

    def forward(self, tokens: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        states, state = self.lstm(self.embedding(tokens), state)
        return self.head(states), state


def plain_steps(stream: Tensor, weights: dict[str, Tensor], layers: int) -> Iterator[float]:
    """Train a step at a time; yield the loss per row."""
    vocabulary, size = weights["embedding.weight"].shape
    model = Plain(vocabulary, size, layers)
    model.load_state_dict(weights)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    criterion = nn.CrossEntropyLoss(reduction="sum")
    length = len(stream) // ROWS
    targets = stream[: ROWS * length].view(ROWS, length).t().contiguous()  # (L, B)
    inputs = torch.cat([torch.tensor([2]), stream])[: ROWS * length].view(ROWS, length).t().contiguous()
    state = (torch.zeros(layers, ROWS, size), torch.zeros(layers, ROWS, size))
    for at in range(0, length - WINDOW, WINDOW):
        state = (state[0].detach(), state[1].detach())
        optimizer.zero_grad()
        logits, state = model(inputs[at : at + WINDOW], state)
        loss = criterion(logits.view(-1, vocabulary), targets[at : at + WINDOW].reshape(-1)) / ROWS
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
    config = find("lstm_ptb").config
    assert (config.data.batch, config.data.bptt, config.clip_norm) == (ROWS, WINDOW, CLIP)  # type: ignore[attr-defined]
    config = config.derive(epochs=0, steps=count, evaluate_every=count, checkpoint_every=count)
    config = config.derive(**{"optimizers.model.schedule": "constant"})
    experiment = Experiment(config)
    source = experiment.source
    assert isinstance(source, StreamSource)
    network = experiment.method.product().network
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    stream = torch.cat([source.load("train", at).targets for at in _rows(source)], dim=1).flatten()
    hook = Turns(plain_steps(stream, weights, network.lstm.num_layers))
    source.splits = lambda: ["train"]  # type: ignore[method-assign]  # nothing is evaluated at the end
    Engine(experiment, hooks=[hook]).fit()
    apart = max(abs(a - b) / b for a, b in hook.losses[:WARM])  # at this rate, roundings grow from step to step
    assert apart < 1e-5, f"the losses differ by {apart:.1e}: this is not the same training"
    cut = [hook.times[WARM + number * steps :][:steps] for number in range(rounds)]
    ours, theirs = ([[sum(pair[who][clock] for pair in pairs) for pairs in cut] for clock in (0, 1)] for who in (0, 1))
    ratios, busy = ([b / a for a, b in zip(ours[clock], theirs[clock], strict=True)] for clock in (0, 1))
    tokens = ROWS * WINDOW * steps
    return {
        "median_ratio": statistics.median(ratios),
        "ratios": ratios,
        "median_ratio_processor_time": statistics.median(busy),
        "ratios_processor_time": busy,
        "tokens_per_second": statistics.median(tokens / one for one in ours[0]),
        "tokens_per_second_plain": statistics.median(tokens / one for one in theirs[0]),
        "steps_per_round": steps,
        "largest_difference_of_losses": apart,
        "limit": LIMIT,
    }


def _rows(source: StreamSource) -> list[Tensor]:
    return list(source.order("train", seed=0, epoch=0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    found = {"training": compare(rounds=arguments.rounds, steps=arguments.steps), "threads": arguments.threads}
    facts = environment()
    found |= {"date": datetime.now(UTC).date().isoformat(), "versions": facts["versions"]}
    found |= {"processor": facts["processor"], "command": "python benchmarks/language_model.py"}
    text = json.dumps(found, indent=2)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n", encoding="utf-8")
    if found["training"]["median_ratio"] < LIMIT:
        raise SystemExit(f"below {LIMIT}")


if __name__ == "__main__":
    main()
