"""What the tests of the classic learners share: classes that overlap, fitting, and the way through checkpoints."""

import numpy as np
import torch

from netsmith.core.spec import Inputs, Outputs, Spec
from netsmith.engine import checkpoint
from netsmith.engine.batch import Batch
from netsmith.methods.closed_form import ClosedForm
from netsmith.tasks.classify import Classify

FEATURES, CLASSES = 5, 4


def blobs(*, seed: int = 0, count: int = 120, classes: int = CLASSES) -> tuple[np.ndarray, np.ndarray]:
    """Return examples of classes that overlap, and the classes; every class has some."""
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(classes), rng.integers(classes, size=count - classes)])
    centers = np.random.default_rng(7).normal(size=(classes, FEATURES))
    return centers[y] + 0.9 * rng.normal(size=(count, FEATURES)), y


def fitted(config, x, y, *, weights=None):
    """Return the model of a config, fitted."""
    model = config.build()
    model.fit(torch.as_tensor(x), torch.as_tensor(y), weights=weights)
    return model


class Run:
    """What the engine hands to a method, of a run of some steps and processes."""

    def __init__(self, *, steps: int, world: int = 1) -> None:
        self.steps, self.world = steps, world

    def sum_ranks(self, tensors) -> None:
        for tensor in tensors:
            tensor.mul_(self.world)


def learned_in_batches(config, x, y, *, folder, parts=5, cut=2):
    """Learn in batches, going through a checkpoint after ``cut`` of them and at the end; return the last model."""
    inputs = Inputs(kind="table", shape=(FEATURES,))
    spec = Spec(dataset="test", inputs=inputs, outputs=Outputs(kind="classes", names=("a", "b", "c", "d")))
    pieces = Batch(torch.as_tensor(x), torch.as_tensor(y)).split(parts)
    state = None
    for step, some in enumerate((pieces[:cut], pieces[cut:], []), 1):
        method = ClosedForm.Config(model=config, task=Classify.Config()).build(spec=spec)
        if state is not None:
            method.restore(state)
        feed = iter(some)
        for _ in some:
            assert method.step(feed, Run(steps=parts)) == {}
        states = {"method": method.state()}
        assert ("kept" in states["method"]) == (step == 1)
        checkpoint.save(folder, checkpoint.Snapshot(step=step, weights={}, states=states))
        state = checkpoint.load_latest(folder)[0].states["method"]
    return method.model
