"""Knowledge distillation (Hinton, Vinyals & Dean 2015, arXiv:1503.02531)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from netsmith.core.errors import ConfigError, shorten
from netsmith.core.roles import MethodConfig, ModelConfig, RunSettings, TaskConfig
from netsmith.core.spec import Spec
from netsmith.engine.batch import Batch
from netsmith.engine.method import Feed, Logs, Method, Update
from netsmith.engine.task import Loss, weighted

__all__ = ["Distillation", "distillation_loss", "soft_target_losses"]


def soft_target_losses(logits: Tensor, teacher_logits: Tensor, *, temperature: float) -> Tensor:
    """Return ``KL(teacher / T || student / T)`` of each example, in nats.

    Args:
        logits: ``(B, K)``, the student's.
        teacher_logits: ``(B, K)``, the teacher's.
        temperature: T, which softens both.

    Returns:
        ``(B,)``.
    """
    student = F.log_softmax(logits / temperature, dim=1)
    teacher = F.log_softmax(teacher_logits / temperature, dim=1)
    return F.kl_div(student, teacher, reduction="none", log_target=True).sum(1)


def distillation_loss(
    logits: Tensor, teacher_logits: Tensor, labels: Tensor, *, temperature: float, alpha: float
) -> Tensor:
    r"""Return the mean loss of a batch of classes.

    .. math:: (1 - \alpha) \, \mathrm{CE}(y, z) + \alpha T^2 \, \mathrm{KL}(v / T \,\|\, z / T)

    The factor T^2 keeps both gradients of one size when T changes (section 2 of the paper).

    Args:
        logits: ``(B, K)``, z, the student's.
        teacher_logits: ``(B, K)``, v, the teacher's.
        labels: ``(B,)`` int64, y.
        temperature: T.
        alpha: Share of the teacher's word, 0..1.

    Example:
        >>> student, teacher = torch.tensor([[1.0, 2, 3], [0, 0, 0]]), torch.tensor([[3.0, 1, 0], [0, 2, 1]])
        >>> loss = distillation_loss(student, teacher, torch.tensor([0, 1]), temperature=20, alpha=0.5)
        >>> round(loss.item(), 4)
        1.4922
    """
    hard = F.cross_entropy(logits, labels)
    soft = soft_target_losses(logits, teacher_logits, temperature=temperature).mean()
    return (1 - alpha) * hard + alpha * temperature**2 * soft


class Distillation(Method):
    """Train a small student on what a large teacher says about each example, besides the label.

    The teacher comes from outside (:meth:`adopt_teacher`), or is trained first in the same run, on the task's own loss,
    for ``teacher_steps`` steps (player ``teacher``; then player ``model``, the student). While it teaches it is in
    evaluation mode and gets no gradient. The product is the student. Figures during the teacher's steps are those of
    the untrained student.

    The student's loss is :func:`distillation_loss` with the task's loss in place of the cross entropy; the output is
    one row of logits per example.

    Raises:
        ConfigError: In ``step``: the teacher has no weights yet.
    """

    class Config(MethodConfig):
        """Who teaches whom, and how.

        Attributes:
            model: The student.
            teacher: The teacher.
            task: What their output means.
            temperature: T; higher shows more of what the teacher thinks of the wrong classes.
            alpha: Share of the teacher's word in the loss, 0..1.
            teacher_steps: Steps in which the teacher is trained first; 0 if its weights come from outside.
        """

        model: ModelConfig
        teacher: ModelConfig
        task: TaskConfig
        temperature: float = Field(default=4.0, gt=0)
        alpha: float = Field(default=0.9, ge=0, le=1)
        teacher_steps: int = Field(default=0, ge=0)

        def problem(self, run: RunSettings) -> str:
            """Return why the student would never be taught."""
            if 0 < run.steps <= self.teacher_steps:
                return f"teacher_steps={self.teacher_steps} leaves no step of {run.steps} to the student"
            return ""

    def __init__(self, config: Distillation.Config, *, spec: Spec) -> None:  # noqa: ARG002
        super().__init__()
        self.config = config
        self.model = config.model.build()
        self.teacher = config.teacher.build()
        self.task = config.task.build()
        self.steps_taken = 0
        self.adopted = False
        if not config.teacher_steps:
            self.teacher.requires_grad_(False)

    def adopt_teacher(self, teacher: nn.Module | Mapping[str, Tensor]) -> None:
        """Copy a trained teacher's weights.

        Args:
            teacher: A network of the teacher's form, or its state.

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
        self.adopted = True

    @property
    def teaching(self) -> bool:
        """Whether the teacher is ready to teach."""
        return self.adopted or 0 < self.config.teacher_steps <= self.steps_taken

    def players(self) -> dict[str, dict[str, nn.Parameter]]:
        """Return the student (and the task's own parameters) as ``model``, and a teacher that is trained here."""
        named = {name: p for name, p in self.named_parameters() if p.requires_grad}
        teacher = {name: p for name, p in named.items() if name.startswith("teacher.")}
        student = {name: p for name, p in named.items() if name not in teacher}
        return {"teacher": teacher, "model": student} if self.config.teacher_steps else {"model": student}

    def train(self, mode: bool = True) -> Distillation:
        """Set the mode of the student, and of the teacher unless it teaches: then it stays in evaluation mode."""
        super().train(mode)
        if self.teaching or not self.config.teacher_steps:
            self.teacher.eval()
        return self

    def step(self, feed: Feed, update: Update) -> Logs:
        if self.steps_taken < self.config.teacher_steps:
            logs = update("teacher", self._teacher_loss, next(feed))
        elif self.teaching or self.config.alpha == 0:  # alone, the student needs no teacher
            self.teacher.eval()
            logs = update("model", self._student_loss, next(feed))
        else:
            raise ConfigError(
                "the teacher has no weights: give a finished run with --teacher RUN (in Python: adopt_teacher), or set "
                "method.teacher_steps to train it in this run"
            )
        self.steps_taken += 1
        return logs

    def _teacher_loss(self, batch: Batch) -> Loss:
        return self.task.loss(self.teacher(batch.inputs), batch.targets, batch.weights)

    def _student_loss(self, batch: Batch) -> Loss:
        logits = self.model(batch.inputs)
        hard = self.task.loss(logits, batch.targets, batch.weights)
        if self.config.alpha == 0:
            return hard
        with torch.no_grad():
            teacher_logits = self.teacher(batch.inputs)
        # In at least single precision: autocast would otherwise difference logarithms in bfloat16.
        wide = torch.promote_types(logits.dtype, torch.float32)
        soft = weighted(
            soft_target_losses(logits.to(wide), teacher_logits.to(wide), temperature=self.config.temperature),
            batch.weights,
        )
        scale = self.config.alpha * self.config.temperature**2
        return Loss((1 - self.config.alpha) * hard.total + scale * soft.total, soft.weight)

    def state(self) -> dict[str, Any]:
        """Return the buffers and a frozen teacher's weights, and how far the run is."""
        return {**super().state(), "steps_taken": self.steps_taken, "adopted": self.adopted}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what :meth:`state` returned."""
        super().restore(state)
        self.steps_taken, self.adopted = int(state["steps_taken"]), bool(state["adopted"])
        self.train(self.training)
