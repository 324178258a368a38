"""The folder of a run: numbered, never overwritten, owned by one process at a time."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from netsmith.core.errors import RunError
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
        if not path.is_dir():
            near = sorted(p.name for p in path.parent.glob("*") if p.is_dir())[-5:] if path.parent.is_dir() else []
            known = f"; in {path.parent} there are: {', '.join(near)}" if near else ""
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

    def spec(self) -> Spec:
        """Return the run's schema."""
        return Spec.load(self.read("schema.json"))


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
