"""Begin with the network of another run: ``netsmith train image_classifier --data ./photos --from runs/teacher``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NoReturn

from netsmith.api.experiments import Found
from netsmith.core.config import AUTO, may_be_auto
from netsmith.core.errors import ConfigError, shorten
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import Inputs
from netsmith.data._texts import TextSource, TokenFields
from netsmith.engine.experiment import Experiment
from netsmith.methods.fine_tuning import FineTuning, begin_with
from netsmith.methods.supervised import Supervised

if TYPE_CHECKING:
    from netsmith.api.network import Network
    from netsmith.api.training import Prepare

__all__ = ["Start", "fine_tuned", "read_alike", "weights_into"]


@dataclass(frozen=True)
class Start:
    """The run to begin with.

    Attributes:
        found: Its experiment, by the run's name.
        inputs: What its network takes.
    """

    found: Found
    inputs: Inputs


def fine_tuned(found: Found, start: Found, *, notice: Callable[[str], None]) -> Found:
    """Return an experiment that learns by ``fine_tuning``, with the network of the run it is to begin with.

    One that does so already stays as it is. Of another, by ``supervised``, the method changes and the network is
    replaced; what data decides (the number of classes) is left to its data. A network of the user's own brings the file
    that defines it.

    Args:
        found: The experiment.
        start: That of the run to begin with, by the run's name.
        notice: Where a line goes that says which network was replaced.

    Raises:
        ConfigError: The experiment learns in another way, the run's product is not one network, or both are made from
            files of the user's own that differ.
    """
    method = found.config.method
    if isinstance(method, FineTuning.Config):
        return found
    if type(method) is not Supervised.Config:
        raise ConfigError(
            f"--from: {found.name} learns by {method.kind_name()}, which begins with fresh weights; take a recipe of "
            "the method supervised or fine_tuning"
        )
    model = getattr(start.config.method, "model", None)
    if not isinstance(model, ModelConfig):
        raise ConfigError(
            f"--from: {start.name} learned by {start.config.method.kind_name()}, which has no one network"
        )
    model = _open(model)
    if model != _open(method.model):
        ours, theirs = method.model.kind_name(), model.kind_name()
        what = f"the network {ours}" if ours != theirs else f"the form of {ours}"
        notice(f"{what} of {found.name} is replaced by {theirs if ours != theirs else 'that'} of {start.name}")
    code = found.code
    if start.code and type(model) in start.code.kinds.values():
        if code and code.sha256 != start.code.sha256:
            raise ConfigError(
                f"--from: {start.name} and {found.name} are made from files of your own that differ "
                f"({start.code.path.name}, {code.path.name}); define both in one file"
            )
        code = start.code
    config = found.config.derive(method=FineTuning.Config(model=model, task=method.task))
    return replace(found, config=config, code=code)


def read_alike(found: Found, start: Start, *, sets: Mapping[str, Any], notice: Callable[[str], None]) -> Found:
    """Return an experiment whose texts are read as the run to begin with reads them, where both take texts.

    Args:
        found: The experiment, with its data.
        start: The run to begin with.
        sets: What the user set by dotted path; how texts are cut is theirs where they set it.
        notice: Where a line goes that says so.

    Raises:
        ConfigError: A setting of a vocabulary of its own.
    """
    data, inputs = found.config.data, start.inputs
    steps = [step for step in inputs.preprocessing if step.name == "tokenize"]
    if not isinstance(data, TokenFields) or not steps or data.vocabulary:
        return found
    for name in ("vocabulary_size", "min_count"):
        if f"data.{name}" in sets:
            raise ConfigError(f"data.{name}: texts are read with the vocabulary of {start.found.name}; leave it out")
    cut = {name: getattr(steps[0], name) for name in ("pattern", "lowercase", "negations", "digits")}
    theirs = {**cut, "max_length": inputs.max_length}
    changes: dict[str, Any] = {name: value for name, value in theirs.items() if f"data.{name}" not in sets}
    changes |= {name: TokenFields.model_fields[name].default for name in ("vocabulary_size", "min_count")}
    changed = data.derive(**changes, vocabulary=inputs.vocabulary)
    other = [f"{name}={getattr(changed, name)!r}" for name in theirs if getattr(changed, name) != getattr(data, name)]
    notice(
        f"texts are read with the vocabulary of {start.found.name}, {len(inputs.vocabulary):,} entries"
        + (f", and as it did: {', '.join(other)}" if other else "")
    )
    return replace(found, config=found.config.derive(data=changed))


def _open(model: ModelConfig) -> ModelConfig:
    """Leave to the data what data may decide."""
    names = [name for name, field in type(model).model_fields.items() if may_be_auto(field.annotation)]
    return model.derive(**dict.fromkeys(names, AUTO))


def weights_into(network: Network, name: str, *, notice: Callable[[str], None]) -> Prepare:
    """Return what puts a run's weights into a fresh experiment.

    Args:
        network: The run's product.
        name: The run's name.
        notice: Where a line goes that says what was taken, and one where inputs are scaled in another way.

    Raises:
        ConfigError: When it is called: the weights were learned for other inputs.
    """

    def put(experiment: Experiment) -> None:
        _same_inputs(experiment.spec.inputs, network.spec.inputs, name)
        same = experiment.spec.outputs == network.spec.outputs
        begin_with(experiment, network.module.state_dict(), same_answers=same)
        method = experiment.method
        assert isinstance(method, FineTuning)
        taken = f"{method.config.layers} of {len(method.groups)} layers"
        notice(f"begins with {taken} of {name} (weights {method.config.start[:12]})")
        if isinstance(experiment.source, TextSource):
            notice(f"{experiment.source.known:.0%} of the tokens of the training texts are in its vocabulary")
        ours, theirs = (_scaling(spec.inputs) for spec in (experiment.spec, network.spec))
        if ours != theirs:
            notice(f"inputs are scaled by what these data are ({ours}); {name} learned with another scaling ({theirs})")

    return put


def _same_inputs(ours: Inputs, theirs: Inputs, name: str) -> None:
    """Refuse inputs that mean something else to the weights, though the shapes may fit.

    Raises:
        ConfigError: What differs, and what to do.
    """

    def refuse(what: str, advice: str) -> NoReturn:
        raise ConfigError(f"--from: {what}; {advice}, or leave out --from")

    if ours.kind != theirs.kind:
        refuse(f"{name} takes {theirs.kind}, these data are {ours.kind}", "take a run on the same kind of data")
    if ours.kind == "image" and ours.shape[0] != theirs.shape[0]:
        refuse(
            f"{name} takes pictures of {theirs.shape[0]} channels, these have {ours.shape[0]}",
            "take a run on pictures with as many",
        )
    mine, its = _tokens(ours), _tokens(theirs)
    if mine != its:
        refuse(
            f"{name} cuts texts in another way ({its}) than these data ({mine})",
            "set data.pattern, lowercase, negations, digits",
        )
    if ours.vocabulary != theirs.vocabulary:
        known = set(theirs.vocabulary)
        shared = sum(word in known for word in ours.vocabulary)
        refuse(
            f"{name} knows another vocabulary ({len(theirs.vocabulary):,} entries, {shared:,} of them among the "
            f"{len(ours.vocabulary):,} of these data), so its numbers stand for other words",
            "take a run that learned on the same training texts (other labels are fine)",
        )
    if ours.columns != theirs.columns:
        mine, its = (shorten(", ".join(inputs.columns), 80) or "none" for inputs in (ours, theirs))
        refuse(f"{name} takes the columns {its}; these data have {mine}", "bring the same columns in the same order")
    for column, mine, its in zip(ours.columns, ours.categories, theirs.categories, strict=False):
        if mine != its:
            refuse(
                f"the column {column} has other values ({shorten(', '.join(mine), 60) or 'numbers'}) than in {name} "
                f"({shorten(', '.join(its), 60) or 'numbers'})",
                "bring a table with the same values in it",
            )
    if ours.rate != theirs.rate:
        refuse(f"{name} takes {theirs.rate} samples per second, these data have {ours.rate}", "take the same rate")


def _tokens(inputs: Inputs) -> str:
    cuts = [
        f"pattern {step.pattern!r}, lowercase={step.lowercase}"
        + (f", negations={step.negations}" if step.negations else "")
        + (f", digits={step.digits!r}" if step.digits else "")
        for step in inputs.preprocessing
        if step.name == "tokenize"
    ]
    return "; ".join(cuts) or "no tokens"


def _scaling(inputs: Inputs) -> str:
    """Describe how raw numbers become what the network sees, to four digits."""
    texts = []
    for step in inputs.preprocessing:
        if step.name == "normalize":
            mean, std = (", ".join(f"{value:.4g}" for value in values) for values in (step.mean, step.std))
            texts.append(f"mean {shorten(mean, 60)}; std {shorten(std, 60)}")
        elif step.name == "scale":
            texts.append(f"{step.low:.4g} to {step.high:.4g} become 0 to 1")
        elif step.name == "unit_sum":
            texts.append("sums of 1")
    return "; ".join(texts) or "as they are"
