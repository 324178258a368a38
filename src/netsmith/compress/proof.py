"""The proof of surgery: the cut network must answer like the original whose cut channels are set to zero."""

from __future__ import annotations

import contextlib
import copy
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from netsmith.compress._answers import REFUSALS, Answers
from netsmith.compress._statistics import keep_statistics
from netsmith.compress._training_mode import run_training
from netsmith.compress.graph import ChannelGraph
from netsmith.core.errors import ProofError, shorten
from netsmith.engine.batch import map_tensors
from netsmith.measure.example import Example, arguments

__all__ = ["Proof", "mask_units"]

_LARGE = 4_000_000  # parameters: float64 is no longer cheap
_HALF = (torch.float16, torch.bfloat16)  # their rounding hides what differs


def mask_units(module: nn.Module, graph: ChannelGraph, units: set[int]) -> nn.Module:
    """Return a copy of a network in which units are zero instead of gone; no normalization counts them in.

    Units that are not zero even so (behind a sigmoid) are not read by the layers behind them.

    Args:
        module: The network that was traced.
        graph: What the trace found.
        units: The units to mask.
    """
    masked = copy.deepcopy(module)
    held = dict(masked.named_parameters()) | dict(masked.named_buffers())
    positions = {remap.tensor for remap in graph.remaps}
    lost = np.fromiter(units, dtype=np.int64)
    with torch.no_grad():
        for slot in graph.slots:
            if slot.makes or slot.bare:
                gone = torch.from_numpy(np.flatnonzero(np.isin(slot.units, lost)))
                tensor, zero = held[slot.tensor], -1 if slot.tensor in positions else 0  # -1: a shortcut without source
                tensor.index_fill_(slot.axis, gone.to(tensor.device), zero)
    keep_statistics(masked, graph.norms, units)
    return masked


class Proof:
    """What a cut is held to: the masked original's answers, computed once, however many forms of the cut are tried.

    The inputs are random. The first has the example's form; the next have one example more in the batch and about half
    the length, and one position more, along every axis where the original takes that. All copies are in evaluation mode
    and float64 (float32 where a network insists on it). A network of four million parameters or more is compared in
    float32 first, and at one other length: where its columns differ too much in size for that to tell, or an error is
    seen, the word is float64's.

    Args:
        original: The network before.
        graph: What its trace found.
        units: The units to cut.
        example: One tensor, a tuple (positional arguments) or a dict of tensors.
        tolerance: Largest ``max |cut - masked| / max |masked|``.
    """

    def __init__(
        self, original: nn.Module, graph: ChannelGraph, units: set[int], example: Example, *, tolerance: float = 1e-5
    ) -> None:
        self._original, self._graph, self._units, self._example = original, graph, units, example
        self._tolerance = tolerance

    def check(self, pruned: nn.Module) -> dict[str, Any]:
        """Return the figures of the proof as JSON values.

        Args:
            pruned: The cut network; not touched.

        Raises:
            ProofError: It answers differently (names the first module whose output does), or does not run in training
                mode where the original does (a head that nothing else runs). Or the masked original does not run, or
                answers nothing but NaN or the same to all inputs.
        """
        figures = self._compared(pruned)
        owners = {name.rpartition(".")[0] for name, _ in self._original.named_parameters()}
        if owners <= self._graph.outputs.keys():
            return figures  # every layer has run: none waits for another mode
        given = self._twice()
        try:
            run_training(pruned, given)
        except ProofError as error:
            if self._trains(given):
                raise ProofError(
                    f"the cut network {error}; the original is untouched. Protect what that module reads"
                ) from error
        return figures

    def _compared(self, pruned: nn.Module) -> dict[str, Any]:
        if self._large and all(t.dtype not in _HALF for t in self._original.parameters()):
            with contextlib.suppress(ProofError):  # the noise of single precision is no refusal
                return self._as_found.check(pruned, floor="median")
        if self._double is not None:
            return self._double.check(pruned, floor="own")
        return self._as_found.check(pruned, floor="largest")

    def _twice(self) -> Example:
        """Return the example twice: of a batch of one there are no statistics."""
        try:
            return map_tensors(arguments(self._example, self._original), lambda t: torch.cat([t] * 2))
        except REFUSALS:
            return self._example

    def _trains(self, given: Example) -> bool:
        """Return whether the original runs in training mode; asked only where the cut network does not."""
        try:
            run_training(self._original, given)
        except ProofError:
            return False
        return True

    @cached_property
    def _large(self) -> bool:
        return sum(p.numel() for p in self._original.parameters()) >= _LARGE

    @cached_property
    def _double(self) -> Answers | None:
        """The answers in float64; None where the network casts to float32 itself, or wants it."""
        try:
            return self._answers("float64")
        except REFUSALS:
            return None

    @cached_property
    def _as_found(self) -> Answers:
        try:
            return self._answers("as found")
        except REFUSALS as error:
            raise ProofError(
                f"the masked original does not run on random inputs: {shorten(str(error), 160)}; nothing can be proven"
            ) from error

    def _answers(self, precision: Literal["float64", "as found"]) -> Answers:
        masked = mask_units(self._original, self._graph, self._units)
        masked.eval()
        return Answers(
            masked,
            self._graph,
            self._units,
            self._example,
            precision=precision,
            thorough=not self._large,
            tolerance=self._tolerance,
        )
