"""Official files that are Python pickles, read without running anything: nothing that they name is called.

A pickle is a small program. Here its instructions build a plain description of what it holds; only then is that taken
for arrays, sparse matrices, dicts and lists, and everything else refused.
"""

from __future__ import annotations

import dataclasses
import pickletools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from netsmith.core.errors import DataError
from netsmith.data._files import read_capped

__all__ = ["read_pickle"]

_FILE_CAP = 2**28
_CELL_CAP = 2**28

_ARRAYS = ("numpy.core.multiarray _reconstruct", "numpy._core.multiarray _reconstruct")
_SPARSE = ("scipy.sparse.csr csr_matrix", "scipy.sparse._csr csr_matrix")


@dataclasses.dataclass(frozen=True)
class _Name:
    """A class or function that a pickle names."""

    text: str


@dataclasses.dataclass
class _Made:
    """What a pickle would make by calling something, as it says.

    Attributes:
        name: Module and name of what it would call.
        given: The arguments.
        state: What it would set the result to.
        items: What it would put into the result, by key.
    """

    name: str
    given: tuple[Any, ...]
    state: Any = None
    items: dict[Any, Any] = dataclasses.field(default_factory=dict)


class _Machine:
    """Follows the instructions of protocols 2 to 4 that plain data need."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []  # where runs of values begin on the stack
        self.memo: dict[int, Any] = {}

    def run(self, data: bytes) -> Any:
        """Return what the pickle holds."""
        for opcode, argument, _ in pickletools.genops(data):
            name = opcode.name
            if name == "STOP":
                return self.stack.pop()
            if name == "MARK":
                self.marks.append(len(self.stack))
            elif name in _VALUES:
                self.stack.append(argument if opcode.arg is not None else _VALUES[name]())
            elif name in ("BINPUT", "LONG_BINPUT", "MEMOIZE"):
                self.memo[len(self.memo) if name == "MEMOIZE" else argument] = self.stack[-1]
            elif name in ("BINGET", "LONG_BINGET"):
                self.stack.append(self.memo[argument])
            elif name not in ("PROTO", "FRAME"):
                self._change(name, argument)
        raise ValueError("it has no end")

    def _change(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name == "GLOBAL":
            stack.append(_Name(argument))
        elif name == "STACK_GLOBAL":
            attribute, module = stack.pop(), stack.pop()
            stack.append(_Name(f"{module} {attribute}"))
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            count = int(name[-1])
            stack[-count:] = [tuple(stack[-count:])]
        elif name == "TUPLE":
            values = self._since_mark()
            stack.append(tuple(values))
        elif name in ("REDUCE", "NEWOBJ"):
            given, called = stack.pop(), stack.pop()
            stack.append(_Made(called.text, given))
        elif name == "BUILD":
            state = stack.pop()
            stack[-1].state = state
        elif name in ("APPEND", "APPENDS"):
            values = [stack.pop()] if name == "APPEND" else self._since_mark()
            stack[-1].extend(values)
        elif name in ("SETITEM", "SETITEMS"):
            values = [stack.pop(-2), stack.pop()] if name == "SETITEM" else self._since_mark()
            target = stack[-1].items if isinstance(stack[-1], _Made) else stack[-1]
            target.update(zip(values[0::2], values[1::2], strict=True))
        else:
            raise ValueError(f"its instruction {name} is not one that plain data need")

    def _since_mark(self) -> list[Any]:
        at = self.marks.pop()
        values = self.stack[at:]
        del self.stack[at:]
        return values


_VALUES: dict[str, Callable[[], Any]] = {
    **dict.fromkeys(
        (
            "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINSTRING", "SHORT_BINSTRING", "BINUNICODE",
            "SHORT_BINUNICODE", "BINBYTES", "SHORT_BINBYTES",
        ),
        object,
    ),
    "NONE": lambda: None, "NEWTRUE": lambda: True, "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple, "EMPTY_LIST": list, "EMPTY_DICT": dict,
}  # fmt: skip
"""Instructions that put a value on the stack: their argument, or what this makes."""


def read_pickle(path: Path) -> Any:
    """Read a file of one array, sparse matrix (as a dense one), dict or list.

    Raises:
        DataError: It is damaged, or holds anything else.
    """
    try:
        return _plain(_Machine().run(read_capped(path, limit=_FILE_CAP)), {})
    except Exception as error:  # a damaged pickle raises anything
        raise DataError(f"is not a pickle of plain arrays: {error}; nothing of it was run", path) from None


def _plain(value: Any, known: dict[int, Any]) -> Any:
    """Return the arrays within what a pickle describes; what it names twice is made once.

    Args:
        value: A part of the description.
        known: By identity, what its parts became.
    """
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return value
    if id(value) not in known:
        known[id(value)] = _unknown(value, known)
    return known[id(value)]


def _unknown(value: Any, known: dict[int, Any]) -> Any:
    if isinstance(value, dict):
        return {_plain(key, known): _plain(item, known) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(item, known) for item in value)
    if isinstance(value, _Made) and value.name in _ARRAYS:
        return _array(value)
    if isinstance(value, _Made) and value.name in _SPARSE:
        return _dense(_plain(value.state, known))
    if isinstance(value, _Made) and value.name == "collections defaultdict":
        return _plain(value.items, known)
    raise ValueError(f"it asks for {(value.name if isinstance(value, _Made) else value.text).replace(' ', '.')}")


def _array(made: _Made) -> np.ndarray:
    _, shape, kind, fortran, data = made.state
    code, order = kind.given[0], kind.state[1]
    dtype = np.dtype(order.replace("|", "") + code)
    if dtype.hasobject or fortran:
        raise ValueError(f"an array of {dtype} in this order")
    data = data.encode("latin-1") if isinstance(data, str) else data
    return np.frombuffer(data, dtype).reshape(shape).copy()


def _dense(state: dict[str, Any]) -> np.ndarray:
    """Return a sparse matrix, given by rows, with its zeros, ``(rows, columns)`` float32."""
    rows, columns = state["_shape"]
    starts, where, values = state["indptr"], state["indices"], state["data"]
    at = np.repeat(np.arange(rows), np.diff(starts))
    whole = len(starts) == rows + 1 and len(at) == len(where) == len(values)
    if not whole or (len(where) and not 0 <= where.min() <= where.max() < columns):
        raise ValueError("the rows of a sparse matrix do not add up")
    if rows * columns > _CELL_CAP:
        raise ValueError(f"a matrix of {rows:,} x {columns:,}")
    found = np.zeros((rows, columns), dtype=np.float32)
    np.add.at(found, (at, where), values)
    return found
