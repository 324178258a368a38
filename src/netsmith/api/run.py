"""A run and its verbs: what :func:`netsmith.train` and :func:`netsmith.load` return."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from netsmith.api import training
from netsmith.api.addressing import unknown_words, unread, unread_words
from netsmith.api.commands import on_run
from netsmith.api.encode import Rows, missing_policy
from netsmith.api.experiments import Found, find, wanted_code
from netsmith.api.generate import generate
from netsmith.api.network import Network
from netsmith.api.own_data import reads_own_data, with_data
from netsmith.api.poems import write_poems
from netsmith.api.similar import similar_words
from netsmith.api.tagged_texts import texts_of
from netsmith.api.transfer import Start, fine_tuned, read_alike, weights_into
from netsmith.api.translate import translate
from netsmith.core.errors import ConfigError, DataError, RunError, shorten
from netsmith.core.files import sha256_of
from netsmith.core.spec import Spec
from netsmith.data import _sniff
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.engine.hook import Hook
from netsmith.engine.hooks.journal import read_journal
from netsmith.engine.method import Method
from netsmith.engine.run_folder import RunFolder
from netsmith.engine.source import LiveSource, Source
from netsmith.measure.macs import count_macs
from netsmith.measure.parameters import count_stored

__all__ = ["Run", "brought", "compare", "load", "prepared", "resume", "teaching", "train", "with_code"]


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

    @property
    def data_spec(self) -> Spec:
        """The schema of the data it was trained on: of a generator, of what it imitates."""
        return self._rebuilt[1]

    @cached_property
    def network(self) -> Network:
        """The product with its schema: what predict, explain, export and serve take."""
        found, spec, method = self._rebuilt
        product = method.product_spec(spec)
        return Network(
            method.product(), product, task=method.task, name=self.path.name,
            missing=missing_policy(found.config.data), notice=self.notice,
        )  # fmt: skip

    @cached_property
    def engine(self) -> Engine:
        """An engine on the run's data with the chosen weights.

        Raises:
            RunError: The data is not at hand, or no longer what the run was trained on.
        """
        found, spec, method = self._rebuilt
        try:
            source = found.config.data.build()
        except (ConfigError, DataError) as error:
            raise RunError(
                f"{self.path.name} needs its data for this, and it is not at hand ({error}); predict, export and "
                "serve, and explain and similarity with --input, work without"
            ) from None
        experiment = Experiment(found.config.derive(device="cpu"), source=source)
        training.same_data(experiment, spec)
        experiment.method = method
        return Engine(experiment)

    def figures(self) -> dict[str, float | None]:
        """Return the figures that were read at the end of training.

        Raises:
            RunError: The run is not finished.
        """
        found = RunFolder(self.path).evaluation()
        if found is None:
            raise RunError(f"{self.path.name} is not finished; go on with: {on_run('resume', self.path)}")
        return dict(found["figures"])

    def journal(self) -> list[dict[str, Any]]:
        """Return the lines of ``metrics.jsonl``."""
        return read_journal(self.path / "metrics.jsonl")

    def evaluate(self, split: str = "test") -> dict[str, float]:
        """Evaluate the product on a split of the run's data."""
        return self.engine.evaluate(split)

    def predict(self, values: Any) -> list[dict[str, Any]]:
        """Return one readable prediction per example; see :meth:`netsmith.api.network.Network.predict`."""
        network, rows = self.network, values.at if isinstance(values, Rows) else ()
        found = network.predict(values)
        if network.writes_texts:
            return self._noticed(found, _lost(found), rows=rows)
        for line in unread_words(network, texts_of(values), name=self.path.name, rows=rows):
            self.notice(line)
        return found

    def generate(self, prompt: str = "", **settings: Any) -> list[dict[str, Any]]:
        """Return texts that go on from a prompt, where the run is of a language model.

        Args:
            prompt: What they go on from.
            **settings: Of :func:`netsmith.api.generate.generate`: ``length``, ``temperature``, ``top_k``, ``beam``, ...
        """
        found = generate(self.network, prompt, **settings)
        if prompt.strip() and any(unread([prompt], self.network.spec.inputs)[0]):
            self.notice(f"{self.path.name} knows no token of the prompt; what it writes says nothing of it")
        return found

    def write_poems(self, **settings: Any) -> list[dict[str, Any]]:
        """Return Chinese quatrains, where the run is of a model of such poems.

        Args:
            **settings: Of :func:`netsmith.api.poems.write_poems`: ``form``, ``first_line``, ``hidden``, ``count``, ...
        """
        return write_poems(self.network, **settings)

    def similar(self, words: Sequence[str], *, without: Sequence[str] = (), top: int = 10) -> list[tuple[str, float]]:
        """Return the words whose vectors lie near some words; see :func:`netsmith.api.similar.similar_words`."""
        return similar_words(self.network, words, without=without, top=top)

    def translate(self, texts: Sequence[str], **settings: Any) -> list[dict[str, Any]]:
        """Return what the run writes for each text, where it learned to write texts for texts.

        Args:
            texts: What is read.
            **settings: Of :func:`netsmith.api.translate.translate`: ``to``, ``beams``, ``penalty``,
                ``coverage``, ``align``, ``rows``.
        """
        found = translate(self.network, texts, **settings)
        return self._noticed(found, _lost(found), rows=settings.get("rows", ()))

    def _noticed(
        self, found: list[dict[str, Any]], lost: Sequence[bool], *, rows: Sequence[int]
    ) -> list[dict[str, Any]]:
        """Return answers, after a notice where a text that was read is unknown altogether to the network."""
        told = unknown_words(lost, name=self.path.name, rows=rows)
        if told:
            self.notice(told)
        return found

    def explain(
        self,
        source: Any = None,
        *,
        method: str = "",
        count: int = 8,
        segments: str = "grid",
        generator: Run | None = None,
    ) -> Any:
        """Write pictures and a page that show why the product decides as it does.

        Args:
            source: A file or values to explain; examples of the test split by default.
            method: Names of methods with commas between, or ``all`` that fit; empty for the fast ones.
            count: How many examples.
            segments: Parts of an image that LIME and SHAP values switch off together: ``grid`` (7 x 7) or
                ``superpixels`` (SLIC: cut along its edges, about 50).
            generator: A run that learned to draw such pictures; prototypes are then also searched among what it can
                draw.
        """
        from netsmith.workflows.explanation import explain_run

        return explain_run(self, source, method=method, count=count, segments=segments, painter=generator)

    def compress(
        self,
        *,
        latency_ms: float | str | None = None,
        size: float | str | None = None,
        speedup: float | None = None,
        **settings: Any,
    ) -> Any:
        """Prune, distil and quantize; with a budget, narrow layers until the measured network is within it.

        Args:
            latency_ms: A budget: at most this median latency under ONNX Runtime, in ms or with a unit (``"1.5ms"``).
            size: A budget: at most so many bytes of the file; or with a unit (``"200kB"``).
            speedup: A budget: so many times as fast.
            **settings: Of :func:`netsmith.workflows.compression.compress_run`, or with a budget of
                :func:`netsmith.workflows.front.compress_to_budget`.

        Raises:
            ConfigError: More than one budget, or one that cannot be reached.
        """
        from netsmith.workflows.amounts import amount
        from netsmith.workflows.budget_figures import Budget
        from netsmith.workflows.compression import compress_run
        from netsmith.workflows.front import compress_to_budget

        if sum(given is not None for given in (latency_ms, size, speedup)) > 1:
            raise ConfigError("give one budget: latency_ms, size or speedup")
        budgets = [Budget("speedup", speedup)] if speedup is not None else []
        if latency_ms is not None:
            budgets = [Budget("latency", amount(latency_ms, "latency", name="latency_ms"))]
        if size is not None:
            budgets = [Budget("size", amount(size, "size", name="size"))]
        settings.setdefault("notice", self.notice)
        return compress_to_budget(self, budgets[0], **settings) if budgets else compress_run(self, **settings)

    def resume(self, *, hooks: Sequence[Hook] = ()) -> Run:
        """Go on where the run was cut; it ends bit for bit as if it had not been."""
        return resume(self.path, code=self.code or "", hooks=hooks, notice=self.notice)

    def compare(self, *others: Run, paired: str = "") -> dict[str, Any]:
        """Return this run beside others: figures, sizes, and where their experiments differ; see :func:`compare`."""
        return compare([self, *others], paired=paired)

    def export(
        self,
        output: str | Path | None = None,
        *,
        int8: bool = False,
        method: Literal["minmax", "entropy", "percentile", "best"] = "minmax",
        max_drop: float | None = None,
    ) -> dict[str, Any]:
        """Export to ONNX with a parity proof; also quantize to int8 where asked.

        Args:
            output: The file; ``export/model.onnx`` in the run's folder by default.
            int8: Also write the int8 form beside it: calibrated on training data, of recurrent networks dynamic.
            method: How the ranges of activations are found; ``best`` tries all three.
            max_drop: Accuracy that int8 may lose on dev, 0..1: the layers it hurts most stay in full precision.
        """
        from netsmith.workflows.shipping import export_run

        return export_run(self, output, int8=int8, method=method, max_drop=max_drop)

    def report(self) -> Path:
        """Write ``report.html``, one self-contained page, and return its path."""
        from netsmith.workflows.pages import report_run

        return report_run(self)

    def serve(self, *, host: str = "127.0.0.1", port: int = 8000, allowed_hosts: Sequence[str] = ()) -> None:
        """Serve the product over HTTP until interrupted; see :func:`netsmith.serve.server.serve`."""
        self.network.serve(host=host, port=port, allowed_hosts=allowed_hosts)


def _lost(written: Sequence[Mapping[str, Any]]) -> list[bool]:
    """Return of each text that was written whether the one that was read is unknown altogether."""
    return [one.get("unknown") == 1 for one in written]


def train(
    target: str | Path,
    *,
    sets: Mapping[str, Any] | None = None,
    data: str | Path = "",
    teacher: str | Path = "",
    start: str | Path = "",
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
        start: A finished run whose weights it begins with (:mod:`netsmith.api.transfer`).
        name: The run's name; the recipe's by default.
        root: Where run folders are made.
        code: The user's recipe file that an ``experiment.json``, ``teacher`` or ``start`` was made from.
        hooks: More hooks, for example a progress bar.
        notice: Where one-line notices go.

    Raises:
        UserError: A name, a value or a file is wrong.
        DivergedError: A loss became NaN or infinite.

    Example:
        >>> run = train("mlp_digits", sets={"data.twin": True, "epochs": 1}, root=tmp)  # doctest: +SKIP
    """
    begun, prepare = brought(teacher=teacher, start=start, code=code, notice=notice)
    found, source = prepared(
        target, sets=sets, data=data, code=code, begun=begun, brings=start or teacher, notice=notice
    )
    path = training.begin(found, root=root, name=name, source=source, hooks=hooks, prepare=prepare, notice=notice)
    return Run(path, code=found.code.path if found.code else "", notice=notice)


def brought(
    *, teacher: str | Path, start: str | Path, code: str | Path = "", notice: Callable[[str], None]
) -> tuple[Start | None, training.Prepare | None]:
    """Return the run to begin with, where there is one, and what puts a run's product into a fresh experiment.

    Raises:
        ConfigError: Both a teacher and a run to begin with.
    """
    if teacher and start:
        raise ConfigError("give a teacher or a run to begin with, not both: a student's first weights are drawn")
    if not start:
        return None, teaching(teacher, code=code, notice=notice)
    run = load(start, code=code if _own(start) else "", notice=notice)
    begun = Start(replace(run.found, name=run.path.name), run.network.spec.inputs)
    return begun, weights_into(run.network, run.path.name, notice=notice)


def _own(path: str | Path) -> bool:
    """Say whether a run was made from the user's own recipe file."""
    return bool(wanted_code(RunFolder.open(Path(path)).read("experiment.json")))


def teaching(teacher: str | Path, *, code: str | Path = "", notice: Callable[[str], None]) -> training.Prepare | None:
    """Return what puts a run's product into a distillation as its teacher, or None for no teacher."""
    if not teacher:
        return None
    network = load(teacher, code=code if _own(teacher) else "", notice=notice).network
    return training.teacher_into(network.module, network.spec.outputs)


def prepared(
    target: str | Path,
    *,
    sets: Mapping[str, Any] | None,
    data: str | Path,
    code: str | Path,
    begun: Start | None = None,
    brings: str | Path = "",
    notice: Callable[[str], None],
) -> tuple[Found, Source | LiveSource | None]:
    """Find an experiment, put in the user's data (read once, and said how), and change it.

    Args:
        target: As :func:`train` takes it, like the next three.
        sets: Changes by dotted path.
        data: The user's own data.
        code: The user's recipe file.
        begun: The run it begins with.
        brings: That run, or the one that teaches: ``code`` may be its file, and not the target's.
        notice: Where one-line notices go.
    """
    found = find(target, code=code or None, shared=bool(brings) and _own(brings))
    if begun:
        found = fine_tuned(found, begun.found, notice=notice)
    own = reads_own_data(found.config.data)
    if data and not own:
        found = with_data(found, data)
    if sets:
        found = replace(found, config=found.config.derive(**sets))
    if data and own:  # what was set says how to read it (the target's column, the text's)
        found = with_data(found, data)
    if begun:
        found = read_alike(found, begun, sets=sets or {}, notice=notice)
    if not data:
        return found, None
    if found.config.data.twin:
        raise ConfigError(
            f"data.twin=true takes made-up data in place of --data {shorten(str(data), 80)}; leave one of the two out"
        )
    source = found.config.data.build()
    for line in (_sniff.describe(source), *_sniff.notes(source)):
        notice(line)
    return found, source


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


def compare(
    paths: Sequence[str | Path | Run],
    *,
    codes: Sequence[str | Path] = (),
    paired: str = "",
    notice: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Return runs side by side: figures, parameters, multiply-adds, bytes, and where their experiments differ.

    Args:
        paths: Runs or their folders.
        codes: The users' recipe files that some of the runs were made from; each run takes the one of its hash.
        paired: A figure (``test/map``) of which also the differences are tested, over the same examples; see
            :func:`netsmith.workflows.paired.compare_paired`.
        notice: Where one-line notices go, of those that are given as folders.
    """
    rows, dumps, tested = [], [], {}
    runs = [path if isinstance(path, Run) else with_code(path, codes, notice) for path in paths]
    if paired:  # before the rows: a figure that is not there is said at once
        from netsmith.workflows.paired import compare_paired

        tested["paired"] = asdict(compare_paired(runs, paired))
    for run in runs:
        network = run.network
        finished = (run.path / "evaluation.json").is_file()
        rows.append(
            {
                "run": run.path.name,
                "figures": run.figures() if finished else {},
                "parameters": count_stored(network.module),
                "bytes": sum(t.numel() * t.element_size() for t in network.module.state_dict().values()),
                "macs": count_macs(network.shipped, network.example(1)),
            }
        )
        dumps.append(_flat(run.found.config.dump(whole=True)))
    names = sorted({name for dump in dumps for name in dump})
    differs = {n: [d.get(n) for d in dumps] for n in names if len({repr(d.get(n)) for d in dumps}) > 1}
    return {"runs": rows, "differs": differs, **tested}


def with_code(path: str | Path, codes: Sequence[str | Path], notice: Callable[[str], None]) -> Run:
    """Load a run with that of some recipe files that it was made from, known by its hash."""
    folder = RunFolder.open(Path(path))
    sha256 = wanted_code(folder.read("experiment.json"))
    fitting = [code for code in codes if sha256 and Path(code).is_file() and sha256_of(Path(code)) == sha256]
    return load(path, code=fitting[0] if fitting else "", notice=notice)


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        found: dict[str, Any] = {}
        for name, item in value.items():
            found |= _flat(item, f"{prefix}.{name}" if prefix else name)
        return found
    return {prefix: value}
