"""Classify your own texts: netsmith train text_classifier --data FILE."""

from netsmith.data.text_table import TextTable
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.text.text_cnn import TextCNN
from netsmith.optim.adamw import AdamW
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Your own texts",
    "paper": "arXiv:1408.5882",
    "deviations": ["word vectors are learned from the user's texts alone"],
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 200},
}

experiment = Experiment.Config(
    method=Supervised.Config(model=TextCNN.Config(), task=Classify.Config()),
    data=TextTable.Config(batch=32),
    optimizers={"model": AdamW.Config(lr=1e-3, weight_decay=0.05, schedule=OneCycle.Config())},
    epochs=15,
    select="dev/accuracy",
)
