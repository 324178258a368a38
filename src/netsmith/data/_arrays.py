"""What sources of a fixed set of examples share: fields, order, loading, the schema of images."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.config import later
from netsmith.core.errors import ConfigError, DataError, UnknownNameError
from netsmith.core.roles import AugmentConfig, SourceConfig
from netsmith.core.spec import Inputs, OutputKind, Outputs, Spec, Split, Step
from netsmith.data._label_noise import flipped
from netsmith.data._mixup import mixed, partners
from netsmith.data._splits import draw_splits
from netsmith.engine.batch import Batch
from netsmith.engine.random import example_keys
from netsmith.engine.source import Source, cut_batches
from netsmith.layers.preprocess import normalize, scale

__all__ = [
    "BatchFields",
    "FixedFields",
    "FixedSource",
    "ImageFields",
    "ImageSource",
    "Part",
    "array_part",
    "check_bytes",
    "digest",
    "with_dev",
]


class BatchFields(SourceConfig):
    """The fields of every source with a fixed set of examples.

    Attributes:
        batch: Examples per training batch.
        evaluation_batch: Examples per evaluation batch.
    """

    batch: Annotated[int, Field(gt=0)] = 128
    evaluation_batch: Annotated[int, Field(gt=0)] = 500


class FixedFields(BatchFields):
    """The fields of a source whose splits are drawn.

    Attributes:
        dev: Share of the training part that is held out as ``dev``, drawn by class; 0 for none.
        split_seed: Seed of the splits that are drawn.
    """

    dev: Annotated[float, Field(ge=0, lt=0.5)] = 0.1
    split_seed: int = 0


class ImageFields(FixedFields):
    """The fields of every source of images.

    Attributes:
        augment: Changes of the training images, in order; they see values in 0..1, before normalization.
        normalize: Whether each channel is normalized; a network of light alone (the neocognitron) takes 0..1.
        mixup: alpha, with which each training image and its label are mixed with another one (Zhang et al. 2018,
            arXiv:1710.09412: 0.1 to 0.4, 1 for CIFAR-10); 0 for none. Needs one class per image.
        label_noise: Share of the training labels that are replaced by another class, drawn from ``split_seed`` and the
            same in every epoch; dev and test keep theirs.
    """

    augment: tuple[AugmentConfig, ...] = ()
    normalize: bool = later(True)
    mixup: float = later(0.0, ge=0, le=100)
    label_noise: float = later(0.0, ge=0, le=1)


@dataclasses.dataclass(frozen=True)
class Part:
    """One split of the raw data.

    Attributes:
        fetch: Returns the raw inputs at some positions.
        targets: One per example.
        sha256: Hash of the examples and targets.
        made: How the split was made.
        seed: The seed, where it was drawn.
        redraw: Returns the raw inputs and targets at some positions, drawn anew from ``(B,)`` keys; None where an
            example is always the same.
    """

    fetch: Callable[[Tensor], Tensor]
    targets: Tensor
    sha256: str
    made: str = "official"
    seed: int = 0
    redraw: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None


def digest(*parts: Tensor | str) -> str:
    """Return the SHA-256 of tensors (shape, type, values) and texts."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            total.update(part.encode())
            continue
        array = np.ascontiguousarray(part.numpy())
        total.update(f"{array.dtype.str}{array.shape}".encode())
        total.update(array.data)
    return total.hexdigest()


def array_part(inputs: Tensor, targets: Tensor, *, made: str = "official", seed: int = 0) -> Part:
    """Return a split whose raw inputs lie in memory."""
    return Part(functools.partial(inputs.index_select, 0), targets, digest(inputs, targets), made=made, seed=seed)


def with_dev(inputs: Tensor, labels: Tensor, *, dev: float, seed: int) -> dict[str, Part]:
    """Divide an official training part into ``train`` and a seeded ``dev``."""
    if dev == 0:
        return {"train": array_part(inputs, labels)}
    drawn = draw_splits(labels, {"dev": dev}, seed=seed)
    texts = {"train": f"official train without dev ({100 * dev:.3g} %)", "dev": f"seeded {100 * dev:.3g} % of train"}
    return {name: array_part(inputs[at], labels[at], made=texts[name], seed=seed) for name, at in drawn.items()}


class FixedSource(Source):
    """Abstract: a source of a fixed set of examples; a reader subclasses it and hands over its parts.

    Args:
        config: The reader's config.
        spec: The schema; its ``splits`` are filled here.
        parts: The splits in order, ``train`` first.
    """

    def __init__(self, config: BatchFields, *, spec: Spec, parts: Mapping[str, Part]) -> None:
        for name, part in parts.items():
            if len(part.targets) == 0:
                raise DataError(f"the split {name!r} of {spec.dataset} is empty; expected at least one example")
        splits = tuple(
            Split(name=name, size=len(part.targets), made=part.made, seed=part.seed, sha256=part.sha256)
            for name, part in parts.items()
        )
        self.config = config
        self.spec = spec.derive(splits=splits)
        self._parts = dict(parts)

    def order(self, split: str, *, seed: int, epoch: int) -> Sequence[Tensor]:
        """Return the index batches of an epoch; training is shuffled and drops a last batch that is not full."""
        training = split == "train"
        return cut_batches(
            len(self._part(split).targets),
            self.config.batch if training else self.config.evaluation_batch,
            seed=seed if training else None,
            epoch=epoch,
            drop_last=training,
        )

    def load(self, split: str, indices: Tensor, *, key: int | None = None) -> Batch:
        """Load some examples, augmented where a key is given."""
        part = self._part(split)
        keys = example_keys(0 if key is None else key, indices)
        if key is None or part.redraw is None:
            raw, targets = part.fetch(indices), part.targets.index_select(0, indices)
        else:
            raw, targets = part.redraw(indices, keys)
        inputs = self._prepare(raw, None if key is None else keys)
        return Batch(inputs=inputs, targets=targets, keys=keys, indices=indices)

    def raw(self, split: str, indices: Tensor) -> Tensor:
        """Return some examples as a user would hand them in, before preprocessing."""
        return self._part(split).fetch(indices)

    def _prepare(self, raw: Tensor, keys: Tensor | None) -> Tensor:  # noqa: ARG002
        return raw

    def _part(self, split: str) -> Part:
        if split not in self._parts:
            raise UnknownNameError(f"split of {self.spec.dataset}", split, self._parts)
        return self._parts[split]


class ImageSource(FixedSource):
    """Abstract: a source of images of one size, 8 bits per channel, one label each.

    Values are scaled to 0..1, augmented, then normalized per channel with the mean and deviation of the training part
    (unless ``normalize`` is off).

    Args:
        config: The reader's config.
        dataset: Name of the data set.
        parts: The splits; ``fetch`` returns ``(B, C, H, W)`` uint8.
        shape: ``(C, H, W)``.
        names: Names of the classes, in order of their labels.
        high: The largest raw value.
        before: Preprocessing steps that come before ``scale`` and that ``fetch`` has applied (``resize``, ``gray``).
        answers: ``classes``, or ``tags`` where an image has several targets.
        statistics: Mean and deviation of each channel in 0..1; None measures them of the training part.

    Raises:
        ConfigError: ``mixup`` or ``label_noise`` of images that have no class each, or, for the second, that are drawn
            anew with their labels.
    """

    def __init__(
        self,
        config: ImageFields,
        *,
        dataset: str,
        parts: Mapping[str, Part],
        shape: tuple[int, int, int],
        names: Sequence[str],
        high: int = 255,
        before: tuple[Step, ...] = (),
        answers: OutputKind = "classes",
        statistics: tuple[tuple[float, ...], tuple[float, ...]] | None = None,
    ) -> None:
        drawn = parts["train"].redraw is not None
        for name, refused in (("mixup", answers != "classes"), ("label_noise", answers != "classes" or drawn)):
            if getattr(config, name) and refused:
                raise ConfigError(
                    f"{type(config).__qualname__}.{name}={getattr(config, name):g}: {dataset} has not one class for "
                    "each image that is the same whenever it is loaded; leave it out"
                )
        if config.label_noise:
            noisy = _with_noise(parts["train"], config, classes=len(names))
            parts = {**parts, "train": noisy}
        self._scale = Step(name="scale", high=float(high))
        self._augment = tuple(change.build() for change in config.augment)
        self._alpha = config.mixup
        steps = (*before, self._scale)
        self._moments: tuple[Tensor, Tensor] | None = None
        if config.normalize:
            mean, std = statistics or _measure(parts["train"], high=high, channels=shape[0])
            self._moments = torch.tensor(mean), torch.tensor(std)
            steps += (Step(name="normalize", mean=mean, std=std),)
        inputs = Inputs(kind="image", shape=shape, dtype="uint8", low=0.0, high=float(high), preprocessing=steps)
        outputs = Outputs(kind=answers, names=tuple(names), size=len(names))
        spec = Spec(dataset=dataset, inputs=inputs, outputs=outputs)
        super().__init__(config, spec=spec, parts=parts)

    def load(self, split: str, indices: Tensor, *, key: int | None = None) -> Batch:
        """Load some examples, augmented and mixed where a key is given."""
        batch = super().load(split, indices, key=key)
        if key is None or not self._alpha:
            return batch
        others = partners(batch.keys, len(self._part(split).targets))
        other = super().load(split, others, key=key)
        return mixed(batch, other, alpha=self._alpha, classes=len(self.spec.outputs.names))

    def _prepare(self, raw: Tensor, keys: Tensor | None) -> Tensor:
        images = scale(raw, self._scale)  # (B, C, H, W) in 0..1
        if keys is not None:
            for change in self._augment:
                images = change(images, keys)
        return images if self._moments is None else normalize(images, *self._moments)


def _with_noise(part: Part, config: ImageFields, *, classes: int) -> Part:
    targets = flipped(part.targets, config.label_noise, classes=classes, seed=config.split_seed)
    made = f"{part.made}, label noise {config.label_noise:g} seeded {config.split_seed}"
    return dataclasses.replace(part, targets=targets, sha256=digest(part.sha256, targets), made=made)


def _measure(part: Part, *, high: int, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and deviation per channel in 0..1, exact: from a count of every value."""
    found = torch.zeros(channels, 256, dtype=torch.int64)
    for at in torch.arange(len(part.targets)).split(4096):
        images = part.fetch(at)
        for channel in range(channels):
            found[channel] += torch.bincount(images[:, channel].flatten(), minlength=256)
    counts, values = found.numpy(), np.arange(256) / high
    total = counts.sum(axis=1)
    mean = counts @ values / total
    variance = counts @ values**2 / total - mean**2
    std = np.where(variance > 1e-12, np.sqrt(np.maximum(variance, 0)), 1.0)  # a constant channel stays as it is
    return tuple(round(float(m), 6) for m in mean), tuple(round(float(s), 6) for s in std)


def check_bytes(images: Tensor, labels: Tensor, *, size: tuple[int, int], classes: int, path: str) -> None:
    """Refuse official files that contradict each other or hold a label out of range.

    Raises:
        DataError: Counts differ, pictures have another size, or a label is not below ``classes``.
    """
    if len(images) != len(labels):
        raise DataError(f"{len(images)} images but {len(labels)} labels; expected as many", path)
    if tuple(images.shape[-2:]) != size:
        raise DataError(f"images of {tuple(images.shape[-2:])} pixels; expected {size}", path)
    if len(labels) and int(labels.max()) >= classes:
        row = int(torch.nonzero(labels >= classes)[0]) + 1
        raise DataError(f"label {int(labels.max())}; expected labels below {classes}", path, row)
