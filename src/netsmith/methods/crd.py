"""CRD: contrastive representation distillation (Tian, Krishnan & Isola 2020, arXiv:1910.10699)."""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from netsmith.core.errors import ConfigError, UnsupportedError
from netsmith.core.spec import Spec
from netsmith.engine.batch import Batch
from netsmith.engine.method import Feed, Logs, Update
from netsmith.engine.random import keyed_uniform
from netsmith.engine.task import Loss, weighted
from netsmith.layers.evaluating import evaluating
from netsmith.layers.initialization import he_initialize
from netsmith.methods._features import check_layers, probe_of, run_with_features
from netsmith.methods._taught import Taught, TaughtConfig, wide

__all__ = ["CRD", "contrast_losses"]

_EPSILON = 1e-7


def contrast_losses(scores: Tensor, *, noise: float) -> Tensor:
    r"""Return the critic's loss of each example: telling its own pair from pairs with others.

    .. math:: -\log h_0 - \sum_{k=1}^{K} \log (1 - h_k), \qquad h_k = \frac{e^{s_k}}{e^{s_k} + K/M}

    Args:
        scores: ``(B, 1 + K)``, s: the logarithm of how alike both of a pair are; an example's own pair comes first.
        noise: K / M, of K pairs with others and M examples in all (the paper's N / M).

    Returns:
        ``(B,)``.
    """
    whole = torch.logaddexp(scores, scores.new_tensor(math.log(noise + _EPSILON)))
    own = scores[:, 0] - whole[:, 0]  # log h
    others = math.log(noise) - whole[:, 1:]  # log (1 - h)
    return -(own + others.sum(1))


class CRD(Taught):
    r"""Teach the student's last features to tell examples apart as the teacher's do: for what a label leaves out.

    .. math:: (1 - \alpha) \, \mathrm{CE} + \alpha T^2 \, \mathrm{KL} + \beta \, (L_S + L_T), \qquad
        L = -\mathbb E_{joint} \log h(T, S) - K \, \mathbb E_{product} \log (1 - h(T, S)), \qquad
        h = \frac{e^{g^T(T)' g^S(S) / \tau}}{e^{g^T(T)' g^S(S) / \tau} + K / M}

    The critic h (section 3.1) is to tell pairs of the same example from pairs of two; ``g`` are linear maps to ``size``
    numbers of length 1, learned with the student; tau is ``contrast_temperature``, M the number of training examples.
    K others per example come from a memory of every example's embeddings, which after each step move by ``1 -
    momentum`` towards the new ones. L_S has the student's embeddings against the teacher's memory, L_T the teacher's
    against the student's. As in the authors' code, exponentials are divided by M times their mean on the first batch.

    What is taught are the answers of the named layers, which should be the last before the heads: vectors, or maps,
    which are averaged over their places. The memory takes ``2 * M * size`` numbers here and in every checkpoint; a step
    multiplies the batch with all of it, or with the rows of its pairs where these are fewer than M numbers. Examples of
    a batch are not coupled, so accumulation and ranks are exact.
    The product is the student; it is not edited.

    Deviations from the authors' code: others are drawn from all examples but the own one (the paper's form without
    labels; their experiments draw from other classes), by the example's key, so that a resume is exact; the means on
    the first batch are taken in evaluation mode.

    Raises:
        UnknownNameError: A layer that is not there.
        UnsupportedError: The inputs are not of one fixed shape of numbers; the examples are no fixed, numbered set.
        ConfigError: A layer gives no vector or map for each example; in ``step``: the teacher has no weights yet.
    """

    class Config(TaughtConfig):
        """Who teaches whom, what, and how; the defaults are the authors'.

        Attributes:
            model: The student.
            teacher: The teacher.
            task: What their output means.
            temperature: T; higher shows more of what the teacher thinks of the wrong classes.
            alpha: Share of the teacher's word in Hinton's loss, 0..1; 0 leaves the labels whole.
            teacher_layer: The teacher's last layer before its head, by module name.
            student_layer: The student's.
            beta: Weight of the contrast; 0 leaves it out, and with it the embeddings and the memory.
            size: Numbers of an embedding.
            negatives: K, pairs with others for each example.
            contrast_temperature: Tau.
            momentum: What of an old embedding stays in memory when the new one comes.
            teacher_steps: Steps in which the teacher is trained first; 0 if its weights come from outside.
        """

        teacher_layer: str
        student_layer: str
        beta: float = Field(default=0.8, ge=0)
        alpha: float = Field(default=0.0, ge=0, le=1)
        size: int = Field(default=128, ge=2)
        negatives: int = Field(default=16384, ge=1)
        contrast_temperature: float = Field(default=0.07, gt=0)
        momentum: float = Field(default=0.5, ge=0, lt=1)

        @property
        def needs_teacher(self) -> bool:
            """Whether the teacher has a share in the loss."""
            return self.alpha > 0 or self.beta > 0

    config: CRD.Config
    memory_student: Tensor
    memory_teacher: Tensor
    means: Tensor

    def __init__(self, config: CRD.Config, *, spec: Spec) -> None:
        super().__init__(config, spec=spec)
        check_layers(self.model, [config.student_layer], whose="student")
        check_layers(self.teacher, [config.teacher_layer], whose="teacher")
        self._seen: list[tuple[Tensor, Tensor, Tensor]] = []
        if not config.beta:
            return
        examples = next((split.size for split in spec.splits if split.name == "train"), 0)
        if examples < 2:
            raise UnsupportedError(
                f"crd remembers every training example, and {spec.dataset} has {examples}; use feature_distillation "
                "with form='similarity', which compares the examples of a batch"
            )
        ours, theirs = self._widths(spec)
        self.embed_student = nn.Linear(ours, config.size)
        self.embed_teacher = nn.Linear(theirs, config.size)
        for layer in (self.embed_student, self.embed_teacher):
            he_initialize(layer, nonlinearity="linear")
        spread = math.sqrt(3 / config.size)  # uniform numbers of which a row is about 1 long
        for name in ("memory_student", "memory_teacher"):
            self.register_buffer(name, (2 * torch.rand(examples, config.size) - 1) * spread)
        self.register_buffer("means", torch.zeros(2))

    def _widths(self, spec: Spec) -> tuple[int, int]:
        """Return how many features the two layers give, by a probe that leaves no trace."""
        probe = probe_of(spec, 2, method="crd")
        with evaluating(self), torch.no_grad():
            ours, theirs = self._features(Batch(probe))
        return ours.shape[1], theirs.shape[1]

    def _features(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the ``(B, D)`` features of both networks, whose runs end there."""
        found = []
        for network, name, whose in (
            (self.model, self.config.student_layer, "student"),
            (self.teacher, self.config.teacher_layer, "teacher"),
        ):
            _, features = run_with_features(network, batch.inputs, [name], whose=whose, whole=False)
            found.append(_vectors(features[name], len(batch), f"{whose}'s layer {name!r}"))
        return found[0], found[1]

    # -- learning ---------------------------------------------------------------------------------------------------

    def _learn(self, feed: Feed, update: Update) -> Logs:
        batch = next(feed)
        if not self.config.beta:
            return update("model", self._student_loss, batch)
        if not bool(self.means.all()):
            self._measure_means(batch, update)
        self._seen.clear()
        logs = update("model", self._student_loss, batch)
        self._remember(len(batch), update)
        return logs

    def _student_loss(self, batch: Batch) -> Loss:
        config = self.config
        if not config.beta:
            return self._hinton_loss(batch, config.alpha)
        soft = config.alpha * config.temperature**2
        ours, theirs = config.student_layer, config.teacher_layer
        logits, student = run_with_features(self.model, batch.inputs, [ours], whose="student")
        with torch.no_grad():  # without a word in the loss the teacher need not run to its end
            teacher_logits, teacher = run_with_features(
                self.teacher, batch.inputs, [theirs], whose="teacher", whole=config.alpha > 0
            )
        loss = self._mixed(logits, teacher_logits, batch, 1 - config.alpha, soft)
        with torch.autocast(logits.device.type, enabled=False):  # products with the whole memory, in full precision
            embedded = self._embedded(
                _vectors(student[ours], len(batch), f"student's layer {ours!r}"),
                _vectors(teacher[theirs], len(batch), f"teacher's layer {theirs!r}"),
            )
            examples = len(self.memory_student)
            scores = self._scores(*embedded, batch)
            losses = sum(
                contrast_losses(score - (examples * mean).log(), noise=config.negatives / examples)
                for score, mean in zip(scores, self.means, strict=True)
            )
        assert isinstance(losses, Tensor)
        assert batch.indices is not None
        self._seen.append((batch.indices, embedded[0].detach(), embedded[1].detach()))
        contrast = weighted(losses, self.task.weights(batch.targets, batch.weights))
        return Loss(loss.total + config.beta * contrast.total, loss.weight)

    def _embedded(self, ours: Tensor, theirs: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``g^S`` and ``g^T``: ``(B, size)``, rows of length 1."""
        student, teacher = self.embed_student(wide(ours)), self.embed_teacher(wide(theirs))
        return F.normalize(student, dim=1), F.normalize(teacher, dim=1)

    def _scores(self, student: Tensor, teacher: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return ``(B, 1 + K)`` cosines over tau: the student's against the teacher's memory, and the other way round.

        Raises:
            UnsupportedError: The source does not number its examples.
        """
        at, keys, size = batch.indices, batch.keys, len(self.memory_student)
        if at is None or keys is None:
            raise UnsupportedError(
                "crd remembers examples by their number, and this source does not number them; use "
                "feature_distillation with form='similarity', which compares the examples of a batch"
            )
        steps = 1 + (keyed_uniform(keys, self.config.negatives, stream="crd negatives") * (size - 1)).long()
        pairs = torch.cat([at[:, None], (at[:, None] + steps) % size], dim=1)  # any example but the own one
        found = [
            _cosines(embedded, memory, pairs) / self.config.contrast_temperature
            for embedded, memory in ((student, self.memory_teacher), (teacher, self.memory_student))
        ]
        return found[0], found[1]

    # -- what is remembered -----------------------------------------------------------------------------------------

    def _measure_means(self, batch: Batch, update: Update) -> None:
        """Set the mean exponentials that scale all others: those of this batch, the same on every rank."""
        with evaluating(self), torch.no_grad():  # nothing is to count in the statistics of a batch normalization
            scores = self._scores(*self._embedded(*self._features(batch)), batch)
        sums = torch.stack([score.double().exp().sum() for score in scores])
        counted = torch.cat([sums, sums.new_tensor([scores[0].numel()])])
        update.sum_ranks([counted])
        self.means.copy_(counted[:2] / counted[2])

    def _remember(self, size: int, update: Update) -> None:
        """Move the memory of the batch's examples towards their new embeddings, on every rank those of all ranks."""
        # an optimizer that asks for the loss again has seen the batch again: the last time counts
        at, student, teacher = (torch.cat(parts)[-size:] for parts in zip(*self._seen, strict=True))
        self._seen.clear()
        world = student.new_ones(1)
        update.sum_ranks([world])
        if world > 1:
            width = self.config.size
            rows = student.new_zeros(len(self.memory_student), 2 * width + 1)
            rows[at] = torch.cat([student, teacher, torch.ones_like(student[:, :1])], dim=1)
            update.sum_ranks([rows])
            at = rows[:, -1].nonzero()[:, 0]
            student, teacher = rows[at, :width], rows[at, width:-1]
        for memory, new in ((self.memory_student, student), (self.memory_teacher, teacher)):
            moved = self.config.momentum * memory[at] + (1 - self.config.momentum) * new
            memory[at] = F.normalize(moved, dim=1)


def _cosines(embedded: Tensor, memory: Tensor, pairs: Tensor) -> Tensor:
    """Return ``(B, 1 + K)`` products of embeddings with rows of the memory, by the smaller of two tables.

    Args:
        embedded: ``(B, size)``.
        memory: ``(M, size)``.
        pairs: ``(B, 1 + K)``, which rows.
    """
    examples, size = memory.shape
    if pairs.shape[1] * size < examples:
        return (memory[pairs] @ embedded[:, :, None])[:, :, 0]  # (B, 1 + K, size): those rows alone
    return (embedded @ memory.T).gather(1, pairs)  # (B, M): all products, of which some are wanted


def _vectors(features: Tensor, size: int, whose: str) -> Tensor:
    """Return a layer's answer as ``(B, D)``: maps averaged over their places, anything else flattened."""
    if features.dim() < 2 or len(features) != size:
        raise ConfigError(
            f"crd needs a vector or a map for each of {size} examples, and the {whose} gives {tuple(features.shape)}"
        )
    return features.flatten(2).mean(2) if features.dim() > 3 else features.flatten(1)
