"""FitNets: hints for thin deep networks (Romero et al. 2015, arXiv:1412.6550)."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from netsmith.core.errors import ConfigError
from netsmith.core.roles import RunSettings
from netsmith.core.spec import Spec
from netsmith.engine.batch import Batch
from netsmith.engine.method import Feed, Logs, Update
from netsmith.engine.task import Loss, weighted
from netsmith.layers.evaluating import evaluating
from netsmith.layers.initialization import he_initialize
from netsmith.methods._feature_losses import hint_losses
from netsmith.methods._features import check_layers, probe_of, run_with_features
from netsmith.methods._taught import RememberedConfig, Taught, wide

__all__ = ["FitNets"]


class FitNets(Taught):
    r"""Train a student that is deeper and thinner than its teacher, in two stages (section 2.3, Algorithm 1).

    Stage 1, player ``hint``: the student up to its *guided* layer, and a regressor r on top of it, learn the answer of
    the teacher's *hint* layer; nothing behind the guided layer runs.

    .. math:: \tfrac12 \| u_h(x; W_{hint}) - r(v_g(x; W_{guided}); W_r) \|^2 \qquad \text{(Eq. 3)}

    Stage 2, player ``model``: the whole student learns from labels and the teacher's softened word.

    .. math:: H(y, P_S) + \lambda \, H(P_T^\tau, P_S^\tau) \qquad \text{(Eq. 2)}

    with lambda falling linearly over the stage. Our ``temperature`` is the paper's tau. The second term is written as a
    divergence, which differs by the teacher's own entropy: a constant. There is no factor of tau squared, as in the
    paper. Where both layers are maps the regressor is a convolution without padding whose kernel makes the sizes equal
    (``k = N_g - N_h + 1``, section 2.2); otherwise it is linear. It ends in the nonlinearity of the hint layer
    (``regressor``), so that both can be equal. It is learned, and saved, but is no part of the product.

    Stages begin anew: each player has an optimizer and schedule of its own (a ``window`` schedule plays in its stage
    alone). With ``teacher_steps`` the teacher is trained before them.

    Raises:
        UnknownNameError: ``hint`` or ``guided`` names a layer that is not there.
        ConfigError: The guided layer's map is smaller than the hint's; the teacher has no weights yet (in ``step``).
        UnsupportedError: The inputs are not of one fixed shape of numbers.
    """

    class Config(RememberedConfig):
        """Who teaches whom, what, and how.

        Attributes:
            model: The student.
            teacher: The teacher.
            task: What their output means.
            temperature: The paper's tau.
            hint: The teacher's layer that is to be guessed, by module name.
            guided: The student's layer that learns it.
            hint_share: Share of the student's steps that stage 1 takes (at least one, and one is left to stage 2);
                0 leaves it out: then there is no regressor and no player ``hint``.
            regressor: The nonlinearity at its end.
            lambda_start: Lambda at the first step of stage 2.
            lambda_end: Lambda at the last.
            cache: Keep the teacher's logits in memory (of use without augmentation only).
            teacher_steps: Steps in which the teacher is trained first; 0 if its weights come from outside.
        """

        temperature: float = Field(default=3.0, gt=0)
        hint: str
        guided: str
        hint_share: float = Field(default=0.4, ge=0, lt=1)
        regressor: Literal["relu", "tanh", "linear"] = "relu"
        lambda_start: float = Field(default=4.0, ge=0)
        lambda_end: float = Field(default=0.0, ge=0)

        @property
        def needs_teacher(self) -> bool:
            """Whether a stage asks the teacher anything."""
            return max(self.hint_share, self.lambda_start, self.lambda_end) > 0

        def hint_steps(self, steps: int) -> int:
            """Return how many steps stage 1 takes in a run of ``steps``."""
            if not self.hint_share:
                return 0
            ours = steps - self.teacher_steps
            return min(max(1, round(self.hint_share * ours)), ours - 1)

        def problem(self, run: RunSettings) -> str:
            """Return why a stage would have no step."""
            ours = run.steps - self.teacher_steps
            if self.hint_share and ours == 1:
                return (
                    f"hint_share={self.hint_share:g} needs a step for each of two stages; {ours} is left of {run.steps}"
                )
            return super().problem(run)

    config: FitNets.Config

    def __init__(self, config: FitNets.Config, *, spec: Spec) -> None:
        super().__init__(config, spec=spec)
        check_layers(self.model, [config.guided], whose="student")
        check_layers(self.teacher, [config.hint], whose="teacher")
        self.share = config.lambda_start  # the lambda of the step
        if config.hint_share:
            self.regressor, self._guided = self._fit_regressor(spec)

    def _fit_regressor(self, spec: Spec) -> tuple[nn.Module, list[str]]:
        """Return r for the shapes of both layers, and the names of the parameters up to the guided layer."""
        config, probe = self.config, probe_of(spec, 1, method="fitnets")
        with evaluating(self):  # a probe must not count in the statistics of a batch normalization
            _, ours = run_with_features(self.model, probe, [config.guided], whose="student", whole=False)
            with torch.no_grad():
                _, theirs = run_with_features(self.teacher, probe, [config.hint], whose="teacher", whole=False)
            guided, hint = ours[config.guided], theirs[config.hint]
            named = dict(self.model.named_parameters())
            reached = torch.autograd.grad(guided.sum(), list(named.values()), allow_unused=True)
        names = [f"model.{name}" for name, slope in zip(named, reached, strict=True) if slope is not None]
        return _regressor(guided, hint, nonlinearity=config.regressor), names

    def players(self) -> dict[str, dict[str, nn.Parameter]]:
        """Return ``hint`` (the student up to the guided layer, and the regressor) besides ``model`` and ``teacher``."""
        found = super().players()
        if not self.config.hint_share:
            return found
        model = found.pop("model")
        regressor = {name: model.pop(name) for name in list(model) if name.startswith("regressor.")}
        guided = {name: model[name] for name in self._guided}
        return found | {"hint": guided | regressor, "model": model}

    def _learn(self, feed: Feed, update: Update) -> Logs:
        config = self.config
        at = self.steps_taken - config.teacher_steps
        hint_steps = config.hint_steps(update.steps)
        if at < hint_steps:
            return update("hint", self._hint_loss, next(feed))
        last = update.steps - config.teacher_steps - hint_steps - 1
        part = (at - hint_steps) / last if last else 0.0
        self.share = config.lambda_start + part * (config.lambda_end - config.lambda_start)
        return super()._learn(feed, update)

    def _hint_loss(self, batch: Batch) -> Loss:
        config = self.config
        _, ours = run_with_features(self.model, batch.inputs, [config.guided], whose="student", whole=False)
        with torch.no_grad():
            _, theirs = run_with_features(self.teacher, batch.inputs, [config.hint], whose="teacher", whole=False)
        guess = self.regressor(ours[config.guided])
        return weighted(hint_losses(wide(guess), wide(theirs[config.hint]).reshape(guess.shape)), batch.weights)

    def _student_loss(self, batch: Batch) -> Loss:
        logits = self.model(batch.inputs)
        teacher_logits = self._teacher_logits(batch) if self.share else None
        return self._mixed(logits, teacher_logits, batch, 1.0, self.share)  # Eq. 2


def _regressor(guided: Tensor, hint: Tensor, *, nonlinearity: Literal["relu", "tanh", "linear"]) -> nn.Module:
    """Return the smallest map from one layer's shape to another's, with weights drawn for its nonlinearity."""
    if guided.dim() == 4 and hint.dim() == 4:
        sizes = [ours - theirs + 1 for ours, theirs in zip(guided.shape[2:], hint.shape[2:], strict=True)]
        if min(sizes) < 1:
            raise ConfigError(
                f"guided: its map of {tuple(guided.shape[2:])} is smaller than the hint's {tuple(hint.shape[2:])}; "
                "name a guided layer nearer to the input, or a hint nearer to the output"
            )
        layers: list[nn.Module] = [nn.Conv2d(guided.shape[1], hint.shape[1], (sizes[0], sizes[1]))]
    else:
        layers = [nn.Flatten(), nn.Linear(guided[0].numel(), hint[0].numel())]
    if nonlinearity != "linear":
        layers.append(nn.ReLU() if nonlinearity == "relu" else nn.Tanh())
    found = nn.Sequential(*layers)
    he_initialize(found, nonlinearity="relu" if nonlinearity == "relu" else "linear")
    return found
