"""How far small changes of an input fool a network, and what training against them changes."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from netsmith.core.errors import ConfigError
from netsmith.core.findings import Figure, Findings, Grid, Lines, Number, Picture, Pictures, Series
from netsmith.core.roles import LabConfig, ModelConfig, SourceConfig
from netsmith.data.digits import Digits
from netsmith.engine.experiment import Experiment
from netsmith.engine.random import keyed_uniform
from netsmith.engine.source import Source
from netsmith.labs._training import train
from netsmith.labs.regularization._linear_leads import Leads, falling_leads
from netsmith.layers.attacks import Attack, fgsm
from netsmith.layers.raw_unit import RawUnit
from netsmith.methods.adversarial_training import AdversarialTraining
from netsmith.models.tabular.mlp import MLP
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.optim.adam import Adam
from netsmith.optim.schedules.cosine import Cosine
from netsmith.tasks.classify import Classify

__all__ = ["CARD", "AdversarialExamples"]

CARD = {
    "title": "Adversarial examples, and training against them",
    "paper": "Goodfellow et al. 2015, arXiv:1412.6572; Madry et al. 2018, arXiv:1706.06083",
    "shows": "accuracy against the size of a change: random, by FGSM and by PGD, trained plainly and adversarially",
    "quick": {"steps": 5, "epsilons": [0.1], "judge_steps": 2, "examples": 60},
}

_NETWORKS = {"plain": "trained plainly", "robust": "trained adversarially"}
_CHANGES = {"random": "random signs", "fgsm": "FGSM", "pgd": "PGD"}
_SHOWN = 10


class _Examples(NamedTuple):
    """What is attacked, in pixels of 0..1."""

    pixels: Tensor
    labels: Tensor
    keys: Tensor


class _Network(NamedTuple):
    """A trained network that takes pixels."""

    module: nn.Module
    unit: RawUnit

    def __call__(self, pixels: Tensor) -> Tensor:
        return self.module(self.unit.seen(pixels))

    def answers(self, pixels: Tensor) -> Tensor:
        with torch.no_grad():
            return self(pixels).argmax(1)


class AdversarialExamples:
    r"""Change the images of a split by at most epsilon in each pixel: at random, by one step, by many.

    Why so little does so much is checked where it can be computed (Goodfellow et al., section 3): of a linear network
    the lead of the right class over another, :math:`(w_y - w_k) x + b_y - b_k`, falls by exactly
    :math:`\epsilon \lVert w_y - w_k \rVert_1`, while random signs of the same size move it by
    :math:`\epsilon \lVert w_y - w_k \rVert_2` (standard deviation). The images' range is left out of account there.

    With its defaults it takes about 20 seconds on one core.
    """

    class Config(LabConfig):
        """The network, the data and the attacks.

        Attributes:
            data: Images in classes, with a test split.
            model: The network that is trained twice.
            steps: Steps of each training.
            lr: Adam's rate at the start; it falls along a cosine.
            epsilon: Of the adversarial training, in pixels of 0..1.
            attack_steps: Steps of its PGD, each 2.5 epsilon divided by their number long; with a random start.
            epsilons: The sizes of the changes that are judged, ascending.
            judge_steps: Steps of the PGD that judges, of the same proportion.
            examples: So many of the test split, from its first on, are attacked.
            seed: Of the weights, the batches and the noise.
        """

        data: SourceConfig = Digits.Config(batch=64, test=0.3)
        model: ModelConfig = SmallCNN.Config(channels=(16, 32))
        steps: int = Field(default=500, ge=1)
        lr: float = Field(default=0.003, gt=0)
        epsilon: float = Field(default=0.15, gt=0)
        attack_steps: int = Field(default=5, ge=1)
        epsilons: tuple[float, ...] = Field(default=(0.025, 0.05, 0.1, 0.15, 0.2, 0.3), min_length=1)
        judge_steps: int = Field(default=20, ge=1)
        examples: int = Field(default=1000, ge=1)
        seed: int = Field(default=0, ge=0)

        @model_validator(mode="after")
        def _check(self) -> AdversarialExamples.Config:
            if min(self.epsilons) <= 0 or list(self.epsilons) != sorted(set(self.epsilons)):
                raise ValueError(f"epsilons must be above 0 and ascending, got {self.epsilons}")
            return self

    def __init__(self, config: AdversarialExamples.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return accuracies, pictures, and by how much a linear network's lead falls."""
        config = self.config
        source: Source = config.data.build()
        unit = RawUnit.of(source.spec.inputs)
        split = source.spec.split("test")
        if source.spec.inputs.kind != "image" or split is None:
            raise ConfigError(f"data={config.data!r}: expected images with a test split; take digits or mnist")
        batch = source.load("test", torch.arange(min(config.examples, split.size)))
        assert batch.keys is not None
        examples = _Examples(unit.raw(batch.inputs), batch.targets, batch.keys)
        networks = {
            "plain": _Network(self._trained(source, config.model, epsilon=0.0), unit),
            "robust": _Network(self._trained(source, config.model, epsilon=config.epsilon), unit),
        }
        clean = {which: _share(one.answers(examples.pixels) == examples.labels) for which, one in networks.items()}
        figures = {
            f"{which}/{kind}": tuple(self._accuracy(one, kind, examples, epsilon) for epsilon in config.epsilons)
            for which, one in networks.items()
            for kind in _CHANGES
        }
        numbers: dict[str, Number | tuple[Number, ...]] = {
            "examples": len(examples.labels),
            "epsilons": config.epsilons,
            **{f"{which}/unchanged": value for which, value in clean.items()},
            **figures,
        }
        leads = self._leads(source, examples)
        numbers |= {f"linear/{name}": value for name, value in dataclasses.asdict(leads).items()}
        remarks = (*self._linear_remarks(leads), *self._remarks(clean, figures))
        charts: tuple[Figure, ...] = (self._chart(clean, figures), *self._pictures(networks, examples, source))
        return Findings(numbers, charts, (self._table(clean, figures),), remarks)

    def _trained(self, source: Source, model: ModelConfig, *, epsilon: float) -> nn.Module:
        """Return a network in evaluation mode, trained against PGD of a size; 0 for plainly."""
        config = self.config
        attack = self._attack(epsilon, config.attack_steps)
        method = AdversarialTraining.Config(model=model, task=Classify.Config(), attack=attack, judged_by=attack)
        experiment = Experiment.Config(
            method=method,
            data=config.data,
            optimizers={"model": Adam.Config(lr=config.lr, schedule=Cosine.Config())},
            steps=config.steps,
            evaluate_every=config.steps,
            seed=config.seed,
            device="cpu",
        )
        return train(experiment, source=source).engine.method.product().eval()

    def _attack(self, epsilon: float, steps: int) -> Attack.Config:
        return Attack.Config(epsilon=epsilon, step=2.5 * (epsilon or 1.0) / steps, steps=steps)

    def _changed(self, network: _Network, kind: str, examples: _Examples, epsilon: float) -> Tensor:
        """Return the pixels after a change of one of the kinds."""
        pixels, labels, keys = examples

        def loss(at: Tensor) -> Tensor:
            return F.cross_entropy(network(at), labels, reduction="none")

        if kind == "fgsm":
            return fgsm(loss, pixels, epsilon=epsilon, low=network.unit.low, high=network.unit.high)
        if kind == "pgd":
            attack = self._attack(epsilon, self.config.judge_steps).build()
            return attack(loss, pixels, keys=keys, low=network.unit.low, high=network.unit.high)
        signs = (keyed_uniform(keys, *pixels.shape[1:], stream="random signs") - 0.5).sign()
        return (pixels + epsilon * signs.to(pixels.dtype)).clamp(network.unit.low, network.unit.high)

    def _accuracy(self, network: _Network, kind: str, examples: _Examples, epsilon: float) -> float:
        return _share(network.answers(self._changed(network, kind, examples, epsilon)) == examples.labels)

    def _leads(self, source: Source, examples: _Examples) -> Leads:
        """Return how a linear network's lead over each other class falls, measured and by the formula."""
        linear = self._trained(source, MLP.Config(hidden=()), epsilon=0.0).double()
        network = _Network(linear, RawUnit.of(source.spec.inputs))
        return falling_leads(network, examples.pixels.double(), examples.labels, epsilon=self.config.epsilon)

    def _chart(self, clean: dict[str, float], figures: dict[str, tuple[float, ...]]) -> Lines:
        config = self.config
        xs = (0.0, *config.epsilons)
        shown = ("plain/random", "plain/fgsm", "plain/pgd", "robust/fgsm", "robust/pgd")
        series = tuple(
            Series(f"{_NETWORKS[which]}, {_CHANGES[kind]}", xs, (clean[which], *figures[f"{which}/{kind}"]))
            for which, kind in (name.split("/") for name in shown)
        )
        return Lines(
            "accuracy",
            "Accuracy against the size of the change",
            "epsilon: the most a pixel of 0..1 changes",
            "accuracy on the test split",
            series,
            caption=f"Trained adversarially: by {config.attack_steps} steps of PGD of epsilon {config.epsilon:g}. PGD "
            f"judges with {config.judge_steps} steps. Every network is attacked with its own gradients.",
        )

    def _table(self, clean: dict[str, float], figures: dict[str, tuple[float, ...]]) -> Grid:
        columns = ("epsilon", *(f"{which}, {_CHANGES[kind]}" for which in _NETWORKS for kind in _CHANGES))
        rows: list[tuple[Number, ...]] = [(0.0, *(clean[which] for which in _NETWORKS for _ in _CHANGES))]
        rows += [
            (epsilon, *(figures[f"{which}/{kind}"][at] for which in _NETWORKS for kind in _CHANGES))
            for at, epsilon in enumerate(self.config.epsilons)
        ]
        caption = "Epsilon 0: the images as they are. " + ", ".join(f"{a}: {b}" for a, b in _NETWORKS.items()) + "."
        return Grid("Accuracy on the test split", columns, tuple(rows), caption)

    def _pictures(self, networks: dict[str, _Network], examples: _Examples, source: Source) -> tuple[Pictures, ...]:
        """Return the first example of each class, its changes by PGD, and what the networks answer."""
        names, epsilon = source.spec.outputs.names, self.config.epsilon
        firsts = [(examples.labels == label).nonzero()[:1, 0] for label in range(len(names))]
        rows = torch.cat(firsts)[:_SHOWN]
        shown = _Examples(*(part[rows] for part in examples))
        pictures, changes = [], []
        for which, network in networks.items():
            worst = self._changed(network, "pgd", shown, epsilon)
            for before, pixels in ((True, shown.pixels), (False, worst)):
                answers = network.answers(pixels)
                pictures.append(
                    Pictures(
                        f"{which}_{'before' if before else 'after'}",
                        f"{'Unchanged' if before else f'After PGD of epsilon {epsilon:g}'}: what the network "
                        f"{_NETWORKS[which]} says",
                        _named(pixels, [names[answer] for answer in answers]),
                        0.0,
                        1.0,
                        caption=f"{int((answers == shown.labels).sum())} of {len(rows)} answers are right; the first "
                        "example of each class.",
                    )
                )
            changes.append(
                Pictures(
                    f"{which}_change",
                    f"The change alone, against the network {_NETWORKS[which]}",
                    _named(worst - shown.pixels, [names[label] for label in shown.labels]),
                    -epsilon,
                    epsilon,
                    caption=f"Black is -{epsilon:g}, white {epsilon:g}, the gray between no change.",
                )
            )
        return tuple(pictures + changes)

    def _linear_remarks(self, leads: Leads) -> tuple[str, ...]:
        ratio = f"{leads.fall / leads.random:.1f} times " if leads.random else "beside "
        return (
            f"Linear network: over {leads.count} leads of a right class over another, the fall by the sign of the "
            f"gradient and epsilon |w|_1 differ by at most {leads.apart:.1e}.",
            f"At epsilon {self.config.epsilon:g} that fall is {leads.fall:.3g} on average, {ratio}the "
            f"{leads.random:.3g} of random signs (standard deviation).",
        )

    def _remarks(self, clean: dict[str, float], figures: dict[str, tuple[float, ...]]) -> tuple[str, ...]:
        epsilons = self.config.epsilons
        at = min(range(len(epsilons)), key=lambda number: abs(epsilons[number] - self.config.epsilon))
        said = []
        for which, name in _NETWORKS.items():
            random, fast, many = (figures[f"{which}/{kind}"][at] for kind in _CHANGES)
            said.append(
                f"The network {name} is right on {100 * clean[which]:.1f} % of the images as they are; at epsilon "
                f"{epsilons[at]:g} on {100 * random:.1f} % with random signs, {100 * fast:.1f} % after FGSM and "
                f"{100 * many:.1f} % after PGD."
            )
        as_is = 100 * (clean["robust"] - clean["plain"])
        attacked = 100 * (figures["robust/pgd"][at] - figures["plain/pgd"][at])
        said.append(
            f"Trained against attacks, accuracy is {as_is:+.1f} points on the images as they are and {attacked:+.1f} "
            "points after PGD."
        )
        gaps = {
            (which, epsilon): fast - many
            for which in _NETWORKS
            for epsilon, fast, many in zip(epsilons, figures[f"{which}/fgsm"], figures[f"{which}/pgd"], strict=True)
        }
        (which, epsilon), gap = max(gaps.items(), key=lambda item: item[1])
        if gap > 0:
            said.append(
                f"FGSM alone would overstate robustness most for the network {_NETWORKS[which]} at epsilon "
                f"{epsilon:g}: by {100 * gap:.1f} points over PGD."
            )
        return tuple(said)


def _share(which: Tensor) -> float:
    return float(which.double().mean())


def _named(images: Tensor, names: list[str]) -> tuple[Picture, ...]:
    """Return ``(N, C, H, W)`` images as gray pictures, the channels averaged."""
    return tuple(
        Picture(name, tuple(map(tuple, image.mean(0).tolist()))) for name, image in zip(names, images, strict=True)
    )
