"""Some of the classes of a data set, and some examples of each."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import Field, model_validator
from torch import Tensor

from netsmith.core.errors import ConfigError, shorten
from netsmith.core.keys import key as named_key
from netsmith.core.roles import SourceConfig
from netsmith.core.spec import Outputs
from netsmith.data._arrays import FixedSource, Part, digest
from netsmith.engine.batch import Batch
from netsmith.engine.random import example_keys

__all__ = ["ClassSubset", "some_of_each"]


class ClassSubset(FixedSource):
    """Another source with fewer classes: the halves between which layers are transferred, or a small training set.

    Classes get new labels in the order given. Preprocessing is that of the whole data set.

    Raises:
        ConfigError: ``data`` has no classes, or not these, or fewer than ``per_class`` examples of one.
    """

    class Config(SourceConfig):
        """Which classes of what.

        Attributes:
            data: Where the examples come from; its batches stay.
            classes: Its labels that are kept, in their new order.
            per_class: Training examples of each class; 0 for all.
            seed: Which training examples are taken.
        """

        data: SourceConfig
        classes: tuple[Annotated[int, Field(ge=0)], ...]
        per_class: int = Field(default=0, ge=0)
        seed: int = Field(default=0, ge=0)

        @model_validator(mode="after")
        def _check(self) -> ClassSubset.Config:
            if len(self.classes) < 2 or len(set(self.classes)) < len(self.classes):
                raise ValueError("classes needs two or more that differ")
            return self

    def __init__(self, config: Config) -> None:
        if getattr(config.data, "mixup", 0.0):
            raise ConfigError("mixup: a subset would be mixed with classes that it leaves out; leave it out")
        inner = (config.data.derive(twin=True) if config.twin else config.data).build()
        if not isinstance(inner, FixedSource) or inner.spec.outputs.kind != "classes":
            raise ConfigError(f"class_subset takes some classes of a set of examples; {config.data!r} has none")
        names = inner.spec.outputs.names
        if max(config.classes) >= len(names):
            raise ConfigError(f"classes: {max(config.classes)} is none of {inner.spec.dataset}'s {len(names)} classes")
        self._inner = inner
        kept = tuple(names[label] for label in config.classes)
        spec = inner.spec.derive(
            dataset=f"{inner.spec.dataset} ({', '.join(kept)})",
            outputs=Outputs(kind="classes", names=kept, size=len(kept)),
        )
        self._rows = {
            name: _kept(inner._parts[name], config, names=kept if name == "train" else ()) for name in inner.splits()
        }
        parts = {name: _part(inner._parts[name], self._rows[name], config) for name in inner.splits()}
        super().__init__(inner.config, spec=spec, parts=parts)

    def judged(self, split: str, indices: Tensor) -> Batch:
        """Return what evaluation sees of some examples, with their new labels."""
        targets = self._part(split).targets[indices]
        seen = self._inner.judged(split, self._rows[split][indices])
        return dataclasses.replace(seen, targets=targets, keys=example_keys(0, indices), indices=indices)

    def _prepare(self, raw: Tensor, keys: Tensor | None) -> Tensor:
        return self._inner._prepare(raw, keys)


def some_of_each(labels: Tensor, count: int, *, names: Sequence[str], seed: int) -> Tensor:
    """Return the positions of ``count`` examples of each class, drawn from ``seed``, in their order.

    Raises:
        ConfigError: A class has fewer.
    """
    found = torch.bincount(labels, minlength=len(names)).tolist()
    for name, size in zip(names, found, strict=True):
        if size < count:
            raise ConfigError(
                f"per_class={count}, but class {shorten(name, 60)!r} has {size} training examples; the least of all is "
                f"{min(found)}: set per_class to at most that"
            )
    generator = torch.Generator().manual_seed(named_key(seed, "subset"))
    shuffled = torch.randperm(len(labels), generator=generator)
    taken = [shuffled[labels[shuffled] == label][:count] for label in range(len(names))]
    return torch.cat(taken).sort().values


def _new_labels(part: Part, config: ClassSubset.Config) -> Tensor:
    """Return the new label of each old one; -1 where it is left out."""
    labels = torch.full((int(part.targets.max()) + 1 + max(config.classes),), -1)
    labels[list(config.classes)] = torch.arange(len(config.classes))
    return labels


def _kept(part: Part, config: ClassSubset.Config, *, names: Sequence[str]) -> Tensor:
    """Return where the examples are that are kept, in their old order; of the training split, ``names`` given."""
    targets = _new_labels(part, config)[part.targets]
    rows = torch.nonzero(targets >= 0)[:, 0]
    if names and config.per_class:
        rows = rows[some_of_each(targets[rows], config.per_class, names=names, seed=config.seed)]
    return rows


def _part(part: Part, rows: Tensor, config: ClassSubset.Config) -> Part:
    labels = _new_labels(part, config)
    targets = labels[part.targets[rows]]
    return dataclasses.replace(
        part,
        fetch=functools.partial(_fetch, part, rows),
        targets=targets,
        sha256=digest(part.sha256, rows, targets),
        made=f"{part.made}, classes {', '.join(map(str, config.classes))}",
        redraw=None if part.redraw is None else functools.partial(_redraw, part, rows, labels),
    )


def _fetch(part: Part, rows: Tensor, at: Tensor) -> Tensor:
    return part.fetch(rows[at])


def _redraw(part: Part, rows: Tensor, labels: Tensor, at: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
    assert part.redraw is not None
    raw, targets = part.redraw(rows[at], keys)
    return raw, labels[targets]
