"""Switching the segments of inputs on and off, and scoring what remains."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from netsmith.core.errors import UserError
from netsmith.explain._forward import fill_like, pick, repeat, resolve_targets

__all__ = ["Game"]


class Game:
    """The score of one class as a function of which segments are present (the others show their baseline).

    Args:
        module: Returns ``(B, K)`` scores or ``(B,)`` values.
        inputs: ``(B, ...)``, of any number type: no gradient is asked for.
        targets: The class explained, ``(B,)`` or one for all; None takes the predicted one.
        segments: int64 that broadcasts to ``inputs``, -1 for places that always stay; None makes every column of
            ``(B, F)`` inputs one.
        baselines: What an absent segment shows: a number, or a tensor that broadcasts to ``inputs``.
        rows: At most about this many rows in one forward pass.

    Attributes:
        players: How many segments there are, P.
        empty: ``(B,)`` the score without any segment.
        full: ``(B,)`` the score of the inputs.
        segments: ``(B or 1, ...)`` as given, with an axis for examples.
        there: ``(B or 1, P)`` which segments an example has.

    Raises:
        UserError: Segments or baselines that do not fit the inputs, or targets that are no class.
        UnsupportedError: The module returns no table of scores.
    """

    def __init__(
        self,
        module: nn.Module,
        inputs: Tensor,
        targets: Tensor | int | None,
        *,
        segments: Tensor | None,
        baselines: Tensor | float,
        rows: int,
    ) -> None:
        if not isinstance(inputs, Tensor) or inputs.dim() < 2:
            got = str(tuple(inputs.shape)) if isinstance(inputs, Tensor) else type(inputs).__name__
            raise UserError(f"inputs are {got}; expected one tensor (B, ...)")
        if rows < 1:
            raise UserError(f"rows is {rows}; expected at least 1")
        self._module, self._inputs, self._rows = module, inputs.detach(), rows
        self.segments = _fitting(segments, inputs)
        self.players = int(self.segments.max()) + 1 if self.segments.numel() else 0
        if self.players < 1:
            raise UserError("segments hold no number from 0 on: there is nothing to switch off")
        flat = self.segments.flatten(1)
        self._place = torch.where(flat < 0, self.players, flat)  # (B or 1, places); the last one is always present
        self.there = torch.zeros(len(flat), self.players + 1, dtype=torch.bool, device=inputs.device)
        self.there = self.there.scatter(1, self._place, True)[:, :-1]
        self._baselines = fill_like(baselines, inputs, "baselines")
        with torch.no_grad():
            output = module(self._inputs)
            self._classes = resolve_targets(output, targets)
            self.full = pick(output, self._classes)
            every = torch.zeros(1, self.players, dtype=torch.bool, device=inputs.device)
        self.empty = self.scores(every)[:, 0]

    def scores(self, present: Tensor) -> Tensor:
        """Return the score with some segments present.

        Args:
            present: ``(N, P)`` bool, the same coalitions for every example.

        Returns:
            ``(B, N)``.
        """
        batch, found = len(self._inputs), []
        step = max(1, self._rows // max(1, batch))
        always = torch.ones(len(present), 1, dtype=torch.bool, device=present.device)
        present = torch.cat([present, always], 1)  # (N, P + 1)
        shape = [1] * (self.segments.dim() - 1)
        with torch.no_grad():
            for start in range(0, len(present), step):
                part = present[start : start + step]
                shown = part[:, self._place].transpose(0, 1)  # (B or 1, n, places)
                shown = shown.reshape(len(shown), len(part), *self.segments.shape[1:]) if shape else shown
                rows = torch.where(shown, self._inputs[:, None], self._baselines[:, None]).flatten(0, 1)
                classes: Any = None if self._classes is None else repeat(self._classes, len(part))
                found.append(pick(self._module(rows), classes).reshape(batch, len(part)))
        return torch.cat(found, 1)

    def spread(self, values: Tensor) -> Tensor:
        """Lay one number per segment, ``(B, P)``, over the places of the inputs: ``(B, ...)``, 0 where there is none.

        The shape is that of the segments: a map over pixels has one channel where the segments have.
        """
        zeros = values.new_zeros(len(values), 1)
        place = self._place.expand(len(values), -1)
        return torch.cat([values, zeros], 1).gather(1, place).reshape(len(values), *self.segments.shape[1:])


def _fitting(segments: Tensor | None, inputs: Tensor) -> Tensor:
    if segments is None:
        if inputs.dim() != 2:
            raise UserError(f"inputs of shape {tuple(inputs.shape)} need segments; only the columns of (B, F) do not")
        return torch.arange(inputs.shape[1], device=inputs.device)[None]
    segments = segments.to(inputs.device)
    fits = segments.dim() == inputs.dim() and all(
        size in (1, wanted) for size, wanted in zip(segments.shape, inputs.shape, strict=True)
    )
    if not fits or segments.is_floating_point() or segments.dtype == torch.bool:
        raise UserError(
            f"segments are {tuple(segments.shape)} {segments.dtype}; expected int64 of {inputs.dim()} axes that "
            f"broadcast to {tuple(inputs.shape)}"
        )
    return segments.long()
