"""A structured perceptron on Resume NER: whole sequences of tags, found by Viterbi, learned from their mistakes."""

from netsmith.data.resume_ner import ResumeNer
from netsmith.engine.experiment import Experiment
from netsmith.methods.learning_rule import LearningRule
from netsmith.models.foundations.structured_perceptron import StructuredPerceptron
from netsmith.tasks.tag import Tag

CARD = {
    "title": "Structured perceptron on Resume NER",
    "paper": "Collins 2002, EMNLP, doi:10.3115/1118693.1118694",
    "claims": [
        {
            "metric": "test/accuracy",
            "value": 0.92,
            "tolerance": 0.005,
            "source": "netsmith: a target of our own, of characters (not of names); the paper has other data",
        },
    ],
    "deviations": [
        "eight sentences are read with the same weights; the paper reads one",
        "features: each of five characters with the tag, and two tags in a row",
    ],
    "known_gaps": {"gradients": "closed_form"},
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 120},
}

experiment = Experiment.Config(
    method=LearningRule.Config(model=StructuredPerceptron.Config(window=5), task=Tag.Config()),
    data=ResumeNer.Config(batch=8),
    epochs=8,
    select="dev/accuracy",
)
