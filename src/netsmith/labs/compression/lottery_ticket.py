"""What a small part of a network learns that begins with the weights it had: the lottery ticket."""

from __future__ import annotations

from functools import partial

import torch
from pydantic import Field
from torch import Tensor, nn

from netsmith.compress.masked_training import KeepMasks, lottery_ticket
from netsmith.compress.masks import Masks, rewound, zipped_bytes
from netsmith.core.findings import Findings, Grid, Lines, Number, Series
from netsmith.core.keys import key
from netsmith.core.roles import LabConfig
from netsmith.data.digits import Digits
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.engine.source import Source
from netsmith.measure.latency import paired_latency
from netsmith.methods.supervised import Supervised
from netsmith.models.tabular.mlp import MLP
from netsmith.optim.adam import Adam
from netsmith.tasks.classify import Classify

__all__ = ["CARD", "LotteryTicket"]

CARD = {
    "title": "The lottery ticket: a few weights, if they begin as they did",
    "paper": "Frankle & Carbin 2019, arXiv:1803.03635",
    "shows": "test accuracy by the weights left: tickets, the same masks on new weights, the dense network",
    "quick": {"hidden": [16], "rounds": 2, "left": 0.25, "epochs": 1, "seeds": [0], "repeats": 0},
}

_TEST = 0.3
_PAIR = ("dense", "ticket")


class LotteryTicket:
    r"""Train, mask the weights of the least magnitude, rewind the others to where they began, and again.

    .. math:: f(x;\, m \odot \theta_0), \qquad \|m\|_0 = (1 - s)^{k/n} \text{ of all after round } k \text{ of } n

    A ticket wins if it reaches the dense network's accuracy in no more steps; the control is the same mask ``m`` over
    weights that are drawn anew, so that only what they began with differs. Scikit-learn's digits; all runs of a seed
    see the same batches and take as many steps, and no step or setting is chosen by any figure. Twenty seconds on one
    core.
    """

    class Config(LabConfig):
        """The network, and how far it is pruned.

        Attributes:
            hidden: Units of the hidden layers; the paper's LeNet for MNIST by default.
            rounds: Rounds of pruning.
            left: Share of the weights left after the last one.
            epochs: Passes over the training images, in each training.
            batch: Images per step.
            rate: Of Adam; the paper's.
            seeds: Of first weights and the order of the images.
            repeats: Rounds in which the time of both networks is taken; 0 for not at all.
        """

        hidden: tuple[int, ...] = Field(default=(300, 100), min_length=1)
        rounds: int = Field(default=6, ge=1, le=30)
        left: float = Field(default=0.01, gt=0, lt=1)
        epochs: int = Field(default=12, ge=1, le=1000)
        batch: int = Field(default=60, ge=1, le=1000)
        rate: float = Field(default=1.2e-3, gt=0)
        seeds: tuple[int, ...] = Field(default=(0, 1, 2), min_length=1)
        repeats: int = Field(default=20, ge=0, le=1000)

    def __init__(self, config: LotteryTicket.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return the accuracies by the share that is left, and what masks buy."""
        config = self.config
        source = Digits.Config(test=_TEST, batch=config.batch).build()
        size = next(split.size for split in source.spec.splits if split.name == "test")
        runs = [self._run(source, seed) for seed in config.seeds]
        shares = tuple(config.left ** (number / config.rounds) for number in range(config.rounds + 1))
        each = torch.tensor([outcomes for outcomes, _, _ in runs], dtype=torch.float64)  # (S, 2, rounds + 1)
        means, spreads = each.mean(0), each.std(0, correction=min(1, len(runs) - 1))
        numbers: dict[str, Number | tuple[Number, ...]] = {"shares": shares}
        for way, name in enumerate(("ticket", "redrawn")):
            numbers[f"{name}/accuracy"] = tuple(means[way].tolist())
            numbers[f"{name}/spread"] = tuple(spreads[way].tolist())
        _, dense, ticket = runs[0]
        costs = _costs(dense, ticket, source.load("test", torch.arange(size)).inputs, repeats=config.repeats)
        numbers |= {f"{name}/{what}": value for what, *both in costs for name, value in zip(_PAIR, both, strict=True)}
        table = Grid(
            "By the weights left",
            ("weights left (%)", "ticket (%)", "spread", "drawn anew (%)", "spread"),
            tuple(
                (100 * share, *(100 * float(part[way, at]) for way in (0, 1) for part in (means, spreads)))
                for at, share in enumerate(shares)
            ),
            f"Accuracy on {size} test images after {config.epochs} epochs, and its spread over seeds.",
        )
        bought = Grid(
            "What the masks buy",
            ("", "dense", "last ticket", "dense / ticket"),
            tuple((what, a, b, a / b) for what, a, b in costs),
            "Of the first seed, measured on the machine that made this page; times in turn.",
        )
        remarks = (*_told(shares, means, spreads), _worth(shares[-1], costs))
        return Findings(numbers, (_chart(shares, means),), (table, bought), remarks)

    def _run(self, source: Source, seed: int) -> tuple[list[list[float]], nn.Module, nn.Module]:
        """Return the outcomes of all tickets and of all networks drawn anew; the dense network, the last ticket."""
        config = self.config
        outcomes: list[list[float]] = [[], []]
        met: list[Masks] = []
        trained: list[nn.Module] = []

        def train(network: nn.Module, masks: Masks) -> None:
            outcomes[0].append(self._train(network, masks, source, seed))
            met.append(masks)
            trained.append(network)

        first = self._drawn(seed, "first")
        ticket, masks = lottery_ticket(first, train, sparsity=1 - config.left, rounds=config.rounds)
        train(ticket, masks)
        for number, masks in enumerate(met):
            fresh = self._drawn(seed, f"anew {number}")
            outcomes[1].append(self._train(rewound(fresh, masks, fresh.state_dict()), masks, source, seed))
        return outcomes, trained[0], ticket

    def _drawn(self, seed: int, name: str) -> nn.Module:
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(key(seed, "lottery_ticket", name))
            return MLP.Config(hidden=self.config.hidden, in_features=64, num_outputs=10).build()

    def _train(self, network: nn.Module, masks: Masks, source: Source, seed: int) -> float:
        """Train in place under masks; return the accuracy on test."""
        config = self.config
        experiment = Experiment.Config(
            method=Supervised.Config(model=MLP.Config(hidden=config.hidden), task=Classify.Config()),
            data=Digits.Config(test=_TEST, batch=config.batch),
            optimizers={"model": Adam.Config(lr=config.rate)},
            epochs=config.epochs,
            seed=seed,
        )
        engine = Engine(Experiment(experiment, source=source), hooks=[KeepMasks(masks)])
        engine.method.product().load_state_dict(network.state_dict())
        engine.fit()
        network.load_state_dict(engine.method.product().state_dict())
        return engine.evaluate("test")["test/accuracy"]


def _costs(dense: nn.Module, ticket: nn.Module, images: Tensor, *, repeats: int) -> list[tuple[str, float, float]]:
    """Return what both networks take: weights that are not zero, bytes as they are and zipped, time."""
    pair = (dense, ticket)
    weights = [sum(int(p.count_nonzero()) for p in one.parameters() if p.dim() > 1) for one in pair]
    held = [sum(t.numel() * t.element_size() for t in one.state_dict().values()) for one in pair]
    packed = [zipped_bytes(one.state_dict()) for one in pair]
    found: list[tuple[str, *tuple[float, ...]]] = [
        ("weights not zero", *weights),
        ("bytes", *held),
        ("bytes, zipped", *packed),
    ]
    if repeats:
        with torch.inference_mode():
            timing = paired_latency(
                {name: partial(one, images) for name, one in zip(_PAIR, pair, strict=True)}, rounds=repeats
            )
        found.append((f"ms for {len(images)} images", *(timing.latencies[name].median for name in _PAIR)))
    return found  # type: ignore[return-value]


def _told(shares: tuple[float, ...], means: Tensor, spreads: Tensor) -> tuple[str, str]:
    tickets, anew, dense = means[0, 1:], means[1, 1:], float(means[0, 0])
    reached = [at for at, one in enumerate(tickets.tolist()) if one >= dense]
    best = f"The dense network is right on {100 * dense:.2f} % of the test images; "
    if reached:
        last = reached[-1]
        best += f"the smallest ticket not below it keeps {100 * shares[last + 1]:.3g} % of the weights, with "
        best += f"{100 * float(tickets[last]):.2f} %."
    else:
        best += f"no ticket reaches that, the best has {100 * float(tickets.max()):.2f} %."
    gaps = 100 * (tickets - anew)
    at = int(gaps.abs().argmax())
    noise = 100 * float(spreads[:, at + 1].max())
    ahead = int((gaps > 0).sum())
    apart = (
        f"Tickets are above the same masks on weights drawn anew at {ahead} of {len(gaps)} shares; furthest apart at "
        f"{100 * shares[at + 1]:.3g} % left: {100 * float(tickets[at]):.2f} and {100 * float(anew[at]):.2f} %, "
        f"{abs(float(gaps[at])):.2f} points with a spread over seeds of up to {noise:.2f}."
    )
    return best, apart


def _worth(left: float, costs: list[tuple[str, float, float]]) -> str:
    (_, whole, few), (_, held, still), (_, zipped, small), *times = costs
    return (
        f"What the masks buy at {100 * left:.3g} % left ({few:,.0f} of {whole:,.0f} weights are not zero): the network "
        f"holds {still:,.0f} bytes where the dense one holds {held:,.0f}, zipped {small:,.0f} where that has "
        f"{zipped:,.0f}" + "".join(f", and takes {b / a:.2f} times the dense network's time" for _, a, b in times) + "."
    )


def _chart(shares: tuple[float, ...], means: Tensor) -> Lines:
    left = tuple(100 * share for share in reversed(shares))

    def line(name: str, values: Tensor) -> Series:
        return Series(name, left, tuple((100 * values).flip(0).tolist()))

    lines = (
        line("ticket: first weights", means[0]),
        line("same mask, drawn anew", means[1]),
        line("dense", means[0, :1].expand(len(shares))),
    )
    labels = "Accuracy by the weights left", "weights left (%)", "test accuracy (%)"
    return Lines("accuracy", *labels, lines, log_x=True, caption="Means over seeds; all train the same steps.")
