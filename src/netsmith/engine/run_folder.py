"""The folder of a run: numbered, never overwritten, owned by one process at a time."""

from __future__ import annotations

import difflib
import os
import platform
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from netsmith.core.errors import RunError, shorten
from netsmith.core.files import read_json, write_json
from netsmith.core.spec import Spec

__all__ = ["RunFolder", "environment"]


class RunFolder:
    """A run's files, and the lock that makes one process their owner.

    Attributes:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    # -- making and finding -----------------------------------------------------------------------------------------

    @classmethod
    def create(cls, root: Path, name: str) -> RunFolder:
        """Make ``root/name``, or the first free ``root/name-2``, ``-3``, ...; nothing is ever overwritten.

        Raises:
            RunError: The folder cannot be made.
        """
        number = 1
        while True:
            path = root / (name if number == 1 else f"{name}-{number}")
            try:
                path.mkdir(parents=True)
            except FileExistsError:
                number += 1
                continue
            except OSError as error:
                raise RunError(f"cannot make the run folder {path}: {error.strerror or error}") from None
            run = cls(path)
            run.own()
            return run

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Open an existing run for reading.

        Raises:
            RunError: It is not a run folder.
        """
        if path.exists() and not path.is_dir():
            inside = (path.parent / "experiment.json").is_file()
            hint = f"give the folder: {path.parent}" if inside else "expected the folder that training made"
            raise RunError(f"{path} is not a run folder: it is a file; {hint}")
        if not path.is_dir():
            near = _runs_near(path)
            known = f"; in {path.parent} there are the runs: {', '.join(near)}" if near else ""
            raise RunError(f"{path} is not a run folder: it does not exist{known}")
        if not (path / "experiment.json").is_file():
            raise RunError(f"{path} is not a run folder: it has no experiment.json")
        return cls(path)

    def own(self) -> None:
        """Become the one process that writes here, until :meth:`release` or the process's end.

        Raises:
            RunError: Another process owns the run.
        """
        try:
            import fcntl
        except ImportError:  # Windows: best effort, no lock
            return
        handle = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            raise RunError(f"{self.path.name} is owned by another running process; wait for it or stop it") from None
        self._lock = handle

    def release(self) -> None:
        """Give the lock back."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # -- its files --------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def checkpoints(self) -> Path:
        """Where the checkpoints lie."""
        return self.path / "checkpoints"

    def write(self, name: str, value: Any) -> None:
        """Write one JSON file of the run, whole or not at all."""
        write_json(self.path / name, value)

    def read(self, name: str) -> Any:
        """Read one JSON file of the run."""
        return read_json(self.path / name)

    def read_object(self, name: str, **kinds: type) -> dict[str, Any]:
        """Read one JSON file of the run that holds an object.

        Args:
            name: The file.
            kinds: What must be in it, and of which type.

        Raises:
            RunError: It is damaged; what is wrong with it is named.
        """
        value = self.read(name)
        place = f"{self.path.name}/{name}"
        if not isinstance(value, dict):
            raise RunError(f"{place} is damaged: expected an object, got {shorten(repr(value), 60)}")
        for key, kind in kinds.items():
            if not isinstance(value.get(key), kind) or isinstance(value[key], bool):
                got = shorten(repr(value[key]), 60) if key in value else "nothing"
                raise RunError(f"{place} is damaged: expected {key!r} ({kind.__name__}), got {got}")
        return value

    def evaluation(self) -> dict[str, Any] | None:
        """Return what was found at the end of training, or None while the run is unfinished.

        Raises:
            RunError: The file is damaged.
        """
        if not (self.path / "evaluation.json").is_file():
            return None
        try:
            value = self.read_object("evaluation.json", step=int, figures=dict)
            odd = next((k for k, v in value["figures"].items() if not isinstance(v, (int, float, type(None)))), None)
            if odd is not None or value["step"] < 0:
                what = "a step that is negative" if odd is None else f"a figure {shorten(odd, 40)!r} that is no number"
                raise RunError(f"{self.path.name}/evaluation.json is damaged: it has {what}")
        except RunError as error:
            raise RunError(f"{error}; remove the file and resume the run to have it written anew") from None
        return value

    def spec(self) -> Spec:
        """Return the run's schema."""
        return Spec.load(self.read("schema.json"))


def _runs_near(path: Path) -> list[str]:
    """Return the names of a few runs beside a path, the most alike first."""
    try:
        names = [file.parent.name for file in path.parent.glob("*/experiment.json")]
    except OSError:
        return []
    alike = {name: difflib.SequenceMatcher(None, path.name, name).ratio() for name in names}
    return sorted(names, key=lambda name: (-alike[name], name))[:5]


def environment(config: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return what a result may depend on besides the experiment: versions, machine, threads; no path, no host name."""
    versions = {}
    for package in ("netsmith", "torch", "numpy", "pydantic", "safetensors", "onnx", "onnxruntime"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "versions": versions,
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "git": _git(),
        **dict(config or {}),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def _git() -> str | None:
    """Return the commit of netsmith's own checkout, with ``+`` for uncommitted changes; None outside one."""
    here = Path(__file__).resolve().parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip() or None
