"""Begin with the network of another run: ``netsmith train image_classifier --data ./photos --from runs/teacher``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from netsmith.api.experiments import Found
from netsmith.core.config import AUTO, may_be_auto
from netsmith.core.errors import ConfigError
from netsmith.core.roles import ModelConfig
from netsmith.engine.experiment import Experiment
from netsmith.methods.fine_tuning import FineTuning, begin_with
from netsmith.methods.supervised import Supervised

if TYPE_CHECKING:
    from netsmith.api.network import Network
    from netsmith.api.training import Prepare

__all__ = ["fine_tuned", "weights_into"]


def fine_tuned(found: Found, start: Found) -> Found:
    """Return an experiment that learns by ``fine_tuning``, with the network of the run it is to begin with.

    One that does so already stays as it is. Of another, by ``supervised``, the method changes and the network is
    replaced; what data decides (the number of classes) is left to its data.

    Raises:
        ConfigError: The experiment learns in another way, or the run's product is not one network of the catalogue.
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
    open_ = [name for name, field in type(model).model_fields.items() if may_be_auto(field.annotation)]
    model = model.derive(**dict.fromkeys(open_, AUTO))
    return replace(found, config=found.config.derive(method=FineTuning.Config(model=model, task=method.task)))


def weights_into(network: Network, name: str, *, notice: Callable[[str], None]) -> Prepare:
    """Return what puts a run's weights into a fresh experiment.

    Args:
        network: The run's product.
        name: The run's name.
        notice: Where a line goes that says what was taken.
    """

    def put(experiment: Experiment) -> None:
        same = experiment.spec.outputs == network.spec.outputs
        begin_with(experiment, network.module.state_dict(), same_answers=same)
        method = experiment.method
        assert isinstance(method, FineTuning)
        taken = f"{method.config.layers} of {len(method.groups)} layers"
        notice(f"begins with {taken} of {name} (weights {method.config.start[:12]})")

    return put
