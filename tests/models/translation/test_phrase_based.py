"""The whole translator on a small language, and what it says to bad input."""

import numpy as np
import pytest
import torch

from netsmith.core.errors import DataError, UnsupportedError
from netsmith.core.roles import ModelConfig
from netsmith.export.onnx import export_onnx
from netsmith.models.translation.ibm_model1 import ibm_model1
from netsmith.models.translation.ibm_model2 import ibm_model2
from netsmith.models.translation.phrase_based import PhraseBased
from netsmith.models.translation.word_links import sentences, word_links

SIZE = 20


def pairs(count, *, seed=0):
    """Sentences of adjective and noun, which the target turns around; each word w is there w + 8, noun 9 two words."""
    generator = torch.Generator().manual_seed(seed)
    source = torch.stack(
        [torch.randint(3, 6, (count,), generator=generator), torch.randint(6, 10, (count,), generator=generator)], 1
    )
    rows = []
    for adjective, noun in source.tolist():
        rows.append([noun + 8, *([18] if noun == 9 else []), adjective + 8, 2])
    target = torch.full((count, 4), -100)
    for row, words in zip(target, rows, strict=True):
        row[: len(words)] = torch.tensor(words)
    return source, target


def learned(**settings):
    model = PhraseBased.Config(vocab_size=SIZE, num_outputs=SIZE, longest=3, **settings).build()
    model.fit(*pairs(60))
    return model


@pytest.mark.parametrize("settings", [{}, {"direct": 0.5, "inverse": 0.5, "inverse_lexical": 0.2, "beam": 0}])
def test_it_learns_words_and_their_order(settings):
    model = learned(**settings)
    source, target = pairs(30, seed=1)
    found = model(source)
    assert found.shape == (30, 100)
    assert torch.equal(found[:, :4], target.clamp(min=0))
    assert not found[:, 4:].any()
    several = model(torch.nn.functional.pad(source, (0, 3)))
    assert torch.equal(several, found)


def test_a_fit_says_how_likely_the_pairs_are():
    source, target = pairs(60)
    figures = PhraseBased.Config(vocab_size=SIZE, num_outputs=SIZE).build().fit(source, target)
    sides = {"source": sentences(source.tolist()), "target": sentences([row[row > 2].tolist() for row in target])}
    for name, other in (("source", "target"), ("target", "source")):
        links = word_links(sides[other], sides[name])
        likelihood = ibm_model2(links, ibm_model1(links)).likelihoods[-1]
        assert figures[f"{name}_nats"] == pytest.approx(-likelihood / len(sides[name].words), rel=1e-12)


def test_a_checkpoint_translates_alike():
    model = learned()
    other = model.config.build()
    other.load_state_dict(model.state_dict())
    source, _ = pairs(10, seed=2)
    assert torch.equal(other(source), model(source))


def test_unknown_words_are_left_out_and_before_the_fit_all():
    model = learned()
    found = model(torch.tensor([[3, 1, 6], [1, 0, 0], [0, 0, 0]]))
    assert found[:, :3].tolist() == [[14, 11, 2], [2, 0, 0], [2, 0, 0]]
    empty = PhraseBased.Config(vocab_size=SIZE, num_outputs=SIZE, written=2).build()
    assert empty(torch.tensor([[3, 6]])).tolist() == [[2, 0]]


def test_long_answers_are_cut_and_still_end():
    assert learned(written=2)(torch.tensor([[3, 6]])).tolist() == [[14, 2]]


def test_the_default_weights_are_the_noisy_channel():
    model = learned(distortion=0.3, limit=2)
    (found,) = model.translate([np.array([3, 6])])
    choices = model.choices(np.array([3, 6]), model.table())
    worth = sum(choices.score[list(found.chosen)])  # log P(f | e) but for the order
    ends = (choices.start + choices.length)[list(found.chosen)]
    skipped = np.abs(choices.start[list(found.chosen)] - [0, *ends[:-1]]).sum()
    logits, _ = model.language(torch.tensor([[2, *found.words]]))
    language = logits[0, range(len(found.words) + 1), [*found.words, 2]].sum()
    assert found.score == pytest.approx(float(worth + language - 0.3 * skipped), abs=1e-10)


def test_its_config_leaves_the_vocabularies_to_the_data():
    config = PhraseBased.Config()
    assert ModelConfig.load(config.dump()) == config
    assert (config.vocab_size, config.num_outputs) == ("auto", "auto")


def test_bad_pairs_and_graphs_are_refused(tmp_path):
    model = learned()
    with pytest.raises(DataError, match="the target text of pair 2 has no word"):
        model.fit(torch.tensor([[3], [4]]), torch.tensor([[3, 2], [2, -100]]))
    with pytest.raises(DataError, match="2 source texts and 1 target texts"):
        model.fit(torch.tensor([[3], [4]]), torch.tensor([[3]]))
    with pytest.raises(UnsupportedError, match="which ONNX cannot express"):
        export_onnx(model, torch.tensor([[3, 6]]), tmp_path / "x.onnx", exporter="torchscript")
