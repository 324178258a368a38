"""Knowledge distillation (Hinton, Vinyals & Dean 2015, arXiv:1503.02531)."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from netsmith.core.config import later
from netsmith.core.spec import Spec
from netsmith.engine.batch import Batch
from netsmith.engine.task import Loss
from netsmith.methods._taught import RememberedConfig, Taught, soft_target_losses

__all__ = ["Distillation", "distillation_loss", "soft_target_losses"]


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


class Distillation(Taught):
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

    class Config(RememberedConfig):
        """Who teaches whom, and how.

        Attributes:
            model: The student.
            teacher: The teacher.
            task: What their output means.
            temperature: T; higher shows more of what the teacher thinks of the wrong classes.
            alpha: Share of the teacher's word in the loss, 0..1.
            cache: Keep the teacher's logits in memory (of use without augmentation only).
            teacher_steps: Steps in which the teacher is trained first; 0 if its weights come from outside.
        """

        alpha: float = Field(default=0.9, ge=0, le=1)
        cache: bool = later(False)

        @property
        def needs_teacher(self) -> bool:
            """Whether the teacher has a share in the loss."""
            return self.alpha > 0

    config: Distillation.Config

    def __init__(self, config: Distillation.Config, *, spec: Spec) -> None:
        super().__init__(config, spec=spec)

    def _student_loss(self, batch: Batch) -> Loss:
        return self._hinton_loss(batch, self.config.alpha)
