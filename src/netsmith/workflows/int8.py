"""int8 of an exported network: which way fits what it takes, on which examples, and within which loss of accuracy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import nn

from netsmith.core.errors import ConfigError, NetsmithError, UnsupportedError
from netsmith.engine.batch import map_tensors
from netsmith.engine.source import LiveSource, Source

if TYPE_CHECKING:
    from netsmith.api.network import Network

__all__ = ["Calibration", "as_fed", "calibration", "calibration_or_none", "is_dynamic", "quantized"]

Calibration = Literal["minmax", "entropy", "percentile", "best"]
"""How the ranges of activations are found; ``best`` tries all three."""


def as_fed(raw: Any) -> Any:
    """Return raw examples as an exported file takes them: whole numbers of tokens as they are, all else as floats.

    An array, or for graphs one by the name of each input.
    """
    return map_tensors(raw, lambda part: part.numpy() if part.dtype == torch.int64 else part.float().numpy())


def is_dynamic(network: Network) -> bool:
    """Return whether int8 takes the ranges of activations as they come, as recurrent layers have it alone."""
    return any(isinstance(child, nn.RNNBase) for child in network.module.modules())


def calibration(
    network: Network, source: Source | LiveSource, *, count: int = 256, batch: int = 32
) -> list[np.ndarray]:
    """Return raw training examples, plain, for the ranges of int8 and to compare it with full precision.

    Raises:
        UnsupportedError: The network takes what int8 cannot be calibrated on, or the source is live.
    """
    kinds = ("image", "table", "text", "tokens")
    if not isinstance(source, Source) or network.spec.inputs.kind not in kinds:
        raise UnsupportedError(
            f"int8 is calibrated on images, tables and texts; {network.name} takes {network.spec.inputs.kind}"
        )
    indices = torch.arange(count)
    split = source.spec.split("train")
    size = split.size if split else count
    step = max(1, size // count)
    chosen = (indices * step)[indices * step < size]
    return [as_fed(source.raw("train", part)) for part in chosen.split(batch)]  # type: ignore[attr-defined]


def calibration_or_none(
    network: Network, source: Source | LiveSource, *, notice: Callable[[str], None]
) -> list[np.ndarray]:
    """Return what :func:`calibration` does; nothing, and one line why, where int8 has to be left out."""
    try:
        return calibration(network, source)
    except NetsmithError as error:
        notice(f"int8 is left out: {error}")
        return []


def quantized(
    network: Network,
    plain: Path,
    target: Path,
    batches: Sequence[np.ndarray],
    *,
    method: Calibration = "minmax",
    judge: Callable[[Path], float] | None = None,
    max_drop: float | None = None,
) -> dict[str, Any]:
    """Write the int8 form of a network's ONNX file; return its report as JSON values.

    Args:
        network: What was exported.
        plain: Its file in full precision.
        target: The file to write.
        batches: From :func:`calibration`.
        method: How the ranges of activations are found.
        judge: Returns the accuracy of a file on examples that are not the test split; for ``max_drop``, and of use for
            ``best``.
        max_drop: How far the accuracy may fall, 0..1: the layers that int8 hurts most stay in full precision until it
            holds; None quantizes everything.

    Raises:
        ConfigError: A choice that dynamic int8 does not have.
        UnsupportedError: The drop cannot be kept to; says what can be reached.
    """
    from netsmith.compress.accuracy_control import quantize_best, quantize_within
    from netsmith.compress.quantize import quantize_onnx
    from netsmith.compress.quantize_dynamic import quantize_dynamic

    axis = network.class_axis
    if is_dynamic(network):
        if method != "minmax" or max_drop is not None:
            raise ConfigError(
                f"{network.name} is recurrent: its int8 is dynamic, with neither a calibration to choose nor layers to "
                "keep; leave --calibration and --max-drop out"
            )
        return quantize_dynamic(plain, target, batches, class_axis=axis).to_json()
    if max_drop is not None:
        assert judge is not None
        controlled = quantize_within(
            plain, target, batches, judge=judge, max_drop=max_drop, method=method, class_axis=axis
        )
        return controlled.to_json()
    if method == "best":
        return quantize_best(plain, target, batches, judge=judge, class_axis=axis).to_json()
    return quantize_onnx(plain, target, batches, method=method, class_axis=axis).to_json()
