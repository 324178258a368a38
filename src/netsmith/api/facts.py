"""What ``show`` prints of a model, a recipe or a run; torch is imported only where a network must be counted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from netsmith.api.catalogue import row
from netsmith.core.errors import ConfigError, UnknownNameError
from netsmith.core.registry import find_recipe, recipes, sizes

if TYPE_CHECKING:
    from torch import Tensor

    from netsmith.api.network import Network
    from netsmith.core.roles import ModelConfig
    from netsmith.core.spec import Spec
    from netsmith.engine.experiment import Experiment
    from netsmith.layers.graphs import Graphs
    from netsmith.measure.parameters import Row

__all__ = ["described", "row_json", "show"]


def show(name: str, *, code: str = "") -> dict[str, Any]:
    """Return the facts of a model, a recipe or a run; ``parameters`` and ``macs`` are counted, nothing is quoted.

    Args:
        name: Its name, or the run's folder (``./resnet20``, where a model has its name).
        code: The user's own recipe file the run was made from, where there is one.

    Raises:
        UnknownNameError: No recipe, no model and no folder of this name.
        RunError: A folder that is no run, or one that needs ``code``.
    """
    base = name.partition(":")[0]
    if base in recipes():
        return _show_recipe(name)
    known = sizes()
    if name in known:
        return _show_model(name)
    if Path(name).is_dir():
        return _show_run(name, code)
    raise UnknownNameError("recipe, model or run", name, [*recipes(), *known])


def _show_run(path: str, code: str) -> dict[str, Any]:
    from netsmith.api.run import load
    from netsmith.engine.run_folder import RunFolder

    run = load(path, code=code)
    title = run.found.card.title if run.found.card else ""
    found: dict[str, Any] = {"kind": "run", "name": str(run.path), "title": title or f"a run of {run.found.name}"}
    found["figures"] = (RunFolder(run.path).evaluation() or {}).get("figures")
    found |= {"experiment": run.found.config.dump(), "counted_for": described(run.network.spec)}
    return found | _counted_network(run.network, run.found.config)


def _show_recipe(name: str) -> dict[str, Any]:
    from netsmith.api.experiments import find
    from netsmith.api.network import Network
    from netsmith.engine.experiment import Experiment

    entry, variant = find_recipe(name)
    facts = row(name, entry, variant)
    found = find(name, sets={"data.twin": True})
    config, whole = found.config, found.config.data.whole_run
    if whole:  # the twin's run may be shorter than stages counted in steps
        config = config.derive(method=config.method.within(2 * whole))
    experiment = Experiment(config)
    method = experiment.method
    network = Network(method.product(), method.product_spec(experiment.spec), task=method.task, name=name)
    real = find(name).config
    facts |= {"kind": "recipe", "deviations": list(found.card.deviations) if found.card else []}
    facts |= {"experiment": real.dump(), "inputs": network.spec.inputs.dump(), "outputs": network.spec.outputs.dump()}
    facts["counted_for"] = described(network.spec)
    return facts | _counted_network(network, found.config)


def _counted_network(network: Network, config: Experiment.Config) -> dict[str, Any]:
    from netsmith.core.roles import ModelConfig

    model = getattr(config.method, "model", None)
    reason = model.uncounted if isinstance(model, ModelConfig) else ""
    return _uncounted(network.module, reason) if reason else _counted(network.module, network.module_example(1))


def _show_model(name: str) -> dict[str, Any]:
    import torch

    from netsmith.core.config import AUTO
    from netsmith.core.registry import config_in
    from netsmith.core.roles import ModelConfig
    from netsmith.layers.writing import Writer

    entry, fields = sizes()[name]
    config_class = config_in(entry.module, ModelConfig)
    if config_class is None:
        raise UnknownNameError("model", name, sizes())
    config = config_class(**fields)
    facts = {"in_channels": 3, "num_classes": 10, "image_size": 32, "in_features": 64, "num_outputs": 10}
    facts |= {"vocab_size": 1000, "max_length": 64, **config.published}
    assumed = {key: facts[key] for key in facts if getattr(config, key, None) == AUTO}
    config = config.derive(**assumed)
    found: dict[str, Any] = {"kind": "model", "name": name, "file": entry.name, "family": entry.path.parent.name}
    found |= {"doc": entry.doc, "config": config.dump(), "assumed": assumed}
    with torch.device("meta"):  # its shapes are counted, its numbers are not needed
        network = config.build().eval()
    reason = "what it computes depends on how long a text it writes" if isinstance(network, Writer) else ""
    reason = config.uncounted or reason
    example = None if reason else _example(config)
    if example is None:
        return found | _uncounted(network, reason or "its form does not say what it takes")
    if not isinstance(example, dict):
        found["counted_for"] = f"an input of {'x'.join(map(str, example.shape[1:]))}"
    try:
        return found | _counted_or_built(network, config, example)
    except ConfigError:  # what it knows of the data comes first
        return found | _uncounted(network, "it must be filled from data before it can answer")


def _counted_or_built(network: Any, config: Any, example: Any) -> dict[str, Any]:
    try:
        return _counted(network, example)
    except RuntimeError:  # an operation that needs values, so that shapes alone do not do
        return _counted(config.build().eval(), example)


def _example(config: ModelConfig) -> Tensor | Graphs | None:
    """Return an input of the form that a model's config speaks of, or None where it speaks of none."""
    import torch

    fields = config.dump()
    if "in_channels" in fields:
        size = fields.get("image_size", config.published.get("image_size", 32))
        return torch.zeros(1, fields["in_channels"], size, size)
    if "candidates" in config.published:
        letters = [config.published["letters"]] if "letters" in config.published else []
        return torch.ones(1, 1 + config.published["candidates"], 20, *letters, dtype=torch.int64)
    if "vocab_size" in fields:
        return torch.ones(1, fields.get("max_length", 64), dtype=torch.int64)
    width = fields.get("in_features", fields.get("latent_size"))
    if "graph" in config.takes:
        return {"nodes": torch.zeros(1, 1, width), "edges": torch.zeros(1, 0, 2, dtype=torch.int64)}
    if width is None and "audio" in config.takes:
        return torch.zeros(1, 1, config.published.get("samples", 16_000))
    if width is None and "series" in config.takes:
        steps = max(fields.get(name, 1) for name in ("lags", "exogenous_lags", "order"))
        return torch.ones(1, steps, fields.get("channels", 1 + fields.get("exogenous", 0)))
    return None if width is None else torch.zeros(1, width)


def _uncounted(module: Any, reason: str) -> dict[str, Any]:
    parameters = sum(p.numel() for p in module.parameters())
    return {"parameters": parameters, "macs": None, "memory": None, "layers": [], "uncounted": reason}


def _counted(module: Any, example: Any) -> dict[str, Any]:
    from netsmith.measure.example import tensors
    from netsmith.measure.parameters import layer_table

    rows = layer_table(module, example)
    return {
        "parameters": sum(p.numel() for p in module.parameters()),
        "macs": sum(row.macs for row in rows),
        "memory": sum(row.memory for row in rows) + sum(t.numel() * t.element_size() for t in tensors(example)),
        "layers": [row_json(row) for row in rows],
    }


def described(spec: Spec) -> str:
    """Return one line on what goes in and what comes out.

    Example:
        ``image 1x28x28 in, 10 classes out``
    """
    shape = "x".join("?" if size == -1 else str(size) for size in spec.inputs.shape)
    return f"{spec.inputs.kind} {shape} in, {spec.outputs.size or len(spec.outputs.names)} {spec.outputs.kind} out"


def row_json(row: Row) -> dict[str, Any]:
    """Return a row of a layer table as JSON values; the output's shape is that of one example."""
    output = list(row.output[1:])
    counted = {"parameters": row.parameters, "macs": row.macs, "memory": row.memory}
    return {"name": row.name, "type": row.type, "output": output, **counted}
