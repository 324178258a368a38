"""A pointer network that finds the convex hull of points in the plane (Vinyals, Fortunato & Jaitly 2015)."""

from netsmith.data.convex_hull import ConvexHull
from netsmith.engine.experiment import Experiment
from netsmith.methods.teacher_forcing import TeacherForcing
from netsmith.models.sequence.pointer_network import PointerNetwork
from netsmith.optim.adam import Adam
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.tasks.point import Point

CARD = {
    "title": "Pointer network on the convex hull",
    "paper": "arXiv:1506.03134",
    "claims": [
        {
            "metric": "test/polygon",
            "value": 0.87,
            "tolerance": 0.0,
            "source": "netsmith: the paper's for 10 points, learned from 5 to 50 (for 5 points it has 0.920)",
        },
        {
            "metric": "test/area",
            "value": 0.996,
            "tolerance": 0.0,
            "source": "netsmith: the paper's for 5 points",
        },
    ],
    "deviations": [
        "5 to 10 points in place of 5 to 50; fresh examples all the way, about 1 million as in the paper",
        "128 units, Adam with a one-cycle rate in place of 256 and more units and plain gradient descent",
        "points go through a linear layer before both LSTMs",
    ],
    "seeds": [0, 1, 2],
}

experiment = Experiment.Config(
    method=TeacherForcing.Config(
        model=PointerNetwork.Config(hidden_size=128), task=Point.Config(figures="polygon"), beams=1, longest=11
    ),
    data=ConvexHull.Config(least=5, most=10, batch=128, batches=500),
    optimizers={"model": Adam.Config(lr=0.003, schedule=OneCycle.Config())},
    steps=8000,
    evaluate_every=2000,
    clip_norm=2.0,
)
