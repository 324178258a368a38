"""Put the user's own data into an experiment, and see that the two fit before anything is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from netsmith.api.experiments import Found
from netsmith.core.errors import ConfigError, did_you_mean, shorten
from netsmith.data import _sniff
from netsmith.data._columns import TableFields
from netsmith.data._tables import TABLE_SUFFIXES
from netsmith.data.image_folder import ImageFolder
from netsmith.engine.experiment import Experiment

__all__ = ["check", "with_data"]

_KEPT = ("batch", "evaluation_batch", "dev", "split_seed", "augment", "image_size", "max_length")
_GENERIC = {
    "image_folder": ("pictures", "image_classifier"),
    "text_table": ("texts", "text_classifier"),
    "table": ("a table", "table_classifier"),
}


def with_data(found: Found, data: str | Path) -> Found:
    """Replace an experiment's data by the user's own, keeping batch sizes, augmentation and sizes.

    A generic recipe keeps its own reader, so that ``text_classifier`` reads a table as texts whatever else is in it.

    Raises:
        DataError: Nothing known lies there.
        ConfigError: A generic recipe for another kind of data; the right one is named.
    """
    old, place = found.config.data, Path(data)
    if isinstance(old, TableFields) and place.suffix.lower() in TABLE_SUFFIXES and not place.is_dir():
        new = old.derive(path=str(data), twin=False)
        return replace(found, config=found.config.derive(data=new))
    new = _sniff.sniff(place)
    own = next((family for family in (ImageFolder.Config, TableFields) if isinstance(old, family)), None)
    if own is not None and not isinstance(new, own):
        what, right = _GENERIC[new.kind_name()]
        raise ConfigError(
            f"{place.name} holds {what}, which {found.name} does not take; try: netsmith train {right} "
            f"--data {shorten(str(data), 80)}"
        )
    if own is not None:
        new = old.derive(path=str(data), twin=False)
    else:
        shared = [name for name in _KEPT if name in type(new).model_fields and name in type(old).model_fields]
        new = new.derive(**{name: getattr(old, name) for name in shared})
    return replace(found, config=found.config.derive(data=new))


def check(experiment: Experiment) -> None:
    """Refuse before anything is written what would fail only at the first evaluation.

    Raises:
        ConfigError: A task that does not fit the data's targets, or a figure to select by that there is not.
    """
    config, outputs = experiment.config, experiment.spec.outputs
    kind = getattr(config.method, "task", None)
    if outputs.kind == "values" and kind is not None and kind.kind_name() == "classify":
        raise ConfigError(
            f"{experiment.spec.dataset}: the target {shorten(', '.join(outputs.names), 60)!r} holds values, and the "
            "task is to classify; give --set method.task=regress --set select=dev/r2, or --set data.problem=classes"
        )
    if not config.select:
        return
    splits = experiment.source.splits() if experiment.source else []
    known = [f"dev/{name}" for name in experiment.method.metrics()]
    if config.select not in known:
        raise ConfigError(f"select: no figure {config.select!r}{did_you_mean(config.select, known)}")
    if "dev" not in splits:
        raise ConfigError(f"select={config.select!r} needs a dev split; hold some data out (data.dev=0.1)")
