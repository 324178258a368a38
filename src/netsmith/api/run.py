"""A run and its verbs: what :func:`netsmith.train` and :func:`netsmith.load` return."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from netsmith.api import training
from netsmith.api.catalogue import list_recipes
from netsmith.api.experiments import Found, find
from netsmith.api.network import Network
from netsmith.core.errors import RunError, UnsupportedError
from netsmith.core.files import read_json
from netsmith.core.spec import Spec
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.engine.hook import Hook
from netsmith.engine.hooks.journal import read_journal
from netsmith.engine.method import Method
from netsmith.engine.run_folder import RunFolder

__all__ = ["Run", "compare", "load", "plan", "resume", "systems", "train"]


class Run:
    """A run folder; every verb takes what it needs from there.

    Args:
        path: The folder.
        code: The user's own recipe file the run was made from, where there is one.
        notice: Where one-line notices go.
    """

    def __init__(self, path: str | Path, *, code: str | Path = "", notice: Callable[[str], None] = print) -> None:
        self.path = RunFolder.open(Path(path)).path
        self.code = Path(code) if code else None
        self.notice = notice

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @cached_property
    def _rebuilt(self) -> tuple[Found, Spec, Method]:
        return training.rebuild(self.path, code=self.code, notice=self.notice)

    @property
    def found(self) -> Found:
        """The experiment this run is of."""
        return self._rebuilt[0]

    @property
    def method(self) -> Method:
        """The method with its chosen weights, in evaluation mode."""
        return self._rebuilt[2]

    @cached_property
    def network(self) -> Network:
        """The product with its schema: what predict, explain, export and serve take."""
        _, spec, method = self._rebuilt
        return Network(method.product(), method.product_spec(spec), task=method.task, name=self.path.name)

    @cached_property
    def engine(self) -> Engine:
        """An engine on the run's data with the chosen weights; needs the data."""
        experiment = Experiment(self.found.config.derive(device="cpu"))
        experiment.method = self.method
        return Engine(experiment)

    def figures(self) -> dict[str, float | None]:
        """Return the figures that were read at the end of training.

        Raises:
            RunError: The run is not finished.
        """
        file = self.path / "evaluation.json"
        if not file.is_file():
            raise RunError(f"{self.path.name} is not finished; go on with: netsmith resume {self.path}")
        return dict(read_json(file)["figures"])

    def journal(self) -> list[dict[str, Any]]:
        """Return the lines of ``metrics.jsonl``."""
        return read_journal(self.path / "metrics.jsonl")

    def evaluate(self, split: str = "test") -> dict[str, float]:
        """Evaluate the product on a split of the run's data."""
        return self.engine.evaluate(split)

    def predict(self, values: Any) -> list[dict[str, Any]]:
        """Return one readable prediction per example; see :meth:`netsmith.api.network.Network.predict`."""
        return self.network.predict(values)

    def explain(self, source: Any = None, *, method: str = "", count: int = 8) -> Any:
        """Write pictures and a page that show why the product decides as it does.

        Args:
            source: A file or values to explain; examples of the test split by default.
            method: One method's name, or all that fit.
            count: How many examples.
        """
        from netsmith.workflows.explanation import explain_run

        return explain_run(self, source, method=method, count=count)

    def compress(self, **settings: Any) -> Any:
        """Prune, distil and quantize; see :func:`netsmith.workflows.compression.compress_run`."""
        from netsmith.workflows.compression import compress_run

        return compress_run(self, **settings)

    def export(self, output: str | Path | None = None, *, int8: bool = False) -> dict[str, Any]:
        """Export to ONNX with a parity proof; also quantize to int8 where asked."""
        from netsmith.workflows.shipping import export_run

        return export_run(self, output, int8=int8)

    def report(self) -> Path:
        """Write ``report.html``, one self-contained page, and return its path."""
        from netsmith.workflows.pages import report_run

        return report_run(self)

    def serve(self, *, host: str = "127.0.0.1", port: int = 8000) -> None:
        """Serve the product over HTTP until interrupted."""
        from netsmith.serve.server import serve

        serve(self.network, host=host, port=port)


def train(
    target: str,
    *,
    sets: Mapping[str, Any] | None = None,
    data: str | Path = "",
    teacher: str | Path = "",
    name: str = "",
    root: str | Path = "runs",
    code: str | Path = "",
    hooks: Sequence[Hook] = (),
    notice: Callable[[str], None] = print,
) -> Run:
    """Train an experiment in a new run folder.

    Args:
        target: A recipe's name (``lenet5_mnist``, ``resnet20_cifar10:56``), a recipe file, or an ``experiment.json``.
        sets: Changes of the experiment by dotted path, for example ``{"seed": 1}``.
        data: The user's own data in place of the recipe's.
        teacher: A finished run whose product teaches (distillation recipes).
        name: The run's name; the recipe's by default.
        root: Where run folders are made.
        code: The user's recipe file an ``experiment.json`` was made from.
        hooks: More hooks, for example a progress bar.
        notice: Where one-line notices go.

    Raises:
        UserError: A name, a value or a file is wrong.
        DivergedError: A loss became NaN or infinite.

    Example:
        >>> run = train("mlp_digits", sets={"data.twin": True, "epochs": 1}, root=tmp)  # doctest: +SKIP
    """
    found = _prepared(target, sets=sets, data=data, code=code, notice=notice)
    prepare = training.teacher_into(load(teacher, notice=notice).network.module) if teacher else None
    path = training.begin(found, root=root, name=name, hooks=hooks, prepare=prepare, notice=notice)
    return Run(path, code=found.code.path if found.code else "", notice=notice)


def _prepared(
    target: str, *, sets: Mapping[str, Any] | None, data: str | Path, code: str | Path, notice: Callable[[str], None]
) -> Found:
    found = find(target, code=code or None)
    if data:
        found = training.with_data(found, data)
    if sets:
        found = Found(found.name, found.recipe, found.config.derive(**sets), found.card, found.code)
    if data:
        from netsmith.data import _sniff

        notice(_sniff.describe(found.config.data.build()))
    return found


def resume(
    path: str | Path, *, code: str | Path = "", hooks: Sequence[Hook] = (), notice: Callable[[str], None] = print
) -> Run:
    """Go on with a run that was cut; it ends bit for bit as if it had not been."""
    training.continue_run(path, code=code or None, hooks=hooks, notice=notice)
    return Run(path, code=code, notice=notice)


def load(path: str | Path, *, code: str | Path = "", notice: Callable[[str], None] = print) -> Run:
    """Open a run folder.

    Raises:
        RunError: It is not one; what lies there is named.
    """
    return Run(path, code=code, notice=notice)


def systems() -> list[dict[str, Any]]:
    """Return the catalogue's recipes with the state of their evidence; imports no torch of its own."""
    return list_recipes()


def plan(
    target: str, *, sets: Mapping[str, Any] | None = None, data: str | Path = "", code: str | Path = ""
) -> dict[str, Any]:
    """Return what training would take: layers, parameters, MACs, memory, time; a few steps are measured, none kept."""
    from netsmith.measure.parameters import layer_table

    lines: list[str] = []
    found = _prepared(target, sets=sets, data=data, code=code, notice=lines.append)
    experiment = Experiment(found.config)
    engine = Engine(experiment)
    method = experiment.method
    network = Network(method.product(), method.product_spec(experiment.spec), task=method.task)
    rows = layer_table(network.module, network.shipped.preprocess(network.example(1)))
    engine.method.train()
    times = []
    for step in range(4):
        begin = time.perf_counter()
        engine.updater.begin(step)
        try:
            engine.method.step(engine.feed, engine.updater)
        except UnsupportedError:
            raise
        times.append(time.perf_counter() - begin)
    step_seconds = sorted(times[1:])[1]
    owned = [p for parameters in method.players().values() for p in parameters.values()]
    state = sum(t.numel() * t.element_size() for t in engine.updater.state().values())
    memory = sum(2 * p.numel() * p.element_size() for p in owned) + state
    split = experiment.spec.split("train")
    size = f"{split.size:,} training examples" if split else "a live source"
    lines.append(
        f"{experiment.spec.dataset}: {size}, inputs {experiment.spec.inputs.kind} {experiment.spec.inputs.shape}"
    )
    return {
        "data": lines,
        "layers": [
            {"name": r.name, "type": r.type, "output": list(r.output), "parameters": r.parameters, "macs": r.macs}
            for r in rows
        ],
        "parameters": sum(p.numel() for p in network.module.parameters()),
        "macs": sum(r.macs for r in rows),
        "memory_bytes": memory,
        "steps": int(experiment.config.steps),
        "step_ms": 1000 * step_seconds,
        "eta_seconds": step_seconds * int(experiment.config.steps),
        "threads": torch.get_num_threads(),
    }


def compare(paths: Sequence[str | Path]) -> dict[str, Any]:
    """Return runs side by side: figures, parameters, multiply-adds, bytes, and where their experiments differ."""
    from netsmith.measure.macs import count_macs

    rows, dumps = [], []
    for path in paths:
        run = load(path)
        network = run.network
        finished = (run.path / "evaluation.json").is_file()
        rows.append(
            {
                "run": run.path.name,
                "figures": run.figures() if finished else {},
                "parameters": sum(p.numel() for p in network.module.parameters()),
                "bytes": sum(t.numel() * t.element_size() for t in network.module.state_dict().values()),
                "macs": count_macs(network.shipped, network.example(1)),
            }
        )
        dumps.append(_flat(run.found.config.dump()))
    names = sorted({name for dump in dumps for name in dump})
    differs = {n: [d.get(n) for d in dumps] for n in names if len({repr(d.get(n)) for d in dumps}) > 1}
    return {"runs": rows, "differs": differs}


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        found: dict[str, Any] = {}
        for name, item in value.items():
            found |= _flat(item, f"{prefix}.{name}" if prefix else name)
        return found
    return {prefix: value}
