"""Multi30k: descriptions of 30,000 pictures, translated from English into German, French and Czech.

Elliott, Frank, Sima'an, Specia, "Multi30K: Multilingual English-German image descriptions", VL 2016
(arXiv:1605.00459); French: Elliott et al., WMT 2017; Czech: Barrault et al., WMT 2018. Task 1, raw text; for
non-commercial research.
"""

from __future__ import annotations

import gzip
import zlib
from typing import Literal, Self

from pydantic import model_validator

from netsmith.core.errors import DataError
from netsmith.data._download import OfficialFile, official_files
from netsmith.data._pairs import PairFields, Pairs, PairSource
from netsmith.data._twin_pairs import twin_sentences

__all__ = ["LANGUAGES", "Language", "Multi30k", "multi30k_sentences"]

Language = Literal["en", "de", "fr", "cs"]
LANGUAGES: tuple[Language, ...] = ("en", "de", "fr", "cs")

_FOLDER = "data/task1/raw"
_MIRRORS = (f"https://raw.githubusercontent.com/multi30k/dataset/master/{_FOLDER}",)
_SPLITS = {"train": ("train", 29_000), "dev": ("val", 1014), "test": ("test_2016_flickr", 1000)}
_FILES = {
    file.name: file
    for file in (
        OfficialFile("train.en.gz", 568929, "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f"),
        OfficialFile("train.de.gz", 637044, "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6"),
        OfficialFile("train.fr.gz", 604242, "622e75069e9f4c577425c4f277116ce66e63a2401c0a2312d90073cb12379a3c"),
        OfficialFile("train.cs.gz", 593827, "a65adb8b32e3bc664f21ecba7a6e7f6950fd1f405e135f7c312faabdb6255077"),
        OfficialFile("val.en.gz", 21650, "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28"),
        OfficialFile("val.de.gz", 24681, "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a"),
        OfficialFile("val.fr.gz", 23001, "ca3106f1a72390591d25f6c45cb4cd39dec4cd3f123e099748a3ce5256c160e9"),
        OfficialFile("val.cs.gz", 22096, "b63226e05c4bd5dd6a42897d74b86a1b9d2c31498252c572b1ea7f7996927fcc"),
        OfficialFile(
            "test_2016_flickr.en.gz", 21077, "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9"
        ),
        OfficialFile(
            "test_2016_flickr.de.gz", 22890, "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8"
        ),
        OfficialFile(
            "test_2016_flickr.fr.gz", 22310, "6d326e188d259fb1d04ac19eae3af956559b3a0b93d7635e56c90987c40c8b90"
        ),
        OfficialFile(
            "test_2016_flickr.cs.gz", 22572, "200a4a74cc9560f051924abb9803be008d1908d77f747e9141aeb86dfd2797f1"
        ),
    )
}


class Multi30k(PairSource):
    """Short descriptions to translate: the small benchmark of machine translation.

    The official parts are 29,000 pairs for training, 1,014 for dev, and the 1,000 of ``test_2016_flickr``; any of the
    four languages can be read, and any other written. English has about 12 words a sentence.

    Raises:
        DataError: The official files are neither at hand nor to be downloaded, or are damaged.
    """

    class Config(PairFields):
        """The official files, from ``$NETSMITH_DATA/multi30k``, the cache, or the network.

        Attributes:
            source: The language that is read: ``en``, ``de``, ``fr`` or ``cs``.
            target: The language that is written.
        """

        source: Language = "en"
        target: Language = "de"

        @model_validator(mode="after")
        def _check_languages(self) -> Self:
            if self.source == self.target:
                raise ValueError(f"source and target are both {self.source!r}; expected two languages")
            return self

    def __init__(self, config: Config) -> None:
        languages = (config.source, config.target)
        super().__init__(
            config,
            dataset=f"multi30k-{config.source}-{config.target}",
            pairs={
                split: Pairs(found[config.source], found[config.target], name, range(1, len(found[config.source]) + 1))
                for split, (name, found) in multi30k_sentences(languages, twin=config.twin).items()
            },
        )


def multi30k_sentences(
    languages: tuple[Language, ...], *, twin: bool = False
) -> dict[str, tuple[str, dict[Language, list[str]]]]:
    """Return, by split, the name of its files and the sentences of some languages; row by row they say the same.

    Raises:
        DataError: As :class:`Multi30k`.
    """
    found: dict[str, tuple[str, dict[Language, list[str]]]] = {}
    for split, (name, count) in _SPLITS.items():
        if twin:
            found[split] = name, {language: twin_sentences(language, split) for language in languages}
        else:
            found[split] = name, {language: _official(f"{name}.{language}.gz", count) for language in languages}
    return found


def _official(name: str, count: int) -> list[str]:
    path = official_files(f"multi30k/{_FOLDER}", [_FILES[name]], mirrors=_MIRRORS)[name]
    try:
        lines = gzip.decompress(path.read_bytes()).decode().split("\n")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise DataError(f"is damaged: {error}", path) from None
    if lines[-1] or len(lines) != count + 1:
        raise DataError(f"has {len(lines) - 1} lines; expected {count}", path)
    return lines[:-1]
