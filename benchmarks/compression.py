"""Figures of compression that no recipe holds: how much accuracy a network keeps at half its work.

    python benchmarks/compression.py half [--root runs] [--seeds 0 1 2] [--out FILE]
    python benchmarks/compression.py bilstm_mr --seeds 0 1 2 3 4
    python benchmarks/compression.py transformer_mr --seeds 0 1 2 3 4
    python benchmarks/compression.py gcn_cora:wide --seeds 0 1 2 3 4
    python benchmarks/compression.py budget [--width 32] [--epochs 6] [--controls 3]

``half``: a ResNet-20 on Fashion-MNIST is pruned to half its multiply-adds, with proof, and fine-tuned with the original
as its teacher; what to cut is chosen by what the masked network loses (on dev), and, beside it, by the reference
pruner's own importance (``pip install torch-pruning``; only its choice is used: the surgery is netsmith's for both).
Teachers are those of ``netsmith verify resnet20_fashion_mnist --level 3`` under the same root.

``bilstm_mr``, ``transformer_mr``, ``gcn_cora:wide``: a network of that recipe loses half of the channels of every layer
(hidden units, whole heads, numbers of a word), and is fine-tuned in the same way. How long, at which rate and with what
share of the teacher's word was chosen on dev.

``budget``: a wide ResNet-20 is brought to a speedup by ``netsmith compress`` (``_budget.py``).

Distillation's figures are recipes: ``netsmith verify hinton_mnist --level 3``, ``fitnet_mnist``, ``fitnet_mnist:kd``,
``fitnet_mnist:alone``, ``student_fashion_mnist``. The surgery's are ``benchmarks/surgery.py``.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import importlib
import importlib.util
import json
import statistics
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from _budget import WANTED, to_budget
from _evidence import head
from torch import nn
from torch.nn import functional as F

from netsmith.api.run import Run
from netsmith.compress.choice import choose_units
from netsmith.compress.criteria import score_units
from netsmith.compress.graph import FROZEN, ChannelGraph
from netsmith.compress.proof import mask_units
from netsmith.compress.prune import cut_units
from netsmith.compress.recalibrate import recalibrate
from netsmith.compress.surgery import SurgeryLog, apply_surgery, plan_surgery
from netsmith.compress.trace import trace
from netsmith.compress.widths import Width, lowest_units, narrowing
from netsmith.measure.macs import count_macs
from netsmith.measure.paired import paired_bootstrap
from netsmith.verify.evidence import reproduce
from netsmith.workflows.front_runs import ALPHA, Trainer
from netsmith.workflows.judging import judge
from netsmith.workflows.shipping import ship_all
from netsmith.workflows.tuning import classes_of, cut_into, training_inputs

Cut = tuple[nn.Module, SurgeryLog]


@dataclasses.dataclass(frozen=True)
class Tuning:
    """How a cut network is fine-tuned.

    Attributes:
        epochs: How long.
        slower: Its learning rate over the original's.
        alpha: Share of the original's word in the loss.
    """

    epochs: int = 3
    slower: float = 0.3
    alpha: float = ALPHA


TUNINGS = {
    "half": Tuning(),
    "bilstm_mr": Tuning(),
    "transformer_mr": Tuning(epochs=6, slower=1.0, alpha=0.5),
    "gcn_cora": Tuning(epochs=200, slower=1.0, alpha=0.5),  # 16 units: ONNX Runtime multiplies 8 no faster
    "gcn_cora:wide": Tuning(epochs=200, slower=1.0, alpha=0.5),
}

# -- what to cut ------------------------------------------------------------------------------------------------------


def macs_without(run: Run, graph: ChannelGraph, units: set[int]) -> int:
    """Return the multiply-adds of a run's network without some units."""
    module = run.network.module
    small = apply_surgery(copy.deepcopy(module), plan_surgery(module, graph, units))
    return count_macs(small, run.network.module_example(1))


def first_order(run: Run, graph: ChannelGraph, *, batches: int = 32) -> dict[int, float]:
    """Score units by gradient times weight (Molchanov et al. 2019), summed over batches of the training split."""
    module, source = copy.deepcopy(run.network.module).eval(), classes_of(run)
    found: dict[int, float] = {}
    for indices in source.order("train", seed=0, epoch=0)[:batches]:
        batch = source.load("train", indices)
        parameters = dict(module.named_parameters())
        loss = F.cross_entropy(module(batch.inputs), batch.targets)
        gradients = dict(zip(parameters, torch.autograd.grad(loss, list(parameters.values())), strict=True))
        for unit, score in score_units(module, graph, criterion="taylor", gradients=gradients).items():
            found[unit] = found.get(unit, 0.0) + score
    return found


def by_loss(run: Run, graph: ChannelGraph, share: float, *, most: int = 1000, parts: int = 16) -> set[int]:
    """Choose widths by what the masked network loses on dev per multiply-add saved; within a layer, by first order.

    The layer whose turn it was when the share was reached gives up just as many units as that takes.
    """
    network = run.network
    judged, seen = judge(network, classes_of(run), "dev", most=most), training_inputs(classes_of(run))
    scores = first_order(run, graph)
    whole = macs_without(run, graph, set())

    def loss(module: nn.Module) -> float:
        with torch.no_grad():
            logits = torch.cat([module(network.shipped.preprocess(raw)) for raw in judged.raw.split(250)])
        return float(F.cross_entropy(logits.double(), judged.targets))

    base, tables = loss(network.module), {}
    for name, family in graph.layers().items():
        size = len(family.units)
        for keep in sorted({size * part // parts for part in range(1, parts)} - {0}, reverse=True):
            units = lowest_units(graph, scores, {name: keep})
            masked = mask_units(network.module, graph, units).eval()
            lost = loss(recalibrate(masked, seen)) - base
            tables.setdefault(name, []).append(Width(keep, lost, float(macs_without(run, graph, units))))
    widths: dict[str, int] = {}
    for wanted in narrowing(tables, Width(0, 0.0, float(whole))):
        for name in wanted:
            for keep in range(widths.get(name, len(graph.layers()[name].units)) - 1, wanted[name] - 1, -1):
                widths = widths | {name: keep}
                units = lowest_units(graph, scores, widths)
                if macs_without(run, graph, units) <= share * whole:
                    return units
    raise SystemExit(f"no cut leaves {share:.0%} of the multiply-adds")


def by_reference(run: Run, graph: ChannelGraph, share: float) -> set[int]:
    """Choose units by the reference pruner's group importance, ranked globally.

    Only inside the blocks: it takes the shortcuts that pad with zeros for another network (its own cut of them gives
    one that does not run), and half of what is inside them is half of the work.
    """
    pruning = importlib.import_module("torch_pruning")
    module, example = run.network.module, run.network.module_example(1)
    whole = macs_without(run, graph, set())
    inside = [name for name, child in module.named_modules() if isinstance(child, nn.Conv2d) and "conv1" in name]
    slots = {slot.tensor: slot for slot in graph.slots if slot.axis == 0}

    def chosen(ratio: float) -> set[int]:
        given = copy.deepcopy(module)
        layers = {name: child for name, child in given.named_modules() if isinstance(child, (nn.Conv2d, nn.Linear))}
        pruner = pruning.pruner.BasePruner(
            given,
            example,
            importance=pruning.importance.GroupMagnitudeImportance(p=2),
            global_pruning=True,
            pruning_ratio=ratio,
            max_pruning_ratio=0.9,
            ignored_layers=[child for name, child in layers.items() if name not in inside],
        )
        units: set[int] = set()
        for group in pruner.step(interactive=True):
            dependency, indices = group[0]
            name = next(name for name, child in layers.items() if child is dependency.target.module)
            units |= {int(slots[f"{name}.weight"].units[index]) for index in indices}
        return units - {FROZEN}

    low, high = 0.0, 0.9
    for _ in range(8):
        middle = (low + high) / 2
        low, high = (low, middle) if macs_without(run, graph, chosen(middle)) <= share * whole else (middle, high)
    return chosen(high)


def half_of_each(run: Run, graph: ChannelGraph) -> set[int]:
    """Choose half of the units of every layer, those of the smallest norm."""
    module = run.network.module
    return choose_units(module, graph, score_units(module, graph), ratio=0.5, scope="local")


# -- figures ----------------------------------------------------------------------------------------------------------


def compared(
    teachers: Mapping[int, Run], ways: Mapping[str, Callable[[Run, ChannelGraph], set[int]]], tuned: Tuning
) -> dict[str, Any]:
    """Cut, fine-tune and judge each teacher's network in every way; return the figures."""
    right: dict[str, list[torch.Tensor]] = {}
    rows: list[dict[str, Any]] = []
    for seed, run in teachers.items():
        graph = trace(run.network.module, run.network.module_example(2))
        trainer = Trainer(run, tuned.epochs, None, print, slower=tuned.slower)
        runs = {"original": run}
        for way, choose in ways.items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                units = choose(run, graph)
            cut = cut_units(run.network.module, run.network.module_example(2), graph, units)
            left = {name: len(set(family.units) - units) for name, family in graph.layers().items()}
            print(f"seed {seed}, {way}: {len(units)} of {sum(len(f.units) for f in graph.families)} channels go")
            prepare = cut_into(run, cut, shared=trainer.answers)
            runs[way] = trainer.train(
                f"{way}, seed {seed}", prepare, widths=left, seed=seed, alpha=tuned.alpha, kind=way
            )
        judged = judge(run.network, classes_of(run), "test")
        shipped, timing = ship_all(
            runs, judged=judged, batches=[], folders=lambda one: one.path / "export", notice=lambda _: None
        )
        for row in shipped:
            right.setdefault(row.name, []).append(judged.right(runs[row.name].network(judged.raw)))
            kept = {"macs": row.macs, "bytes": row.bytes, "faster": timing.ratio("original", row.name)}
            rows.append({"seed": seed, "way": row.name, "accuracy": row.accuracy, **kept})
            print(rows[-1], flush=True)
    figures: dict[str, Any] = {"tuning": dataclasses.asdict(tuned), "runs": rows}
    for way in ways:
        low, high = paired_bootstrap(torch.stack(right["original"]), torch.stack(right[way]))
        lost = float(torch.stack(right["original"]).double().mean() - torch.stack(right[way]).double().mean())
        figures[way] = {"lost": lost, "interval_95": [low, high], "seeds": len(teachers)}
        figures[way] |= {
            name: statistics.fmean(row[name] for row in rows if row["way"] == way) for name in ("macs", "faster")
        }
    first, *others = ways
    for other in others:
        low, high = paired_bootstrap(torch.stack(right[first]), torch.stack(right[other]))
        gain = figures[other]["lost"] - figures[first]["lost"]
        figures[f"{first} over {other}"] = {"gain": gain, "interval_95": [low, high]}
    return figures


def half(root: Path, seeds: list[int], tuned: Tuning) -> dict[str, Any]:
    """Prune ResNet-20 to half its multiply-adds, and fine-tune it with knowledge distillation."""
    teachers = {seed: reproduce("resnet20_fashion_mnist", root=root, seeds=[seed])[0] for seed in seeds}
    ways: dict[str, Callable[[Run, ChannelGraph], set[int]]] = {"netsmith": lambda run, graph: by_loss(run, graph, 0.5)}
    if importlib.util.find_spec("torch_pruning") is not None:
        ways["reference"] = lambda run, graph: by_reference(run, graph, 0.5)
    return compared(teachers, ways, tuned)


def by_half(name: str, root: Path, seeds: list[int], tuned: Tuning) -> dict[str, Any]:
    """Prune every layer of a recipe's network by half."""
    teachers = {seed: reproduce(name, root=root, seeds=[seed])[0] for seed in seeds}
    return compared(teachers, {"half of each layer": half_of_each}, tuned)


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("figure", choices=(*TUNINGS, "budget"))
    parser.add_argument("--root", type=Path, default=Path("runs"), help="where the runs lie")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=0, help="of fine-tuning; 0 for the figure's own")
    parser.add_argument("--width", type=int, default=32, choices=tuple(WANTED), help="of the teacher to a budget")
    parser.add_argument("--controls", type=int, help="of the teacher to a budget: seeds of each; as --seeds by default")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    asked = parser.parse_args()
    tuned = TUNINGS.get(asked.figure, Tuning())
    tuned = dataclasses.replace(tuned, epochs=asked.epochs or tuned.epochs)
    if asked.figure == "budget":
        found = to_budget(asked.root, asked.seeds, width=asked.width, epochs=asked.epochs, controls=asked.controls)
    elif asked.figure == "half":
        found = half(asked.root, asked.seeds, tuned)
    else:
        found = by_half(asked.figure, asked.root, asked.seeds, tuned)
    figures = {asked.figure: found}
    print(json.dumps(figures, indent=1))
    if asked.out is not None:
        known = json.loads(asked.out.read_text()) if asked.out.is_file() else {}
        asked.out.write_text(json.dumps(known | {asked.figure: head() | found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
