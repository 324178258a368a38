"""The corpus of malformed files, third part: the official files of data sets."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from malformed_pictures import CASES, Case

from netsmith.data import cifar10

__all__ = ["CASES"]

# -- CIFAR-10 ----------------------------------------------------------------------------------------------------------

RECORD = bytes(3073)


def records(name: str, data: bytes, says: str) -> None:
    def make(base: Path) -> Callable[[], Any]:
        return lambda: cifar10._records(data, name="cifar-10-batches-bin/data_batch_1.bin")

    CASES.append(Case(name, make, says))


records(
    "CIFAR-10: ends inside a record", RECORD * 3 + b"\1" * 40, r"data_batch_1\.bin: has 9259 bytes; expected records"
)
records("CIFAR-10: empty", b"", r"data_batch_1\.bin: has 0 bytes; expected records of 3073")
records("CIFAR-10: label out of range", RECORD + b"\x0b" + RECORD[1:], r"data_batch_1\.bin, row 2: label 11; expected")
