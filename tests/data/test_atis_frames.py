"""Requests and what they ask for: words of one's own have numbers that lead back to them."""

import pytest
import torch

from netsmith.api.network import Network
from netsmith.core.spec import Step
from netsmith.data.atis_frames import AtisFrames
from netsmith.engine.task import UNLABELED
from netsmith.layers.copying import filled
from netsmith.layers.tokenize import encode, numbered
from netsmith.layers.writing import Judged, Writing
from netsmith.models.translation.pointer_generator import PointerGenerator
from netsmith.tasks.write import Write

_WORDS = ("<pad>", "<unk>", "<eos>", "to", "from")


def test_a_word_of_ones_own_is_numbered_by_its_first_place() -> None:
    step = Step(name="tokenize", pattern=r"\S+", copies=True)
    sources = ["from omsk to to tomsk omsk", "to from"]
    assert list(numbered(sources, step, _WORDS)) == [[4, 6, 3, 3, 9, 6], [3, 4]]
    answers = ["tomsk from omsk minsk", "omsk to"]
    assert list(numbered(answers, step, _WORDS, sources=sources)) == [[9, 4, 6, 1], [1, 3]]
    plain = step.derive(copies=False)
    assert list(numbered(answers, plain, _WORDS, sources=sources)) == [[1, 4, 1, 1], [1, 3]]


@pytest.mark.parametrize("copies", [True, False])
def test_numbers_lead_back_to_the_texts(*, copies: bool) -> None:
    source = AtisFrames.Config(twin=True, copies=copies, min_count=5, evaluation_batch=80).build()
    names, found = source.spec.outputs.names, 0
    assert names == source.spec.inputs.vocabulary
    (indices,) = source.order("test", seed=0, epoch=0)
    batch = source.load("test", indices)
    unknown = 0
    for (request, frame), given, target in zip(
        source.texts("test", indices), batch.inputs["source"].tolist(), batch.targets.tolist(), strict=True
    ):
        words = request.split()
        for word, number in zip(words, given, strict=False):
            assert word == (names[number] if number < len(names) else words[number - len(names)]) or number == 1
            unknown += number == 1
        back = [n for n in target if n != UNLABELED][:-1]
        written = [names[n] if n < len(names) else words[n - len(names)] for n in back]
        found += sum(n >= len(names) for n in back)
        assert written == [w if n != 1 else "<unk>" for w, n in zip(frame.split(), back, strict=True)]
        unknown += 1 in back
    assert (found > 10 and not unknown) if copies else (not found and unknown > 10)


def test_answers_past_what_is_read_are_unknown() -> None:
    config = AtisFrames.Config(twin=True, copies=True, min_count=5, longest=9, max_length=9)
    source = config.build()
    for split in ("train", "test"):
        for indices in source.order(split, seed=0, epoch=0):
            batch = source.load(split, indices)
            lengths = (batch.inputs["source"] != 0).sum(1)
            assert (batch.targets.amax(1) < len(source.spec.outputs.names) + lengths).all()
    asked = ["w " * 8 + "b", "w " * 9 + "b"]
    step = source.spec.outputs.steps[0]
    assert [row[-1] for row in numbered(["b", "b"], step, _WORDS, sources=asked)] == [5 + 8, 5 + 9]


def test_copies_need_one_vocabulary() -> None:
    with pytest.raises(ValueError, match="shared=true"):
        AtisFrames.Config(copies=True, shared=False)


def test_a_prediction_names_words_that_no_vocabulary_has() -> None:
    source = AtisFrames.Config(twin=True, copies=True, min_count=5).build()
    torch.manual_seed(0)
    model = PointerGenerator.Config(embedding_size=8, hidden_size=8, vocab_size=len(source.spec.outputs.names)).build()
    assert model.generates is not None
    with torch.no_grad():  # it copies, and nothing else
        model.generates.weight.zero_()
        model.generates.bias.fill_(-100)
    network = Network(Writing(model, beams=1, longest=4), source.spec, task=Write.Config().build())
    texts = ["qwert zuiop", "asdfg"]
    found = network.predict(texts)
    assert found[1] == {"text": " ".join(["asdfg"] * 4), "tokens": ["asdfg"] * 4, "unknown": 1.0}
    assert set(found[0]["tokens"]) <= {"qwert", "zuiop"}
    raw = encode(texts, source.spec.inputs)
    assert network.answers(raw)[1]["tokens"] == ["<copy 0>"] * 4
    assert filled(network.answers(raw)[1], ["asdfg"], source.spec.outputs.steps[0]) == found[1]
    assert network.predict("asdfg") == found[1:]


def test_figures_count_copied_words_as_words() -> None:
    source = AtisFrames.Config(twin=True, copies=True, min_count=5).build()
    metrics = Write.Config(figures=("exact",)).build().metrics()
    size = len(source.spec.outputs.names)
    written, wanted = torch.tensor([[3, size + 2, 2], [3, size + 1, 2]]), torch.tensor([[3, size + 2, 2]] * 2)
    metrics["exact"].update(Judged(torch.zeros(2, 3, size + 4), written, source.spec.outputs), wanted)
    assert metrics["exact"].compute() == 0.5
