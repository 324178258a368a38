"""What methods share in which a trained network teaches another: who steps when, the teacher's weights, its answers."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, Self

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from netsmith.core.errors import ConfigError, shorten
from netsmith.core.roles import MethodConfig, ModelConfig, RunSettings, TaskConfig
from netsmith.core.spec import Spec
from netsmith.engine.batch import Batch
from netsmith.engine.checkpoint import tensors_sha256
from netsmith.engine.method import Feed, Logs, Method, Update
from netsmith.engine.task import UNLABELED, Loss, weighted
from netsmith.methods._logit_cache import LogitCache, SharedAnswers
from netsmith.methods._order import from_first_to_last

__all__ = ["RememberedConfig", "Taught", "TaughtConfig", "soft_target_losses", "wide"]


def soft_target_losses(
    logits: Tensor, teacher_logits: Tensor, *, temperature: float, counted: Tensor | None = None
) -> Tensor:
    """Return ``KL(teacher / T || student / T)`` of each example, in nats.

    Args:
        logits: ``(B, K)``, the student's; of an example with several answers (nodes, words) ``(B, ..., K)``.
        teacher_logits: The teacher's, of the same shape.
        temperature: T, which softens both.
        counted: ``(B, ...)`` bool, which of several answers count; all by default.

    Returns:
        ``(B,)``, the mean over an example's answers that count; 0 where none does.
    """
    student = F.log_softmax(logits / temperature, dim=-1)
    teacher = F.log_softmax(teacher_logits / temperature, dim=-1)
    found = F.kl_div(student, teacher, reduction="none", log_target=True).sum(-1)
    if counted is None:
        return found if found.dim() == 1 else found.flatten(1).mean(1)
    return found.where(counted, 0).flatten(1).sum(1) / counted.flatten(1).sum(1).clamp(min=1)


def wide(tensor: Tensor) -> Tensor:
    """Return it in at least single precision: autocast would otherwise difference logarithms in bfloat16."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


class TaughtConfig(MethodConfig):
    """The fields of every such method.

    Attributes:
        model: The student.
        teacher: The teacher.
        task: What their output means.
        temperature: T; higher shows more of what the teacher thinks of the wrong classes.
        teacher_steps: Steps in which the teacher is trained first; 0 if its weights come from outside.
    """

    model: ModelConfig
    teacher: ModelConfig
    task: TaskConfig
    temperature: float = Field(default=4.0, gt=0)
    teacher_steps: int = Field(default=0, ge=0)

    @property
    def needs_teacher(self) -> bool:
        """Whether the student's loss asks the teacher anything."""
        return True

    def problem(self, run: RunSettings) -> str:
        """Return why the student would never be taught."""
        if 0 < run.steps <= self.teacher_steps:
            return f"teacher_steps={self.teacher_steps} leaves no step of {run.steps} to the student"
        return ""

    def within(self, steps: int) -> Self:
        """Return the config with half of so many steps for the teacher, unless its own leave the student one."""
        return self if self.teacher_steps < steps else self.derive(teacher_steps=steps // 2)


class RememberedConfig(TaughtConfig):
    """The fields of a method that asks the teacher for its logits alone, so that they can be kept.

    Attributes:
        cache: Keep the teacher's logits in memory (of use without augmentation only).
    """

    cache: bool = False


class Taught(Method):
    """Abstract: a student learns from a teacher that comes from outside, or that is trained first in the same run.

    A subclass says what the student's loss is, and may learn in stages (:meth:`_learn`). Of an example with several
    answers the teacher's word counts where a label does: the rest of a sequence is padding. Of a graph it counts at all
    nodes, since those without a label are nodes as well.

    Raises:
        ConfigError: In ``step``: the teacher has no weights yet.
    """

    def __init__(self, config: TaughtConfig, *, spec: Spec) -> None:
        super().__init__()
        self.config = config
        self._everywhere = spec.inputs.kind == "graph"
        self.model: nn.Module = config.model.build()
        self.teacher: nn.Module = self._build_teacher()
        self.task = config.task.build()
        self.steps_taken = 0
        self.adopted = False
        self.cache = LogitCache() if isinstance(config, RememberedConfig) and config.cache else None
        self.shared: SharedAnswers | None = None
        if not config.teacher_steps:
            self.teacher.requires_grad_(False)

    def _build_teacher(self) -> nn.Module:
        return self.config.teacher.build()

    def adopt_teacher(self, teacher: nn.Module | Mapping[str, Tensor], *, shared: SharedAnswers | None = None) -> None:
        """Copy a trained teacher's weights.

        Args:
            teacher: A network of the teacher's form, or its state.
            shared: What this very teacher said to other students of the process.

        Raises:
            ConfigError: The teacher is trained in this run, or the weights do not fit.
        """
        if self.config.teacher_steps:
            raise ConfigError(
                f"teacher_steps={self.config.teacher_steps} trains the teacher in this run; "
                "set it to 0 to bring trained weights"
            )
        weights = teacher.state_dict() if isinstance(teacher, nn.Module) else teacher
        try:
            self.teacher.load_state_dict(weights)
        except RuntimeError as error:
            problem = " ".join(str(error).split())
            raise ConfigError(
                f"the teacher's weights do not fit {self.config.teacher!r}: {shorten(problem, 160)}"
            ) from None
        self.adopted, self.shared = True, shared
        if shared is not None:
            shared.belongs_to(tensors_sha256(self.teacher.state_dict()))
        if self.cache:
            self.cache.clear()

    @property
    def teaching(self) -> bool:
        """Whether the teacher is ready to teach."""
        return self.adopted or 0 < self.config.teacher_steps <= self.steps_taken

    def players(self) -> dict[str, dict[str, nn.Parameter]]:
        """Return the student (and the task's own parameters) as ``model``, and a teacher that is trained here."""
        named = {name: p for name, p in self.named_parameters() if p.requires_grad}
        teacher = {name: p for name, p in named.items() if name.startswith("teacher.")}
        learned = ((name, p) for name, p in named.items() if name not in teacher)
        student = from_first_to_last(learned, self.model)
        return {"teacher": teacher, "model": student} if self.config.teacher_steps else {"model": student}

    def train(self, mode: bool = True) -> Taught:
        """Set the mode of the student, and of the teacher unless it teaches: then it stays in evaluation mode."""
        super().train(mode)
        if self.teaching or not self.config.teacher_steps:
            self.teacher.eval()
        return self

    def step(self, feed: Feed, update: Update) -> Logs:
        if self.steps_taken < self.config.teacher_steps:
            logs = update("teacher", self._teacher_loss, next(feed))
        elif self.teaching or not self.config.needs_teacher:  # alone, the student needs no teacher
            self.teacher.eval()
            logs = self._learn(feed, update)
        else:
            raise ConfigError(
                "the teacher has no weights: give a finished run with --teacher RUN (in Python: adopt_teacher), or set "
                "method.teacher_steps to train it in this run"
            )
        self.steps_taken += 1
        return logs

    def _learn(self, feed: Feed, update: Update) -> Logs:
        """Make one step of the student."""
        return update("model", self._student_loss, next(feed))

    def _teacher_loss(self, batch: Batch) -> Loss:
        return self.task.loss(self.teacher(batch.inputs), batch.targets, batch.weights)

    @abc.abstractmethod
    def _student_loss(self, batch: Batch) -> Loss:
        """Return what the student minimizes once the teacher teaches."""

    def _teacher_logits(self, batch: Batch) -> Tensor:
        def ask() -> Tensor:
            with torch.no_grad():
                return self.teacher(batch.inputs)

        def ask_once() -> Tensor:
            return ask() if self.shared is None else self.shared.look_up(batch, ask)

        return ask_once() if self.cache is None else self.cache.look_up(batch, ask_once)

    def _hinton_loss(self, batch: Batch, alpha: float) -> Loss:
        """Return the loss of answers alone: ``1 - alpha`` of the labels' word, ``alpha`` of the teacher's."""
        logits = self.model(batch.inputs)
        teacher_logits = self._teacher_logits(batch) if alpha else None
        return self._mixed(logits, teacher_logits, batch, 1 - alpha, alpha * self.config.temperature**2)

    def _mixed(self, logits: Tensor, teacher_logits: Tensor | None, batch: Batch, hard: float, soft: float) -> Loss:
        """Return ``hard`` times the task's loss plus ``soft`` times the divergence from the teacher's word."""
        label = self.task.loss(logits, batch.targets, batch.weights)
        if teacher_logits is None:  # nothing is asked of the teacher, and the hard loss is all there is
            return label if hard == 1 else Loss(hard * label.total, label.weight)
        ours, theirs = (self.task.classes_last(wide(each)) for each in (logits, teacher_logits))
        counted = None if self._everywhere else _labeled(ours, batch.targets)
        losses = soft_target_losses(ours, theirs, temperature=self.config.temperature, counted=counted)
        word = weighted(losses, self.task.weights(batch.targets, batch.weights))
        return Loss(hard * label.total + soft * word.total, word.weight)

    def state(self) -> dict[str, Any]:
        """Return the buffers and a frozen teacher's weights, how far the run is, and what was asked of the teacher."""
        found = {**super().state(), "steps_taken": self.steps_taken, "adopted": self.adopted}
        return found | ({"cache": self.cache.state()} if self.cache else {})

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what :meth:`state` returned."""
        super().restore(state)
        self.steps_taken, self.adopted = int(state["steps_taken"]), bool(state["adopted"])
        if self.cache:
            self.cache.restore(state["cache"])
        self.train(self.training)


def _labeled(logits: Tensor, targets: Any) -> Tensor | None:
    """Return which of several answers per example have a label; None where an example has one, or targets say less."""
    fits = isinstance(targets, Tensor) and targets.dim() > 1 and targets.shape == logits.shape[:-1]
    return targets != UNLABELED if fits else None
