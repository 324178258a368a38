"""What a lab asks of the data it is given."""

from __future__ import annotations

from netsmith.core.errors import ConfigError
from netsmith.core.roles import SourceConfig
from netsmith.core.spec import Spec

__all__ = ["need"]


def need(data: SourceConfig, spec: Spec, *, splits: tuple[str, ...], images: bool = False) -> None:
    """Refuse data without what a lab that classifies reads, before it trains.

    Args:
        data: The lab's field of this name.
        spec: What it gives.
        splits: Those that are read.
        images: Whether the network takes images only.

    Raises:
        ConfigError: It has no classes, is of another kind, or lacks a split.
    """
    if spec.outputs.kind != "classes":
        raise ConfigError(f"data={data!r}: expected data with classes, got {spec.outputs.kind}; take digits or mnist")
    if images and spec.inputs.kind != "image":
        raise ConfigError(f"data={data!r}: expected images, got a {spec.inputs.kind}; take digits or mnist")
    for split in splits:
        if spec.split(split) is None:
            raise ConfigError(f"data={data!r}: expected a {split} split, which the lab reads; set data.{split} above 0")
