"""Reading one WAV file, treated as hostile; the same function in training, predict and serve."""

from __future__ import annotations

import io
import wave

import numpy as np
import torch
from torch import Tensor

from netsmith.core.errors import DataError, shorten
from netsmith.core.spec import Inputs

__all__ = ["fit_length", "is_sound", "read_sound", "read_wav"]

_LARGEST = {2: 2**15, 3: 2**23, 4: 2**31}  # by bytes of a sample; one byte is unsigned


def _refuse(name: str, problem: str) -> DataError:
    return DataError(f"{shorten(name, 100)}: {problem}")


def is_sound(name: str) -> bool:
    """Say whether a file's name ends like a sound's."""
    return name.lower().endswith((".wav", ".wave"))


def read_wav(data: bytes, *, rate: int, name: str) -> Tensor:
    """Return the samples of a WAV file.

    Args:
        data: The file's contents: integers (PCM) of 8 to 32 bits, one channel.
        rate: Samples per second that it must have.
        name: The file's name, for messages.

    Returns:
        ``(T,)`` float32 in -1..1.

    Raises:
        DataError: No WAV file, damaged or cut off, of another coding, rate or number of channels, or empty.
    """
    if not data.startswith(b"RIFF") or data[8:12] != b"WAVE":
        raise _refuse(name, "is not a WAV file; expected RIFF and WAVE at its start")
    try:
        with wave.open(io.BytesIO(data)) as sound:
            channels, width, given, count = sound.getparams()[:4]
            frames = sound.readframes(min(count, len(data)))  # never more than there is, whatever the header says
    except Exception as error:  # a damaged header makes the reader raise many kinds of error
        if "unknown format" in str(error):
            raise _refuse(name, f"is WAV of a coding that is not read ({error}); save it as 16-bit PCM") from None
        raise _refuse(name, f"is a damaged WAV file: {error or type(error).__name__}") from None
    if channels != 1:
        raise _refuse(name, f"has {channels} channels; expected 1: save it in mono")
    if given != rate:
        raise _refuse(name, f"has {given} samples per second; expected {rate}: resample it")
    if width not in (1, *_LARGEST):
        raise _refuse(name, f"has samples of {8 * width} bits; expected 8, 16, 24 or 32")
    if not count:
        raise _refuse(name, "holds no sample; expected a sound")
    if len(frames) != count * width:
        raise _refuse(name, f"announces {count} samples but holds {len(frames) // width}; get it again")
    return torch.from_numpy(_samples(frames, width))


def _samples(frames: bytes, width: int) -> np.ndarray:
    if width == 1:
        return (np.frombuffer(frames, dtype=np.uint8).astype(np.float32) - 128) / 128
    if width == 3:  # 24 bits: put below them 8 that are 0
        wide = np.zeros((len(frames) // 3, 4), dtype=np.uint8)
        wide[:, 1:] = np.frombuffer(frames, dtype=np.uint8).reshape(-1, 3)
        return (wide.view("<i4")[:, 0].astype(np.float64) / 2**31).astype(np.float32)
    values = np.frombuffer(frames, dtype=f"<i{width}")
    return (values.astype(np.float64) / _LARGEST[width]).astype(np.float32)


def fit_length(samples: Tensor, length: int) -> Tensor:
    """Return ``length`` samples: the first ones of a longer sound, silence after a shorter one."""
    kept = samples[:length]
    return torch.nn.functional.pad(kept, (0, length - len(kept)))


def read_sound(data: bytes, inputs: Inputs, *, name: str) -> Tensor:
    """Read a WAV file into the raw array of a run's schema: silence is added to a shorter sound.

    Args:
        data: The file's contents.
        inputs: The schema's inputs of kind ``audio`` and shape ``(1, T)``.
        name: The file's name, for messages.

    Returns:
        ``(1, T)`` float32 in -1..1.

    Raises:
        DataError: As in :func:`read_wav`, a sound that is longer, or a schema that does not say its rate.
    """
    if inputs.kind != "audio" or len(inputs.shape) != 2 or inputs.shape[0] != 1 or not inputs.rate:
        raise _refuse(name, f"a sound does not fit inputs of kind {inputs.kind!r} and shape {inputs.shape}")
    samples = read_wav(data, rate=inputs.rate, name=name)
    length = inputs.shape[1]
    if length == -1:
        return samples[None]
    if len(samples) > length:
        lasts, most = (f"{count} samples ({count / inputs.rate:.2f} s)" for count in (len(samples), length))
        raise _refuse(name, f"has {lasts}; the network takes {most}: cut it")
    return fit_length(samples, length)[None]
