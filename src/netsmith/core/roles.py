"""The roles a config can play: a field that holds a config is typed by its role, never by one class.

Each role names the room where its kinds live (``models``, ``tasks``, ...). A kind is the name of a file in that room.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Literal, Self, TypeAlias, cast

from netsmith.core.config import Config
from netsmith.core.errors import ConfigError, shorten
from netsmith.core.spec import InputKind, OutputKind, Spec

__all__ = [
    "AugmentConfig",
    "Batches",
    "HookConfig",
    "InitializerConfig",
    "LabConfig",
    "MethodConfig",
    "ModelConfig",
    "OptimizerConfig",
    "Renaming",
    "RunSettings",
    "ScheduleConfig",
    "SourceConfig",
    "TaskConfig",
]

_LARGEST = 100

Renaming = tuple[tuple[str, str], ...]
"""Regular expressions with their replacements, each applied to what the one before it made."""
_Widths: TypeAlias = "int | tuple[_Widths, ...]"

Batches = Literal["examples", "tasks", "rollouts", "windows"]
"""What the rows of a batch are: single examples, few-shot tasks, stretches of an environment's life, or windows of a
text that goes on in the next batch."""


@dataclass(frozen=True)
class RunSettings:
    """The experiment's settings that a method may have to refuse.

    Attributes:
        steps: Length of the run.
        epochs: Passes over the training split it was given in; 0 where it was given in steps.
        micro_batches: Into how many pieces each batch is cut.
        clip_norm: Largest norm of a gradient; 0 for none.
        precision: ``fp32``, ``bf16`` or ``fp64``.
    """

    steps: int
    epochs: int = 0
    micro_batches: int = 1
    clip_norm: float = 0.0
    precision: str = "fp32"


class ModelConfig(Config):
    """A network: ``build()`` returns a ``torch.nn.Module``.

    Attributes:
        takes: The kinds of inputs it can work on; empty for any.
        widths: Fields that count channels or units: a number, one for each layer, or a row of them for each module.
        depths: Fields that count layers: a number, or by as many entries as they have.
        per_stage: Those of them whose entries count the layers of each stage.
        published: Facts of the data the network was published for (``image_size``, ``num_classes``, ...): ``show``
            counts for them. Data given to it, or fields that are set, go before.
        uncounted: Why its multiply-adds cannot be counted from its form alone (its fit decides them); ``""`` if they
            can.
        copies: Whether it takes tokens past the vocabulary, words of the source that it does not know.
        token_features: Whether it takes what data say of each token beside it.
        scores: What its numbers for the classes are (``votes``) where their softmax is no probability; ``""`` where
            it is.
    """

    role: ClassVar[str] = "model"
    room: ClassVar[str] = "models"
    takes: ClassVar[tuple[InputKind, ...]] = ()
    widths: ClassVar[tuple[str, ...]] = ()
    depths: ClassVar[tuple[str, ...]] = ()
    per_stage: ClassVar[tuple[str, ...]] = ()
    published: ClassVar[Mapping[str, int]] = MappingProxyType({})
    uncounted: ClassVar[str] = ""
    copies: ClassVar[bool] = False
    token_features: ClassVar[bool] = False
    scores: ClassVar[str] = ""

    def public_names(self) -> Mapping[str, Renaming]:
        """Return, by library whose weights are public, what turns its names of tensors into ours."""
        return {}

    def public_doubt(self, library: str) -> str:  # noqa: ARG002
        """Return in what weights under the names of a library may want another form than this; empty: in nothing."""
        return ""

    def scaled(self, *, width: float = 1.0, depth: float = 1.0) -> Self:
        """Return the config of a network of the same kind, thinner or wider, shallower or deeper.

        Args:
            width: Factor on the channels or units of every layer.
            depth: Factor on the number of layers.

        Raises:
            ConfigError: A factor that is not positive, or of what this kind does not leave open.

        Example:
            >>> from netsmith.models.vision.cifar_resnet import CifarResNet
            >>> CifarResNet.Config(depth=20, width=16).scaled(width=0.5, depth=2)
            CifarResNet.Config(depth=38, width=8)
        """
        changed: Self = self
        for what, factor, names in (("depth", depth, self.depths), ("width", width, self.widths)):
            if not 0 < factor <= _LARGEST:
                raise ConfigError(f"{what}={factor:g}: expected a factor above 0 and at most {_LARGEST}")
            if factor != 1 and not names:
                raise ConfigError(f"{self.kind_name()} has no {what} to scale; its form is fixed")
            for name in names:
                changed = changed.derive(**{name: changed._scaled_field(name, factor, by_length=what == "depth")})
        return changed

    def _scaled_field(self, name: str, factor: float, *, by_length: bool) -> _Widths:
        value: _Widths = getattr(self, name)
        if isinstance(value, int) or not by_length or name in self.per_stage:
            return self._each_times(name, value, factor)
        length = max(1, round(len(value) * factor)) if value else 0
        return tuple(value[place * len(value) // length] for place in range(length))

    def _each_times(self, name: str, value: _Widths, factor: float) -> _Widths:
        if isinstance(value, int):
            return self._times(name, value, factor)
        return tuple(self._each_times(name, one, factor) for one in value)

    def _times(self, name: str, value: int, factor: float) -> int:  # noqa: ARG002
        """Return a field times a factor, at least 1; a kind that takes certain numbers only gives the nearest."""
        return max(1, round(value * factor))

    def misfit(self, spec: Spec) -> str:
        """Return why the network could not work on data of this schema, ``""`` if it can."""
        if not self.copies and any(step.copies for step in spec.inputs.preprocessing):
            return (
                f"the model {self.kind_name()} knows no tokens past the vocabulary, which {shorten(spec.dataset, 80)} "
                "has for words that are copied; set data.copies=false"
            )
        if not self.token_features and spec.inputs.features:
            return (
                f"the model {self.kind_name()} takes tokens alone, and {shorten(spec.dataset, 80)} has "
                f"{spec.inputs.features[0].name!r} beside them; leave it out of the data, or take slot_tagger"
            )
        return _refused(self, self.takes, spec.inputs.kind, "takes", f"inputs of {spec.dataset} are")


class TaskConfig(Config):
    """What an answer means: loss, metrics, decoding.

    Attributes:
        answers: The kinds of targets it can judge; empty for any.
    """

    role: ClassVar[str] = "task"
    room: ClassVar[str] = "tasks"
    answers: ClassVar[tuple[OutputKind, ...]] = ()

    def misfit(self, spec: Spec) -> str:
        """Return why the task could not judge answers of this schema, ``""`` if it can."""
        return _refused(self, self.answers, spec.outputs.kind, "answers with", f"targets of {spec.dataset} are")


class MethodConfig(Config):
    """How it is learned: who plays, and when which optimizer steps.

    Attributes:
        learns_from: What the rows of its batches are.
        takes: The kinds of inputs it can work on, whatever its networks take; empty for any.
    """

    role: ClassVar[str] = "method"
    room: ClassVar[str] = "methods"
    learns_from: ClassVar[Batches] = "examples"
    takes: ClassVar[tuple[InputKind, ...]] = ()

    def problem(self, run: RunSettings) -> str:  # noqa: ARG002
        """Return why a run of these settings could not end well, or which of them means nothing here; or ``""``."""
        return ""

    def within(self, steps: int) -> Self:  # noqa: ARG002
        """Return the config with the stages that it counts in steps inside a run of so many (short trials).

        Where they are inside already, and for a method without such stages, the config itself.
        """
        return self

    def misfit(self, spec: Spec, *, gives: Batches) -> str:
        """Return why the method, its networks or its task could not learn from this data, ``""`` if they can.

        Args:
            spec: The schema of the data.
            gives: What the rows of its batches are.
        """
        if gives != self.learns_from:
            return (
                f"{self.kind_name()} learns from {self.learns_from}, and {shorten(spec.dataset, 60)} gives {gives}; "
                "use a recipe whose method learns from those, or leave the recipe its own data"
            )
        problem = _refused(self, self.takes, spec.inputs.kind, "takes", f"inputs of {spec.dataset} are")
        for name in type(self).model_fields:
            part = getattr(self, name)
            if not problem and isinstance(part, (ModelConfig, TaskConfig)):
                problem = part.misfit(spec)
        return problem


def _refused(config: Config, kinds: tuple[str, ...], kind: str, verb: str, whose: str) -> str:
    if not kinds or kind in kinds:
        return ""
    wanted = " or ".join([", ".join(kinds[:-1]), kinds[-1]] if kinds[1:] else kinds)
    return (
        f"the {config.role} {config.kind_name()} {verb} {wanted}, and the {shorten(whose, 80)} {kind!r}; "
        f"choose another {config.role}, or data of that kind"
    )


class SourceConfig(Config):
    """Where batches come from.

    Attributes:
        gives: What the rows of its batches are.
        twin: Replace the official files by the synthetic twin: same shapes, types, class count and lengths, no files.
    """

    role: ClassVar[str] = "data"
    room: ClassVar[str] = "data"
    gives: ClassVar[Batches] = "examples"

    twin: bool = False

    @property
    def whole_run(self) -> int:
        """Epochs in which all it has was shown, where what it shows changes from epoch to epoch; 0 for any number."""
        return 0


class AugmentConfig(Config):
    """A keyed random change of a batch of examples."""

    role: ClassVar[str] = "augmentation"
    room: ClassVar[str] = "data"


class ScheduleConfig(Config):
    """A factor on the learning rate: a pure function of the global step."""

    role: ClassVar[str] = "schedule"
    room: ClassVar[str] = "optim"


class OptimizerConfig(Config):
    """How a gradient becomes a step.

    ``build(parameters)`` takes one player's parameters by name and returns a ``torch.optim.Optimizer`` whose groups
    carry ``names``. An optimizer that must evaluate the loss again (SAM, L-BFGS) sets ``needs_closure``.
    """

    role: ClassVar[str] = "optimizer"
    room: ClassVar[str] = "optim"
    needs_closure: ClassVar[bool] = False

    @property
    def rate(self) -> float:
        """The learning rate, the field ``lr``; of an optimizer around another one, the inner one's."""
        return cast("dict[str, float]", dict(self))["lr"]

    def times(self, factor: float) -> OptimizerConfig:
        """Return the config with its learning rate times ``factor``."""
        return self.derive(lr=self.rate * factor)

    def at_rate(self, rate: float, schedule: ScheduleConfig) -> OptimizerConfig:
        """Return the config with another learning rate and schedule."""
        return self.derive(lr=rate, schedule=schedule)


class HookConfig(Config):
    """When something happens during training."""

    role: ClassVar[str] = "hook"
    room: ClassVar[str] = "engine.hooks"


class InitializerConfig(Config):
    """How first weights are drawn, in place of the model's own rule."""

    role: ClassVar[str] = "initializer"
    room: ClassVar[str] = "layers.initializers"


class LabConfig(Config):
    """A small experiment, every field of which has a default: ``build().run()`` returns what it found.

    See :class:`~netsmith.core.findings.Findings`.
    """

    role: ClassVar[str] = "lab"
    room: ClassVar[str] = "labs"
