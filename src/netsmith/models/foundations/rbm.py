"""The restricted Boltzmann machine (Smolensky 1986), learned by contrastive divergence (Hinton 2002)."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from netsmith.core.config import AUTO, Auto
from netsmith.core.errors import DataError, DivergedError, UnsupportedError
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.engine.batch import Batch
from netsmith.engine.random import example_keys
from netsmith.layers.restricted_boltzmann import Restricted, gibbs, keyed_draws

__all__ = ["RBM"]


class RBM(nn.Module):
    r"""Learn what binary data look like; with labels among its visible units, also which class they are of.

    The gradient of the log-likelihood is a difference of two expectations,

    .. math:: \Delta W = \eta \, (\langle h v^T \rangle_{data} - \langle h v^T \rangle_{model}),

    the second of which is estimated from k steps of Gibbs sampling: started at the data (CD-k, Hinton 2002, section 4),
    or going on where the last batch left it (persistent CD, Tieleman 2008). Hidden units enter by their probabilities,
    given visible ones that are sampled. Numbers between 0 and 1 count as probabilities of being on.

    With ``num_classes`` the label is one more group of visible units (Hinton, Osindero & Teh 2006, figure 1; Larochelle
    & Bengio 2008), and the class is answered exactly, without sampling: the logit of class y is minus the free energy
    of the example with that label,

    .. math:: d_y + \sum_j \log(1 + e^{c_j + U_{jy} + W_j x}),

    up to a constant. Without (0) the answer is the probabilities of the hidden units. There is no gradient to take: use
    the method ``learning_rule``. In algebra: :class:`~netsmith.layers.restricted_boltzmann.Restricted`.

    Attributes:
        weight: ``(hidden, in_features + num_classes)``.
        visible_bias: ``(in_features + num_classes,)``.
        hidden_bias: ``(hidden,)``.
        chains: ``(chains, hidden)``, where persistent sampling stands; without rows for CD.

    Shapes:
        ``(B, ...)`` with ``in_features`` numbers in 0..1 to ``(B, num_classes)``, or ``(B, hidden)``.

    Raises:
        DataError: In :meth:`learn`: inputs outside 0..1, or classes out of range.
        DivergedError: In :meth:`learn`: a step that is not finite; nothing was changed.
        UnsupportedError: In :meth:`learn`: a batch without keys; all weights are zero.

    Example:
        >>> model = RBM.Config(in_features=6, num_classes=0, hidden=3).build()
        >>> model(torch.ones(2, 6)).shape
        torch.Size([2, 3])
    """

    weight: Tensor
    visible_bias: Tensor
    hidden_bias: Tensor
    chains: Tensor

    class Config(ModelConfig):
        """The machine, and how its expectations are estimated.

        Attributes:
            hidden: Hidden units.
            gibbs_steps: k, steps of Gibbs sampling for each batch.
            chains: Chains of persistent sampling; 0 starts at the data each time.
            std: Of the first weights.
            in_features: Numbers per example.
            num_classes: Classes of the label; 0 learns without.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image", "table", "series", "audio", "state")
        widths: ClassVar[tuple[str, ...]] = ("hidden",)

        hidden: int = Field(default=100, ge=1)
        gibbs_steps: int = Field(default=1, ge=1)
        chains: int = Field(default=0, ge=0)
        std: float = Field(default=0.01, ge=0)
        in_features: int | Auto = AUTO
        num_classes: int | Auto = AUTO

    def __init__(self, config: RBM.Config) -> None:
        super().__init__()
        self.config = config
        self.classes = int(config.num_classes)
        visible = int(config.in_features) + self.classes
        self.register_buffer("weight", config.std * torch.randn(config.hidden, visible))
        self.register_buffer("visible_bias", torch.zeros(visible))
        self.register_buffer("hidden_bias", torch.zeros(config.hidden))
        self.register_buffer("chains", torch.zeros(config.chains, config.hidden))

    def machine(self) -> Restricted:
        """Return the machine's algebra on these very tensors."""
        return Restricted(self.weight, self.visible_bias, self.hidden_bias, self.classes)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the logits of classes; without labels, the probabilities of hidden units."""
        seen = inputs.flatten(1)
        if not self.classes:
            return self.machine().hidden(seen)
        free = seen.shape[1]
        drive = F.linear(seen, self.weight[:, :free], self.hidden_bias)  # (B, H)
        each = drive[:, None] + self.weight[:, free:].T  # (B, C, H)
        return F.softplus(each).sum(2) + self.visible_bias[free:]

    @torch.no_grad()
    def learn(self, batch: Batch, *, rate: float) -> dict[str, float]:
        """Make one step of (persistent) contrastive divergence.

        Args:
            batch: Examples; random numbers come from their keys.
            rate: Eta, for the mean over the batch.

        Returns:
            ``reconstruction``, the mean squared error of the data's one-step reconstruction, per visible unit.
        """
        visible, weights = self._visible(batch)
        keys = batch.keys
        if keys is None or not weights.any():
            raise UnsupportedError("contrastive divergence draws from the keys of a batch of positive weight")
        machine, draw = self.machine(), keyed_draws(keys, visible.dtype)
        positive = machine.hidden(visible)
        if len(self.chains):
            chain_keys = example_keys(int(keys[0]), torch.arange(len(self.chains), device=keys.device))
            draws = keyed_draws(chain_keys, visible.dtype)
            chain = gibbs(machine, self.chains, steps=self.config.gibbs_steps, draw=draws)
            theirs = torch.full_like(self.chains[:, 0], 1 / len(self.chains))
        else:
            sample = (draw(positive.shape[1], "cd/hidden") < positive).to(visible.dtype)
            chain, theirs = gibbs(machine, sample, steps=self.config.gibbs_steps, draw=draw), weights
        error = ((visible - machine.visible(positive)).square().mean(1) * weights).sum()
        up, down = positive.T * weights, chain.probabilities.T * theirs  # (H, B): means over the batch, and the chains
        learned = (
            self.weight + rate * (up @ visible - down @ chain.visible),
            self.hidden_bias + rate * (up.sum(1) - down.sum(1)),
            self.visible_bias + rate * (weights @ visible - theirs @ chain.visible),
        )
        if not all(bool(value.isfinite().all()) for value in learned):
            raise DivergedError(f"a step at the rate {rate:g} is NaN or infinite; nothing was changed: lower the rate")
        for place, value in zip((self.weight, self.hidden_bias, self.visible_bias), learned, strict=True):
            place.copy_(value)
        if len(self.chains):
            self.chains.copy_(chain.hidden)
        return {"reconstruction": float(error)}

    def landmarks(self) -> dict[str, str]:
        """Return where the head is: the model itself."""
        return {"head": ""}

    def _visible(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the visible units of a batch, ``(B, V)``, and weights that sum to 1."""
        seen = batch.inputs.flatten(1).to(self.weight.dtype)
        if not bool(((seen >= 0) & (seen <= 1)).all()):
            raise DataError("a restricted Boltzmann machine takes numbers in 0..1; leave normalization out")
        if self.classes:
            labels = batch.targets
            if labels.is_floating_point() or not bool(((labels >= 0) & (labels < self.classes)).all()):
                raise DataError(f"expected one class in 0..{self.classes - 1} per example")
            seen = torch.cat([seen, F.one_hot(labels, self.classes).to(seen.dtype)], 1)
        weights = seen.new_ones(len(seen)) if batch.weights is None else batch.weights.to(seen.dtype)
        return seen, weights / weights.sum()
