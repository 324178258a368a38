"""A curriculum over drawn shapes (Bengio, Louradour, Collobert & Weston 2009, section 5): the regular ones first."""

from netsmith.data.curriculum import Curriculum
from netsmith.data.shapes import Shapes
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.tabular.mlp import MLP
from netsmith.optim.schedules.linear import Linear
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify

CARD = {
    "title": "A curriculum over drawn shapes",
    "paper": "Bengio, Louradour, Collobert & Weston 2009, Curriculum learning (ICML, doi:10.1145/1553374.1553380)",
    "claims": [
        {
            "metric": "test/accuracy",
            "against": ":any_first",
            "value": 0.01,
            "tolerance": 0.0,
            "source": "netsmith: a point above an order that has nothing to do with difficulty, at the same pace",
        },
        {
            "metric": "test/accuracy",
            "against": ":plain",
            "value": 0.0,
            "tolerance": 0.0,
            "source": "netsmith: not below all examples from the beginning (Fig. 3: the longer the regular shapes "
            "come first, the better; a curve, no number)",
        },
    ],
    "deviations": [
        "drawn data, as the paper's, and as there the regular shapes are a part of the whole: 5,000 images whose "
        "difficulty is uniform; the paper has two sets of 10,000 and one change from one to the other",
        "harder images are let in epoch by epoch, from the easiest fifth to all after 15 of 30 epochs; the paper "
        "changes the set once, at best after half of 256 epochs",
        "200 units in each of the three hidden layers, SGD with momentum and a falling rate",
        "the test images have all difficulties; the paper tests on the hard set alone",
    ],
    "learns": {"metric": "dev/accuracy", "value": 0.45, "steps": 400},
}

VARIANTS = {
    "any_first": {
        "set": {"data.by": "random"},
        "title": "As many shapes in reach as in curriculum_shapes, in any order",
        "claims": [],
        "deviations": ["the control: examples come into reach at the same pace, whatever their difficulty"],
    },
    "plain": {
        "set": {"data.start": 1.0},
        "title": "The network of curriculum_shapes, with all shapes from the beginning",
        "claims": [],
        "deviations": ["the control: all examples are in reach from the first epoch"],
    },
}

experiment = Experiment.Config(
    method=Supervised.Config(model=MLP.Config(hidden=(200, 200, 200), activation="tanh"), task=Classify.Config()),
    data=Curriculum.Config(data=Shapes.Config(size=5000, batch=50), start=0.2, full_epoch=15),
    optimizers={"model": SGD.Config(lr=0.02, momentum=0.9, schedule=Linear.Config())},
    epochs=30,
)
