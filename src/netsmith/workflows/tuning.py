"""What every compression trains with: the experiment of a run, with the run's own product as the teacher."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from netsmith.api import training
from netsmith.api.experiments import Found
from netsmith.core.config import AUTO
from netsmith.core.errors import UnsupportedError
from netsmith.core.roles import ModelConfig
from netsmith.engine.experiment import Experiment
from netsmith.engine.hook import Hook
from netsmith.engine.source import Source
from netsmith.methods.distillation import Distillation

if TYPE_CHECKING:
    from torch import nn

    from netsmith.api.run import Run
    from netsmith.compress.factorize import FactorLog
    from netsmith.compress.fake_quantize import FakeQuantizeLog
    from netsmith.compress.surgery import SurgeryLog
    from netsmith.methods._logit_cache import SharedAnswers

__all__ = ["Hooks", "classes_of", "cut_into", "epochs_of", "parts_of", "training_inputs", "tuning", "untuned"]

Hooks = Callable[[str], Sequence[Hook]]
"""Hooks for a training, by its role: a progress bar."""


def classes_of(run: Run) -> Source:
    """Return the data of a run that compression can judge.

    Raises:
        UnsupportedError: It answers neither with classes nor with tags, or its data are not fixed.
    """
    source, answers = run.engine.source, run.network.spec.outputs.kind
    if answers not in ("classes", "tags") or not isinstance(source, Source):
        raise UnsupportedError(
            f"compress works on classes or tags of a fixed source; this run answers {answers}, so export it as it is"
        )
    return source


def epochs_of(run: Run) -> int:
    """Return how many epochs a run was trained."""
    config = run.found.config
    return config.epochs or max(1, int(config.steps) // int(config.evaluate_every))


def parts_of(run: Run) -> tuple[ModelConfig, Any]:
    """Return a run's model and its task.

    Raises:
        UnsupportedError: Its method has no single model.
    """
    method = run.found.config.method
    model, task = getattr(method, "model", None), getattr(method, "task", None)
    if not isinstance(model, ModelConfig) or task is None:
        raise UnsupportedError(f"the method {method.kind_name()} has no single model to compress")
    whole, held = model.build().state_dict(), run.network.module.state_dict()
    # A buffer that begins empty takes the size of its fit.
    if set(whole) != set(held) or any(part.numel() and part.shape != held[name].shape for name, part in whole.items()):
        raise UnsupportedError(f"{run.path.name} is itself a cut network; compress the run that it was cut from")
    return model, task


def training_inputs(source: Source, *, batches: int = 4) -> list[Any]:
    """Return the inputs of a few training batches, plain: for what is measured of a network, not learned."""
    order = source.order("train", seed=0, epoch=0)[:batches]
    return [source.load("train", indices).inputs for indices in order]


def untuned(run: Run) -> str:
    """Return why no cut, thin or rounded copy of a run could be tuned, ``""`` where one can."""
    if run.found.config.optimizers:
        return ""
    return f"{run.path.name} was learned without a gradient: no optimizer could tune what a changed copy has lost"


def tuning(run: Run, *, epochs: int, slower: float = 0.3) -> Found:
    """Return the experiment that trains a copy with the original as its teacher.

    Args:
        run: The original.
        epochs: How long; 0 for as long as the run itself was trained.
        slower: Its learning rate over the run's own: what is tuned goes in smaller steps than what begins anew.
    """
    model, task = parts_of(run)
    config = run.found.config
    if "model" not in config.optimizers:
        raise UnsupportedError(f"{run.path.name} was learned without a gradient: there is no optimizer to tune it with")
    method = Distillation.Config(model=model, teacher=model, task=task)
    changed = config.derive(
        method=method,
        optimizers={"model": config.optimizers["model"].times(slower)},
    )
    if epochs:
        changed = changed.derive(epochs=epochs, steps=AUTO, evaluate_every=AUTO, checkpoint_every=AUTO)
    return replace(run.found, config=changed, recipe="")


def cut_into(
    run: Run, cut: tuple[nn.Module, SurgeryLog | FactorLog | FakeQuantizeLog], *, shared: SharedAnswers | None = None
) -> training.Prepare:
    """Return what puts a changed network into a distillation whose teacher is the run's own product, and its log.

    Args:
        run: The original.
        cut: The changed network and its log.
        shared: What the original said to other networks that it taught.
    """

    def prepare(experiment: Experiment) -> Any:
        method = experiment.method
        assert isinstance(method, Distillation)
        method.adopt_teacher(run.network.module, shared=shared)
        cut_network, log = cut
        method.model = copy.deepcopy(cut_network)  # trained in place, and perhaps wanted again
        return log.to_json()

    return prepare
