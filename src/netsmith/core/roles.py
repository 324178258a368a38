"""The roles a config can play: a field that holds a config is typed by its role, never by one class.

Each role names the room where its kinds live (``models``, ``tasks``, ...). A kind is the name of a file in that room.
"""

from __future__ import annotations

from typing import ClassVar

from netsmith.core.config import Config

__all__ = [
    "AugmentConfig",
    "HookConfig",
    "MethodConfig",
    "ModelConfig",
    "OptimizerConfig",
    "ScheduleConfig",
    "SourceConfig",
    "TaskConfig",
]


class ModelConfig(Config):
    """A network: ``build()`` returns a ``torch.nn.Module``."""

    role: ClassVar[str] = "model"
    room: ClassVar[str] = "models"


class TaskConfig(Config):
    """What an answer means: loss, metrics, decoding."""

    role: ClassVar[str] = "task"
    room: ClassVar[str] = "tasks"


class MethodConfig(Config):
    """How it is learned: who plays, and when which optimizer steps."""

    role: ClassVar[str] = "method"
    room: ClassVar[str] = "methods"

    def problem(self, steps: int) -> str:  # noqa: ARG002
        """Return why a run of so many steps could not end well, ``""`` if it can."""
        return ""


class SourceConfig(Config):
    """Where batches come from.

    Attributes:
        twin: Replace the official files by the synthetic twin: same shapes, types, class count and lengths, no files.
    """

    role: ClassVar[str] = "data"
    room: ClassVar[str] = "data"

    twin: bool = False


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


class HookConfig(Config):
    """When something happens during training."""

    role: ClassVar[str] = "hook"
    room: ClassVar[str] = "engine.hooks"
