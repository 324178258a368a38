"""Official files: found in ``$NETSMITH_DATA``, else in a cache, else downloaded with checksum, cap and resume.

``NETSMITH_OFFLINE=1`` forbids the download.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import hashlib
import http.client
import os
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import BinaryIO

from netsmith.core.errors import DataError, NotAtHandError
from netsmith.core.files import sha256_of, sync_folder
from netsmith.data._files import Tree, open_tree, read_capped

__all__ = [
    "OfficialFile", "cache_folder", "download", "official_contents", "official_files", "official_members",
    "official_tree", "offline",
]  # fmt: skip

_OFFLINE: ContextVar[bool] = ContextVar("offline", default=False)


@dataclasses.dataclass(frozen=True)
class OfficialFile:
    """A file as its publisher gives it.

    Attributes:
        name: Its name.
        size: Its bytes; the cap of a download too.
        sha256: Its checksum.
        there: Its name at the mirrors, where that is another one.
    """

    name: str
    size: int
    sha256: str
    there: str = ""


def cache_folder() -> Path:
    """Return the folder where downloads are kept: ``~/.cache/netsmith/data``, or under ``$XDG_CACHE_HOME``."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "netsmith" / "data"


@contextlib.contextmanager
def offline() -> Iterator[None]:
    """Forbid downloads within a block: what neither folder holds is a :class:`NotAtHandError`."""
    token = _OFFLINE.set(True)
    try:
        yield
    finally:
        _OFFLINE.reset(token)


def official_files(dataset: str, files: Sequence[OfficialFile], *, mirrors: Sequence[str]) -> dict[str, Path]:
    """Return where the files of a data set lie, downloading what neither folder holds.

    Args:
        dataset: Name of the folder in ``$NETSMITH_DATA`` and in the cache.
        files: What is needed.
        mirrors: Addresses of folders that hold the files, tried in order.

    Raises:
        DataError: A file with a wrong checksum.
        NotAtHandError: One that is not there and could not be downloaded.
    """
    given = os.environ.get("NETSMITH_DATA")
    found: dict[str, Path] = {}
    for file in files:
        path = Path(given) / dataset / file.name if given else None
        if path is not None and path.is_file():
            _check(path, file, advice="replace it by the official file, or unset NETSMITH_DATA")
            found[file.name] = path
        else:
            addresses = [f"{mirror.rstrip('/')}/{file.there or file.name}" for mirror in mirrors]
            found[file.name] = download(addresses, cache_folder() / dataset, file)
    return found


def official_contents(dataset: str, files: Sequence[OfficialFile], *, mirrors: Sequence[str]) -> dict[str, bytes]:
    """Return the contents of the files of a data set; ``$NETSMITH_DATA`` may hold them packed (``NAME.gz``).

    Args:
        dataset: Name of the folder in ``$NETSMITH_DATA`` and in the cache.
        files: What is needed.
        mirrors: Addresses of folders that hold the files, tried in order.

    Raises:
        DataError: As :func:`official_files`; a packed file that is damaged.
    """
    given = os.environ.get("NETSMITH_DATA")
    found: dict[str, bytes] = {}
    for file in files:
        packed = Path(given) / dataset / f"{file.name}.gz" if given else None
        if packed is not None and packed.is_file() and not packed.with_suffix("").is_file():
            found[file.name] = _unpacked(packed, file)
        else:
            path = official_files(dataset, [file], mirrors=mirrors)[file.name]
            found[file.name] = read_capped(path, limit=file.size)
    return found


def _unpacked(path: Path, file: OfficialFile) -> bytes:
    """Return what a gzipped official file holds; of a bomb no more than its size is unpacked."""
    try:
        with gzip.open(path) as stream:
            data = stream.read(file.size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"is damaged: {error}; replace it, or unset NETSMITH_DATA", path) from None
    digest = hashlib.sha256(data).hexdigest()
    if len(data) != file.size or digest != file.sha256:
        raise DataError(
            f"holds {'more than ' if len(data) > file.size else ''}{min(len(data), file.size)} bytes with the SHA-256 "
            f"{digest[:12]}...; expected {file.size} with {file.sha256[:12]}...; replace it, or unset NETSMITH_DATA",
            path,
        )
    return data


def official_members(
    dataset: str, members: Sequence[OfficialFile], *, archive: OfficialFile, mirrors: Sequence[str]
) -> dict[str, bytes]:
    """Return the contents of some files of an official archive, which is read member by member and never extracted.

    ``$NETSMITH_DATA`` may hold the archive, or the files as they lie in it; else the archive is downloaded.

    Args:
        dataset: Name of the folder in ``$NETSMITH_DATA`` and in the cache.
        members: What is needed of it, by its names in the archive.
        archive: The archive.
        mirrors: Addresses of folders that hold the archive, tried in order.

    Raises:
        DataError: As :func:`official_files`; a member that is missing or has a wrong checksum.
    """
    given = os.environ.get("NETSMITH_DATA")
    if given and all((Path(given) / dataset / member.name).is_file() for member in members):
        paths = official_files(dataset, members, mirrors=())
        return {name: read_capped(path, limit=path.stat().st_size) for name, path in paths.items()}
    tree = open_tree(official_files(dataset, [archive], mirrors=mirrors)[archive.name])
    found: dict[str, bytes] = {}
    for member in members:
        data = tree.read(member.name, limit=member.size)
        digest = hashlib.sha256(data).hexdigest()
        if digest != member.sha256:
            raise DataError(
                f"its member {member.name} has the SHA-256 {digest[:12]}...; expected {member.sha256[:12]}...; "
                "get the official archive again",
                tree.path,
            )
        found[member.name] = data
    return found


def official_tree(dataset: str, archive: OfficialFile, *, others: Sequence[str] = (), mirrors: Sequence[str]) -> Tree:
    """Open an official archive; what it holds is for the caller to verify.

    For archives that are packed anew by those who pass them on: in ``$NETSMITH_DATA`` any packing of the same contents
    will do, unpacked too. A download must be the published archive, byte by byte.

    Args:
        dataset: Name of the folder in ``$NETSMITH_DATA`` and in the cache.
        archive: The archive.
        others: Further names that the archive, or its unpacked folder, may have in ``$NETSMITH_DATA``.
        mirrors: Addresses of folders that hold the archive, tried in order.

    Raises:
        DataError: As :func:`official_files` and :func:`~netsmith.data._files.open_tree`.
    """
    given = os.environ.get("NETSMITH_DATA")
    for name in (archive.name, *others) if given else ():
        path = Path(str(given)) / dataset / name
        if path.exists():
            return open_tree(path)
    return open_tree(official_files(dataset, [archive], mirrors=mirrors)[archive.name])


def _check(path: Path, file: OfficialFile, *, advice: str) -> None:
    size = path.stat().st_size
    if size != file.size:
        raise DataError(f"has {size} bytes; expected {file.size}; {advice}", path)
    digest = sha256_of(path)
    if digest != file.sha256:
        raise DataError(f"has the SHA-256 {digest[:12]}...; expected {file.sha256[:12]}...; {advice}", path)


def download(
    addresses: Sequence[str],
    folder: Path,
    file: OfficialFile,
    *,
    attempts: int = 4,
    timeout: float = 30.0,
    pause: float = 1.0,
) -> Path:
    """Fetch a file unless ``folder`` holds it; a broken transfer goes on where it stopped (HTTP Range).

    The bytes go to ``.NAME.part``; only a file of the right size and checksum gets its name. One process downloads, a
    second waits for it.

    Args:
        addresses: Where it is to be had; the next one is tried when an attempt fails.
        folder: Where it goes.
        file: What it must be.
        attempts: How often to try in all, at least once per address.
        timeout: Seconds without an answer before an attempt fails.
        pause: Seconds between two attempts.

    Raises:
        NotAtHandError: All attempts failed; says why the last one did.
        DataError: The folder cannot be written to.
    """
    path = folder / file.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder / f".{file.name}.lock"):
            if path.is_file():
                with contextlib.suppress(DataError):
                    _check(path, file, advice="")
                    return path
            return _fetch(addresses, path, file, attempts=attempts, timeout=timeout, pause=pause)
    except OSError as error:
        raise DataError(
            f"cannot be kept in the cache: {error.strerror or error}; free space or set XDG_CACHE_HOME", path
        ) from None


def _fetch(
    addresses: Sequence[str], path: Path, file: OfficialFile, *, attempts: int, timeout: float, pause: float
) -> Path:
    if _OFFLINE.get() or os.environ.get("NETSMITH_OFFLINE", "") not in ("", "0"):
        raise NotAtHandError(
            f"is not at hand, and NETSMITH_OFFLINE forbids downloads; put it into $NETSMITH_DATA/{path.parent.name}",
            path,
        )
    part = path.with_name(f".{file.name}.part")
    reason = "no address is known"
    for attempt in range(max(attempts, len(addresses)) if addresses else 0):
        if attempt:
            time.sleep(pause)
        address = addresses[attempt % len(addresses)]
        try:
            _transfer(address, part, file, timeout=timeout)
            _check(part, file, advice="the server's file is another one")
        except DataError as error:
            part.unlink(missing_ok=True)  # a wrong file is no beginning of the right one
            reason = str(error).partition(": ")[2]
            continue
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
            reason = str(getattr(error, "reason", "") or error) or type(error).__name__
            continue
        os.replace(part, path)
        sync_folder(path.parent)
        return path
    raise NotAtHandError(
        f"could not be downloaded ({reason}); try again, or put the file into $NETSMITH_DATA/{path.parent.name}", path
    )


def _transfer(address: str, part: Path, file: OfficialFile, *, timeout: float) -> None:
    if urllib.parse.urlsplit(address).scheme not in ("http", "https"):
        raise DataError(f"the address {address!r} is not http or https", file.name)
    have = part.stat().st_size if part.exists() else 0
    if have >= file.size:
        if have == file.size:
            return
        part.unlink()
        have = 0
    request = urllib.request.Request(address, headers={"User-Agent": "netsmith", "Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        resumed = answer.status == 206 and (answer.headers.get("Content-Range") or "").startswith(f"bytes {have}-")
        with part.open("ab" if resumed else "wb") as target:
            _copy(answer, target, file, have=have if resumed else 0)


def _copy(answer: http.client.HTTPResponse, target: BinaryIO, file: OfficialFile, *, have: int) -> None:
    while piece := answer.read(min(2**16, file.size - have + 1)):
        have += len(piece)
        if have > file.size:
            raise DataError(f"is longer than the {file.size} bytes expected", file.name)
        target.write(piece)
    target.flush()
    os.fsync(target.fileno())
    if have < file.size:
        raise ConnectionError(f"the transfer broke off after {have} of {file.size} bytes")


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Hold a lock file; where the system has none (Windows), go on without."""
    with lock.open("w") as handle:
        with contextlib.suppress(ImportError):
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
