"""Make a run of a network of the catalogue with weights that others published."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from netsmith.api import training
from netsmith.api.commands import import_again
from netsmith.api.experiments import Found
from netsmith.api.run import Run, load
from netsmith.api.weights import adopt_weights, read_weights, renamed
from netsmith.core.config import AUTO
from netsmith.core.errors import ConfigError, DataError, UnknownNameError, shorten
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

_CROP = 0.875  # 224 of 256 pixels, 299 of 342


def import_weights(
    network: str,
    weights: str | Path,
    *,
    name: str = "",
    root: str | Path = "runs",
    classes: Sequence[str] | str | Path = (),
    image_size: int = 0,
    mean: Sequence[float] = (),
    std: Sequence[float] = (),
    crop: float | None = None,
    sets: Mapping[str, Any] | None = None,
    notice: Callable[[str], None] = print,
) -> Run:
    """Make a finished run of a network for images, with published weights in place of a training.

    The run predicts, explains (``--input``), exports and serves as any other. Of a picture of another size than the
    network's it sees the middle, as in the usual test on ImageNet (``crop``).

    Args:
        network: A network of the catalogue by name: ``resnet50``.
        weights: A ``.safetensors`` file, or a ``.pth`` of tensors alone, with the names of a library that the network
            knows, or our own; nothing in it is executed.
        name: The run's name; the network's by default.
        root: Where run folders lie.
        classes: Names of the classes in order, or a text file with one in each line; numbers by default.
        image_size: Height and width in pixels; the paper's by default.
        mean: Mean of each channel of the training images, values in 0..1; of three channels ImageNet's by default.
        std: Their standard deviations.
        crop: Share of a picture's shorter side that the middle square keeps; 0 squashes the whole picture. By default
            0.875 (224 of 256 pixels) for networks of ImageNet, else 0.
        sets: Fields of the network to change.
        notice: Where one-line notices go.

    Raises:
        UnknownNameError: No network of that name.
        DataError: No such file, or it holds something else than named tensors, or a head without rows for classes.
        ConfigError: The weights do not fit; more or fewer names than classes, or one twice, or means than channels.
    """
    if crop is not None and not (crop == 0 or 0.1 <= crop <= 1):
        raise ConfigError(f"crop is {crop:g}; expected a share from 0.1 to 1, or 0 to squash the whole picture")
    tensors = read_weights(weights)
    config, shape = _config(network, tensors, image_size=image_size, sets=sets or {})
    count = int(config.num_classes)  # type: ignore[attr-defined]
    names = _names(classes, count)
    normalization = _normalize(network, shape[0], mean, std)
    if crop is None:
        crop = _CROP if shape[0] == len(_MEAN) and "image_size" in config.published else 0.0
    steps = (
        Step(name="resize", size=shape[1:], shorter=round(shape[1] / crop) if crop else 0),
        Step(name="scale", high=255.0),
        normalization,
    )
    inputs = Inputs(kind="image", shape=shape, dtype="uint8", low=0, high=255, preprocessing=steps)
    spec = Spec(dataset=network, inputs=inputs, outputs=Outputs(kind="classes", names=names, size=count))
    method = Supervised.Config(model=config, task=Classify.Config())
    command = import_again(
        network, str(weights), classes=classes, image_size=image_size, mean=mean, std=std, crop=crop, sets=sets or {}
    )
    data = Published.Config(dataset=network, command=command)
    found = Found(network, "", Experiment.Config(method=method, data=data, steps=1), None)
    experiment = Experiment(found.config.resolve(spec, batches=None), spec=spec)
    library = adopt_weights(experiment.method.product(), config, tensors)
    doubt = config.public_doubt(library)
    notice(f"{len(tensors)} tensors under the names of {library}{f', {doubt}' if doubt else ''}")
    return load(_written(experiment, found, root=root, name=name or network, source=Path(weights)), notice=notice)


def _config(
    network: str, tensors: Mapping[str, torch.Tensor], *, image_size: int, sets: Mapping[str, Any]
) -> tuple[ModelConfig, tuple[int, int, int]]:
    """Return the network's config with the number of classes that the weights have, and the shape of its images."""
    known = sizes()
    if network not in known:
        raise UnknownNameError("network", network, known)
    entry, fields = known[network]
    kind = config_in(entry.module, ModelConfig)
    if kind is None or "in_channels" not in kind.model_fields:
        raise ConfigError(f"{network} does not work on images; weights are imported for networks that do")
    config = kind(**fields).derive(**sets)
    facts = {"in_channels": 3, "num_classes": 2, **config.published}
    given = {
        name: value for name in ("in_channels", "image_size") if isinstance(value := getattr(config, name, 0), int)
    }
    facts |= {name: value for name, value in given.items() if value}
    size = image_size or facts.get("image_size")
    if not size:
        raise ConfigError(f"{network} was published for no size of images; give image_size (--image-size)")
    facts["image_size"] = size
    left = {name: value for name, value in facts.items() if getattr(config, name, None) == AUTO}
    with torch.device("meta"):
        built = config.derive(**left).build()
    head = f"{built.landmarks()['head']}.weight"
    axes = built.state_dict()[head].dim() if head in built.state_dict() else 0
    for rules in ((), *config.public_names().values()):
        last = renamed(tensors, rules).get(head)
        if last is not None and "num_classes" in left:
            if last.dim() != axes or not last.numel():
                raise DataError(
                    f"{head} has the shape {tuple(last.shape)}; expected {axes} axes, one row for each class"
                )
            left["num_classes"] = len(last)
    return config.derive(**left), (facts["in_channels"], size, size)


def _names(classes: Sequence[str] | str | Path, count: int) -> tuple[str, ...]:
    if not classes:
        return tuple(str(number) for number in range(count))
    if isinstance(classes, (str, Path)):
        try:
            classes = [line.strip() for line in Path(classes).read_text(encoding="utf-8").splitlines() if line.strip()]
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(
                f"{classes}: expected a text file with the name of a class in each line ({error})"
            ) from None
    if len(classes) != count:
        raise ConfigError(f"{len(classes)} names of classes for weights of {count} classes; expected as many")
    twice = [shorten(name, 40) for name, times in Counter(classes).items() if times > 1]
    if twice:
        more = f" and {len(twice) - 3} more" if len(twice) > 3 else ""
        raise ConfigError(f"two classes have one name: {', '.join(map(repr, twice[:3]))}{more}; make each its own")
    return tuple(classes)


def _normalize(network: str, channels: int, mean: Sequence[float], std: Sequence[float]) -> Step:
    if not mean and not std and channels == len(_MEAN):
        mean, std = _MEAN, _STD
    if len(mean) != channels or len(std) != channels:
        raise ConfigError(
            f"{network} takes images of {channels} channels: give as many mean and std of the images it was trained on "
            f"(--mean, --std), got {len(mean)} and {len(std)}"
        )
    return Step(name="normalize", mean=tuple(mean), std=tuple(std))


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
    except BaseException:
        shutil.rmtree(folder.path, ignore_errors=True)  # no half of a run stays
        raise
    finally:
        folder.release()
    return folder.path
