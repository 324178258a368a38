"""Teacher forcing: a writer learns each next token from the true text before it; or, now and then, from its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from netsmith.core.config import later
from netsmith.core.errors import ConfigError, shorten
from netsmith.core.roles import Batches, MethodConfig, ModelConfig, TaskConfig
from netsmith.core.spec import Spec
from netsmith.engine.batch import Batch
from netsmith.engine.method import Feed, Logs, Method, Update
from netsmith.engine.task import UNLABELED, Loss, Metric
from netsmith.layers.scheduled_sampling import Decay, own_share, sampled
from netsmith.layers.writing import Costs, Judged, Packs, Writer, Writing
from netsmith.methods._order import from_first_to_last

__all__ = ["ReadsTexts", "TakesPacked", "TeacherForcing"]


@runtime_checkable
class TakesPacked(Protocol):
    """A task whose loss takes the logits of the places that have a target alone."""

    def of_packed(self, logits: Tensor, target: Tensor, weights: Tensor | None = None) -> Loss:
        """Return the loss for the logits ``(M, V)`` of the M places of ``(B, T)`` that have a target."""
        ...


@runtime_checkable
class ReadsTexts(Protocol):
    """A task with figures of whole texts.

    Attributes:
        reads_texts: Whether they are asked for; else none is written in an evaluation.
    """

    @property
    def reads_texts(self) -> bool: ...


class TeacherForcing(Method):
    r"""Learn to write the text that belongs to a source, each token from the true ones before it.

    .. math:: \max_\theta \sum_t \log p_\theta(y_t \mid y_1, \ldots, y_{t-1}, x)

    (Williams & Zipser 1989; Sutskever, Vinyals & Le 2014, arXiv:1409.3215.) In use a model reads its own tokens, which
    it never saw in training; scheduled sampling (Bengio et al. 2015, arXiv:1506.03099) lets it read them more and more
    often: each token read is the model's own with the probability of
    :func:`~netsmith.layers.scheduled_sampling.own_share`. It goes step by step, so a model that else computes all
    places at once learns several times slower.

    A model that adds to what a text costs (:class:`~netsmith.layers.writing.Costs`) is learned with that in its loss;
    the figures leave it out.

    Batches hold ``inputs = {"source": ..., "written": (B, T)}`` (each text after an end mark) and targets ``(B, T)``
    that end with the end mark. Its one player is ``model``. Figures are computed from what
    :class:`~netsmith.layers.writing.Judged` holds; the product is the model with its search.

    Raises:
        ConfigError: The model is no :class:`~netsmith.layers.writing.Writer`; ``coverage`` for one without attention;
            ``sampling`` for one that cannot write a token twice.
    """

    class Config(MethodConfig):
        """What is learned, how texts are searched for, and how often the model reads its own tokens.

        Attributes:
            model: A writer.
            task: What its output means.
            beams: How many texts the search follows; 1 takes the likeliest token each time.
            penalty: How much longer texts are preferred (alpha of GNMT).
            coverage: What it costs to leave words of the source without attention (beta of GNMT).
            longest: The most tokens of a text that is written, its end included.
            sampling: How the share of true tokens falls with the steps; ``none`` reads true tokens alone.
            sampling_k: k of the decay.
            sampling_slope: c of the linear decay, per step.
            least_true: The share of true tokens that stays.
        """

        model: ModelConfig
        task: TaskConfig
        beams: int = Field(default=5, ge=1)
        penalty: float = Field(default=1.0, ge=0)
        coverage: float = Field(default=0.0, ge=0)
        longest: int = Field(default=100, ge=1)
        sampling: Decay = "none"
        sampling_k: float = later(0.0, ge=0)
        sampling_slope: float = later(0.0, ge=0)
        least_true: float = later(0.0, ge=0, le=1)

        @model_validator(mode="after")
        def _check(self) -> TeacherForcing.Config:
            if self.beams == 1 and self.coverage:
                raise ValueError("coverage chooses among texts; with beams=1 there is one, so leave it out")
            if self.sampling == "none":
                if self.sampling_k or self.sampling_slope or self.least_true:
                    raise ValueError("sampling_k, sampling_slope and least_true are for a sampling other than none")
                return self
            if self.sampling_slope and self.sampling != "linear":
                raise ValueError(f"sampling_slope is for the linear decay, not for {self.sampling}")
            if self.sampling == "inverse_sigmoid":
                if self.sampling_k < 1:
                    raise ValueError(f"the inverse sigmoid needs sampling_k of at least 1, got {self.sampling_k:g}")
            elif self.sampling_k > 1:
                raise ValueError(f"sampling_k is a share of true tokens in 0..1 here, got {self.sampling_k:g}")
            return self

        def misfit(self, spec: Spec, *, gives: Batches) -> str:
            """Return why the method could not learn from this data, ``""`` if it can."""
            if spec.outputs.longest > self.longest:
                return (
                    f"answers of {shorten(spec.dataset, 60)} have up to {spec.outputs.longest} tokens with the end, "
                    f"and {self.longest} are written at most; set method.longest={spec.outputs.longest}"
                )
            return super().misfit(spec, gives=gives)

    def __init__(self, config: TeacherForcing.Config, *, spec: Spec) -> None:
        super().__init__()
        writer = config.model.build()
        if not isinstance(writer, Writer):
            raise ConfigError(
                f"teacher_forcing teaches models that write a text for a source; {config.model.kind_name()} is none"
            )
        if config.sampling != "none" and writer.bars_written():
            raise ConfigError(
                f"sampling={config.sampling!r}: what {config.model.kind_name()} wrote is impossible from then on, so "
                "after a token of its own the true one may be, at an infinite loss; set method.sampling=none, or let "
                "the model repeat what it wrote (method.model.repeats=true)"
            )
        self.config = config
        self.model = Writing(
            writer,
            beams=config.beams,
            penalty=config.penalty,
            coverage=config.coverage,
            longest=config.longest,
        )
        self.task = config.task.build()
        self.outputs = spec.outputs
        self.steps_taken = 0

    def players(self) -> dict[str, dict[str, nn.Parameter]]:
        """Return what learns, from the first layer to the last."""
        learned = ((name, parameter) for name, parameter in self.named_parameters() if parameter.requires_grad)
        return {"model": from_first_to_last(learned, self.model)}

    def step(self, feed: Feed, update: Update) -> Logs:
        own = self.own_share(self.steps_taken)
        logs = update("model", lambda piece: self._loss(piece, own), next(feed))
        self.steps_taken += 1
        return logs if self.config.sampling == "none" else {"own": own} | dict(logs)  # the loss stands last

    def own_share(self, step: int) -> float:
        """Return the probability that a token read at a step is the model's own."""
        config = self.config
        return own_share(
            config.sampling, step, k=config.sampling_k, slope=config.sampling_slope, least=config.least_true
        )

    def _loss(self, piece: Batch, own: float) -> Loss:
        source, written = piece.inputs["source"], piece.inputs["written"]
        writer = self.model.writer
        if isinstance(writer, Costs):
            return self._costly(writer, piece, own)
        if own:
            assert piece.keys is not None
            logits = sampled(writer, source, written, own=own, keys=piece.keys).logits
        elif isinstance(writer, Packs) and isinstance(self.task, TakesPacked):
            logits = writer.packed(source, written, piece.targets != UNLABELED)
            return self.task.of_packed(logits, piece.targets, piece.weights)
        else:
            logits = writer(source, written)
        return self.task.loss(logits, piece.targets, piece.weights)

    def _costly(self, writer: Costs, piece: Batch, own: float) -> Loss:
        """Return the task's loss and what the writer adds to it, each text with its weight."""
        source, written = piece.inputs["source"], piece.inputs["written"]
        if own:
            assert piece.keys is not None
            with torch.no_grad():  # once more below, where the cost of what was read is known
                written = sampled(self.model.writer, source, written, own=own, keys=piece.keys).read
        logits, cost = writer.costly(source, written, piece.targets != UNLABELED)
        loss = self.task.loss(logits, piece.targets, piece.weights)
        return Loss(loss.total + (cost if piece.weights is None else cost * piece.weights).sum(), loss.weight)

    def evaluate(self, batch: Batch, metrics: Mapping[str, Metric]) -> None:
        """Update the metrics with what the model answers to the true texts, and writes itself."""
        source, written, writer = batch.inputs["source"], batch.inputs["written"], self.model.writer
        if isinstance(writer, Packs) and isinstance(self.task, TakesPacked):
            logits = writer.packed(source, written, batch.targets != UNLABELED)
        else:
            logits = writer(source, written)
        texts = self.model(source) if isinstance(self.task, ReadsTexts) and self.task.reads_texts else None
        for metric in metrics.values():
            metric.update(Judged(logits, texts, self.outputs), batch.targets)

    def state(self) -> dict[str, Any]:
        """Return the buffers, and how far the run is."""
        return {**super().state(), "steps_taken": self.steps_taken}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what :meth:`state` returned."""
        super().restore(state)
        self.steps_taken = int(state["steps_taken"])
