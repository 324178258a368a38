"""A choice that code makes by the numbers of a network, declared to be no change of what is computed."""

from __future__ import annotations

from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function_unary

__all__ = ["decided"]


def decided(condition: Tensor) -> bool:
    """Return the truth of a tensor of one element, where either way uses the same weights alike.

    Surgery refuses a network whose code reads numbers that depend on its inputs: of a choice that they make it sees one
    way only. Use this where the ways differ in nothing that matters to it: a search that stops early, a check that
    raises an error.

    Args:
        condition: One element.

    Example:
        >>> import torch
        >>> x = torch.ones(2)
        >>> decided(x.isnan().any())
        False
    """
    if has_torch_function_unary(condition):  # whoever watches sees this function, not the reading inside
        return bool(handle_torch_function(decided, (condition,), condition))
    return bool(condition)
