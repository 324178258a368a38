"""From what a network answers to what a person reads: names of classes, their probabilities or scores."""

from __future__ import annotations

from torch import Tensor

from netsmith.core.errors import ConfigError, DataError
from netsmith.core.spec import Outputs

__all__ = ["class_names", "probabilities_of", "scores_of"]


def class_names(output: Tensor, outputs: Outputs) -> tuple[str, ...]:
    """Return a name for each of the classes on the last axis, their numbers where the schema has none.

    Raises:
        ConfigError: The schema has another number of names than the network has classes.
    """
    classes = output.shape[-1]
    names = outputs.names or tuple(map(str, range(classes)))
    if len(names) != classes:
        raise ConfigError(f"the network answers {classes} classes, the schema names {len(names)}")
    return names


def probabilities_of(output: Tensor) -> Tensor:
    """Return the softmax over the last axis, in double precision.

    Raises:
        DataError: A probability is not a number.
    """
    return _finite(output.detach().cpu().double().softmax(-1))


def scores_of(output: Tensor) -> Tensor:
    """Return the scores as they are, in double precision.

    Raises:
        DataError: A score is not a number.
    """
    return _finite(output.detach().cpu().double())


def _finite(values: Tensor) -> Tensor:
    if not bool(values.isfinite().all()):
        raise DataError("the network's answer is not finite; check the range of the input")
    return values
