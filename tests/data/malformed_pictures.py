"""The corpus of malformed files, second part: pictures, archives and idx files."""

import gzip
import io
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from malformed import CASES, GOOD, Case, case
from PIL import Image

from netsmith.data._arrays import check_bytes
from netsmith.data._idx import read_idx
from netsmith.data._sniff import sniff
from netsmith.data.image_folder import ImageFolder

__all__ = ["CASES"]

# -- pictures ----------------------------------------------------------------------------------------------------------


def png(seed: int = 0, size: tuple[int, int] = (8, 8)) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def saved(image: Image.Image, form: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form)
    return buffer.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header announces that many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


PICTURES = {f"{c}/{i}.png": png(10 * k + i) for k, c in enumerate("ab") for i in range(6)}


def pictures(name: str, change: dict[str, bytes | str | None], says: str, *, base_files: Any = PICTURES) -> None:
    def make(base: Path) -> Callable[[], Any]:
        folder = base / "pics"
        for file, data in (base_files | change).items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            if data is None:
                (folder / file).mkdir()
            else:
                (folder / file).write_bytes(data if isinstance(data, bytes) else data.encode())
        return lambda: ImageFolder.Config(path=str(folder), image_size=8).build()

    CASES.append(Case(name, make, says))


JPEG = saved(Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 40, 3), dtype=np.uint8)), "JPEG")
pictures("truncated PNG", {"a/bad.png": png(3)[:90]}, r"a/bad\.png: is a damaged picture")
pictures("truncated JPEG", {"a/bad.jpg": JPEG[: len(JPEG) // 2]}, r"a/bad\.jpg: is a damaged picture")
pictures("image bomb", {"a/bad.png": bomb(8000, 8000)}, r"a/bad\.png: has 8000 x 8000 pixels; expected at most")
pictures("larger image bomb", {"a/bad.png": bomb(60_000, 60_000)}, r"a/bad\.png: .*(decompression bomb|pixels)")
pictures("no pixels", {"a/bad.png": bomb(0, 5)}, r"a/bad\.png: ")
pictures("text named .png", {"a/bad.png": "hello"}, r"a/bad\.png: is not a picture")
pictures("empty picture", {"a/bad.png": b""}, r"a/bad\.png: is empty")
pictures("damaged pixels", {"a/bad.png": png(3)[:60] + b"\xff" * 20 + png(3)[80:]}, r"a/bad\.png: is a damaged picture")
pictures("format not allowed", {"a/bad.png": saved(Image.new("RGB", (4, 4)), "EPS")}, r"a/bad\.png: is not a picture")
pictures(
    "floating-point pixels", {"a/bad.tif": saved(Image.new("F", (4, 4)), "TIFF")}, r"a/bad\.tif: holds floating-point"
)
pictures("empty class", {"c": None}, r"pics: the class folder 'c' holds no picture")
pictures(
    "pictures of a single class", {f"a/{i}.png": png(i) for i in range(5)}, r"pics: holds 1 class \(a\)", base_files={}
)
pictures("no picture at all", {"notes.txt": "x"}, r"pics: holds no picture", base_files={})
pictures("other file in a class", {"a/notes.txt": "x"}, r"pics: a/notes\.txt is no picture")
pictures("picture beside the classes", {"x.png": png(1)}, r"pics: x\.png lies elsewhere")
pictures("picture too deep", {"a/b/c/x.png": png(1)}, r"pics: a/b/c/x\.png lies elsewhere")
pictures(
    "no train folder", {f"test/{n}": d for n, d in PICTURES.items()}, r"pics: holds test but no train", base_files={}
)
pictures("class beside train", {f"train/{n}": d for n, d in PICTURES.items()}, r"pics: a/0\.png lies elsewhere")
pictures(
    "too few pictures", {f"{c}/0.png": png(1) for c in "ab"}, r"pics: 2 training pictures are too few", base_files={}
)
pictures(
    "label that only test has",
    {f"train/{n}": d for n, d in PICTURES.items()} | {"test/z/1.png": png(5)},
    r"pics: test/z/1\.png has the label 'z', which no training",
    base_files={},
)
pictures(
    "empty class in train",
    {f"train/{n}": d for n, d in PICTURES.items()} | {"train/c": None},
    r"pics: the class folder 'train/c' holds no picture",
    base_files={},
)


def metadata(name: str, lines: str, says: str) -> None:
    files = {f"{i}.png": png(i) for i in range(8)}
    rows = "file_name,label\n" + "".join(f"{i}.png,{'ab'[i % 2]}\n" for i in range(7))
    content = lines if lines.startswith("file") else rows + lines
    pictures(f"metadata: {name}", {"metadata.csv": content}, says, base_files=files)


metadata("missing file", "9.png,a\n", r"metadata\.csv, row 9: '9\.png' is not a file")
metadata("path outside", "../../x.png,a\n", r"metadata\.csv, row 9: '\.\./\.\./x\.png' is not a file")
metadata("absolute path", "/etc/passwd,a\n", r"metadata\.csv, row 9: '/etc/passwd' is not a file")
metadata("empty label", "7.png,\n", r"metadata\.csv, row 9: has no label")
metadata("file twice", "6.png,a\n", r"metadata\.csv, row 9: 6\.png is listed twice")
metadata("no label column", "file_name,lable\n1.png,a\n", r"metadata\.csv: has no column 'label'; did you mean 'lable'")
metadata("wrong split", "file_name,label,split\n1.png,a,tset\n", r"metadata\.csv, row 2: has the split 'tset'")
metadata("no picture", "metadata.csv,a\n", r"metadata\.csv, row 9: metadata\.csv is no picture")


@case("folder that cannot be listed", r"b: cannot be listed: Permission denied")
def _(base: Path) -> Callable[[], Any]:
    for file, data in PICTURES.items():
        (base / file).parent.mkdir(parents=True, exist_ok=True)
        (base / file).write_bytes(data)

    def go() -> Any:
        real = os.scandir

        def refuse(path: Any = ".") -> Any:  # the tests may run as root, whom no mode bit stops
            if str(path).endswith("/b"):
                raise PermissionError(13, "Permission denied", str(path))
            return real(path)

        os.scandir = refuse  # type: ignore[assignment]
        try:
            return ImageFolder.Config(path=str(base)).build()
        finally:
            os.scandir = real

    return go


@case("folder that contains itself", r"is reached twice through a link")
def _(base: Path) -> Callable[[], Any]:
    (base / "a").mkdir()
    (base / "a" / "again").symlink_to(base)
    return lambda: sniff(base)


@case("file name that is not UTF-8", r"holds control characters or is not UTF-8")
def _(base: Path) -> Callable[[], Any]:
    (base / "a").mkdir()
    Path(os.fsdecode(os.fsencode(base / "a") + b"/\xff.png")).write_bytes(png())
    return lambda: sniff(base)


@case("empty folder", r"holds nothing that is known; expected class/")
def _(base: Path) -> Callable[[], Any]:
    (base / "empty").mkdir()
    return lambda: sniff(base / "empty")


@case("one picture instead of a folder", r"x\.png: is one picture; expected the folder")
def _(base: Path) -> Callable[[], Any]:
    (base / "x.png").write_bytes(png())
    return lambda: sniff(base / "x.png")


# -- archives ----------------------------------------------------------------------------------------------------------


def packed(name: str, says: str, file: str, build: Callable[[Path], None]) -> None:
    def make(base: Path) -> Callable[[], Any]:
        (base / "inner").mkdir()
        build(base / "inner" / file)

        def go() -> Any:
            try:
                return sniff(base / "inner" / file).derive(image_size=8).build()
            finally:
                assert sorted(p.name for p in base.rglob("*")) == sorted(["inner", file]), "something was extracted"

        return go

    CASES.append(Case(name, make, says))


def zipped(extra: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Callable[[Path], None]:
    def build(path: Path) -> None:
        with zipfile.ZipFile(path, "w", method, compresslevel=1) as archive:
            for name, data in (PICTURES | extra).items():
                info = zipfile.ZipInfo("placeholder")
                info.filename, info.compress_type = name, method
                archive.writestr(info, data)

    return build


def edited(build: Callable[[Path], None], change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def build_and_edit(path: Path) -> None:
        build(path)
        path.write_bytes(change(path.read_bytes()))

    return build_and_edit


def tarred(*members: tarfile.TarInfo, mode: str = "w") -> Callable[[Path], None]:
    def build(path: Path) -> None:
        with tarfile.open(path, mode) as archive:
            for name, data in PICTURES.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
            for member in members:
                archive.addfile(member, io.BytesIO(bytes(member.size)))

    return build


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def encrypt(data: bytes) -> bytes:
    """Set the flag of encryption in every local and central header."""
    out = bytearray(data)
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = out.find(signature)
        while at >= 0:
            out[at + offset] |= 1
            at = out.find(signature, at + 4)
    return bytes(out)


def flip_stored(data: bytes) -> bytes:
    at = data.find(b"IDAT") + 8
    return data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :]


OUTSIDE = r"has a name that points outside of the archive; refused"
packed("zip: path traversal", rf"p\.zip: member '\.\./x\.png' {OUTSIDE}", "p.zip", zipped({"../x.png": png()}))
packed("zip: traversal inside", OUTSIDE, "p.zip", zipped({"a/../../x.png": png()}))
packed("zip: absolute path", OUTSIDE, "p.zip", zipped({"/x.png": png()}))
packed("zip: backslashes", OUTSIDE, "p.zip", zipped({"..\\x.png": png()}))
packed("zip: drive letter", OUTSIDE, "p.zip", zipped({"C:x.png": png()}))
packed("zip: encrypted", r"p\.zip: member .* is encrypted", "p.zip", edited(zipped({}), encrypt))
packed(
    "zip: member is a bomb",
    r"p\.zip: member 'a/z\.png' unpacks to more",
    "p.zip",
    zipped({"a/z.png": bytes(70_000_000)}),
)
packed("zip: wrong checksum", r"p\.zip: member .* is damaged: Bad CRC", "p.zip", edited(zipped({}, 0), flip_stored))
packed("zip: cut off", r"p\.zip: is damaged or not an archive", "p.zip", edited(zipped({}), lambda d: d[:-200]))
packed("zip: really a text", r"p\.zip: is damaged or not an archive", "p.zip", lambda p: p.write_text(GOOD) and None)
packed("zip: damaged picture", r"a/z\.png: is a damaged picture", "p.zip", zipped({"a/z.png": png(3)[:90]}))
packed("tar: path traversal", rf"p\.tar: member '\.\./x\.png' {OUTSIDE}", "p.tar", tarred(member("../x.png")))
packed("tar: absolute path", OUTSIDE, "p.tar", tarred(member("/x.png")))
packed(
    "tar: symbolic link",
    r"p\.tar: member 'a/l\.png' is a link",
    "p.tar",
    tarred(member("a/l.png", tarfile.SYMTYPE, "/etc/passwd")),
)
packed("tar: hard link", r"is a link, a device or sparse", "p.tar", tarred(member("a/l.png", tarfile.LNKTYPE, "../x")))
packed("tar: device", r"is a link, a device or sparse", "p.tar", tarred(member("a/d.png", tarfile.CHRTYPE)))
packed("tar: member twice", r"p\.tar: member 'a/0\.png' is there twice", "p.tar", tarred(member("a/0.png")))
packed("tar: cut off", r"p\.tar: ends inside its member", "p.tar", edited(tarred(), lambda d: d[: 7 * 1024 + 700]))
packed("tar.gz: cut off", r"p\.tar\.gz: ", "p.tar.gz", edited(tarred(mode="w:gz"), lambda d: d[: len(d) // 2]))
packed(
    "tar.xz: damaged", r"p\.tar\.xz: ", "p.tar.xz", edited(tarred(mode="w:xz"), lambda d: d[:500] + bytes(99) + d[599:])
)

# -- idx ---------------------------------------------------------------------------------------------------------------


def idx(sizes: tuple[int, ...], values: int, *, kind: int = 8, axes: int | None = None) -> bytes:
    head = bytes([0, 0, kind, len(sizes) if axes is None else axes])
    return head + b"".join(size.to_bytes(4, "big") for size in sizes) + bytes(values)


for name, data, says in (
    (
        "idx: header says more than there is",
        gzip.compress(idx((9, 2, 2), 20)),
        r"i\.gz: announces \[9, 2, 2\] values but holds 20",
    ),
    (
        "idx: header says less than there is",
        gzip.compress(idx((3, 2, 2), 20)),
        r"i\.gz: announces .* holds more than 12",
    ),
    ("idx: header says four billion", gzip.compress(idx((2**32 - 1, 28, 28), 20)), r"i\.gz: announces \[4294967295"),
    ("idx: product of sizes is zero", gzip.compress(idx((0, 28, 28), 0)), r"i\.gz: announces \[0, 28, 28\]"),
    ("idx: wrong magic", gzip.compress(b"\1\2\3\4" * 9), r"i\.gz: starts with b'\\x01"),
    ("idx: wrong type", gzip.compress(idx((2, 2, 2), 32, kind=0x0D)), r"i\.gz: holds values of idx type 0x0d"),
    ("idx: labels instead of images", gzip.compress(idx((8,), 8)), r"i\.gz: has 1 axes; expected 3"),
    ("idx: ends in its header", gzip.compress(idx((2,), 0, axes=3)), r"i\.gz: ends inside its header"),
    ("idx: truncated gzip", gzip.compress(os.urandom(0) + idx((99, 28, 28), 99 * 784))[:-40], r"i\.gz: "),
    ("idx: gzip bomb", gzip.compress(idx((10, 28, 28), 50_000_000)), r"i\.gz: announces .* holds more than 7840"),
    ("idx: not gzipped", idx((2, 2, 2), 8), r"i\.gz: cannot be read: Not a gzipped file"),
    (
        "idx: gzip with a wrong checksum",
        gzip.compress(idx((2, 2, 2), 8))[:-8] + bytes(8),
        r"i\.gz: cannot be read: CRC",
    ),
    ("idx: empty", b"", r"i\.gz: "),
):

    def make(base: Path, data: bytes = data) -> Callable[[], Any]:
        (base / "i.gz").write_bytes(data)
        return lambda: read_idx(base / "i.gz", axes=3)

    CASES.append(Case(name, make, says))


def labels(name: str, images: tuple[int, ...], values: list[int], says: str) -> None:
    def make(base: Path) -> Callable[[], Any]:
        pixels, numbers = torch.zeros(images, dtype=torch.uint8), torch.tensor(values)
        return lambda: check_bytes(pixels, numbers, size=(28, 28), classes=10, path="labels.gz")

    CASES.append(Case(name, make, says))


labels("idx: fewer labels than images", (3, 28, 28), [1, 2], r"labels\.gz: 3 images but 2 labels")
labels("idx: label out of range", (3, 28, 28), [1, 2, 77], r"labels\.gz, row 3: label 77; expected labels below 10")
labels("idx: other size", (2, 27, 28), [1, 2], r"labels\.gz: images of \(27, 28\) pixels")
