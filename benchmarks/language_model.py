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

from collections.abc import Iterator
from typing import Any

import torch
from _turns import main, take_turns
from torch import Tensor, nn

from netsmith.api.experiments import find
from netsmith.data._streams import StreamSource
from netsmith.engine.experiment import Experiment

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
    other = plain_steps(stream, weights, network.lstm.num_layers)
    tokens = [ROWS * WINDOW * steps] * rounds
    return take_turns(experiment, other, warm=WARM, tokens=tokens, steps=steps, apart=1e-5)


def _rows(source: StreamSource) -> list[Tensor]:
    return list(source.order("train", seed=0, epoch=0))


if __name__ == "__main__":
    main(__doc__, compare, rounds=9, steps=20)
