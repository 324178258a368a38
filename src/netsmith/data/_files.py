"""Files of a folder or an archive under one reading; archives are read member by member and never extracted."""

from __future__ import annotations

import abc
import contextlib
import os
import stat
import tarfile
import threading
import unicodedata
import zipfile
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from netsmith.core.errors import DataError

__all__ = ["FILE_LIMIT", "Tree", "is_visible", "open_plain", "open_tree", "read_capped"]

FILE_LIMIT = 64 * 2**20
_COUNT_LIMIT = 2_000_000  # ImageNet has 1.3 million
_MEMORY_LIMIT = 2**30  # of a compressed tar, whose members cannot be reached singly
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_IGNORED = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})


class Tree(abc.ABC):
    """A folder or an archive.

    Attributes:
        path: Where it lies.
        files: Names of its files relative to it, with ``/``, sorted; hidden ones left out.
        folders: Names of its folders, in the same form.
    """

    def __init__(self, path: Path, files: list[str], folders: set[str]) -> None:
        self.path = path
        self.files = tuple(sorted(name for name in files if is_visible(name)))
        above = {str(parent) for name in self.files for parent in PurePosixPath(name).parents}
        self.folders = tuple(sorted(name for name in folders | above if name not in ("", ".") and is_visible(name)))

    @abc.abstractmethod
    def read(self, name: str, *, limit: int = FILE_LIMIT) -> bytes:
        """Return the contents of a file.

        Raises:
            DataError: It cannot be read, is damaged, or has more than ``limit`` bytes.
        """

    @abc.abstractmethod
    def size(self, name: str) -> int:
        """Return how many bytes a file has, as its folder or archive says; nothing is read.

        Raises:
            DataError: There is none of that name.
        """


def is_visible(name: str) -> bool:
    """Say whether neither a file nor a folder in its path is hidden or of an operating system's own; ``/`` divides."""
    return not any(part.startswith(".") or part in _IGNORED for part in name.split("/"))


def _strange(name: str) -> bool:
    """Say whether a name holds control characters or bytes that are no text."""
    return any(unicodedata.category(character) in ("Cc", "Cs") for character in name)


def read_capped(path: Path, *, limit: int) -> bytes:
    """Return the contents of a plain file of at most ``limit`` bytes.

    Raises:
        DataError: It is missing, no plain file, unreadable or too large.
    """
    try:
        with open_plain(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > limit:
                raise DataError(f"has {size} bytes; expected at most {limit}", path)
            return file.read()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}", path) from None


def open_plain(path: Path) -> BinaryIO:
    """Open a plain file, to be read piece by piece.

    Raises:
        DataError: It is missing, no plain file or unreadable.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise DataError("is a folder; expected a file" if path.is_dir() else "is not a plain file", path)
        return path.open("rb")
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError("does not exist", path) from None
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be read: {getattr(error, 'strerror', None) or error}", path) from None


def open_tree(path: Path, *, besides: str = "") -> Tree:
    """Open a folder, ``.zip`` or ``.tar`` (also ``.gz``, ``.bz2``, ``.xz``).

    Args:
        path: The folder or archive.
        besides: What else the user could have given, for the error.

    Raises:
        DataError: It does not exist, is no archive, is damaged, or has a member that points outside of it.
    """
    try:
        if path.is_dir():
            return _Folder(path)
        if not path.exists():
            raise DataError("does not exist", path)
        if path.name.lower().endswith(".zip"):
            return _unwrap(_Zip(path))
        if path.name.lower().endswith(_ARCHIVES):
            return _unwrap(_Tar(path))
    except DataError:
        raise
    except Exception as error:  # the readers of archives raise many kinds of error on damaged data
        raise DataError(f"is damaged or not an archive of its kind: {error}", path) from None
    raise DataError(f"is neither a folder nor an archive ({', '.join(_ARCHIVES)}){besides}", path)


def _safe(name: str, path: Path, *, seen: set[str]) -> str:
    """Return a member's name in plain form, or refuse it."""
    parts = name.rstrip("/").split("/")
    bad = "\\" in name or "\0" in name or name.startswith("/") or ".." in parts or parts[0][1:2] == ":"
    if bad or _strange(name):
        raise DataError(f"member {name!r} has a name that points outside of the archive; refused", path)
    plain = "/".join(part for part in parts if part not in ("", "."))
    if plain in seen:
        raise DataError(f"member {name!r} is there twice; refused", path)
    seen.add(plain)
    if len(seen) > _COUNT_LIMIT:
        raise DataError(f"has more than {_COUNT_LIMIT} members", path)
    return plain


class _Folder(Tree):
    def __init__(self, path: Path) -> None:
        files: list[str] = []
        folders: set[str] = set()
        visited: set[tuple[int, int]] = set()

        def refuse(error: OSError) -> None:
            raise DataError(f"cannot be listed: {error.strerror or error}", Path(error.filename or path))

        for base, below, names in os.walk(path, onerror=refuse, followlinks=True):
            status = Path(base).stat()
            if (status.st_dev, status.st_ino) in visited:
                raise DataError("is reached twice through a link; expected a tree without loops", base)
            visited.add((status.st_dev, status.st_ino))
            below[:] = [name for name in below if is_visible(name)]
            place = Path(base).relative_to(path)
            folders.update((place / name).as_posix() for name in below)
            files.extend((place / name).as_posix() for name in names)
            odd = next((name for name in (*below, *names) if _strange(name)), None)
            if odd is not None:
                raise DataError(
                    f"the name {odd!r} holds control characters or is not UTF-8; rename it", ascii(path.name)
                )
            if len(files) > _COUNT_LIMIT:
                raise DataError(f"holds more than {_COUNT_LIMIT} files", path)
        super().__init__(path, files, folders)

    def read(self, name: str, *, limit: int = FILE_LIMIT) -> bytes:
        return read_capped(self.path / name, limit=limit)

    def size(self, name: str) -> int:
        try:
            return (self.path / name).stat().st_size
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror or error}", self.path / name) from None


class _Zip(Tree):
    def __init__(self, path: Path) -> None:
        self._members: dict[str, str] = {}
        self._sizes: dict[str, int] = {}
        self._opened: dict[int, zipfile.ZipFile] = {}  # one per process: a forked file position would be shared
        self._lock = threading.Lock()
        folders: set[str] = set()
        seen: set[str] = set()
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                name = _safe(member.orig_filename, path, seen=seen)
                if stat.S_ISLNK(member.external_attr >> 16):
                    raise DataError(f"member {name!r} is a link; refused", path)
                if member.flag_bits & 0x1:
                    raise DataError(f"member {name!r} is encrypted; expected an archive without password", path)
                if member.is_dir():
                    folders.add(name)
                else:
                    self._members[name] = member.filename
                    self._sizes[name] = member.file_size
        super().__init__(path, list(self._members), folders)

    def read(self, name: str, *, limit: int = FILE_LIMIT) -> bytes:
        try:
            with self._lock:
                if os.getpid() not in self._opened:
                    self._opened[os.getpid()] = zipfile.ZipFile(self.path)
                archive = self._opened[os.getpid()]
            with archive.open(self._members[name]) as member:
                data = member.read(limit + 1)  # never more than the cap, whatever the header says
        except KeyError:
            raise DataError(f"has no member {name!r}", self.path) from None
        except Exception as error:  # zipfile and its decompressors raise many kinds of error on damaged data
            raise DataError(f"member {name!r} is damaged: {error}", self.path) from None
        if len(data) > limit:
            raise DataError(f"member {name!r} unpacks to more than {limit} bytes", self.path)
        return data

    def size(self, name: str) -> int:
        if name not in self._sizes:
            raise DataError(f"has no member {name!r}", self.path)
        return self._sizes[name]

    def __getstate__(self) -> dict[str, object]:
        kept = {key: value for key, value in self.__dict__.items() if key not in ("_lock", "_opened")}
        return kept | {"_opened": {}}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()

    def __del__(self) -> None:
        for archive in self.__dict__.get("_opened", {}).values():
            with contextlib.suppress(OSError):
                archive.close()


class _Tar(Tree):
    """A plain tar is read by offset; a compressed one is held in memory, up to a cap."""

    def __init__(self, path: Path) -> None:
        self._places: dict[str, tuple[int, int]] = {}
        self._held: dict[str, bytes] = {}
        packed = not path.name.lower().endswith(".tar")
        folders: set[str] = set()
        seen: set[str] = set()
        total = 0
        with tarfile.open(path, "r:*" if packed else "r:") as archive:
            for member in archive:
                name = _safe(member.name, path, seen=seen)
                if member.isdir():
                    folders.add(name)
                    continue
                if not member.isreg() or member.issparse() or member.size < 0:
                    raise DataError(f"member {name!r} is a link, a device or sparse; refused", path)
                self._places[name] = (member.offset_data, member.size)
                if packed:
                    total += member.size
                    if total > _MEMORY_LIMIT:
                        raise DataError(
                            f"unpacks to more than {_MEMORY_LIMIT} bytes; use a plain .tar or a folder", path
                        )
                    file = archive.extractfile(member)
                    assert file is not None
                    self._held[name] = file.read()
                    if len(self._held[name]) < member.size:
                        raise DataError(f"ends inside its member {name!r}; get it again", path)
                elif member.offset_data + member.size > path.stat().st_size:
                    raise DataError(f"ends inside its member {name!r}; get it again", path)
        super().__init__(path, list(self._places), folders)

    def read(self, name: str, *, limit: int = FILE_LIMIT) -> bytes:
        if name not in self._places:
            raise DataError(f"has no member {name!r}", self.path)
        offset, size = self._places[name]
        if size > limit:
            raise DataError(f"member {name!r} has {size} bytes; expected at most {limit}", self.path)
        if name in self._held:
            return self._held[name]
        try:
            with self.path.open("rb") as file:
                file.seek(offset)
                return file.read(size)
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror or error}", self.path) from None

    def size(self, name: str) -> int:
        if name not in self._places:
            raise DataError(f"has no member {name!r}", self.path)
        return self._places[name][1]


class _Inside(Tree):
    """The one folder that holds everything in an archive."""

    def __init__(self, tree: Tree, top: str) -> None:
        self._tree, self._top = tree, top
        cut = len(top) + 1
        super().__init__(
            tree.path, [name[cut:] for name in tree.files], {name[cut:] for name in tree.folders if name != top}
        )

    def read(self, name: str, *, limit: int = FILE_LIMIT) -> bytes:
        return self._tree.read(f"{self._top}/{name}", limit=limit)

    def size(self, name: str) -> int:
        return self._tree.size(f"{self._top}/{name}")


def _unwrap(tree: Tree) -> Tree:
    """Step into an archive's only top folder where that folder is a wrapping, not a class or a split."""
    tops = {name.split("/")[0] for name in tree.files}
    if len(tops) != 1 or any("/" not in name for name in tree.files):
        return tree
    top = next(iter(tops))
    depths = {name.count("/") for name in tree.files}
    wraps = max(depths) >= 2 or any(name.endswith((".csv", ".tsv", ".jsonl", ".parquet")) for name in tree.files)
    is_split = top.lower() in ("train", "training", "val", "valid", "validation", "dev", "test", "testing")
    return _Inside(tree, top) if wraps and not is_split else tree
