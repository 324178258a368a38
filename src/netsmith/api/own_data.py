"""Put the user's own data into an experiment, and see that the two fit before anything is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from netsmith.api.experiments import Found
from netsmith.core.config import AUTO
from netsmith.core.errors import ConfigError, DataError, did_you_mean, shorten
from netsmith.core.roles import SourceConfig
from netsmith.data import _sniff
from netsmith.data._captions import CaptionFields
from netsmith.data._columns import TableFields
from netsmith.data._dialogues import DialogueFields
from netsmith.data._matching import MatchingFields
from netsmith.data._pairs import PairFields
from netsmith.data._streams import StreamFields
from netsmith.data._tables import TABLE_SUFFIXES
from netsmith.data.captions import Captions
from netsmith.data.conll import Conll
from netsmith.data.dialogues import Dialogues
from netsmith.data.image_folder import ImageFolder
from netsmith.data.judged_texts import JudgedTexts
from netsmith.data.text_file import TextFile
from netsmith.data.text_pairs import TextPairs
from netsmith.data.text_table import TextTable
from netsmith.data.word_windows import WordWindows
from netsmith.engine.experiment import Experiment

__all__ = ["check", "reads_own_data", "with_data"]

_KEPT = ("batch", "evaluation_batch", "dev", "split_seed", "augment", "image_size", "max_length")
_TEXT_OR_TABLE = ("text_table", "table")
_GENERIC = {
    "image_folder": ("pictures", "image_classifier"),
    "text_table": ("texts", "text_classifier"),
    "table": ("a table", "table_classifier"),
    "conll": ("tagged sentences", "tagger"),
}
_TEXTS = (Conll.Config, TextPairs.Config, TextFile.Config)
_LAYOUTS = (
    (DialogueFields, Dialogues.Config),
    (CaptionFields, Captions.Config),
    (MatchingFields, JudgedTexts.Config),
)
_OWN = (ImageFolder.Config, TableFields, *(own for _, own in _LAYOUTS), *_TEXTS)
_WHOLE = TextFile.Config(batch=1, vocabulary_size=1_000_000, dev=0.0, test=0.0)
_PAIRS = tuple(name for name in PairFields.model_fields if name != "twin")


def reads_own_data(config: SourceConfig) -> bool:
    """Say whether a source reads the user's files: then the recipe is a generic one."""
    return isinstance(config, _OWN)


def with_data(found: Found, data: str | Path) -> Found:
    """Replace an experiment's data by the user's own.

    A generic recipe keeps its own reader and all its settings; another one keeps batch sizes, augmentation and sizes,
    and one of pairs of texts, of captions, of dialogues or of texts to rank all that says how those are read; one of
    tags has them written in the scheme of its task; one of running text reads a file of it, and one of word vectors
    learns from the whole file, and is asked the questions that fit it.

    Raises:
        DataError: Nothing known lies there.
        ConfigError: A generic recipe for another kind of data (the right one is named).
    """
    old, place = found.config.data, Path(data)
    for fields, own in _LAYOUTS:
        if isinstance(old, fields):
            kept = [name for name in fields.model_fields if name not in ("twin", "answers")]
            new = old if isinstance(old, own) else own(**{name: getattr(old, name) for name in kept})
            return replace(found, config=found.config.derive(data=new.derive(path=str(data))))
    if isinstance(old, PairFields) and not reads_own_data(old):
        new = TextPairs.Config(path=str(data), **{name: getattr(old, name) for name in _PAIRS})
        return replace(found, config=found.config.derive(data=new))
    if isinstance(old, StreamFields) and not reads_own_data(old):
        kept = {name: getattr(old, name) for name in ("batch", "bptt", "evaluation_batch")}
        new = TextFile.Config(path=str(data), unit="character" if old.characters else "word", **kept)
        return replace(found, config=found.config.derive(data=new))
    if isinstance(old, WordWindows.Config):
        own = old.text if isinstance(old.text, TextFile.Config) else _WHOLE.derive(lowercase=old.lowercase)
        new = old.derive(text=own.derive(path=str(data)), fitting=True)
        return replace(found, config=found.config.derive(data=new))
    if not reads_own_data(old):
        new = _sniff.sniff(place)
        shared = [name for name in _KEPT if name in type(new).model_fields and name in type(old).model_fields]
        new = new.derive(**{name: getattr(old, name) for name in shared})
        scheme = getattr(getattr(found.config.method, "task", None), "scheme", "")
        if isinstance(new, Conll.Config) and scheme not in ("", "words"):
            new = new.derive(written=scheme)
        return replace(found, config=found.config.derive(data=new))
    wanted = old.kind_name()
    if isinstance(old, _TEXTS):  # there is nothing to tell by looking
        return replace(found, config=found.config.derive(data=old.derive(path=str(data))))
    try:
        got = _sniff.sniff(place, target=old.target if isinstance(old, TableFields) else AUTO).kind_name()
    except DataError:
        if not isinstance(old, TableFields) or place.suffix.lower() not in TABLE_SUFFIXES:
            raise
        got = wanted  # free text beside other columns: the recipe says which of the two readings is meant
    named = isinstance(old, TextTable.Config) and old.text != AUTO
    if got != wanted and not (got == "table" and named):
        what, right = _GENERIC[got]
        column = ", or name the column of text: --set data.text=COLUMN" if (wanted, got) == _TEXT_OR_TABLE else ""
        raise ConfigError(
            f"{place.name} holds {what}, which {found.name} does not take; try: netsmith train {right} "
            f"--data {shorten(str(data), 80)}{column}"
        )
    return replace(found, config=found.config.derive(data=old.derive(path=str(data))))


def check(experiment: Experiment) -> None:
    """Refuse before anything is written what would fail only at the first evaluation.

    That the method fits the data at all was seen when the experiment was resolved.

    Raises:
        ConfigError: A figure to select by that there is not, or one that the data's names do not allow.
    """
    config = experiment.config
    known = [f"dev/{name}" for name in experiment.method.metrics()]
    if not config.select:
        return
    splits = experiment.source.splits() if experiment.source else []
    if config.select not in known:
        raise ConfigError(f"select: no figure {config.select!r}{did_you_mean(config.select, known)}")
    if "dev" not in splits:
        raise ConfigError(f"select={config.select!r} needs a dev split; hold some data out (data.dev=0.1)")
