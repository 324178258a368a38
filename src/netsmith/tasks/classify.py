"""One of several classes for each example."""

from __future__ import annotations

import functools
import math
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from netsmith.core.config import later
from netsmith.core.errors import ConfigError, shorten
from netsmith.core.roles import TaskConfig
from netsmith.core.spec import OutputKind, Outputs, Spec
from netsmith.engine.task import UNLABELED, Loss, Metric, Ratio, Task
from netsmith.tasks._decoding import class_names, probabilities_of, scores_of
from netsmith.tasks._metrics import among, correct, full, labels, negative_log_likelihood

__all__ = ["Classify", "ConfusionMatrix"]


class Classify(Task):
    r"""Cross entropy between the softmax of the logits and the class.

    .. math:: -\sum_k q_k \log p_k, \qquad q_k = (1 - \epsilon) [k = y] + \epsilon / K

    with label smoothing :math:`\epsilon` (Szegedy et al. 2016, arXiv:1512.00567, section 7; spread over all K classes).
    With ``smoothing_over="others"`` the mass goes off the true class only, :math:`q_y = 1 - \epsilon` and
    :math:`\epsilon / (K - 1)` for each other: the same as :math:`\epsilon K / (K - 1)` spread over all.
    A target is a class (int64), or ``(B, K)`` probabilities (mixed examples). An example whose class is
    :data:`~netsmith.engine.task.UNLABELED` counts nowhere. Figures: ``accuracy`` in 0..1, ``loss``, the cross entropy
    in nats without smoothing, and those of ``within``; all take classes only.

    Shapes:
        Output ``(B, K)``; target ``(B,)`` int64 or ``(B, K)`` floating.
    """

    class Config(TaskConfig):
        """How classes are learned and shown.

        Attributes:
            label_smoothing: Share of each target's mass that is spread evenly over classes, in [0, 1).
            smoothing_over: Over ``all`` classes, or the ``others`` than the true one.
            top: How many of the likeliest classes a prediction shows.
            within: Further figures: for 5 ``top5``, the share of examples whose class is among the five likeliest.
        """

        answers: ClassVar[tuple[OutputKind, ...]] = ("classes",)

        label_smoothing: float = Field(default=0.0, ge=0, lt=1)
        smoothing_over: Literal["all", "others"] = later("all")
        top: int = Field(default=5, ge=1)
        within: tuple[Annotated[int, Field(ge=2)], ...] = later(())

        def misfit(self, spec: Spec) -> str:
            """Return why there are no classes to learn; for values, the two ways out."""
            if spec.outputs.kind != "values":
                return super().misfit(spec)
            return (
                f"{shorten(spec.dataset, 60)}: the target {shorten(', '.join(spec.outputs.names), 60)!r} holds values, "
                "and the task is to classify; give --set method.task=regress --set select=dev/r2, or "
                "--set data.problem=classes"
            )

    def __init__(self, config: Classify.Config) -> None:
        super().__init__()
        self.config = config

    def loss(self, output: Tensor, target: Tensor, weights: Tensor | None = None) -> Loss:
        output = full(output)
        if target.is_floating_point():
            target = target.to(output.dtype)
        smoothing = self._smoothing(output.shape[1])
        if weights is None:  # summed by the same kernel: of a small network's step that is a measurable part
            total = F.cross_entropy(output, target, reduction="sum", ignore_index=UNLABELED, label_smoothing=smoothing)
            return Loss(total, float(len(output) if target.is_floating_point() else labels(target)))
        losses = F.cross_entropy(output, target, reduction="none", ignore_index=UNLABELED, label_smoothing=smoothing)
        held = weights if target.is_floating_point() else weights * (target != UNLABELED)
        return Loss((losses * weights).sum(), held.sum())

    def weights(self, target: Tensor, weights: Tensor | None = None) -> Tensor | None:
        """Return the weight of each example that has a label, 0 of the others."""
        if target.is_floating_point():
            return weights
        labeled = target != UNLABELED
        return labeled.to(torch.get_default_dtype()) if weights is None else weights * labeled

    def _smoothing(self, classes: int) -> float:
        """Return the share that is spread over all classes.

        Raises:
            ConfigError: The true class would get less than each other.
        """
        share = self.config.label_smoothing
        if self.config.smoothing_over == "all" or not share:
            return share
        if share * classes > classes - 1:
            raise ConfigError(
                f"label_smoothing={share:g} over the other {classes - 1} of {classes} classes makes the true one the "
                f"least likely; set it to at most {(classes - 1) / classes:g}"
            )
        return share * classes / (classes - 1)

    def metrics(self) -> dict[str, Metric]:
        return {
            "accuracy": Ratio(correct),
            **{f"top{count}": Ratio(functools.partial(among, count)) for count in self.config.within},
            "loss": Ratio(negative_log_likelihood, higher_is_better=False, unit="nat"),
        }

    def average(self, outputs: Tensor) -> Tensor:
        """Return the logarithm of the mean probabilities, ``(B, V, K)`` to ``(B, K)`` (Krizhevsky et al. 2012, 4.1)."""
        return full(outputs).log_softmax(-1).logsumexp(1) - math.log(outputs.shape[1])

    def decode(self, output: Tensor, outputs: Outputs) -> list[dict[str, Any]]:
        """Return label, index and the likeliest classes' probabilities (falling) per example.

        Raises:
            ConfigError: The schema has another number of names than the network has classes.
            DataError: A probability is not a number.
        """
        return self._ranked(probabilities_of(output), "probabilities", class_names(output, outputs))

    def decode_scores(self, output: Tensor, outputs: Outputs, *, kind: str) -> list[dict[str, Any]]:
        """Return label, index, the highest scores (falling), and what they are.

        Raises:
            ConfigError: The schema has another number of names than the network has classes.
            DataError: A score is not a number.
        """
        rows = self._ranked(scores_of(output), "scores", class_names(output, outputs))
        return [{**row, "scores_are": kind} for row in rows]

    def _ranked(self, values: Tensor, what: str, names: tuple[str, ...]) -> list[dict[str, Any]]:
        # Stable, so that equal values are answered by the first class, as argmax does.
        ranked, order = values.sort(dim=1, descending=True, stable=True)
        top = min(self.config.top, len(names))
        return [
            {
                "label": names[indices[0]],
                "index": indices[0],
                what: {names[index]: value for index, value in zip(indices, row, strict=True)},
            }
            for indices, row in zip(order[:, :top].tolist(), ranked[:, :top].tolist(), strict=True)
        ]


class ConfusionMatrix(Metric):
    """How often each class was taken for each; the figure is the macro-averaged F1.

    Attributes:
        counts: ``(K, K)`` int64, rows are the truth, columns the prediction; ``(0, 0)`` before the first batch.
    """

    def __init__(self) -> None:
        self.counts = torch.zeros(0, 0, dtype=torch.int64)

    def update(self, output: Tensor, target: Tensor) -> None:
        classes = output.shape[1]
        target = target.cpu()
        cells = (target * classes + output.argmax(1).cpu())[target != UNLABELED]
        self._add(torch.bincount(cells, minlength=classes**2).view(classes, classes))

    def merge(self, other: ConfusionMatrix) -> None:
        self._add(other.counts)

    def per_class(self) -> dict[str, Tensor]:
        """Return ``precision``, ``recall`` and ``f1``, each ``(K,)`` float64 in 0..1; 0 where nothing is to divide."""
        hits = self.counts.diagonal().double()
        truths, predictions = self.counts.sum(1), self.counts.sum(0)
        return {
            "precision": hits / predictions.clamp(min=1),
            "recall": hits / truths.clamp(min=1),
            "f1": 2 * hits / (truths + predictions).clamp(min=1),
        }

    def compute(self) -> float:
        """Return the mean F1 over the classes that occur as truth or as prediction."""
        seen = (self.counts.sum(0) + self.counts.sum(1)) > 0
        return float(self.per_class()["f1"][seen].mean()) if bool(seen.any()) else float("nan")

    def _add(self, counts: Tensor) -> None:
        if counts.numel():
            self.counts = self.counts + counts if self.counts.numel() else counts
