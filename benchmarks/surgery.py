"""Surgery on the probe set and on random networks: how many are cut right, refused, or wrong.

Every network is pruned by half in every layer, and judged by the masked original (tests/compress/judge.py), which
shares no code with the tracer. Where the package torch_pruning is installed, it is given the same networks.

Run: python benchmarks/surgery.py [--seeds 500] [--first 0] [--only probes|random|time]
    [--out benchmarks/surgery.evidence.json]

``time`` cuts a ResNet-18 by half with both, in turns, and prints the median of the paired ratios.
"""

from __future__ import annotations

import argparse
import copy
import importlib
import importlib.util
import signal
import statistics
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from _evidence import write
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from compress.judge import Masked, Verdict, difference, draw, judge, parameters, run, wide
from compress.probes import PROBES, build
from compress.random_graphs import random_graph
from netsmith.compress.prune import prune

Case = tuple[str, nn.Module, Any, list[Any]]
"""A name, a network, its example, and the inputs to compare on."""


def probes() -> Iterator[Case]:
    """Yield the probe set."""
    for name, probe in PROBES.items():
        inputs = [draw(probe.example, 1), *([] if probe.one_batch else [draw(probe.example, 2, 7)])]
        if probe.longer is not None:
            inputs.append(draw(probe.longer, 3, 4))
        yield name, build(probe.make), probe.example, inputs


def random_networks(first: int, count: int) -> Iterator[Case]:
    """Yield random networks."""
    for seed in range(first, first + count):
        net, example = random_graph(seed)
        yield f"seed {seed}", net, example, [draw(example, seed), draw(example, seed + 1, 3)]


# -- the public structured pruner -------------------------------------------------------------------------------------


def limited(*_: Any) -> None:
    """Stop a pruner that does not come to an end."""
    raise TimeoutError("no end within 20 s")


def reference(net: nn.Module, example: Any, inputs: list[Any]) -> Verdict:
    """Judge torch_pruning as its documentation uses it, by the masked original that the remaining weights tell."""
    tp = importlib.import_module("torch_pruning")
    original = copy.deepcopy(net).double().eval()
    before, small = parameters(original), copy.deepcopy(original)
    given = draw(example, 0)
    attention = {m: m.num_heads for m in small.modules() if isinstance(m, nn.MultiheadAttention)}
    signal.signal(signal.SIGALRM, limited)
    signal.alarm(20)
    try:
        with wide():
            pruner = tp.pruner.MagnitudePruner(
                small,
                given,
                importance=tp.importance.MagnitudeImportance(p=2),
                pruning_ratio=0.5,
                ignored_layers=[last_layer(small, given)],
                num_heads=dict(attention),
                prune_num_heads=bool(attention),
                prune_head_dims=not attention,
                head_pruning_ratio=0.5,
            )
            pruner.step()
        for module in attention:
            module.num_heads = pruner.num_heads.get(module, module.num_heads)
    except Exception as error:
        return Verdict("refused", f"stops: {type(error).__name__}: {error}"[:200], before)
    finally:
        signal.alarm(0)
    after = parameters(small)
    if after >= before:
        return Verdict("refused", "cuts nothing", before, after)
    try:
        kept = positions(original, small)
    except LookupError as error:
        return Verdict("wrong", str(error), before, after)
    masked, worst = Masked(original, kept), 0.0
    for each in inputs:
        try:
            worst = max(worst, difference(masked(*each), run(small, each)))
        except Exception as error:
            return Verdict("wrong", f"the cut network does not run: {error}"[:200], before, after)
    if not worst <= 1e-9:
        return Verdict("wrong", f"silent: differs by {worst:.1e} from the masked original", before, after, worst)
    return Verdict("right", "", before, after, worst)


def last_layer(net: nn.Module, given: Any) -> nn.Module:
    """Return the last module called that has parameters of its own: the one whose outputs are the answer."""
    called: list[nn.Module] = []
    own = [m for m in net.modules() if next(m.parameters(recurse=False), None) is not None]
    handles = [m.register_forward_hook(lambda module, *_: called.append(module)) for m in own]
    run(net, given)
    for handle in handles:
        handle.remove()
    # the network itself returns last where it holds a parameter of its own
    return next((m for m in reversed(called) if m is not net), net)


def positions(original: nn.Module, small: nn.Module) -> dict[str, dict[int, tuple[int, ...]]]:
    """Find by their values which rows of each weight remain.

    Raises:
        LookupError: A number of the cut network is not one of the original's.
    """
    whole, found = original.state_dict(), {}
    for name, left in small.state_dict().items():
        if name not in whole:
            raise LookupError(f"{name} is new")
        if left.shape == whole[name].shape:
            continue
        place = {value: at for at, value in enumerate(whole[name].reshape(-1).tolist())}
        try:
            at = torch.tensor([place[value] for value in left.reshape(-1).tolist()]).view(left.shape)
        except KeyError:
            raise LookupError(f"{name} holds numbers that the original does not") from None
        axes = torch.unravel_index(at, whole[name].shape)
        for axis, size in enumerate(whole[name].shape):
            if left.shape[axis] != size:
                rows = axes[axis].movedim(axis, 0).reshape(left.shape[axis], -1)
                found.setdefault(name, {})[axis] = tuple(rows[:, 0].tolist())
    return found


# -- time --------------------------------------------------------------------------------------------------------------


class Block(nn.Module):
    """He et al. 2016, Fig. 2."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after)
        self.conv2, self.norm2 = nn.Conv2d(after, after, 3, 1, 1, bias=False), nn.BatchNorm2d(after)
        same = before == after and stride == 1
        narrow = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))
        self.shortcut = nn.Identity() if same else narrow

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm2(self.conv2(torch.relu(self.norm1(self.conv1(x)))))
        return torch.relu(y + self.shortcut(x))


def resnet18() -> nn.Module:
    """Return a ResNet-18 of 11,689,512 parameters."""
    stages, before = [], 64
    for after, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        stages += [Block(before, after, stride), Block(after, after, 1)]
        before = after
    stem = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    return nn.Sequential(*stem, *stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000))


def timed(rounds: int = 7) -> dict[str, Any]:
    """Cut a ResNet-18 by half with netsmith (its proof included) and with the reference pruner, in turns."""
    net, example = resnet18().eval(), torch.randn(1, 3, 224, 224)
    assert parameters(net) == 11_689_512
    tp = importlib.import_module("torch_pruning")
    seconds: dict[str, list[float]] = {"netsmith": [], "torch_pruning": []}
    for _ in range(rounds + 1):  # the first round warms up
        begin = time.perf_counter()
        small, _ = prune(net, example, ratio=0.5, scope="local")
        seconds["netsmith"].append(time.perf_counter() - begin)
        given = copy.deepcopy(net)
        begin = time.perf_counter()
        importance = tp.importance.MagnitudeImportance(p=2)
        pruner = tp.pruner.MagnitudePruner(
            given, example, importance=importance, pruning_ratio=0.5, ignored_layers=[given[-1]]
        )
        pruner.step()
        seconds["torch_pruning"].append(time.perf_counter() - begin)
    ratios = [a / b for a, b in zip(*seconds.values(), strict=True)][1:]
    found = {"ratio": statistics.median(ratios), "rounds": rounds, "left": [parameters(small), parameters(given)]}
    print(f"\nResNet-18 by half: {found['ratio']:.2f} times the time of torch_pruning; parameters left {found['left']}")
    return found


# -- the table --------------------------------------------------------------------------------------------------------


def judge_all(title: str, cases: Iterator[Case], by: Callable[..., Verdict]) -> dict[str, Any]:
    """Judge all networks, print what became of them, and return the figures."""
    start, verdicts = time.perf_counter(), {}
    for name, net, example, inputs in cases:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            verdicts[name] = by(net, example, inputs)
    counts = Counter(verdict.outcome for verdict in verdicts.values())
    right = [verdict for verdict in verdicts.values() if verdict.outcome == "right"]
    left = statistics.median(verdict.after / verdict.before for verdict in right) if right else 1.0
    print(f"\n{title}: {len(verdicts)} networks, {time.perf_counter() - start:.0f} s")
    print(f"  right {counts['right']}, refused {counts['refused']}, wrong {counts['wrong']}")
    if right:
        worst = max(verdict.error for verdict in right)
        print(f"  of the right ones: median of parameters left {left:.0%}, largest error {worst:.1e}")
    for outcome in ("wrong", "refused"):
        for name, verdict in verdicts.items():
            if verdict.outcome == outcome:
                print(f"  {outcome:8}{name:24}{verdict.reason.splitlines()[0][:150]}", flush=True)
    reasons = {name: [v.outcome, v.reason] for name, v in verdicts.items() if v.outcome != "right"}
    figures = {name: counts[name] for name in ("right", "refused", "wrong")}
    return {"networks": len(verdicts), **figures, "median_left": round(left, 4), "reasons": reasons}


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=500, help="how many random networks")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--only", choices=("probes", "random", "time"), help="one of them")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    asked = parser.parse_args()
    sets: dict[str, Callable[[], Iterator[Case]]] = {
        "probes": probes,
        "random": lambda: random_networks(asked.first, asked.seeds),
    }
    figures: dict[str, Any] = {}
    there = importlib.util.find_spec("torch_pruning") is not None
    for name, cases in sets.items():
        if asked.only not in (None, name):
            continue
        figures[name] = {"netsmith": judge_all(f"netsmith, {name}", cases(), judge)}
        if there:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                figures[name]["torch_pruning"] = judge_all(f"torch_pruning, {name}", cases(), reference)
    if there and asked.only in (None, "time"):
        figures["time"] = timed()
    if not there:
        print("\ntorch_pruning is not installed: no comparison")
    write(asked.out, figures)


if __name__ == "__main__":
    main()
