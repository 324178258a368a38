"""The conformance suite: named, separate checks over every recipe; each raises a ProofError that says what differs."""

from __future__ import annotations

import copy
import itertools
import json
import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from netsmith.api.catalogue import evidence_of
from netsmith.api.experiments import find
from netsmith.core.config import FrozenMap
from netsmith.core.errors import ConfigError, DataError, MissingExtraError, ProofError, UnsupportedError
from netsmith.core.keys import key
from netsmith.core.registry import find_recipe
from netsmith.data._download import offline
from netsmith.engine import checkpoint
from netsmith.engine.batch import Batch, doubled, map_tensors
from netsmith.engine.experiment import Experiment
from netsmith.verify.subject import Cut, Subject, weights_sha256

__all__ = ["CHECKS", "run_check"]


def _need(condition: bool, text: str) -> None:
    if not condition:
        raise ProofError(text)


def config_round_trip(subject: Subject, folder: Path) -> None:
    """The experiment, dumped to JSON and read back, is the same; also when every AUTO field is filled."""
    for config in (subject.config, subject.experiment().config):
        text = json.dumps(config.dump())
        again = Experiment.Config.load(json.loads(text))
        _need(again == config, f"the config changed on its way through JSON: {again} is not {config}")
    _need(folder.is_dir(), "the folder for the checks is gone")


def predicts(subject: Subject, folder: Path) -> None:  # noqa: ARG001
    """After a few steps the product answers with numbers; predictions are plain JSON with the schema's names."""
    engine = subject.engine(steps=3)
    engine.fit()
    network = subject.network(engine)
    raw = network.example(3)
    output = network(raw)
    _need(len(output) == 3, f"3 examples gave an output of shape {tuple(output.shape)}")
    _need(not bool(torch.isnan(output).any()), "the product's answer is not a number")
    predictions = network.decode(output)
    _need(len(predictions) == 3, f"3 examples gave {len(predictions)} predictions")
    text = json.dumps(predictions, allow_nan=False)
    names = network.spec.outputs.names
    if network.spec.outputs.kind == "classes":
        _need(all(prediction["label"] in names for prediction in predictions), f"a label is not in the schema: {text}")


def gradients(subject: Subject, folder: Path) -> None:  # noqa: ARG001
    """Every trainable parameter gets a gradient that is not all zero within a few steps."""
    engine = subject.engine()
    missing = {name for parameters in engine.method.players().values() for name in parameters}
    trained = bool(missing)

    def after() -> None:
        for parameters in engine.method.players().values():
            for name, parameter in parameters.items():
                if parameter.grad is not None and bool(parameter.grad.abs().sum() > 0):
                    missing.discard(name)

    engine.method.train()
    for step in range(int(engine.config.steps)):
        engine.updater.begin(step)
        engine.method.step(engine.feed, engine.updater)
        after()
    _need(trained, "the method has no trainable parameter")
    _need(not missing, f"no gradient for {sorted(missing)[:3]} ({len(missing)} parameters)")


def finite(subject: Subject, folder: Path) -> None:  # noqa: ARG001
    """After a few steps every parameter, buffer and figure is finite."""
    engine = subject.engine()
    engine.fit()
    for name, tensor in [*engine.method.named_parameters(), *engine.method.named_buffers()]:
        _need(not tensor.is_floating_point() or bool(torch.isfinite(tensor).all()), f"{name} is not finite")
    for name, value in engine.evaluate("test" if "test" in engine.source.splits() else "dev").items():
        _need(math.isfinite(value), f"{name} is {value}")


def same_seed_same_run(subject: Subject, folder: Path) -> None:  # noqa: ARG001
    """Two runs of one seed end with the same bits; another seed does not."""
    found = []
    for seed in (0, 0, 1):
        engine = subject.engine(seed=seed, steps=3)
        engine.fit()
        found.append(weights_sha256(engine))
    _need(found[0] == found[1], "two runs of the same seed differ")
    _need(found[0] != found[2], "another seed gives the same run")


def exact_resume(subject: Subject, folder: Path) -> None:
    """A run cut mid-epoch and resumed with loader workers ends with the bits of one that was never cut."""
    steps = int(subject.config.steps)
    whole = subject.engine()
    whole.fit()
    cut = random.Random(key(0, subject.name)).randrange(2, steps) if steps > 2 else 1
    saved = max(1, cut - 1)
    Cut.run(subject.engine(path=folder / "cut", hooks=(Cut(cut),), checkpoint_every=saved))
    resumed = subject.engine(path=folder / "cut", checkpoint_every=saved, workers=0 if subject.live() else 2)
    snapshot, notices = checkpoint.load_latest(folder / "cut")
    _need(not notices, f"a checkpoint is damaged: {notices}")
    resumed.restore(snapshot)
    _need(0 < resumed.step < steps, f"the checkpoint is of step {resumed.step}")
    resumed.fit()
    _need(weights_sha256(resumed) == weights_sha256(whole), f"cut at step {cut} and resumed, the weights differ")
    _need(resumed.history == whole.history, "cut and resumed, the figures differ")


def checkpoint_round_trip(subject: Subject, folder: Path) -> None:
    """A checkpoint read back has every tensor bit for bit, and the product answers the same."""
    engine = subject.engine(path=folder / "trip", steps=2)
    engine.fit()
    network = subject.network(engine)
    raw = network.example(2)
    before = network(raw)
    snapshot, _ = checkpoint.load_latest(folder / "trip")
    again = subject.engine(steps=2, seed=0)
    again.restore(snapshot)
    _need(weights_sha256(again) == weights_sha256(engine), "a tensor changed on its way through the checkpoint")
    _need(torch.equal(subject.network(again)(raw), before), "the restored product answers otherwise")


def batch_independence(subject: Subject, folder: Path) -> None:  # noqa: ARG001
    """In evaluation an example's answer does not depend on what else is in its batch; in double precision."""
    engine = subject.engine()
    engine.fit()
    network = subject.network(engine)
    inputs = doubled(network.shipped.preprocess(network.example(5)))
    module = copy.deepcopy(network.module).double().eval()
    with torch.no_grad():
        whole = module(inputs).nan_to_num()  # a class never seen has log-probability -inf
        pieces = [module(map_tensors(inputs, lambda part, at=at: part[at : at + 1])) for at in range(len(whole))]
    single = torch.cat(pieces).nan_to_num()
    error = float(((whole - single).abs() / (whole.abs().amax(dim=0, keepdim=True) + 1e-12)).max())
    _need(error <= 1e-9, f"answers differ by {error:.1e} relative between batches of 5 and of 1")


def overfits_one_batch(subject: Subject, folder: Path) -> None:  # noqa: ARG001
    """Fed one batch again and again, the loss falls to less than half."""
    from netsmith.optim.adam import Adam

    players = subject.experiment().method.players()
    steps = 150
    changes: dict[str, Any] = {
        "optimizers": FrozenMap({name: Adam.Config(lr=0.01) for name in players}),
        "steps": steps,
    }
    changes |= {"clip_norm": 0.0, "hooks": ()}
    engine = subject.engine(**changes)
    engine.method.train()
    batch = next(engine.feed)
    first: dict[str, float] = {}
    for step in range(steps):
        engine.updater.begin(step)
        logs = engine.method.step(itertools.repeat(batch), engine.updater)
        _need(bool(logs), "a step reports no loss")
        name, value = list(logs.items())[-1]
        if value < 0.5 * first.setdefault(name, value):  # the last to learn: the student where a teacher comes first
            return
    raise ProofError(f"the loss on one batch went from {first[name]:.4f} to {value:.4f} in {steps} steps, not to half")


def accumulation(subject: Subject, folder: Path) -> None:  # noqa: ARG001
    """Micro-batches (1, 2, 5; unequal pieces and weights) give the same parameters, or are refused by name."""
    method = subject.experiment().method
    if method.undecomposable() or not method.players():
        try:
            subject.engine(micro_batches=2)
        except (ConfigError, UnsupportedError) as error:
            _need("micro_batches" in str(error), f"refused without naming the setting: {error}")
            return
        raise ProofError("no sum over micro-batches gives this step, yet they were accepted")
    ends = []
    for pieces in (1, 2, 5):
        engine = subject.engine(micro_batches=pieces, precision="fp64", steps=5)
        engine.method.eval()  # noise of dropout belongs to the micro-batch and is not what is compared here
        feed = _weighted(engine.feed)
        for step in range(5):
            engine.updater.begin(step)
            engine.method.step(feed, engine.updater)
        ends.append({name: p.detach().clone() for name, p in engine.method.named_parameters()})
    worst = max(float((ends[0][n] - end[n]).abs().max()) for end in ends[1:] for n in end) if ends[0] else 0.0
    _need(worst <= 1e-10, f"micro-batches change the parameters by {worst:.1e}")


def _weighted(feed: Iterator[Batch]) -> Iterator[Batch]:
    for batch in feed:
        size = len(batch)
        yield Batch(batch.inputs, batch.targets, batch.keys, batch.indices, torch.linspace(0.5, 2.0, size).double())


def ranks(subject: Subject, folder: Path) -> None:  # noqa: ARG001
    """Several processes give the result of one: the loss is a sum over examples, as `accumulation` shows."""
    reason = subject.experiment().method.undecomposable()
    _need(not reason, f"{reason}; each process uses its own share's statistics")


def export_matches(subject: Subject, folder: Path) -> None:
    """The ONNX file answers as the product does, at two batch sizes."""
    engine = subject.engine(steps=2)
    engine.fit()
    subject.network(engine).export(folder / "product.onnx", exporter="fast")  # the proof is the same


def evidence_is_fresh(subject: Subject, folder: Path) -> None:  # noqa: ARG001
    """Committed figures belong to this recipe, code and data: their hashes and 20 golden losses still match.

    The data's hash is compared where the data are at hand; nothing is downloaded for it.
    """
    from netsmith.verify.evidence import is_golden

    entry, variant = find_recipe(subject.name)
    evidence = evidence_of(entry, variant)
    if not evidence:
        return
    config = find(subject.name).config.derive(seed=0)
    _need(
        evidence["config_sha256"] == config.sha256(), "the recipe has changed since its evidence; run verify --level 3"
    )
    problem = is_golden(subject.name, evidence["golden_losses"])
    _need(not problem, problem)
    try:
        with offline():
            spec = config.data.build().spec
    except (DataError, MissingExtraError):
        return
    data = {split.name: split.sha256 for split in spec.splits}
    then = evidence["data_sha256"]
    differ = sorted(name for name in {**data, **then} if data.get(name) != then.get(name))
    _need(not differ, f"the splits {differ} are no longer the data of the evidence; run verify --level 3")


CHECKS: dict[str, Callable[[Subject, Path], None]] = {
    check.__name__: check
    for check in (
        config_round_trip,
        predicts,
        gradients,
        finite,
        same_seed_same_run,
        exact_resume,
        checkpoint_round_trip,
        batch_independence,
        overfits_one_batch,
        accumulation,
        ranks,
        export_matches,
        evidence_is_fresh,
    )
}
"""Every check by name; a card's ``known_gaps`` names those its recipe cannot pass."""


def run_check(name: str, check: str, folder: Path) -> str:
    """Run one check of one recipe.

    Returns:
        ``"passed"``, or ``"gap: reason"`` for a declared gap that indeed fails.

    Raises:
        ProofError: The check fails, or a declared gap passes (the card is out of date).
    """
    subject = Subject.of(name)
    folder.mkdir(parents=True, exist_ok=True)
    reason = subject.card.known_gaps.get(check)
    try:
        CHECKS[check](subject, folder)
    except (ProofError, UnsupportedError) as error:  # anything else is a bug, gap or not
        if reason is not None:
            return f"gap: {reason}"
        raise ProofError(f"{name}: {check}: {error}") from error
    if reason is not None:
        raise ProofError(f"{name}: {check} passes, yet the card declares it a gap ({reason}); delete the gap")
    return "passed"
