"""Prune to a budget that is measured: milliseconds, bytes, or times as fast, under ONNX Runtime on this machine.

Which layers to narrow follows from two tables: what the masked network loses (with statistics of its own, see
``recalibrate``), and what the cut network costs, for each family of channels at each width that ends a step of the
machine's staircase. How far to narrow is measured on the whole network. Every network that is kept is cut with proof,
taught by the original, exported and judged.
"""

from __future__ import annotations

import copy
import math
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from pydantic import TypeAdapter
from torch import nn
from torch.nn import functional as F

from netsmith.compress.criteria import score_units
from netsmith.compress.graph import ChannelGraph
from netsmith.compress.proof import mask_units
from netsmith.compress.prune import cut_units
from netsmith.compress.recalibrate import recalibrate
from netsmith.compress.surgery import SurgeryLog, apply_surgery, plan_surgery
from netsmith.compress.trace import trace
from netsmith.compress.widths import Width, lowest_units, narrowing, widths_of
from netsmith.core.errors import ConfigError, NetsmithError, UnsupportedError, shorten
from netsmith.engine.run_folder import environment
from netsmith.engine.source import Source
from netsmith.measure.staircase import Staircase, measure_staircase
from netsmith.workflows.budget_figures import Budget, Cost
from netsmith.workflows.int8 import as_fed, quantized
from netsmith.workflows.judging import Judged, judge
from netsmith.workflows.shipping import measure_together
from netsmith.workflows.tuning import training_inputs

if TYPE_CHECKING:
    from netsmith.api.network import Network

__all__ = ["Search"]

_JUDGED = 1000  # examples that a masked network is judged on
_SILENT = 10.0  # seconds without a word while narrowings are measured


@dataclass
class Search:
    """Finds the widths of a network's layers for a budget; a context, in which its files are kept.

    Args:
        network: The original.
        source: Its data; what is lost is judged on its dev split.
        kind: What is to be saved: milliseconds or bytes.
        batches: Raw examples that int8 is calibrated on; none leaves int8 out.
        cache: Where the machine's staircase is kept.
        kept: What :meth:`to_json` gave before: then nothing is measured again, unless it is damaged.
        notice: Where one-line notices go.

    Attributes:
        staircase: Latency by channels on this machine.
        graph: The network's channels.
        tables: By family, what each width loses and costs alone.
        path: Widths step by step, from the first cut to the last.
        recalled: Whether what was kept served.
    """

    network: Network
    source: Source
    kind: Literal["time", "bytes"]
    batches: Sequence[Any] = ()
    cache: Path | None = None
    notice: Callable[[str], None] = print
    kept: Any = None
    staircase: Staircase = field(init=False)
    graph: ChannelGraph = field(init=False)
    scores: dict[int, float] = field(init=False)
    tables: dict[str, list[Width]] = field(init=False)
    path: list[dict[str, int]] = field(init=False)
    base: Cost = field(init=False)
    recalled: bool = field(init=False)
    _whole: float = field(init=False)
    _known: dict[str, Cost] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        module = self.network.module
        self._folder = tempfile.TemporaryDirectory()
        self.graph = trace(module, self.network.module_example(2))
        self.scores = score_units(module, self.graph)
        self.staircase = measure_staircase(str(environment()["processor"]), cache=self.cache)
        known = _recalled(self.kept)
        if known is not None and not all(
            self.fits({name: row.keep}) for name, rows in known[1].items() for row in rows
        ):
            known = None  # of another network
        self.recalled = known is not None
        if known is None:
            single = measure_together({"original": self._original}, self._fed())
            self.base = Cost(single.latencies["original"].median, self._original.stat().st_size, 1.0)
            self.tables = self._measure_tables()
        else:
            self.base, self.tables = known
        self._whole = self.base.latency if self.kind == "time" else float(self.base.size)
        self.path = narrowing(self.tables, Width(0, 0.0, self._whole))

    def __enter__(self) -> Search:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def to_json(self) -> dict[str, Any]:
        """Return what was measured as JSON values."""
        tables = {name: [asdict(row) for row in rows] for name, rows in self.tables.items()}
        return {"base": asdict(self.base), "tables": tables, "staircase": self.staircase.to_json()}

    @property
    def sizes(self) -> dict[str, int]:
        """How many units each family has."""
        return {name: len(family.units) for name, family in self.graph.layers().items()}

    def fits(self, widths: Any) -> bool:
        """Return whether these are widths of this network: whole numbers, each below what its family has."""
        sizes = self.sizes
        return isinstance(widths, dict) and all(
            type(keep) is int and 0 < keep < sizes.get(name, 0) for name, keep in widths.items()
        )

    def widths_for(self, budget: Budget) -> dict[str, int]:
        """Return the first widths on the path that are within a budget, in full precision or int8, as measured.

        Raises:
            ConfigError: Even the narrowest network is not; says what it reaches.
        """
        if self.cost({}).meets(budget):
            return {}
        last = self.cost(self.path[-1])
        if not last.meets(budget):
            other = "or distil into another network (--student)"
            whole = self.cost({})
            if budget.kind != "size" and last.speedup <= 1:
                raise ConfigError(f"narrowing makes this network no faster on this machine; ask for a --size, {other}")
            nearest = min(last, whole, key=lambda cost: cost.dearness(budget))
            if nearest is whole:
                what, end = "the whole network in int8 (export --int8)", f"Take that, {other}"
            else:
                asked = Budget(budget.kind, last.to_ask_for(budget.kind))
                what, end = "the narrowest network", f"Ask for {asked.option()}, {other}"
            reached = Budget(budget.kind, nearest.of(budget.kind))
            raise ConfigError(
                f"a budget of {budget.text()} cannot be reached by narrowing: nearest is {what}, at {reached.exact()}. "
                f"{end}"
            )
        low, high = -1, len(self.path) - 1  # the whole network is too dear, the last is not
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.cost(self.path[middle]).meets(budget) else (middle, high)
        return self.path[high]

    def points(self, budget: Budget, count: int) -> list[dict[str, int]]:
        """Return widths along the path, evenly spaced, the last of them the first within the budget.

        Where fewer steps lead there, all of them, and then narrower ones, as far as the path goes.

        Raises:
            ConfigError: See :meth:`widths_for`.
        """
        last = self.widths_for(budget)
        if not last:
            return []
        end = self.path.index(last)
        if end < count:
            return self.path[:count]
        return [self.path[end * (place + 1) // count] for place in range(count)]

    def further(self, widths: Mapping[str, int], budget: Budget, found: Cost) -> dict[str, int] | None:
        """Return the next step of the path after these widths that promises to be within a budget, else its last.

        What a step promises follows from the tables, by which the whole is dearer by what each layer adds.

        Args:
            widths: Those of a network that was to be within the budget.
            budget: What it missed.
            found: What it costs in truth.

        Returns:
            None at the end of the path, and for widths that are not on it.
        """
        if widths not in self.path or widths == self.path[-1]:
            return None
        steps, before = self.path[self.path.index(dict(widths)) + 1 :], self._added(widths)

        def promises(step: Mapping[str, int]) -> bool:
            share = max(self._added(step) / before, 1e-9) if before > 0 else 1e-9
            return Cost(found.latency * share, int(found.size * share), found.speedup / share).meets(budget)

        return next((step for step in steps if promises(step)), steps[-1])

    def _added(self, widths: Mapping[str, int]) -> float:
        """Return what the network costs at some widths if what each family saves alone adds up."""
        whole = self._whole
        costs = {name: {row.keep: row.cost for row in rows} for name, rows in self.tables.items()}
        return whole + sum(costs[name][keep] - whole for name, keep in widths.items())

    def cost(self, widths: Mapping[str, int]) -> Cost:
        """Return what the network costs at some widths: the better of full precision and int8, measured once."""
        key = repr(sorted(widths.items()))
        if key not in self._known:
            files = self._files(widths, int8=bool(self.batches))
            names = {"original": self._original} | {str(place): file for place, file in enumerate(files)}
            timing = measure_together(names, self._fed())
            rows = []
            for place, file in enumerate(files):
                ratio = timing.ratio("original", str(place))
                rows.append(Cost(self._latency / ratio, file.stat().st_size, ratio))
            latency = min(row.latency for row in rows)
            self._known[key] = Cost(latency, min(row.size for row in rows), max(row.speedup for row in rows))
        return self._known[key]

    def cut(self, widths: Mapping[str, int]) -> tuple[nn.Module, SurgeryLog]:
        """Return the network at some widths, cut with proof, and the log of it.

        Raises:
            ProofError: The cut network would answer differently.
        """
        module, example = self.network.module, self.network.module_example(2)
        return cut_units(module, example, self.graph, self._units(widths))

    def _units(self, widths: Mapping[str, int]) -> set[int]:
        return lowest_units(self.graph, self.scores, widths)

    @cached_property
    def _original(self) -> Path:
        return self._files({}, int8=False)[0]

    @cached_property
    def _latency(self) -> float:
        """The original's latency now: where it was measured before, the machine may be busier than it was."""
        if not self.recalled or self.kind != "time":
            return self.base.latency
        return measure_together({"original": self._original}, self._fed()).latencies["original"].median

    # -- measuring --------------------------------------------------------------------------------------------------

    def _measure_tables(self) -> dict[str, list[Width]]:
        """Cut each family alone to each width: what the masked network loses, what the cut one costs."""
        split = "dev" if "dev" in self.source.splits() else "train"
        judged = judge(self.network, self.source, split, most=_JUDGED)
        baseline = _cross_entropy(judged.logits, judged)
        seen = training_inputs(self.source)
        tables: dict[str, list[Width]] = {}
        files: dict[str, Path] = {"original": self._original}
        steps, begin = self.staircase.steps(), time.perf_counter()
        families = [(family, widths_of(len(family.units), steps)) for family in self.graph.layers().values()]
        total, told = sum(len(keeps) for _, keeps in families), begin
        for family, keeps in families:
            for keep in keeps:
                now, done = time.perf_counter(), len(files) - 1
                if done and now - told > _SILENT:
                    left = (now - begin) / done * (total - done)
                    self.notice(f"narrowing {done + 1} of {total} is measured; about {left:.0f} s left for these")
                    told = now
                widths = {family.name: keep}
                try:
                    files[f"{family.name} {keep}"] = self._files(widths, int8=False)[0]
                except (NetsmithError, RuntimeError) as error:
                    self.notice(f"{family.name} stays whole: {shorten(str(error), 120)}")
                    total -= len(keeps) - keeps.index(keep)
                    break
                masked = mask_units(self.network.module, self.graph, self._units(widths)).eval()
                recalibrate(masked, seen)
                lost = _cross_entropy(self._answers(masked, judged), judged) - baseline
                tables.setdefault(family.name, []).append(Width(keep, lost, math.nan))
        if not tables:
            raise UnsupportedError("no layer of this network can be narrowed")
        self.notice(f"measured {len(files) - 1} narrowings of {len(tables)} layers, one at a time")
        if self.kind == "bytes":
            costs = {name: float(file.stat().st_size) for name, file in files.items()}
        else:
            self.notice("their files are timed in turns")
            timing = measure_together(files, self._fed())
            costs = {name: self.base.latency / timing.ratio("original", name) for name in files}
        return {
            name: [Width(row.keep, row.loss, costs[f"{name} {row.keep}"]) for row in rows]
            for name, rows in tables.items()
        }

    def _files(self, widths: Mapping[str, int], *, int8: bool) -> list[Path]:
        """Export the network at some widths, untrained: latency depends on shapes alone."""
        from netsmith.api.network import Network

        original = self.network
        module: nn.Module = copy.deepcopy(original.module)
        if widths:
            module = apply_surgery(module, plan_surgery(original.module, self.graph, self._units(widths)))
        cut = Network(module, original.spec, task=original.task, name=original.name, missing=original.missing)
        path = Path(self._folder.name) / f"{len(list(Path(self._folder.name).iterdir()))}.onnx"
        cut.export(path, exporter="fast")
        if not int8:
            return [path]
        small = path.with_suffix(".int8.onnx")
        quantized(self.network, path, small, self.batches[:1])
        return [path, small]

    def _answers(self, module: nn.Module, judged: Judged) -> torch.Tensor:
        from netsmith.api.network import Network

        return judged.of(Network(module, self.network.spec, task=self.network.task)(judged.raw))

    def _fed(self) -> Any:
        return as_fed(self.network.example(1))


def _recalled(kept: Any) -> tuple[Cost, dict[str, list[Width]]] | None:
    """Return the base and the tables of what was kept; None where it is not of that form."""
    try:
        base = TypeAdapter(Cost).validate_python(kept["base"])
        tables = TypeAdapter(dict[str, list[Width]]).validate_python(kept["tables"])
    except (LookupError, TypeError, ValueError):
        return None
    if not tables or not all(tables.values()) or min(base.latency, base.size) <= 0:
        return None
    return base, tables


def _cross_entropy(logits: torch.Tensor, judged: Judged) -> float:
    return float(F.cross_entropy(logits.double(), judged.targets))
