"""What a masked network answers to random inputs, and whether a cut one answers alike."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from netsmith.compress._spread import alike, spread
from netsmith.compress.graph import ChannelGraph, Labels
from netsmith.compress.trace import slow_attention
from netsmith.core.errors import ProofError, shorten
from netsmith.core.keys import key
from netsmith.engine.batch import doubled, map_tensors
from netsmith.measure.example import Example, arguments, called, random_like, shared_batch, taken_apart, tensors

__all__ = ["REFUSALS", "Answers", "Floor"]

Floor = Literal["own", "median", "largest"]
"""Each column of an answer is held to its own size, but where it is smaller than the median or largest column to that.

By column, because one large one (a masked logit) would hide what the others do; not by its own size where a small one
may be the noise of the large, in single precision. Under ``median`` a column of less than a ten-thousandth of it, of
which an error could hide, is no proof at all.
"""

REFUSALS = (RuntimeError, ValueError, TypeError, IndexError, AssertionError)
"""What a network may say to an input of another form."""

_FARTHER = (1.0, 4.0, -4.0, 16.0, -16.0, 64.0)  # times as large, where all answers were alike: units may be dead
_AXES = 5  # batch, channels and three of space
_SMALL = 1e-4  # of the median column: an error of a tenth of it would still be seen


class Answers:
    """A masked network's answers in one precision.

    Args:
        masked: The network in which the units are zero; owned, in evaluation mode.
        graph: What the trace of the original found.
        units: The units that are masked.
        example: One tensor, a tuple (positional arguments) or a dict of tensors.
        precision: ``float64``, or ``as found`` in the network.
        thorough: Try longer inputs too where shorter ones were taken.
        tolerance: Largest ``max |cut - masked| / max |masked|``.

    Raises:
        RuntimeError: Or another of :data:`REFUSALS`: the network does not run at this precision.
        ProofError: It answers nothing but NaN, or the same to all inputs.
    """

    def __init__(
        self,
        masked: nn.Module,
        graph: ChannelGraph,
        units: set[int],
        example: Example,
        *,
        precision: Literal["float64", "as found"],
        thorough: bool,
        tolerance: float,
    ) -> None:
        self._masked, self._graph, self._units, self._tolerance = masked, graph, units, tolerance
        self._precision, self._thorough = precision, thorough
        self._trials: list[tuple[Any, list[Tensor]]] = []
        self._generator = torch.Generator().manual_seed(key(0, "compress", "proof"))
        if precision == "float64":
            masked.double()
        given = arguments(example, masked)
        size = shared_batch(given)
        given = spread(given, lambda like: _run(masked, self._cast(like)), REFUSALS)
        self._try(random_like(given, size, generator=self._generator))
        if size is None:
            self._takes_lengths(given, None)
            self._take_each_longer(given)
        else:
            for batch in (size + 1, size):  # what takes one batch size only may still take another length
                if self._takes_lengths(given, batch) or (batch != size and self._takes(given, batch)):
                    break
        if not self._trials:
            raise ProofError(
                "the masked original answers with NaN alone: nothing can be proven; the original is untouched"
            )
        if not self._tells() and not any(self._takes(given, size, scale=scale) and self._tells() for scale in _FARTHER):
            one = all(alike(t) for like, _ in self._trials for t in tensors(like))
            cause = (
                "the example's numbers are all alike, and so are those that can be drawn like them: give it several"
                if one
                else "a layer of zeros, or units that are all dead, hide what is before them"
            )
            raise ProofError(
                "the masked original answers the same to all inputs tried, so nothing can be proven; the original is "
                f"untouched: {cause}"
            )

    def check(self, pruned: nn.Module, *, floor: Floor) -> dict[str, Any]:
        """Return the figures of the proof as JSON values.

        Args:
            pruned: The cut network; not touched.
            floor: What the smallest columns of an answer are held to; see :data:`Floor`.

        Raises:
            ProofError: It answers differently; names the first module whose output does.
        """
        cut = copy.deepcopy(pruned)
        cut.eval()
        cut = cut.double() if self._precision == "float64" else cut
        errors = []
        for given, expected in self._trials:
            try:
                got = _run(cut, given)
            except Exception as error:
                # whatever a layer with wrong shapes raises
                place = self._first_difference(cut, given, floor=floor)
                raise ProofError(
                    f"the cut network does not run: {shorten(str(error), 160)} (at {place}); the original is untouched"
                ) from error
            error = _error(expected, got, floor=floor)
            if not error <= self._tolerance:
                place = self._first_difference(cut, given, floor=floor)
                raise ProofError(
                    f"the cut network's answers differ by {error:.1e} relative, not {self._tolerance:.0e}, first at "
                    f"{place}; the original is untouched. Protect that module"
                )
            errors.append(error)
        shapes = [list(tensors(given)[0].shape) for given, _ in self._trials]
        return {"shapes": shapes, "error": max(errors), "tolerance": self._tolerance, "precision": self._precision}

    def _cast(self, given: Any) -> Any:
        return doubled(given) if self._precision == "float64" else given

    def _tells(self) -> bool:
        """Return whether answers depend on inputs: whether two of a batch, or of two inputs of one form, differ.

        Answers that are no numbers, but choices, are taken as they are.
        """
        first: dict[Any, Tensor] = {}
        for _, answers in self._trials:
            for place, answer in enumerate(answers):
                if not answer.is_floating_point():
                    return True  # a choice, of a word say: the same for many inputs where little has been learned
                noise = 8 * torch.finfo(answer.dtype).eps
                rows = answer.double().reshape(len(answer) if answer.dim() else 1, -1)
                one = first.setdefault((place, answer.shape[1:]), rows[:1])
                if bool(((rows - one).abs() > noise * rows.abs().maximum(one.abs())).any()):
                    return True
        return False

    def _try(self, given: Any) -> bool:
        """Note an input with the masked original's answers, unless they are NaN alone: that would prove nothing."""
        given = self._cast(given)
        answers = _run(self._masked, given)
        if not any(bool(t.isfinite().any()) for t in answers):
            return False
        self._trials.append((given, answers))
        return True

    def _take_each_longer(self, example: Any) -> None:
        """Try the same form again, and one position more along an axis of each input alone: a node, a link."""
        parts, put_together = taken_apart(example)
        self._takes(example, None)
        for place, part in enumerate(parts):
            for axis in range(min(2, part.dim())):
                grown = torch.cat([part, part.narrow(axis, 0, 1)], dim=axis)
                self._takes(put_together([*parts[:place], grown, *parts[place + 1 :]]), None)

    def _takes(self, form: Any, batch: int | None, *, scale: float = 1.0) -> bool:
        try:
            drawn = random_like(form, batch, generator=self._generator)
            return self._try(map_tensors(drawn, lambda t: t * scale if t.is_floating_point() else t))
        except REFUSALS:
            return False

    def _takes_lengths(self, example: Any, batch: int | None) -> bool:
        """Try other lengths, along all axes at once or along each; return whether the original takes one."""
        sizes = tensors(example)[0].shape[1:_AXES]
        long = [axis for axis, size in enumerate(sizes, start=1) if size > 1]
        together = [axes for axes in (long, long[1:]) if len(axes) > 1]  # the first may count channels
        taken = any(self._takes(_halved(example, axes), batch) for axes in together)
        if taken and not self._thorough:
            return True
        for axis in range(1, len(sizes) + 1):
            halved = not taken and axis in long and self._takes(_halved(example, [axis]), batch)
            taken |= halved
            if self._thorough or not halved:
                taken |= self._takes(_longer(example, axis), batch)
        return taken

    def _first_difference(self, cut: nn.Module, given: Any, *, floor: Floor) -> str:
        """Return the first module whose output, at the positions that stayed, is not the same."""
        expected, got = _outputs(self._masked, self._graph, given), _outputs(cut, self._graph, given)
        for name, labels in self._graph.outputs.items():
            if name not in expected:
                continue
            stayed = _stayed(expected[name], labels, self._units)
            if name not in got or not _error([stayed], [got[name]], floor=floor) <= self._tolerance:
                return f"{name or 'the network'} ({type(self._masked.get_submodule(name)).__name__})"
        return "the output"


def _halved(example: Any, axes: Sequence[int]) -> Any:
    """Return an example with about half the positions along some axes, of all inputs that have their lengths there.

    Of two axes the second keeps one more, where that is still fewer: not a square.
    """

    def change(tensor: Tensor, axis: int) -> Tensor:
        size = tensor.shape[axis]
        return tensor.narrow(axis, 0, min(size // 2 + axes.index(axis), max(size - 1, 1)))

    return _resized(example, axes, change)


def _longer(example: Any, axis: int) -> Any:
    """Return an example with one position more along an axis, of all inputs that have its length there."""
    return _resized(example, [axis], lambda tensor, axis: torch.cat([tensor, tensor.narrow(axis, 0, 1)], dim=axis))


def _resized(example: Any, axes: Sequence[int], change: Callable[[Tensor, int], Tensor]) -> Any:
    sizes = tensors(example)[0].shape

    def resized(tensor: Tensor) -> Tensor:
        for axis in axes:
            if tensor.dim() > axis and tensor.shape[axis] == sizes[axis] > 0:
                tensor = change(tensor, axis)
        return tensor

    return map_tensors(example, resized)


def _run(module: nn.Module, given: Any) -> list[Tensor]:
    with torch.no_grad(), slow_attention():
        return tensors(called(module, given))


def _error(expected: list[Tensor], got: list[Tensor], *, floor: Floor) -> float:
    """Return the largest difference relative to its column of the last axis; infinite where forms or NaNs differ."""
    if [t.shape for t in expected] != [t.shape for t in got]:
        return float("inf")
    worst = 0.0
    for a, b in zip(expected, got, strict=True):
        a, b = (t.double().reshape(-1, t.shape[-1] if t.dim() else 1) for t in (a, b))
        finite = a.isfinite()
        if not torch.equal(finite, b.isfinite()) or not torch.equal(a[~finite].nan_to_num(), b[~finite].nan_to_num()):
            return float("inf")
        if not finite.any():
            continue
        sizes = a.abs().masked_fill(~finite, 0).amax(0)
        least = {"own": sizes.max() * 1e-9, "median": sizes.median(), "largest": sizes.max()}[floor]
        gaps = (a - b).abs().masked_fill(~finite, 0).amax(0)
        if floor == "median" and bool((gaps[sizes < _SMALL * least] > 0).any()):
            return float("inf")
        worst = max(worst, float((gaps / sizes.clamp(min=max(float(least), 1e-30))).max()))
    return worst


def _outputs(module: nn.Module, graph: ChannelGraph, given: Any) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}

    def note(name: str) -> Any:
        def hook(_: nn.Module, __: Any, output: Any) -> None:
            found.setdefault(name, tensors(output)[0].clone())

        return hook

    modules = dict(module.named_modules())
    handles = [modules[name].register_forward_hook(note(name)) for name in graph.outputs if name in modules]
    try:
        _run(module, given)
    except Exception:
        pass  # what ran before it is what is asked for
    finally:
        for handle in handles:
            handle.remove()
    return found


def _stayed(tensor: Tensor, labels: Labels, units: set[int]) -> Tensor:
    for axis, size in enumerate(labels.shape):
        if size > 1:
            gone = np.isin(labels.swapaxes(0, axis).reshape(size, -1), np.fromiter(units, dtype=np.int64)).all(1)
            tensor = tensor.index_select(axis, torch.from_numpy(np.flatnonzero(~gone)).to(tensor.device))
    return tensor
