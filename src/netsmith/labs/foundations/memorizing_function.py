"""A function that stores its training set: no error there, and nothing learned."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.findings import Bar, Bars, Findings, Grid
from netsmith.core.roles import LabConfig
from netsmith.data.digits import Digits
from netsmith.models.foundations.k_nearest_neighbors import KNearestNeighbors
from netsmith.models.foundations.logistic_regression import LogisticRegression

__all__ = ["CARD", "MemorizingFunction"]

CARD = {
    "title": "The memorizing function",
    "paper": "Zhang et al. 2017, arXiv:1611.03530, for networks that fit random labels",
    "shows": "accuracy on training and test images of a look-up table, a nearest neighbor and a linear model, of true "
    "and of shuffled labels",
    "quick": {},
}

_LEARNERS = ("look-up table", "nearest neighbor", "logistic regression")
_LABELS = ("true labels", "shuffled labels")


class MemorizingFunction:
    """Three learners of scikit-learn's digits, with the true labels and with the same labels shuffled.

    The look-up table stores each training image with its label, and answers any other image by a class drawn evenly.
    On shuffled labels there is nothing to learn: what a learner gets right among the training images, it has stored.
    """

    class Config(LabConfig):
        """The data.

        Attributes:
            seed: Of the shuffle and of the answers to images that are not stored.
            split_seed: Of the split into training and test images.
        """

        seed: int = Field(default=0, ge=0)
        split_seed: int = Field(default=0, ge=0)

    def __init__(self, config: MemorizingFunction.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return accuracies, a chart, and what they show."""
        source = Digits.Config(dev=0.0, test=0.3, split_seed=self.config.split_seed, normalize=False).build()
        (train, labels), (test, truth) = (_whole(source, split) for split in ("train", "test"))
        generator = torch.Generator().manual_seed(self.config.seed)
        shuffled = labels[torch.randperm(len(labels), generator=generator)]
        known = set(map(tuple, train.tolist()))
        seen = sum(image in known for image in map(tuple, test.tolist()))
        numbers: dict[str, float | int] = {
            "train_images": len(train),
            "test_images": len(test),
            "test_images_stored": seen,
        }
        for name, given in zip(_LABELS, (labels, shuffled), strict=True):
            for learner in _LEARNERS:
                answers = _answers(learner, train, given, (train, test), generator)
                for split, answer, wanted in zip(("train", "test"), answers, (given, truth), strict=True):
                    numbers[f"{split}/{learner}/{name}"] = float((answer == wanted).double().mean())
        chance = 1 / 10
        numbers["chance"] = chance
        charts = [_chart(split, numbers) for split in ("train", "test")]
        rows = [
            (learner, name, numbers[f"train/{learner}/{name}"], numbers[f"test/{learner}/{name}"])
            for name in _LABELS
            for learner in _LEARNERS
        ]
        table = Grid(
            "Accuracy, 0 to 1",
            ("learner", "trained on", "training images (labels as given)", "test images (true labels)"),
            tuple(rows),
            caption=f"{len(train)} training and {len(test)} test images; an even draw is right in {chance:g}.",
        )
        return Findings(numbers, tuple(charts), (table,), _remarks(numbers))


def _whole(source: Digits, split: str) -> tuple[Tensor, Tensor]:
    size = next(part.size for part in source.spec.splits if part.name == split)
    batch = source.load(split, torch.arange(size))
    return batch.inputs.flatten(1), batch.targets


def _answers(
    learner: str, train: Tensor, labels: Tensor, asked: tuple[Tensor, ...], generator: torch.Generator
) -> list[Tensor]:
    if learner == "look-up table":
        stored = dict(zip(map(tuple, train.tolist()), labels.tolist(), strict=True))
        drawn = [torch.randint(10, (len(images),), generator=generator).tolist() for images in asked]
        return [
            torch.tensor(
                [stored.get(tuple(image), other) for image, other in zip(images.tolist(), others, strict=True)]
            )
            for images, others in zip(asked, drawn, strict=True)
        ]
    kind = KNearestNeighbors.Config(neighbors=1) if learner == "nearest neighbor" else LogisticRegression.Config()
    model = kind.derive(in_features=train.shape[1], num_classes=10).build()
    model.fit(train, labels)
    return [model(images).argmax(1) for images in asked]


def _chart(split: str, numbers: dict[str, float | int]) -> Bars:
    what = "training images, with the labels as given" if split == "train" else "test images, with their true labels"
    bars = (Bar(name, tuple(numbers[f"{split}/{learner}/{name}"] for learner in _LEARNERS)) for name in _LABELS)
    return Bars(f"accuracy_{split}", f"Accuracy on {what}", "accuracy (0 to 1)", _LEARNERS, tuple(bars))


def _remarks(numbers: dict[str, float | int]) -> tuple[str, ...]:
    def of(split: str, learner: str, name: str) -> str:
        return f"{100 * numbers[f'{split}/{learner}/{name}']:.3g} %"

    table, name = _LEARNERS[0], _LABELS[0]
    perfect = [one for one in _LEARNERS if numbers[f"train/{one}/{_LABELS[1]}"] == 1]
    remarks = [
        f"The look-up table is right on {of('train', table, name)} of the training images and on "
        f"{of('test', table, name)} of the test images, {numbers['test_images_stored']} of which it had stored; an "
        f"even draw is right on {100 * numbers['chance']:g} %.",
        "Trained on the true labels: "
        + "; ".join(
            f"{one} {of('train', one, name)} (training), {of('test', one, name)} (test)" for one in _LEARNERS[1:]
        )
        + ".",
        "Trained on shuffled labels: "
        + "; ".join(
            f"{one} {of('train', one, _LABELS[1])} (training), {of('test', one, _LABELS[1])} (test)"
            for one in _LEARNERS
        )
        + ".",
    ]
    if perfect:
        remarks.append(
            f"No error on shuffled labels, from which nothing can be learned: {', '.join(perfect)}. Of these, an "
            "accuracy of 100 % on the training images says nothing about others."
        )
    return tuple(remarks)
