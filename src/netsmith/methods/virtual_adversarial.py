"""Virtual adversarial training (Miyato et al. 2016, arXiv:1507.00677; 2018, arXiv:1704.03976)."""

from __future__ import annotations

import functools
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.func import functional_call

from netsmith.core.roles import Batches
from netsmith.core.spec import InputKind, Spec
from netsmith.engine.batch import Batch
from netsmith.engine.method import Feed, Logs, Update
from netsmith.engine.random import keyed_normal
from netsmith.engine.task import UNLABELED, Loss, weighted
from netsmith.layers.attacks import slope, units
from netsmith.layers.evaluating import evaluating
from netsmith.layers.raw_unit import RawUnit
from netsmith.methods._taught import soft_target_losses, wide
from netsmith.methods.supervised import Supervised

__all__ = ["VirtualAdversarial"]


class VirtualAdversarial(Supervised):
    r"""Keep the answer to an input the same all around it, in the direction most of all in which it changes fastest.

    That takes no label, so examples without one (class :data:`~netsmith.engine.task.UNLABELED`) teach too.

    .. math:: L = \frac{1}{N_l} \sum_{labeled} \ell(x, y)
              + \alpha \frac{1}{N} \sum_{all} \mathrm{KL}[p(\cdot | x) \,\|\, p(\cdot | x + r_{vadv})],
              \qquad r_{vadv} = \epsilon d / \lVert d \rVert_2

    (2018, section 3.1), p at x held fixed. The direction d is the eigenvector of the largest eigenvalue of the
    divergence's Hessian at x, sought by the power method from a random start (section 3.3):

    .. math:: d \leftarrow \overline{\nabla_r \mathrm{KL}[p(\cdot | x) \,\|\, p(\cdot | x + r)]}_{r = \xi d}

    A step costs as much as about ``powers + 2`` plain ones. The unit of epsilon is the pixel in 0..1, before
    normalization (of a table: what the network sees); as in the paper a perturbed image may leave that range.

    Deviations: xi is 0.01, not 1e-6, whose differences drown in the rounding of single precision. The direction is
    sought in evaluation mode, never in bfloat16, from noise of the example's own key. Batch normalization takes the
    statistics of each pass, as in the paper's code, and counts the pass over the examples as they are alone.
    """

    class Config(Supervised.Config):
        """What is learned, and how smooth it is to be.

        Attributes:
            model: The network.
            task: What its output means; one class for each example.
            epsilon: How far away the answer is to stay the same, as Euclidean length.
            weight: The paper's alpha.
            powers: Iterations of the power method, the paper's K.
            xi: Length of its differences.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image", "table")

        epsilon: float = Field(default=2.0, gt=0)
        weight: float = Field(default=1.0, ge=0)
        powers: int = Field(default=1, ge=1)
        xi: float = Field(default=0.01, gt=0)

        def misfit(self, spec: Spec, *, gives: Batches) -> str:
            """Return why there is no distribution over classes to keep."""
            if spec.outputs.kind == "classes":
                return super().misfit(spec, gives=gives)
            return (
                f"virtual_adversarial keeps the probabilities of one class for each example, and the targets of "
                f"{spec.dataset} are {spec.outputs.kind!r}; take the method supervised"
            )

    config: VirtualAdversarial.Config

    def __init__(self, config: VirtualAdversarial.Config, *, spec: Spec) -> None:
        super().__init__(config, spec=spec)
        self.unit = RawUnit.of(spec.inputs)
        self.scale = 1.0  # examples for each labeled one, in the batch of the step

    def step(self, feed: Feed, update: Update) -> Logs:
        batch = next(feed)
        # Counted in the whole batch, before it is cut: each piece then holds its part of both means.
        counts = torch.stack([_mass(batch, part) for part in (None, _labeled(batch))])
        update.sum_ranks([counts])
        self.scale = float(counts[0] / counts[1]) if counts[1] else 0.0
        return super().step(iter([batch]), update)

    def _loss(self, batch: Batch) -> Loss:
        logits = self.model(batch.inputs)
        labeled = _labeled(batch)
        if labeled is None:
            label = self.task.loss(logits, batch.targets, batch.weights)
        else:
            weights = None if batch.weights is None else batch.weights[labeled]
            label = self.task.loss(logits[labeled], batch.targets[labeled], weights)
        divergence = weighted(self.divergences(batch, logits.detach()), batch.weights)
        return Loss(self.scale * label.total + self.config.weight * divergence.total, divergence.weight)

    def divergences(self, batch: Batch, logits: Tensor) -> Tensor:
        """Return ``KL[p(x) || p(x + r_vadv)]`` of each example in nats, ``(B,)``.

        Args:
            batch: The examples.
            logits: What the network says of them, held fixed.
        """
        moved = self.unit.seen(self.unit.raw(batch.inputs) + self.config.epsilon * self.directions(batch))
        lent = {name: buffer.clone() for name, buffer in self.model.named_buffers()}  # they are not counted twice
        return _divergences(logits, functional_call(self.model, lent, (moved,)))

    def directions(self, batch: Batch) -> Tensor:
        """Return the unit vector of each example along which the answer changes most, ``(B, ...)``."""
        assert batch.keys is not None
        raw = self.unit.raw(batch.inputs)
        drawn = keyed_normal(batch.keys, *raw.shape[1:], stream="virtual adversarial")
        d = drawn.to(raw.dtype)
        # In full precision: a difference of length xi drowns in the rounding of bfloat16.
        with evaluating(self.model), torch.autocast(raw.device.type, enabled=False):
            fixed = self.model(self.unit.seen(raw)).detach()
            for _ in range(self.config.powers):
                loss = functools.partial(self._divergence_at, fixed)
                d = slope(loss, raw + self.config.xi * units(d))  # Algorithm 1
        return units(d)

    def _divergence_at(self, fixed: Tensor, raw: Tensor) -> Tensor:
        return _divergences(fixed, self.model(self.unit.seen(raw)))


def _divergences(fixed: Tensor, logits: Tensor) -> Tensor:
    return soft_target_losses(wide(logits), wide(fixed), temperature=1.0)


def _labeled(batch: Batch) -> Tensor | None:
    """Return which examples have a label, ``(B,)``; None where all have."""
    if batch.targets.is_floating_point():
        return None
    has = batch.targets != UNLABELED
    return None if bool(has.all()) else has


def _mass(batch: Batch, part: Tensor | None) -> Tensor:
    """Return the summed weight of the examples, or of a part of them, in double precision."""
    device = batch.targets.device
    each = torch.ones(len(batch), device=device) if batch.weights is None else batch.weights
    return (each if part is None else each[part]).double().sum()
