"""Distillation of features: what hidden layers of the teacher answer is taught besides its last word."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.errors import ConfigError
from netsmith.core.spec import Spec
from netsmith.engine.batch import Batch
from netsmith.engine.task import Loss, weighted
from netsmith.methods._feature_losses import angle_losses, attention_losses, distance_losses, similarity_losses
from netsmith.methods._features import check_layers, run_with_features
from netsmith.methods._taught import Taught, TaughtConfig, wide

__all__ = ["FeatureDistillation"]


def _relational(student: Tensor, teacher: Tensor) -> Tensor:
    return distance_losses(student, teacher) + 2 * angle_losses(student, teacher)  # RKD-DA: lambda_D : lambda_A = 1 : 2


_FORMS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = MappingProxyType(
    {
        "attention": attention_losses,
        "similarity": similarity_losses,
        "distance": distance_losses,
        "angle": angle_losses,
        "relational": _relational,
    }
)


class FeatureDistillation(Taught):
    r"""Teach by hidden layers besides the last word: for a student for whom the word alone is too little.

    .. math:: (1 - \alpha) \, \mathrm{CE} + \alpha T^2 \, \mathrm{KL} + \beta \sum_{(t, s)} L(F_s, F_t)

    The first two are Hinton's loss (:mod:`~netsmith.methods.distillation`); F are the answers of the paired layers, and
    L is one of

    - ``attention``: where a map looks (Zagoruyko & Komodakis 2017, arXiv:1612.03928, Eq. 2; their beta / 2 is our
      beta). Maps only; any channels, other sizes are interpolated.
    - ``similarity``: which examples of the batch look alike (Tung & Mori 2019, arXiv:1907.09682, Eq. 4; gamma is beta).
    - ``distance``, ``angle``: relations of pairs and of triples (Park et al. 2019, arXiv:1904.05068); ``relational`` is
      distance + 2 angle. Means, where the paper sums.

    All but attention couple the examples of a batch, so they refuse accumulation, and with several processes each one's
    share counts for itself. No form needs layers of equal width. The product is the student; it is not edited.

    Raises:
        UnknownNameError: A pair names a layer that is not there.
        ConfigError: In ``step``: a layer gives no map for ``attention``; the teacher has no weights yet.
    """

    class Config(TaughtConfig):
        """Who teaches whom, what, and how.

        Attributes:
            model: The student.
            teacher: The teacher.
            task: What their output means.
            temperature: T; higher shows more of what the teacher thinks of the wrong classes.
            alpha: Share of the teacher's word in Hinton's loss, 0..1; 0 leaves the teacher its features only.
            pairs: ``(teacher layer, student layer)`` by module name.
            form: What is compared.
            beta: Weight of each pair's loss.
            teacher_steps: Steps in which the teacher is trained first; 0 if its weights come from outside.
        """

        pairs: Annotated[tuple[tuple[str, str], ...], Field(min_length=1)]
        form: Literal["attention", "similarity", "distance", "angle", "relational"] = "attention"
        beta: float = Field(default=1.0, ge=0)
        alpha: float = Field(default=0.9, ge=0, le=1)

        @property
        def needs_teacher(self) -> bool:
            """Whether the teacher has a share in the loss."""
            return self.alpha > 0 or self.beta > 0

    config: FeatureDistillation.Config

    def __init__(self, config: FeatureDistillation.Config, *, spec: Spec) -> None:
        super().__init__(config, spec=spec)
        self._taught = [student for _, student in config.pairs]
        self._teaching = [teacher for teacher, _ in config.pairs]
        check_layers(self.model, self._taught, whose="student")
        check_layers(self.teacher, self._teaching, whose="teacher")

    def undecomposable(self) -> str:
        """Name a form of loss that relates the examples of a batch to each other."""
        form = self.config.form
        if self.config.beta and form != "attention":
            return f"the loss of form {form!r} compares the examples of a batch with each other"
        return super().undecomposable()

    def _student_loss(self, batch: Batch) -> Loss:
        alpha, beta = self.config.alpha, self.config.beta
        if not beta:
            return self._hinton_loss(batch, alpha)
        soft = alpha * self.config.temperature**2
        logits, ours = run_with_features(self.model, batch.inputs, self._taught, whose="student")
        with torch.no_grad():
            # Without a word in the loss the teacher need not run to its end.
            teacher_logits, theirs = run_with_features(
                self.teacher, batch.inputs, self._teaching, whose="teacher", whole=alpha > 0
            )
        loss = self._mixed(logits, teacher_logits, batch, 1 - alpha, soft)
        for teacher, student in self.config.pairs:
            if self.config.form == "attention":
                _check_map(ours[student], f"student's layer {student!r}")
                _check_map(theirs[teacher], f"teacher's layer {teacher!r}")
            with torch.autocast(logits.device.type, enabled=False):  # products of whole batches, in full precision
                losses = _FORMS[self.config.form](wide(ours[student]), wide(theirs[teacher]))
            of_form = weighted(losses, self.task.weights(batch.targets, batch.weights))
            loss = Loss(loss.total + beta * of_form.total, loss.weight)
        return loss


def _check_map(features: Tensor, whose: str) -> None:
    if features.dim() != 4:
        raise ConfigError(
            f"form='attention' needs maps of (B, C, H, W), and the {whose} gives {tuple(features.shape)}; "
            "name a convolutional layer, or use form='similarity'"
        )
