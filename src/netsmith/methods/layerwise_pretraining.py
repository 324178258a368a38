"""Greedy layer-wise pre-training, then fine-tuning (Hinton & Salakhutdinov 2006; Bengio et al. 2007)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol, runtime_checkable

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from netsmith.core.errors import ConfigError, DataError
from netsmith.core.roles import MethodConfig, ModelConfig, RunSettings, TaskConfig
from netsmith.core.spec import Spec
from netsmith.engine.batch import Batch
from netsmith.engine.method import Feed, Logs, Method, Update
from netsmith.engine.task import Loss, weighted
from netsmith.layers.restricted_boltzmann import gibbs, keyed_draws
from netsmith.layers.two_way import TwoWay

__all__ = ["LayerStack", "LayerwisePretraining"]


@runtime_checkable
class LayerStack(Protocol):
    """A network whose hidden layers can be read in both directions."""

    def stack(self) -> Sequence[TwoWay]:
        """Return the layers from the bottom up."""
        ...


class LayerwisePretraining(Method):
    r"""Learn one layer after the other, each from what the layers below it make of the data; then all from the labels.

    In phase one the player ``layers`` steps, for each layer in turn and as long; the layers below stay. A layer learns

    - ``rbm``: as a restricted Boltzmann machine, by CD-k (Hinton 2002). With v' from k steps of Gibbs sampling, the
      gradient of :math:`F(v) - F(v')` is the rule's step. That difference is no measure of progress, so what the log
      shows is the reconstruction's cross entropy;
    - ``autoencoder``: to reconstruct its input through the same weights, by cross entropy per example (nats);
    - ``supervised``: under a linear head of its own, from the labels (Bengio et al. 2007, section 4).

    In phase two the player ``model`` steps: the layers upwards and the head, by the task's loss. Each player has an
    optimizer of its own. A run with fewer steps of pre-training than layers leaves the upper ones as they were drawn.

    Attributes:
        taken: Steps taken.

    Raises:
        ConfigError: The network is no :class:`LayerStack`.
        DataError: In ``step``: inputs outside 0..1 under ``rbm`` or ``autoencoder``.
    """

    taken: Tensor

    class Config(MethodConfig):
        """What is learned, and how it begins.

        Attributes:
            model: The network.
            task: What its output means.
            stage: How a layer is pre-trained.
            share: Share of the steps that is pre-training (at least one, and one is left to fine-tuning). 0 leaves it
                out, 1 is nothing else: then there is no player ``layers``, or none called ``model``.
            gibbs_steps: k, for ``rbm``.
        """

        model: ModelConfig
        task: TaskConfig
        stage: Literal["rbm", "autoencoder", "supervised"] = "rbm"
        share: float = Field(default=0.5, ge=0, le=1)
        gibbs_steps: int = Field(default=1, ge=1)

        @model_validator(mode="after")
        def _check(self) -> LayerwisePretraining.Config:
            if self.gibbs_steps > 1 and self.stage != "rbm":
                raise ValueError(f"gibbs_steps={self.gibbs_steps} is for stage='rbm' only; leave it out")
            return self

        def pretraining_steps(self, steps: int) -> int:
            """Return how many steps phase one takes in a run of ``steps``."""
            if self.share in (0, 1):
                return steps if self.share else 0
            return min(max(1, round(self.share * steps)), steps - 1)

        def problem(self, run: RunSettings) -> str:
            """Return why a phase would have no step."""
            if 0 < self.share < 1 and run.steps == 1:
                return f"share={self.share:g} needs a step for each of two phases; the run has 1"
            return ""

    def __init__(self, config: LayerwisePretraining.Config, *, spec: Spec) -> None:  # noqa: ARG002
        super().__init__()
        self.config = config
        self.model = config.model.build()
        self.task = config.task.build()
        if not isinstance(self.model, LayerStack):
            raise ConfigError(
                f"{config.model!r} has no stack() of layers; learn a deep_belief_network, or take supervised"
            )
        self.heads = nn.ModuleList()
        layers = self.model.stack()
        if config.share and config.stage == "supervised":
            classes = self.model(torch.zeros(1, layers[0].linear.in_features)).shape[-1]
            self.heads.extend(nn.Linear(layer.linear.out_features, classes) for layer in layers)
        if config.share and config.stage != "supervised":
            for layer in layers:
                layer.visible_bias.requires_grad_(True)
        self.register_buffer("taken", torch.zeros((), dtype=torch.int64))

    def players(self) -> dict[str, dict[str, nn.Parameter]]:
        """Return ``layers`` (the stack, and what only its pre-training needs), and ``model`` (what answers)."""
        named = {name: p for name, p in self.named_parameters() if p.requires_grad}
        stack = {id(p) for layer in self.model.stack() for p in layer.parameters()}
        aside = {id(layer.visible_bias) for layer in self.model.stack()} | {id(p) for p in self.heads.parameters()}
        model = {name: p for name, p in named.items() if id(p) not in aside}
        if not self.config.share:
            return {"model": model}
        layers = {name: p for name, p in named.items() if id(p) in stack | aside}
        return {"layers": layers, "model": model} if self.config.share < 1 else {"layers": layers}

    def step(self, feed: Feed, update: Update) -> Logs:
        taken, first = int(self.taken), self.config.pretraining_steps(update.steps)
        if taken < first:
            layers = self.model.stack()
            logs = update("layers", self._layer_loss(taken * len(layers) // max(first, len(layers))), next(feed))
        else:
            logs = update("model", self._loss, next(feed))
        self.taken += 1
        return logs

    def _loss(self, batch: Batch) -> Loss:
        return self.task.loss(self.model(batch.inputs), batch.targets, batch.weights)

    def _layer_loss(self, at: int) -> Callable[[Batch], Loss]:
        """Return the loss of a layer, by its number from the bottom."""
        *below, layer = self.model.stack()[: at + 1]

        def loss(batch: Batch) -> Loss:
            with torch.no_grad():
                seen = batch.inputs.flatten(1)
                if self.config.stage != "supervised" and not bool(((seen >= 0) & (seen <= 1)).all()):
                    raise DataError("layers that learn to reconstruct take numbers in 0..1; leave normalization out")
                for one in below:
                    seen = one(seen)
            if self.config.stage == "supervised":
                return self.task.loss(self.heads[at](layer(seen)), batch.targets, batch.weights)
            machine = layer.machine()
            hidden = machine.hidden(seen)
            logits = hidden @ machine.weight + machine.visible_bias
            error = F.binary_cross_entropy_with_logits(logits, seen, reduction="none").sum(1)
            if self.config.stage == "autoencoder":
                return weighted(error, batch.weights)
            assert batch.keys is not None
            draw = keyed_draws(batch.keys, seen.dtype)
            sample = (draw(hidden.shape[1], "cd/hidden") < hidden).to(seen.dtype)
            guess = gibbs(machine, sample, steps=self.config.gibbs_steps, draw=draw).visible
            gap = machine.free_energy(seen) - machine.free_energy(guess)
            return weighted(error.detach() + gap - gap.detach(), batch.weights)

        return loss
