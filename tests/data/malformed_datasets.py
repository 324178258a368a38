"""The corpus of malformed files, third part: the official files of data sets."""

import io
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

from malformed_pictures import CASES, Case, png

from netsmith.api.encode import encode
from netsmith.core.spec import Inputs
from netsmith.data import cifar10, fsdd, omniglot
from netsmith.data._files import open_tree
from netsmith.data.imagenet import ImageNet

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

# -- sounds ------------------------------------------------------------------------------------------------------------


def wav(count: int = 40, *, rate: int = 8000, channels: int = 1, width: int = 2) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(channels)
        sound.setsampwidth(width)
        sound.setframerate(rate)
        sound.writeframes(bytes(count * channels * width))
    return file.getvalue()


def sound(name: str, data: bytes, says: str) -> None:
    def make(base: Path) -> Callable[[], Any]:
        (base / "s.wav").write_bytes(data)
        inputs = Inputs(kind="audio", shape=(1, 50), rate=8000)
        return lambda: encode([base / "s.wav"], inputs)

    CASES.append(Case(name, make, says))


FLOATS = wav(10, width=4)
sound("WAV: empty file", b"", r"s\.wav: is not a WAV file")
sound("WAV: really an MP3", b"ID3\4" + bytes(99), r"s\.wav: is not a WAV file; expected RIFF and WAVE")
sound("WAV: RIFF of another kind", b"RIFF\0\0\0\0AVI LIST", r"s\.wav: is not a WAV file")
sound("WAV: header only", wav()[:12], r"s\.wav: is a damaged WAV file")
sound("WAV: cut off", wav()[:-30], r"s\.wav: announces 40 samples but holds 25")
sound("WAV: no sample", wav(0), r"s\.wav: holds no sample")
sound("WAV: other rate", wav(rate=44100), r"s\.wav: has 44100 samples per second; expected 8000: resample it")
sound("WAV: stereo", wav(channels=2), r"s\.wav: has 2 channels; expected 1: save it in mono")
sound("WAV: too long", wav(51), r"s\.wav: has 51 samples \(0\.01 s\); the network takes 50 samples \(0\.01 s\): cut it")
sound("WAV: floating point", FLOATS[:20] + b"\3\0" + FLOATS[22:], r"s\.wav: is WAV of a coding that is not read")
sound("WAV: no format", wav().replace(b"fmt ", b"junk"), r"s\.wav: is a damaged WAV file: ")
sound(
    "WAV: announces four billion",
    wav().replace(b"data" + (80).to_bytes(4, "little"), b"data\xff\xff\xff\xff"),
    r"s\.wav",
)


def recordings(name: str, file: str, data: bytes, says: str) -> None:
    def make(base: Path) -> Callable[[], Any]:
        (base / "pack" / "recordings").mkdir(parents=True)
        (base / "pack" / "recordings" / file).write_bytes(data)
        return lambda: fsdd._recordings(open_tree(base / "pack"))

    CASES.append(Case(name, make, says))


recordings("FSDD: strange name", "seven.wav", wav(), r"pack: recordings/seven\.wav is no recording of version 1\.0\.10")
recordings("FSDD: unknown speaker", "1_eve_3.wav", wav(), r"recordings/1_eve_3\.wav is no recording")
recordings("FSDD: another recording", "1_theo_3.wav", wav(), r"pack: its 1 recordings have the SHA-256")
recordings("FSDD: damaged recording", "1_theo_3.wav", wav()[:-2], r"1_theo_3\.wav: announces 40 samples but holds 39")
recordings("FSDD: a huge recording", "1_theo_3.wav", wav(2**20), r"1_theo_3\.wav: has \d+ bytes; expected at most")

# -- Omniglot ----------------------------------------------------------------------------------------------------------


def drawings(name: str, file: str, data: bytes, says: str) -> None:
    def make(base: Path) -> Callable[[], Any]:
        (base / "pack" / "Greek" / "character01").mkdir(parents=True)
        (base / "pack" / "Greek" / "character01" / file).write_bytes(data)
        return lambda: omniglot._drawings(open_tree(base / "pack"), size=28, contents="0" * 64)

    CASES.append(Case(name, make, says))


SMALL, WHOLE = png(size=(20, 105)), png(size=(105, 105))
drawings("Omniglot: strange name", "one.png", WHOLE, r"pack: Greek/character01/one\.png is no drawing")
drawings("Omniglot: other size", "0001_01.png", SMALL, r"0001_01\.png has \(105, 20\) pixels; expected 105 x 105")
drawings("Omniglot: damaged", "0001_01.png", WHOLE[:-60], r"0001_01\.png: is a damaged picture")
drawings("Omniglot: another drawing", "0001_01.png", WHOLE, r"pack: its 1 drawings of 1 characters have the SHA-256")

# -- ImageNet ----------------------------------------------------------------------------------------------------------

TRAIN = {f"train/n0000000{c}/{i}.JPEG": b"not looked at yet" for c in "12" for i in range(4)}
VAL = {"val/a.JPEG": b"x", "val/b.JPEG": b"x"}


def imagenet(name: str, files: dict[str, bytes], says: str) -> None:
    def make(base: Path) -> Callable[[], Any]:
        for file, data in files.items():
            (base / "big" / file).parent.mkdir(parents=True, exist_ok=True)
            (base / "big" / file).write_bytes(data)
        return lambda: ImageNet.Config(path=str(base / "big")).build()

    CASES.append(Case(name, make, says))


TRUTH = TRAIN | VAL | {"val.txt": b"a.JPEG 0\nb.JPEG 1\n"}
imagenet("ImageNet: no train", VAL, r"big: holds no picture in train; expected train/<wnid>/\*\.JPEG")
imagenet("ImageNet: train lies flat", VAL | {"train/a.JPEG": b"x"}, r"big: train/a\.JPEG lies elsewhere")
imagenet("ImageNet: one class", VAL | {"train/n1/a.JPEG": b"x"}, r"big: train holds 1 class \(n1\)")
imagenet("ImageNet: no val", TRAIN, r"big: holds no picture in val; expected")
imagenet("ImageNet: flat val without a list", TRAIN | VAL, r"big: val lies flat, and val\.txt or LOC_val_solution\.csv")
imagenet("ImageNet: not in the list", TRUTH | {"val/c.JPEG": b"x"}, r"big: val/c\.JPEG has no class")
imagenet("ImageNet: class number too large", TRUTH | {"val.txt": b"a.JPEG 0\nb.JPEG 2\n"}, r"val\.txt, row 2: class 2")
imagenet(
    "ImageNet: a line of one word", TRUTH | {"val.txt": b"a.JPEG 0\nb.JPEG\n"}, r"val\.txt, row 2: holds 1 columns"
)
imagenet(
    "ImageNet: a class of no picture", TRUTH | {"val.txt": b"a.JPEG 0\nb.JPEG n9\n"}, r"b\.JPEG has the class 'n9'"
)
imagenet("ImageNet: list is not UTF-8", TRUTH | {"val.txt": b"\xff\xfe"}, r"val\.txt: is not UTF-8 text \(byte 1\)")
imagenet("ImageNet: no words", TRUTH | {"synset_words.txt": b"n00000001 cat\n"}, r"synset_words\.txt: has no words for")
imagenet(
    "ImageNet: two lines for a picture",
    TRUTH | {"val.txt": b"a.JPEG 0\nb.JPEG 1\na.JPEG 1\n"},
    r"val\.txt, row 3: names a\.JPEG for the second time",
)
imagenet(
    "ImageNet: two lines for a picture, one without the ending",
    TRUTH | {"val.txt": b"a.JPEG 0\nb.JPEG 1\na 1\n"},
    r"^a\.JPEG: its list names a\.JPEG and a; expected one line",
)
imagenet("ImageNet: 5000 digits", TRUTH | {"val.txt": b"a.JPEG " + b"1" * 5000}, r"val\.txt, row 1: class 1+\.\.\.")
imagenet(
    "ImageNet: a field too long",
    TRAIN | VAL | {"LOC_val_solution.csv": b"ImageId,PredictionString\na," + b"x" * 140_000},
    r"LOC_val_solution\.csv: cannot be read as CSV: field larger than field limit",
)
