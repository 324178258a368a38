"""One experiment, described by one config: what is learned, from what, how, for how long."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import torch
from pydantic import Field, model_validator

from netsmith.core.config import AUTO, Auto, FrozenMap, later, may_be_auto
from netsmith.core.config import Config as BaseConfig
from netsmith.core.errors import ConfigError, UnsupportedError
from netsmith.core.keys import key
from netsmith.core.roles import (
    HookConfig,
    InitializerConfig,
    MethodConfig,
    OptimizerConfig,
    RunSettings,
    SourceConfig,
)
from netsmith.core.spec import Spec
from netsmith.engine.initializer import Initializer
from netsmith.engine.method import Method
from netsmith.engine.source import LiveSource, Source
from netsmith.engine.updater import seed_default_generator

__all__ = ["Experiment"]


class Experiment:
    """A resolved config with its source and its method, built and ready for the engine.

    Args:
        config: The experiment's config; fields left to the data are filled from the source's schema.
        source: A source that is already built from ``config.data``, or None to build it.
        spec: The schema of a saved run: then no data is touched, and ``source`` stays None.

    Attributes:
        config: The config with nothing left open.
        source: Where batches come from (None when built from a saved schema).
        spec: What goes in and what comes out.
        method: Networks and learning rule, freshly initialized from the seed.
    """

    class Config(BaseConfig):
        """Everything that decides a result.

        Attributes:
            method: What is learned and how.
            data: From what.
            optimizers: One per player of the method.
            hooks: What else happens during training.
            initialize: How first weights are drawn; None leaves it to each model.
            steps: Calls of ``method.step``; AUTO takes ``epochs`` times the batches of an epoch.
            epochs: Passes over the training split, in place of ``steps``.
            seed: The seed everything random derives from.
            micro_batches: Into how many pieces each batch is cut (the result stays the same).
            clip_norm: Largest norm of a player's gradient; 0 for none.
            evaluate_every: Steps between evaluations on the dev split; AUTO for once an epoch.
            checkpoint_every: Steps between checkpoints; AUTO for the same as evaluations.
            select: Figure that picks the checkpoint (``dev/accuracy``); empty for the last one.
            select_mode: Whether that figure is best at its ``max`` or ``min``.
            judge_train: At the end, figures of the training split too (``train/accuracy``), without augmentation.
            device: ``auto`` takes a GPU where there is one.
            precision: ``bf16`` runs the forward pass under autocast; evaluation is always in full precision.
            memory_format: ``channels_last`` is faster for convolutions on many CPUs and GPUs.
            compile: Run the networks through ``torch.compile``.
            workers: Loader processes; the result does not depend on their number.
        """

        method: MethodConfig
        data: SourceConfig
        optimizers: FrozenMap[OptimizerConfig] = FrozenMap[OptimizerConfig]()
        hooks: tuple[HookConfig, ...] = ()
        initialize: InitializerConfig | None = later(None)
        steps: int | Auto = Field(default=AUTO)
        epochs: int = Field(default=0, ge=0)
        seed: int = Field(default=0, ge=0)
        micro_batches: int = Field(default=1, ge=1)
        clip_norm: float = Field(default=0.0, ge=0)
        evaluate_every: int | Auto = Field(default=AUTO)
        checkpoint_every: int | Auto = Field(default=AUTO)
        select: str = ""
        select_mode: Literal["max", "min"] = "max"
        judge_train: bool = later(False)
        device: Literal["auto", "cpu", "cuda"] = "auto"
        precision: Literal["fp32", "bf16", "fp64"] = "fp32"
        memory_format: Literal["contiguous", "channels_last"] = "contiguous"
        compile: bool = False
        workers: int = Field(default=0, ge=0)

        @model_validator(mode="after")
        def _check(self) -> Experiment.Config:
            for name in ("steps", "evaluate_every", "checkpoint_every"):
                value = getattr(self, name)
                if value != AUTO and value < 1:
                    raise ValueError(f"{name} must be at least 1, got {value}")
            if self.steps == AUTO and not self.epochs:
                raise ValueError("give steps or epochs: how long is it to learn?")
            return self

        def resolve(self, spec: Spec, *, batches: int | None) -> Experiment.Config:
            """Fill every field left to the data.

            Args:
                spec: The schema of the data.
                batches: Batches of one epoch, or None for a live source.

            Raises:
                ConfigError: Data the method cannot learn from, a field nothing decides, a number that contradicts the
                    data, or a setting that means nothing to the method; each is named.
            """
            misfit = self.method.misfit(spec, gives=self.data.gives)
            if misfit:
                raise ConfigError(misfit)
            changes: dict[str, Any] = {
                "method": _fill(self.method, spec.facts(), "method", spec.dataset),
                "hooks": tuple(_fill(hook, spec.facts(), "hooks", spec.dataset) for hook in self.hooks),
            }
            if self.epochs:
                if batches is None:
                    raise ConfigError("epochs: a live source has no epochs; give steps")
                wanted = self.epochs * batches
                if self.steps not in (AUTO, wanted):
                    raise ConfigError(
                        f"steps={self.steps} contradicts epochs={self.epochs} of {batches} batches ({wanted}); "
                        "set epochs=0 to count in steps"
                    )
                changes["steps"] = wanted
            steps = changes.get("steps", self.steps)
            problem = self.method.problem(
                RunSettings(
                    steps=int(steps),
                    epochs=self.epochs,
                    micro_batches=self.micro_batches,
                    clip_norm=self.clip_norm,
                    precision=self.precision,
                )
            )
            if problem:
                raise ConfigError(problem)
            if self.evaluate_every == AUTO:
                changes["evaluate_every"] = min(batches or steps, steps)
            if self.checkpoint_every == AUTO:
                changes["checkpoint_every"] = changes.get("evaluate_every", self.evaluate_every)
            return self.derive(**changes)

        def sha256(self) -> str:
            """Return the hash of everything that decides the result; engine settings that must not are left out."""
            fields = self.derive(device="auto", workers=0, checkpoint_every=AUTO)
            return hashlib.sha256(fields.to_json().encode()).hexdigest()

    def __init__(self, config: Config, *, source: Source | LiveSource | None = None, spec: Spec | None = None) -> None:
        if spec is None:
            source = source if source is not None else config.data.build()
            spec = source.spec
            live = isinstance(source, LiveSource)
            if live and config.workers:
                raise ConfigError(
                    f"workers={config.workers}: {spec.dataset} is a live source, played by this process; leave it out"
                )
            batches = None if live else len(source.order("train", seed=config.seed, epoch=0))
            config = config.resolve(spec, batches=batches)
        self.config = config
        self.source = source
        self.spec = spec
        seed_default_generator(key(config.seed, "init"))
        self.method: Method = config.method.build(spec=spec)
        if config.initialize is not None and source is not None:  # a saved run brings its weights
            initializer: Initializer = config.initialize.build()
            generator = torch.Generator().manual_seed(key(config.seed, "initialize"))
            if isinstance(source, Source):
                initializer.prepare(source)
            initializer(self.method, generator=generator, run=self._first_batch)
        if config.precision == "fp64":
            self.method.double()
        if config.memory_format == "channels_last":
            self.method.to(memory_format=torch.channels_last)

    def _first_batch(self) -> None:
        """Pass the first training batch, without augmentation, through the product."""
        source, gives = self.source, self.config.data.gives
        if not isinstance(source, Source) or gives != "examples" or self.method.product_spec(self.spec) != self.spec:
            raise UnsupportedError(
                f"initialize: {self.config.initialize!r} looks at what layers answer to examples of the data, and what "
                f"{type(self.method).__name__} learns from {self.spec.dataset} takes others; take another kind"
            )
        batch = source.load("train", source.order("train", seed=self.config.seed, epoch=0)[0])
        seed_default_generator(key(self.config.seed, "initialize"))
        self.method.product()(batch.inputs)


def _fill(config: Any, facts: dict[str, Any], path: str, dataset: str) -> Any:
    """Return ``config`` with every AUTO field of it and of the configs within filled from ``facts``."""
    if isinstance(config, tuple):
        return tuple(_fill(item, facts, f"{path}.{number}", dataset) for number, item in enumerate(config))
    if isinstance(config, FrozenMap):
        return FrozenMap({name: _fill(item, facts, f"{path}.{name}", dataset) for name, item in config.items()})
    if not isinstance(config, BaseConfig):
        return config
    changes: dict[str, Any] = {}
    for name, field in type(config).model_fields.items():
        value, place = getattr(config, name), f"{path}.{name}"
        if may_be_auto(field.annotation):
            if value == AUTO:
                if name not in facts:
                    raise ConfigError(f"{place} is left to the data, but {dataset} does not decide it; set {place}")
                changes[name] = facts[name]
            elif name in facts and value not in ((), facts[name]):  # () asks for nothing
                raise ConfigError(
                    f"{place} is {value}, but {dataset} says {facts[name]}; leave it out, or set it to auto"
                )
        else:
            filled = _fill(value, facts, place, dataset)
            if filled is not value:
                changes[name] = filled
    return config.derive(**changes) if changes else config
