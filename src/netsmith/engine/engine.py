"""The loop: steps, evaluations, checkpoints, hooks; no branch on the kind of learner."""

from __future__ import annotations

import contextlib
import math
import os
import platform
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from netsmith.core.errors import CheckpointError, ConfigError, DivergedError, InterruptedRun, did_you_mean
from netsmith.engine import checkpoint
from netsmith.engine.batch import Batch
from netsmith.engine.checkpoint import Snapshot
from netsmith.engine.experiment import Experiment
from netsmith.engine.feed import LiveFeed, MapFeed, evaluation_batches
from netsmith.engine.hook import Hook
from netsmith.engine.ranks import Ranks
from netsmith.engine.source import LiveSource
from netsmith.engine.task import Metric, figures
from netsmith.engine.updater import Updater, UpdaterSettings

__all__ = ["Engine"]

_MOST_WORKERS = 16


class Engine:
    """Runs an experiment: learns, evaluates, saves; resumes where it was, bit for bit.

    Args:
        experiment: What to run.
        checkpoints: Where to save, or None to keep nothing.
        hooks: Hooks besides those of the config (journal, progress); they are not saved.
        ranks: The processes of the run.
        surgery: The surgery log of a changed network; it travels with every checkpoint.

    Attributes:
        step: Steps taken so far.
        history: Figures of the evaluations, the newest last: ``(step, figures)``.
        notices: Lines a person should see.
    """

    def __init__(
        self,
        experiment: Experiment,
        *,
        checkpoints: Path | None = None,
        hooks: Sequence[Hook] = (),
        ranks: Ranks | None = None,
        surgery: Any = None,
    ) -> None:
        config = experiment.config
        if experiment.source is None:
            raise ConfigError("this experiment was opened without its data; training needs the data")
        most = max(_MOST_WORKERS, os.cpu_count() or 1)  # each is a process with this one's memory
        if config.workers > most:
            raise ConfigError(f"workers={config.workers}: expected at most {most} loader processes on this machine")
        self.experiment = experiment
        self.config = config
        self.source = experiment.source
        self.method = experiment.method
        self.ranks = ranks or Ranks()
        self.checkpoints = checkpoints
        self.surgery = surgery
        self.device = _device(config.device, self.ranks)
        self.method.to(self.device)
        if config.compile:
            self.method.product().compile()
        self._dtype = torch.float64 if config.precision == "fp64" else torch.float32
        self._format = torch.channels_last if config.memory_format == "channels_last" else torch.preserve_format
        settings = UpdaterSettings(
            steps=int(config.steps),
            seed=config.seed,
            micro_batches=config.micro_batches,
            clip_norm=config.clip_norm,
            autocast=self.device.type if config.precision == "bf16" else "",
        )
        self.updater = Updater(self.method, config.optimizers, settings=settings, ranks=self.ranks)
        if isinstance(self.source, LiveSource):
            self.feed: MapFeed | LiveFeed = LiveFeed(
                self.source, self.method.act, seed=config.seed, ranks=self.ranks, move=self.move
            )
        else:
            self.feed = MapFeed(self.source, seed=config.seed, workers=config.workers, ranks=self.ranks, move=self.move)
        configured: list[Hook] = []
        for number, hook_config in enumerate(config.hooks):
            hook: Hook = hook_config.build()
            hook.name = f"{number}-{hook_config.kind_name()}"
            configured.append(hook)
        self.hooks = sorted([*configured, *hooks], key=lambda hook: hook.order)
        self.step = 0
        self.history: list[tuple[int, dict[str, float]]] = []
        self.notices: list[str] = []
        reason = self.method.undecomposable() if self.ranks.world > 1 else ""
        if reason:
            self.notices.append(f"{self.ranks.world} processes: {reason}; each process uses its own share's statistics")
        self.best: tuple[float, int] | None = None
        self._stop_reason = ""
        self._saved_at = -1

    def move(self, batch: Batch) -> Batch:
        """Return a batch on the device of the run, in its precision and memory format."""
        if self.device.type == "cpu" and self._dtype is torch.float32 and self._format is torch.preserve_format:
            return batch
        return batch.to(self.device, self._dtype, self._format)

    # -- learning ---------------------------------------------------------------------------------------------------

    def fit(self) -> None:
        """Learn until the last step (or until a hook stops the run).

        Raises:
            DivergedError: A loss became NaN or infinite; the last good checkpoint is kept.
            InterruptedRun: The user pressed Ctrl-C; the state is saved.
        """
        before = [h.before_step for h in self.hooks if type(h).before_step is not Hook.before_step]
        after = [h.after_step for h in self.hooks if type(h).after_step is not Hook.after_step]
        steps = int(self.config.steps)
        with _deterministic(), _interrupts() as interrupted:
            for hook in self.hooks:
                hook.start(self)
            self.method.train()
            try:
                while self.step < steps and not self._stop_reason:
                    for call in before:
                        call(self)
                    self.updater.begin(self.step)
                    logs = self.method.step(self.feed, self.updater)
                    self.step += 1
                    for call in after:
                        call(self, logs)
                    self._periodic(steps)
                    if self.ranks.any(bool(interrupted)):
                        self.save()
                        raise InterruptedRun(f"stopped at step {self.step} of {steps}; the state is saved")
            finally:
                self.feed.close()
            for hook in self.hooks:
                hook.apply(self)
            if self._saved_at != self.step:
                self.save()
            for hook in self.hooks:
                hook.end(self)

    def _periodic(self, steps: int) -> None:
        last = self.step == steps
        if (last or self.step % int(self.config.evaluate_every) == 0) and "dev" in self.source.splits():
            self.evaluate_dev()
        if not last and self.step % int(self.config.checkpoint_every) == 0:
            self.save()

    def stop(self, reason: str) -> None:
        """End the run after the current step; the reason is kept as a notice."""
        self._stop_reason = reason
        self.notices.append(f"stopped early at step {self.step}: {reason}")

    # -- judging ----------------------------------------------------------------------------------------------------

    def evaluate_dev(self) -> dict[str, float]:
        """Evaluate on the dev split through the hooks, and remember whether it was the best."""

        def run() -> dict[str, float]:
            return self.evaluate("dev")

        call: Callable[[], dict[str, float]] = run
        for hook in reversed(self.hooks):
            if type(hook).evaluate is not Hook.evaluate:
                call = _wrapped(hook, self, call)
        found = call()
        self.history.append((self.step, found))
        if self.config.select:
            if self.config.select not in found:
                raise ConfigError(f"select: no figure {self.config.select!r}{did_you_mean(self.config.select, found)}")
            value = found[self.config.select] * (1 if self.config.select_mode == "max" else -1)
            if not math.isnan(value) and (self.best is None or value > self.best[0]):
                self.best = (value, self.step)
                self.save()
        return found

    def evaluate(self, split: str, *, extra: Mapping[str, Metric] | None = None) -> dict[str, float]:
        """Return the method's figures on a split, exact under any number of ranks, in full precision.

        Args:
            split: ``train``, ``dev`` or ``test``.
            extra: More metrics to update on the way; their figures are not returned.
        """
        if split not in self.source.splits():
            raise ConfigError(f"the data has no split {split!r}{did_you_mean(split, self.source.splits())}")
        metrics = self.method.metrics()
        every = {**metrics, **(extra or {})}
        training = self.method.training
        self.method.eval()
        batches = evaluation_batches(
            self.source, self.method.act, split=split, seed=self.config.seed, ranks=self.ranks, move=self.move
        )
        with torch.no_grad():
            for batch in batches:
                self.method.evaluate(batch, every)
        self.method.train(training)
        if self.ranks.world > 1:
            first, *others = self.ranks.gather(every)  # merged in rank order, so that every rank gets the same figures
            for name, metric in first.items():
                for other in others:
                    metric.merge(other[name])
            metrics = {name: first[name] for name in metrics}
            for name, metric in (extra or {}).items():
                metric.__dict__.update(first[name].__dict__)
        return figures(metrics, split)

    # -- saving and resuming ----------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Return everything a resume needs."""
        weights = {n: p.detach() for parameters in self.method.players().values() for n, p in parameters.items()}
        live = isinstance(self.source, LiveSource)
        return Snapshot(
            step=self.step,
            weights=weights,
            optimizer=self.updater.state(),
            states={
                "method": self.method.state(),
                "source": self.ranks.gather(self.source.state()) if live else None,  # type: ignore[union-attr]
                "hooks": {hook.name: hook.state() for hook in self.hooks if hook.name},
                "position": self.feed.position,
                "history": [[step, found] for step, found in self.history],
                "best": list(self.best) if self.best else None,
                "stop": self._stop_reason,
                "surgery": self.surgery,
            },
            facts={"experiment": self.config.sha256(), "machine": self._machine()},
        )

    def _machine(self) -> dict[str, Any]:
        return {
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "machine": platform.machine(),
            "device": self.device.type,
            "ranks": self.ranks.world,
        }

    def save(self) -> None:
        """Write a checkpoint; keep the last two and the best.

        Raises:
            DivergedError: A parameter is NaN or infinite (a gradient was, where the loss was not); it is not saved.
        """
        if self.checkpoints is None or self._saved_at == self.step:
            return
        snapshot = self.snapshot()
        for name, value in snapshot.weights.items():
            if not torch.isfinite(value).all():
                raise DivergedError(
                    f"the parameter {name} became NaN or infinite before step {self.step}, while the loss was still "
                    "finite; the last checkpoint is good. Lower the learning rate, warm it up, or clip (clip_norm=1)"
                )
        if self.ranks.first:
            checkpoint.save(self.checkpoints, snapshot)
            wanted = checkpoint.folders(self.checkpoints)[:2]
            if self.best is not None:
                wanted.append(self.checkpoints / f"step-{self.best[1]:08d}")
            checkpoint.keep(self.checkpoints, wanted)
        self._saved_at = self.step

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a snapshot.

        Raises:
            CheckpointError: It belongs to another experiment or does not fit the network.
        """
        if snapshot.facts.get("experiment") != self.config.sha256():
            raise CheckpointError("the checkpoint belongs to another experiment (its hash differs); start a new run")
        self.load_weights(snapshot)
        self.updater.restore(snapshot.optimizer)
        states = snapshot.states
        if states["source"] is not None:
            if len(states["source"]) != self.ranks.world:
                raise CheckpointError(
                    f"the run's environments were played by {len(states['source'])} processes; resume with as many "
                    f"(got {self.ranks.world})"
                )
            self.source.restore(states["source"][self.ranks.rank])  # type: ignore[union-attr]
        for hook in self.hooks:
            if hook.name:
                hook.restore(states["hooks"][hook.name])
        self.feed.position = states["position"]
        self.history = [(int(step), found) for step, found in states["history"]]
        self.best = (states["best"][0], int(states["best"][1])) if states["best"] else None
        self._stop_reason = states.get("stop", "")
        self.step = self._saved_at = snapshot.step
        was, now = snapshot.facts.get("machine", {}), self._machine()
        changed = [f"{name} was {was.get(name)}, is {now[name]}" for name in now if was.get(name) != now[name]]
        if changed:
            self.notices.append(f"resumed, but not bit for bit: {'; '.join(changed)}")

    def use(self, snapshot: Snapshot) -> None:
        """Take a snapshot's product for use, not for more training: weights, and what hooks make of them (averages)."""
        self.load_weights(snapshot)
        with torch.no_grad():
            for hook in self.hooks:
                if hook.name in snapshot.states["hooks"] and type(hook).apply is not Hook.apply:
                    hook.restore(snapshot.states["hooks"][hook.name])
                    hook.apply(self)

    def load_weights(self, snapshot: Snapshot) -> None:
        """Take the networks' weights and buffers of a snapshot, nothing else."""
        checkpoint.copy_into(self.method, snapshot.weights, what=f"checkpoint step-{snapshot.step:08d}")
        self.method.restore(snapshot.states["method"])


def _wrapped(hook: Hook, engine: Engine, call: Callable[[], dict[str, float]]) -> Callable[[], dict[str, float]]:
    return lambda: hook.evaluate(engine, call)


def _device(name: str, ranks: Ranks) -> torch.device:
    """Return the device of this process: of several ranks on GPUs, each takes the one of its place on its machine."""
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device='cuda', but this torch sees no GPU; use device='auto' or 'cpu'")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and ranks.world > 1:
        count = torch.cuda.device_count()
        if ranks.local >= count:
            raise ConfigError(
                f"process {ranks.local} of this machine has no GPU of its own: torch sees {count}; start at most as "
                "many with torchrun --nproc-per-node, or use device='cpu'"
            )
        torch.cuda.set_device(ranks.local)
        return torch.device("cuda", ranks.local)
    return torch.device(name)


@contextlib.contextmanager
def _deterministic() -> Iterator[None]:
    """Use deterministic algorithms: indexed backward passes otherwise differ from run to run on two threads."""
    if torch.cuda.is_available():
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    fill = torch.utils.deterministic.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        torch.utils.deterministic.fill_uninitialized_memory = fill


@contextlib.contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Collect Ctrl-C and SIGTERM in a list, so that the run stops between two steps; a second Ctrl-C stops at once."""
    caught: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield caught
        return

    def note(number: int, frame: Any) -> None:  # noqa: ARG001
        if caught:
            raise KeyboardInterrupt
        caught.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
