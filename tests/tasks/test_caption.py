"""Figures of captions: several references as sacrebleu counts them, facts, the loss of the first caption."""

import pytest
import torch

from netsmith.core.errors import DataError
from netsmith.core.spec import Outputs, Step
from netsmith.data.shape_captions import ShapeCaptions
from netsmith.layers.reading import END_NUMBER
from netsmith.layers.writing import Judged
from netsmith.tasks.caption import Caption
from netsmith.tasks.write import Write

NAMES = ("<pad>", "<unk>", "<eos>", *(f"w{n}" for n in range(12)))
OUTPUTS = Outputs(kind="tokens", names=NAMES, steps=(Step(name="tokenize", pattern=r"\w+"),))


def test_bleu_of_several_references_is_sacrebleus():
    sacrebleu = pytest.importorskip("sacrebleu")
    draw = torch.Generator().manual_seed(0)
    references = torch.zeros(40, 5, 9, dtype=torch.int64)
    written = torch.zeros(40, 9, dtype=torch.int64)
    for row in range(40):
        count = 1 + row % 5
        for at in range(count + 1):
            length = int(torch.randint(2, 9, (1,), generator=draw))
            text = torch.cat([torch.randint(3, 9, (length - 1,), generator=draw), torch.tensor([END_NUMBER])])
            (written[row] if at == count else references[row, at])[:length] = text

    def text(row):
        return " ".join(NAMES[n] for n in row if n > END_NUMBER)

    task = Caption(Caption.Config(figures=("bleu",)))
    halves = [task.metrics()["bleu"] for _ in range(2)]
    for metric, part in zip(halves, (slice(0, 17), slice(17, 40)), strict=True):
        target = {"references": references[part], "tokens": references[part, 0]}
        metric.update(Judged(torch.zeros(0), written[part], OUTPUTS), target)
    halves[0].merge(halves[1])
    streams = [[text(rows[at]) if rows[at][0] else None for rows in references.tolist()] for at in range(5)]
    expected = sacrebleu.corpus_bleu([text(row) for row in written.tolist()], streams)
    assert halves[0].compute() == pytest.approx(expected.score, abs=1e-9)
    assert 3 < expected.score < 60


def test_facts_are_judged_by_the_scene_and_not_by_the_words():
    source = ShapeCaptions.Config(twin=True).build()
    judged = source.judged("dev", torch.arange(60))
    task = Caption(Caption.Config(figures=("facts", "bleu")))

    def figures(tokens):
        metrics = task.metrics()
        logits = torch.zeros(60, judged.targets["tokens"].shape[1], len(source.spec.outputs.names))
        for metric in metrics.values():
            metric.update(Judged(logits, tokens, source.spec.outputs), judged.targets)
        return {name: metric.compute() for name, metric in metrics.items()}

    right = judged.targets["references"][:, 3]
    found = figures(right)
    assert found["facts"] == 1.0
    assert found["bleu"] == pytest.approx(100.0)
    assert found["perplexity"] == pytest.approx(len(source.spec.outputs.names))
    assert figures(right.roll(1, 0))["facts"] < 0.1
    names = source.spec.outputs.names
    big, small = names.index("big"), names.index("small")
    swapped = torch.where(right == big, small, torch.where(right == small, big, right))
    wrong = figures(swapped)  # nearly all words are right
    assert wrong["facts"] < 0.2
    assert wrong["bleu"] > 40


def test_it_is_learned_as_any_text_and_refuses_facts_that_nobody_knows():
    draw = torch.Generator().manual_seed(1)
    output = torch.randn(3, 4, 15, generator=draw, dtype=torch.float64)
    target = torch.tensor([[3, 4, 2, -100], [2, -100, -100, -100], [5, 6, 7, 2]])
    weights = torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64)
    task, plain = Caption(Caption.Config(label_smoothing=0.1)), Write(Write.Config(label_smoothing=0.1, figures=()))
    for given in (None, weights):
        ours, theirs = task.loss(output, target, given), plain.loss(output, target, given)
        assert float(ours.total) == float(theirs.total)
        assert float(ours.weight) == float(theirs.weight)
        assert torch.equal(task.weights({"tokens": target}, given), plain.weights(target, given))
    assert task.reads_texts
    assert not Caption(Caption.Config(figures=())).reads_texts
    metric = Caption(Caption.Config(figures=("facts",))).metrics()["facts"]
    with pytest.raises(DataError, match="shape_captions"):
        metric.update(Judged(output, torch.zeros(3, 4).long(), OUTPUTS), {"tokens": target})
