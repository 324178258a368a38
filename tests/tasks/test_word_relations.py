"""Analogies by hand, rank correlation as scipy has it, and only over questions whose words are known."""

import pytest
import torch
from scipy.stats import spearmanr

from netsmith.core.errors import DataError, UnsupportedError
from netsmith.core.spec import Outputs
from netsmith.tasks.word_relations import WordRelations, set_number


def measured(task, output, questions, scores):
    metrics = task.metrics()
    for start in range(0, len(output), 7):  # in pieces
        part = slice(start, start + 7)
        for metric in metrics.values():
            metric.update(output[part], (questions[part], scores[part]))
    return {name: metric.compute() for name, metric in metrics.items()}


def test_correlation_is_scipys_with_ties():
    generator = torch.Generator().manual_seed(0)
    output = torch.randint(0, 8, (60, 12), generator=generator).double() / 7
    words = torch.randint(2, 12, (60, 2), generator=generator)
    words[::10, 0] = 1
    scores = torch.randint(0, 5, (60,), generator=generator).double()
    questions = torch.cat([torch.full((60, 1), set_number("men")), words, torch.zeros(60, 2).long()], 1)
    found = measured(WordRelations.Config().build(), output, questions, scores)
    known = words[:, 0] != 1
    cosines = output.gather(1, words[:, 1:])[:, 0][known]
    assert found["men"] == pytest.approx(spearmanr(cosines, scores[known]).statistic, abs=1e-12)
    assert found["men_known"] == int(known.sum())
    assert found["ws353"] != found["ws353"]  # no question: no figure
    assert found["ws353_known"] == found["analogies_known"] == 0


def test_an_analogy_never_answers_with_a_word_it_was_asked():
    number = {kind: set_number(kind) for kind in ("semantic", "syntactic")}
    questions = torch.tensor(
        [
            [number["semantic"], 2, 3, 4, 5],  # 5 is best of what is left
            [number["syntactic"], 2, 3, 4, 6],  # 6 is not
            [number["syntactic"], 2, 3, 1, 6],  # a word is unknown
            [number["syntactic"], 6, 3, 4, 5],
        ]
    )
    output = torch.tensor([[9.0, 9.0, 0.5, 0.9, 0.8, 0.6, 0.1]]).expand(4, 7)
    found = measured(WordRelations.Config(similarity=()).build(), output, questions, torch.zeros(4))
    assert found == {
        "analogies": pytest.approx(2 / 3),
        "analogies_known": 3,
        "semantic": 1.0,
        "semantic_known": 1,
        "syntactic": 0.5,
        "syntactic_known": 2,
    }


def test_the_nearest_words_are_shown():
    task = WordRelations.Config(near=2).build()
    names = ("<pad>", "<unk>", "king", "queen", "car")
    outputs = Outputs(kind="embedding", names=names, size=5)
    (shown,) = task.decode(torch.tensor([[1.0, 1.0, 0.25, 0.75, 0.5]]), outputs)
    assert shown == {"near": {"queen": 0.75, "car": 0.5}}


def test_metrics_merge_over_parts():
    task = WordRelations.Config(analogies=()).build()
    first, second = task.metrics(), task.metrics()
    questions = torch.tensor([[set_number("men"), 2, 3, 0, 0], [set_number("men"), 2, 4, 0, 0]])
    output = torch.tensor([[0.0, 0.0, 1.0, 0.3, 0.7]])
    for metrics, row, score in ((first, 0, 1.0), (second, 1, 5.0)):
        for metric in metrics.values():
            metric.update(output, (questions[row : row + 1], torch.tensor([score])))
    for name, metric in first.items():
        metric.merge(second[name])
    assert first["men"].compute() == pytest.approx(1.0)
    assert first["men_known"].compute() == 2


def test_wrong_shapes_and_a_loss_are_refused():
    task = WordRelations.Config().build()
    with pytest.raises(DataError, match="questions of 5 numbers"):
        task.metrics()["men"].update(torch.zeros(2, 5), (torch.zeros(2, 4).long(), torch.zeros(2)))
    with pytest.raises(UnsupportedError, match="word_vectors"):
        task.loss(None, None)
