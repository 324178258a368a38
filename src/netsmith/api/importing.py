"""Make a run of a network of the catalogue with weights that others published."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from netsmith.api import training
from netsmith.api.experiments import Found
from netsmith.api.run import Run, load
from netsmith.api.weights import adopt_weights, read_weights, renamed
from netsmith.core.config import AUTO
from netsmith.core.errors import ConfigError, DataError, UnknownNameError
from netsmith.core.files import sha256_of
from netsmith.core.registry import config_in, sizes
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import Inputs, Outputs, Spec, Step
from netsmith.data.published import Published
from netsmith.engine import checkpoint
from netsmith.engine.experiment import Experiment
from netsmith.engine.run_folder import RunFolder
from netsmith.methods.supervised import Supervised
from netsmith.tasks.classify import Classify

__all__ = ["import_weights"]

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's training images, as nearly all public weights want them."""


def import_weights(
    network: str,
    weights: str | Path,
    *,
    name: str = "",
    root: str | Path = "runs",
    classes: Sequence[str] | Path = (),
    image_size: int = 0,
    mean: Sequence[float] = _MEAN,
    std: Sequence[float] = _STD,
    sets: Mapping[str, Any] | None = None,
    notice: Callable[[str], None] = print,
) -> Run:
    """Make a finished run of a network for images, with published weights in place of a training.

    The run predicts, explains (``--input``), exports and serves as any other. A picture is squashed to the network's
    size; its authors' evaluation may cut out the middle instead.

    Args:
        network: A network of the catalogue by name: ``resnet50``.
        weights: A ``.safetensors`` file, or a ``.pth`` of tensors alone, with the names of a library that the network
            knows, or our own; nothing in it is executed.
        name: The run's name; the network's by default.
        root: Where run folders lie.
        classes: Names of the classes in order, or a text file with one in each line; numbers by default.
        image_size: Height and width in pixels; the paper's by default.
        mean: Mean of each channel of the training images, values in 0..1.
        std: Their standard deviations.
        sets: Fields of the network to change.
        notice: Where one-line notices go.

    Raises:
        UnknownNameError: No network of that name.
        DataError: No such file, or it holds something else than named tensors.
        ConfigError: The weights do not fit, or there are as many names as there are not classes.
    """
    tensors = read_weights(weights)
    config = _config(network, tensors, image_size=image_size, channels=len(mean), sets=sets or {})
    size, count = _size(config, image_size), int(config.num_classes)  # type: ignore[attr-defined]
    names = _names(classes, count)
    steps = (
        Step(name="resize", size=(size, size)),
        Step(name="scale", high=255.0),
        Step(name="normalize", mean=tuple(mean), std=tuple(std)),
    )
    inputs = Inputs(kind="image", shape=(len(mean), size, size), dtype="uint8", low=0, high=255, preprocessing=steps)
    spec = Spec(dataset=network, inputs=inputs, outputs=Outputs(kind="classes", names=names, size=count))
    method = Supervised.Config(model=config, task=Classify.Config())
    found = Found(network, "", Experiment.Config(method=method, data=Published.Config(dataset=network), steps=1), None)
    experiment = Experiment(found.config.resolve(spec, batches=None), spec=spec)
    library = adopt_weights(experiment.method.product(), config, tensors)
    notice(f"{len(tensors)} tensors under the names of {library}")
    return load(_written(experiment, found, root=root, name=name or network, source=Path(weights)), notice=notice)


def _config(
    network: str, tensors: Mapping[str, torch.Tensor], *, image_size: int, channels: int, sets: Mapping[str, Any]
) -> ModelConfig:
    """Return the network's config with the number of classes that the weights have."""
    if network not in sizes():
        raise UnknownNameError("network", network, sizes())
    entry, fields = sizes()[network]
    kind = config_in(entry.module, ModelConfig)
    if kind is None or "in_channels" not in kind.model_fields:
        raise ConfigError(f"{network} does not work on images; weights are imported for networks that do")
    config = kind(**fields).derive(**sets)
    facts = {"in_channels": channels, "num_classes": 2, "image_size": image_size or config.published.get("image_size")}
    left = {name: value for name, value in facts.items() if getattr(config, name, None) == AUTO}
    if left.get("image_size", 1) is None:
        raise ConfigError(f"{network} was published for no size of images; give image_size (--image-size)")
    with torch.device("meta"):
        head = config.derive(**left).build().landmarks()["head"]
    for rules in ((), *config.public_names().values()):
        last = renamed(tensors, rules).get(f"{head}.weight")
        if last is not None and "num_classes" in left:
            left["num_classes"] = len(last)
    return config.derive(**left)


def _names(classes: Sequence[str] | Path, count: int) -> tuple[str, ...]:
    if isinstance(classes, (str, Path)) and str(classes):
        try:
            classes = [line.strip() for line in Path(classes).read_text(encoding="utf-8").splitlines() if line.strip()]
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(
                f"{classes}: expected a text file with the name of a class in each line ({error})"
            ) from None
    names = tuple(str(name) for name in classes) if not isinstance(classes, Path) else ()
    if names and len(names) != count:
        raise ConfigError(f"{len(names)} names of classes for weights of {count} classes; expected as many")
    return names or tuple(str(number) for number in range(count))


def _size(config: ModelConfig, asked: int) -> int:
    size = asked or getattr(config, "image_size", None) or config.published.get("image_size")
    if not isinstance(size, int):
        raise ConfigError(f"{config.kind_name()} was published for no size of images; give image_size (--image-size)")
    return size


def _written(experiment: Experiment, found: Found, *, root: str | Path, name: str, source: Path) -> Path:
    folder = RunFolder.create(Path(root), training.plain_name(name))
    try:
        training.write_start(folder, found, experiment, log_every=1)
        method = experiment.method
        weights = {n: p.detach() for parameters in method.players().values() for n, p in parameters.items()}
        states = {"method": method.state(), "hooks": {}, "surgery": None}
        facts = {"experiment": experiment.config.sha256(), "weights": source.name, "sha256": sha256_of(source)}
        checkpoint.save(folder.path / "checkpoints", checkpoint.Snapshot(0, weights, states=states, facts=facts))
        folder.write("evaluation.json", {"format": 1, "step": 0, "steps": 0, "selected_by": "", "figures": {}})
    finally:
        folder.release()
    return folder.path
