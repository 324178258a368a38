"""What holds for every method in which a network teaches another: the engine's checks, and teachers that are runs."""

import pytest
import torch

import netsmith
from netsmith.api.commands import train_again
from netsmith.api.experiments import find
from netsmith.core.cards import Card
from netsmith.core.roles import RunSettings
from netsmith.engine import checkpoint
from netsmith.methods.distillation import Distillation
from netsmith.methods.feature_distillation import FeatureDistillation
from netsmith.methods.many_teachers import ManyTeachers
from netsmith.models.tabular.mlp import MLP
from netsmith.models.vision.lenet5 import LeNet5
from netsmith.optim.adam import Adam
from netsmith.tasks.classify import Classify
from netsmith.verify.checks import CHECKS
from netsmith.verify.subject import Subject

PAIRS = (("features.pool2", "features.pool2"),)
NETS = {"model": LeNet5.Config(), "teacher": LeNet5.Config(), "task": Classify.Config()}
SMALL = {"model": MLP.Config(hidden=(8,)), "teacher": MLP.Config(hidden=(16,)), "task": Classify.Config()}
METHODS = {
    "attention": FeatureDistillation.Config(**NETS, pairs=PAIRS),
    "similarity": FeatureDistillation.Config(**NETS, pairs=PAIRS, form="similarity"),
    "relational": FeatureDistillation.Config(
        **SMALL, pairs=(("hidden.0", "hidden.0"),), form="relational", teacher_steps=1
    ),
    "many": ManyTeachers.Config(**SMALL, others=(MLP.Config(hidden=(4,)),), cache=True),
    "many_here": ManyTeachers.Config(**SMALL, others=(MLP.Config(hidden=(4,)),), teacher_steps=1),
}
CHECKED = (
    "config_round_trip",
    "gradients",
    "same_seed_same_run",
    "exact_resume",
    "checkpoint_round_trip",
    "accumulation",
)


@pytest.mark.parametrize("check", CHECKED)
@pytest.mark.parametrize("name", METHODS)
def test_conforms(name, check, tmp_path):
    method = METHODS[name]
    players = {"model": Adam.Config()} | ({"teacher": Adam.Config()} if method.teacher_steps else {})
    config = Subject.of("distilled_mnist").config.derive(method=method, optimizers=players)
    CHECKS[check](Subject(name, config, Card(paper="none")), tmp_path)


def born_again(root, name, **options):
    sets = {"method.teacher": MLP.Config(hidden=(16,)).dump(), "method.model": MLP.Config(hidden=(16,)).dump()}
    sets |= {"data.twin": True, "epochs": 0, "steps": 30, "evaluate_every": 30, "checkpoint_every": 30}
    sets |= options.pop("sets", {})
    return netsmith.train("distilled_mnist", sets=sets, root=root, name=name, notice=lambda line: None, **options)


def test_a_finished_run_of_the_recipe_teaches_the_next_generation(tmp_path):
    """Born-again networks (Furlanello et al. 2018, arXiv:1805.04770): teacher and student of one form, through runs."""
    first = born_again(tmp_path, "first", sets={"method.alpha": 0.0})
    second = born_again(tmp_path, "second", teacher=first.path, sets={"seed": 1})
    third = born_again(tmp_path, "third", teacher=second.path, sets={"seed": 2})
    x = torch.randn(4, 1, 28, 28)
    for taught, teacher in ((second, first), (third, second)):
        kept = teacher_in(taught)(x)
        assert torch.equal(kept, teacher.network.module(x))
        assert not torch.equal(taught.network.module(x), kept)


def teacher_in(run):
    """Return the teacher that a run's checkpoint keeps."""
    snapshot, _ = checkpoint.load_latest(run.path / "checkpoints")
    network = MLP.Config(hidden=(16,), in_features=784, num_outputs=10).build().eval()
    kept = snapshot.states["method"]["buffers"].items()
    network.load_state_dict(
        {name.removeprefix("teacher."): value for name, value in kept if name.startswith("teacher.")}
    )
    return network


@pytest.mark.parametrize(
    ("name", "taught"),
    [
        ("fitnet_mnist", True),
        ("fitnet_mnist:kd", True),
        ("fitnet_mnist:alone", False),
        ("distilled_mnist:alone", False),
    ],
)
def test_the_command_that_trains_again_names_a_teacher_where_one_is_asked(name, taught, tmp_path):
    found = find(name, sets={"data.twin": True})
    spec = found.config.data.build().spec
    assert train_again(tmp_path, found, spec).endswith("--teacher RUN") is taught


def test_a_short_trial_leaves_the_student_half_of_its_steps():
    config = Distillation.Config(model=MLP.Config(), teacher=MLP.Config(), task=Classify.Config(), teacher_steps=420)
    assert config.within(421) is config
    assert [config.within(steps).teacher_steps for steps in (420, 7, 2)] == [210, 3, 1]
    assert "leaves no step of 420" in config.problem(RunSettings(steps=420))
    assert config.within(420).problem(RunSettings(steps=420)) == ""
