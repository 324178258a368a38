"""Distillation from several teachers at once (Hinton, Vinyals & Dean 2015, arXiv:1503.02531, section 1)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from netsmith.core.errors import ConfigError
from netsmith.core.roles import Batches, ModelConfig
from netsmith.core.spec import Spec
from netsmith.engine.batch import Batch
from netsmith.engine.task import Loss
from netsmith.methods._logit_cache import SharedAnswers
from netsmith.methods._taught import RememberedConfig, Taught, wide

__all__ = ["ManyTeachers"]


class ManyTeachers(Taught):
    r"""Distil an ensemble: the soft target is the mean of the teachers' softened probabilities.

    .. math:: (1 - \alpha) \, \mathrm{CE} + \alpha T^2 \, \mathrm{KL}\Big(\frac1M \sum_m \mathrm{softmax}(v_m / T)
        \,\Big\|\, \mathrm{softmax}(z / T)\Big)

    The teachers come from outside (:meth:`adopt_teachers`, in Python), or are trained first in the same run for
    ``teacher_steps`` steps, on the same batches and each on its own loss; they then differ by their first weights.

    Raises:
        ConfigError: In ``step``: the teachers have no weights yet.
    """

    class Config(RememberedConfig):
        """Who teaches whom, and how.

        Attributes:
            model: The student.
            teacher: The first teacher.
            others: The other teachers.
            task: What their output means.
            temperature: T; higher shows more of what the teachers think of the wrong classes.
            alpha: Share of the teachers' word in the loss, 0..1.
            cache: Keep the teachers' mean in memory (of use without augmentation only).
            teacher_steps: Steps in which the teachers are trained first; 0 if their weights come from outside.
        """

        others: Annotated[tuple[ModelConfig, ...], Field(min_length=1)]
        alpha: float = Field(default=0.9, ge=0, le=1)

        @property
        def needs_teacher(self) -> bool:
            """Whether the teachers have a share in the loss."""
            return self.alpha > 0

        def misfit(self, spec: Spec, *, gives: Batches) -> str:
            """Return why one of the networks or the task could not work on this data, ``""`` if all can."""
            problems = [super().misfit(spec, gives=gives), *(other.misfit(spec) for other in self.others)]
            return next((problem for problem in problems if problem), "")

    config: ManyTeachers.Config

    def __init__(self, config: ManyTeachers.Config, *, spec: Spec) -> None:
        super().__init__(config, spec=spec)

    def _build_teacher(self) -> nn.Module:
        networks = [one.build() for one in (self.config.teacher, *self.config.others)]
        axis = self.config.task.build().class_axis
        return _Mean(networks, temperature=self.config.temperature, axis=axis)

    @property
    def members(self) -> nn.ModuleList:
        """The teachers."""
        assert isinstance(self.teacher, _Mean)
        return self.teacher.members

    def adopt_teacher(self, teacher: nn.Module | Mapping[str, Tensor], *, shared: SharedAnswers | None = None) -> None:
        """Copy the weights of all teachers at once, as this method keeps them.

        Raises:
            ConfigError: A single network (see :meth:`adopt_teachers`), or weights that do not fit.
        """
        if isinstance(teacher, nn.Module) and not isinstance(teacher, _Mean):
            raise ConfigError(
                f"expected {len(self.members)} teachers, got one {type(teacher).__name__}; bring them in "
                "Python (adopt_teachers), train them in this run (method.teacher_steps), or use distillation"
            )
        super().adopt_teacher(teacher, shared=shared)

    def adopt_teachers(self, teachers: Sequence[nn.Module]) -> None:
        """Copy the weights of trained networks, in the order of the config.

        Raises:
            ConfigError: Another number of networks, or weights that do not fit.
        """
        if len(teachers) != len(self.members):
            raise ConfigError(f"expected {len(self.members)} teachers, got {len(teachers)}")
        states = enumerate(teacher.state_dict() for teacher in teachers)
        self.adopt_teacher({f"members.{at}.{name}": value for at, state in states for name, value in state.items()})

    def _teacher_loss(self, batch: Batch) -> Loss:
        losses = [self.task.loss(one(batch.inputs), batch.targets, batch.weights) for one in self.members]
        return Loss(torch.stack([loss.total for loss in losses]).sum(), losses[0].weight)

    def _student_loss(self, batch: Batch) -> Loss:
        return self._hinton_loss(batch, self.config.alpha)


class _Mean(nn.Module):
    """Logits v with ``softmax(v / T)`` the mean of the members' softened probabilities."""

    def __init__(self, members: Sequence[nn.Module], *, temperature: float, axis: int = -1) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.temperature = temperature
        self.axis = axis

    def forward(self, inputs: Any) -> Tensor:
        words = torch.stack(
            [(wide(one(inputs)) / self.temperature).log_softmax(self.axis) for one in self.members]
        )  # (M, B, ..., K), or the classes where the task has them
        return self.temperature * (words.logsumexp(0) - math.log(len(words)))
