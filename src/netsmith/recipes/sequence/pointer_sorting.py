"""A pointer network that sorts numbers (Vinyals, Fortunato & Jaitly 2015; Vinyals, Bengio & Kudlur 2016)."""

from netsmith.data.sorting import Sorting
from netsmith.engine.experiment import Experiment
from netsmith.methods.teacher_forcing import TeacherForcing
from netsmith.models.sequence.pointer_network import PointerNetwork
from netsmith.optim.adam import Adam
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.tasks.point import Point

CARD = {
    "title": "Pointer network that sorts numbers",
    "paper": "arXiv:1506.03134; the task: arXiv:1511.06391, section 4.2",
    "claims": [
        {
            "metric": "test/exact",
            "value": 0.95,
            "tolerance": 0.0,
            "source": "netsmith: a target of our own, of whole orders",
        },
    ],
    "deviations": [
        "5 to 10 numbers in place of 5, 10 or 15; a place that was named cannot be named again",
        "128 units, Adam with a one-cycle rate; numbers go through a linear layer before both LSTMs",
    ],
    "seeds": [0, 1, 2],
    "learns": {"metric": "dev/exact", "value": 0.7, "steps": 120},
}

experiment = Experiment.Config(
    method=TeacherForcing.Config(
        model=PointerNetwork.Config(hidden_size=128, repeats=False), task=Point.Config(), beams=1, longest=11
    ),
    data=Sorting.Config(least=5, most=10, batch=128, batches=500),
    optimizers={"model": Adam.Config(lr=0.003, schedule=OneCycle.Config())},
    steps=3000,
    evaluate_every=1000,
    clip_norm=2.0,
)
