import numpy as np
import pytest
import torch

from models.text.padding import check_padding_learns_nothing
from netsmith.compress.prune import prune
from netsmith.core.errors import ConfigError
from netsmith.export.onnx import export_onnx
from netsmith.export.session import open_session, run_session
from netsmith.models.sequence.recurrent_classifier import RecurrentClassifier

TEXTS = [[3, 1, 4, 1, 5, 9], [2, 6], [7]]


def build(**fields):
    torch.manual_seed(0)
    fields = {"embedding_size": 5, "hidden_size": 4, "vocab_size": 20, "num_classes": 3, **fields}
    return RecurrentClassifier.Config(**fields).build().double().eval()


def tokens(length):
    return torch.tensor([text + [0] * (length - len(text)) for text in TEXTS])


@pytest.mark.parametrize("cell", ["elman", "jordan", "lstm", "lstm_coupled", "gru_reset_before"])
@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
def test_the_answer_is_that_of_the_text_alone(cell, pooling):
    model = build(cell=cell, pooling=pooling, bidirectional=True, num_layers=2)
    want = torch.cat([model(torch.tensor([text])) for text in TEXTS])
    for length in (6, 11):
        assert (model(tokens(length)) - want).abs().max() < 1e-12
    assert model(torch.zeros(1, 4, dtype=torch.int64)).isfinite().all()


@pytest.mark.parametrize("both", [False, True])
def test_the_last_state_of_each_direction_is_pooled(both):
    model = build(cell="gru", bidirectional=both)
    _, (state,) = model.recurrent.carry(model.embedding(tokens(8)), torch.tensor([6, 2, 1]))
    expected = model.head(torch.cat(list(state), dim=1))
    assert (model(tokens(8)) - expected).abs().max() < 1e-12


def test_padding_learns_nothing():
    check_padding_learns_nothing(build(cell="lstm", forget_bias=1.0))


@pytest.mark.parametrize("cell", ["lstm", "lstm_peephole", "gru_reset_before"])
def test_surgery_cuts_fused_kernels_and_cells_of_ours(cell):
    model = build(cell=cell, bidirectional=True, num_layers=2, hidden_size=8, embedding_size=8).float()
    small, log = prune(model, tokens(7), ratio=0.5, scope="local")
    assert log.proof[0]["error"] <= 1e-12
    assert sum(p.numel() for p in small.parameters()) < 0.4 * sum(p.numel() for p in model.parameters())


def test_an_exported_network_reads_texts_of_other_lengths(tmp_path):
    pytest.importorskip("onnxruntime")
    model = build(cell="lstm", bidirectional=True).float()
    export_onnx(model, tokens(7)[:2], tmp_path / "model.onnx")
    session = open_session(tmp_path / "model.onnx")
    other = tokens(7)[[2, 0, 1]]
    assert np.abs(run_session(session, other.numpy())[0] - model(other).detach().numpy()).max() < 1e-5


def test_a_bias_that_the_cell_does_not_have_is_refused():
    with pytest.raises(ConfigError, match="gru has no bias of a forget gate"):
        RecurrentClassifier.Config(cell="gru", forget_bias=1.0)
