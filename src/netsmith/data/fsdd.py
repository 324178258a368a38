"""Free Spoken Digit Dataset: 3,000 recordings of the English digits, 8,000 samples per second, six speakers.

Jackson, Souza, Flaks, Pan, Nicolas, Thite, "Jakobovski/free-spoken-digit-dataset: v1.0.10", Zenodo 2020.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple

import torch
from pydantic import Field, model_validator
from torch import Tensor

from netsmith.core.errors import DataError
from netsmith.core.keys import key as named_key
from netsmith.core.spec import Inputs, Outputs, Spec
from netsmith.data._arrays import FixedFields, FixedSource, Part, digest
from netsmith.data._download import OfficialFile, official_tree
from netsmith.data._files import Tree
from netsmith.data._sounds import fit_length, read_wav
from netsmith.data._splits import draw_splits
from netsmith.engine.random import keyed_uniform
from netsmith.engine.task import UNLABELED
from netsmith.layers.mu_law import mu_law_encode

__all__ = ["Fsdd"]

_ARCHIVE = OfficialFile("v1.0.10.zip", 16419872, "c680098f5d2355ba7cc4bd8b0ca9e0a24c00ebe3b4c552208889a4d28d4fbc2b")
_OTHER_NAMES = ("free-spoken-digit-dataset.tar.gz", "free-spoken-digit-dataset.zip", "free-spoken-digit-dataset")
_MIRRORS = ("https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags",)
_CONTENTS = "0254d26af1fc86e4dcb9dc77efc57a0db55d9363dcae9f857d5a283eb59f9f45"
"""The SHA-256 of all recordings with their names, whatever archive they came in."""
_NAME = re.compile(r"recordings/(\d)_([a-z]+)_(\d{1,2})\.wav")
_SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
_RATE = 8000
_TEST = range(5)  # "the test set officially consists of the first 10 % of the recordings": numbers 0 to 4
_LIMIT = 2**20  # bytes of a recording


class _Recording(NamedTuple):
    digit: int
    speaker: int
    number: int
    samples: Tensor


class Fsdd(FixedSource):
    """Spoken digits: which one was said, by whom, or what comes next in the waveform.

    The official test part are the recordings 0 to 4 of each digit and speaker (300), the others are for training
    (2,700); ``dev`` is drawn from those, as many of each digit and speaker. Samples are in -1..1, as recorded: what
    companding they need stands in the network (``WaveNet.Config.encoding``), so that a WAV file is all that predict,
    serve and an exported file take. A shorter recording is followed by silence; of a longer one the first samples are
    kept, with ``shift`` in training any window.

    Raises:
        DataError: The official files are neither at hand nor to be downloaded, or are damaged.
    """

    class Config(FixedFields):
        """The official recordings, from ``$NETSMITH_DATA/fsdd``, the cache, or the network.

        Attributes:
            length: Samples of an example; 8,000 are a second, and 99 of 100 recordings are shorter.
            target: The ``digit``, its ``speaker``, or for each sample the mu-law level of the ``next_sample``.
            levels: Mu-law levels of the next sample.
            shift: In training a recording lies anywhere within the example, drawn anew in every epoch; of one that is
                longer than the example any window is taken. Evaluation keeps to its first samples.
        """

        length: Annotated[int, Field(ge=64, le=80_000)] = 8000
        target: Literal["digit", "speaker", "next_sample"] = "digit"
        levels: Annotated[int, Field(ge=2, le=65_536)] = 256
        shift: bool = False

        @model_validator(mode="after")
        def _check(self) -> Fsdd.Config:
            if self.target != "next_sample" and self.levels != 256:
                raise ValueError(f"levels={self.levels} applies to target='next_sample' only; leave it out")
            return self

    def __init__(self, config: Config) -> None:
        found = _twin() if config.twin else _official()
        names = {
            "digit": tuple(str(digit) for digit in range(10)), "speaker": _SPEAKERS, "next_sample": (),
        }[config.target]  # fmt: skip
        if config.target == "next_sample":
            outputs = Outputs(kind="tags", size=config.levels)
        else:
            outputs = Outputs(kind="classes", names=names, size=len(names))
        inputs = Inputs(kind="audio", shape=(1, config.length), low=-1.0, high=1.0, rate=_RATE)
        train = [recording for recording in found if recording.number not in _TEST]
        groups = torch.tensor([recording.digit * len(_SPEAKERS) + recording.speaker for recording in train])
        drawn = draw_splits(groups, {"dev": config.dev}, seed=config.split_seed)
        parts = {}
        for split, at in drawn.items():
            made = "recordings 5 to 49" + ("" if not config.dev else f"; seeded {100 * config.dev:.3g} % for dev")
            parts[split] = _part([train[i] for i in at.tolist()], config, made=made, fresh=split == "train")
        test = [recording for recording in found if recording.number in _TEST]
        parts["test"] = _part(test, config, made="official", fresh=False)
        super().__init__(config, spec=Spec(dataset="fsdd", inputs=inputs, outputs=outputs), parts=parts)


def _part(recordings: Sequence[_Recording], config: Fsdd.Config, *, made: str, fresh: bool) -> Part:
    sounds = torch.stack([fit_length(recording.samples, config.length) for recording in recordings])  # (N, T)
    lengths = torch.tensor([len(recording.samples) for recording in recordings])
    if config.target == "next_sample":
        targets = _next_levels(sounds, lengths, levels=config.levels)
    else:
        targets = torch.tensor([getattr(recording, config.target) for recording in recordings])
    redraw = None
    if fresh and config.shift:
        longest = max(config.length, int(lengths.max()))
        whole = torch.stack([fit_length(recording.samples, longest) for recording in recordings])  # (N, L)
        redraw = functools.partial(_shifted, sounds=whole, lengths=lengths, targets=targets, config=config)
    return Part(
        functools.partial(sounds[:, None].index_select, 0),
        targets,
        digest(sounds, targets),
        made=made,
        seed=config.split_seed if made != "official" else 0,
        redraw=redraw,
    )


def _shifted(
    at: Tensor, keys: Tensor, *, sounds: Tensor, lengths: Tensor, targets: Tensor, config: Fsdd.Config
) -> tuple[Tensor, Tensor]:
    """Return the recordings at random places within their examples, of longer ones random windows, and their targets.

    Args:
        at: ``(B,)`` which.
        keys: ``(B,)``.
        sounds: ``(N, L)`` whole recordings, L at least an example's length T.
        lengths: ``(N,)`` their samples.
        targets: ``(N,)``; those of samples are found anew.
        config: The source's.
    """
    room = config.length - lengths[at]  # (B,); below 0 where a recording is longer
    starts = (keyed_uniform(keys, stream="shift") * (room.abs() + 1)).long() * room.sign()
    source = torch.arange(config.length) - starts[:, None]  # (B, T)
    inside, source = source >= 0, source.clamp(min=0)
    moved = torch.where(inside, sounds[at].gather(1, source), 0.0)
    if config.target != "next_sample":
        return moved[:, None], targets[at]
    following = _next_levels(moved, starts + lengths[at], levels=config.levels)
    return moved[:, None], following.masked_fill(~inside, UNLABELED)


def _next_levels(sounds: Tensor, lengths: Tensor, *, levels: int) -> Tensor:
    """Return the level of the sample after each, ``(N, T)`` int64; from a recording's last one on there is none."""
    following = torch.full(sounds.shape, UNLABELED, dtype=torch.int64)
    following[:, :-1] = mu_law_encode(sounds[:, 1:], levels=levels)
    return following.masked_fill(torch.arange(sounds.shape[1]) >= lengths[:, None] - 1, UNLABELED)


def _official() -> list[_Recording]:
    tree = official_tree("fsdd", _ARCHIVE, others=_OTHER_NAMES, mirrors=_MIRRORS)
    found = _recordings(tree)
    return sorted(found, key=lambda recording: recording[:3])


def _recordings(tree: Tree, *, contents: str | None = None) -> list[_Recording]:
    """Read the recordings of an archive or folder; an archive may be packed anew, its recordings must be the official.

    Raises:
        DataError: A file beside the recordings, an unknown speaker, a damaged WAV, or other recordings.
    """
    found: list[_Recording] = []
    hashes: list[str] = []
    for name in tree.files:
        if not name.startswith("recordings/"):
            continue
        match = _NAME.fullmatch(name)
        if match is None or match[2] not in _SPEAKERS:
            raise DataError(
                f"{name} is no recording of version 1.0.10; expected recordings/7_jackson_32.wav", tree.path
            )
        data = tree.read(name, limit=_LIMIT)
        hashes.append(digest(name, data.hex()))
        samples = read_wav(data, rate=_RATE, name=name)
        found.append(_Recording(int(match[1]), _SPEAKERS.index(match[2]), int(match[3]), samples))
    total = digest("\n".join(hashes))
    expected = _CONTENTS if contents is None else contents
    if total != expected:
        raise DataError(
            f"its {len(found)} recordings have the SHA-256 {total[:12]}...; expected the 3000 of version 1.0.10, "
            f"{expected[:12]}...; get the official archive again",
            tree.path,
        )
    return found


def _twin() -> list[_Recording]:
    """Make tones: each digit has a pitch, each speaker an overtone; loudness, phase and length are random.

    The phase makes the mean of every digit's sounds silence: a linear model stays near chance.
    """
    generator = torch.Generator().manual_seed(named_key(0, "twin", "fsdd"))
    found = []
    for number in range(12):
        for speaker in range(len(_SPEAKERS)):
            for digit in range(10):
                u = torch.rand(4, generator=generator)
                length = int(1148 + 5000 * u[0])
                time = torch.arange(length) / _RATE
                pitch = 2 * torch.pi * 200 * 1.28**digit * time
                loud = 0.2 + 0.4 * u[1]
                wave = torch.sin(pitch + 6.3 * u[2]) + 0.4 * torch.sin((2 + speaker) * pitch + 6.3 * u[3])
                noise = 0.02 * torch.randn(length, generator=generator)
                samples = ((loud * wave + noise).clamp(-1, 1) * 32767).round() / 32768
                found.append(_Recording(digit, speaker, number, samples))
    return found
