"""The file that carries a language model's state: text fed piece by piece is answered as in one go."""

import json

import numpy as np
import onnxruntime
import pytest
import torch

from netsmith.layers.reading import Reading
from netsmith.models.language.lstm_lm import LstmLm
from netsmith.models.language.nplm import Nplm
from netsmith.models.language.rnn_lm import RnnLm
from netsmith.workflows.stepping import export_step


@pytest.mark.parametrize(
    "config",
    [
        LstmLm.Config(hidden_size=6, vocab_size=9, bound=0.8),
        RnnLm.Config(hidden_size=5, vocab_size=9),
        Nplm.Config(order=4, embedding_size=3, hidden_size=4, vocab_size=9),
    ],
)
def test_pieces_with_the_state_passed_on_are_the_whole(config, tmp_path):
    torch.manual_seed(0)
    reading = Reading(config.build()).eval()
    found = export_step(reading, tmp_path / "model.step.onnx")
    session = onnxruntime.InferenceSession(found["path"], providers=["CPUExecutionProvider"])
    about = json.loads((tmp_path / "model.step.onnx.json").read_text())
    kinds = {one.name: np.int64 if "int64" in one.type else np.float32 for one in session.get_inputs()}
    assert [one.name for one in session.get_inputs()] == about["inputs"]
    state = {name: np.array([value], dtype=kinds[name]) for name, value in about["start"].items()}
    tokens = [3, 5, 4, 8, 7, 3]
    logits = []
    for piece in (tokens[:1], tokens[1:2], tokens[2:5], tokens[5:]):
        first, *after = session.run(None, {"tokens": np.array([piece]), **state})
        logits.append(first)
        state = dict(zip(state, after, strict=True))
    with torch.no_grad():
        whole = reading(torch.tensor([[2, *tokens]]))[:, 1:]
    np.testing.assert_allclose(np.concatenate(logits, 1), whole.numpy(), rtol=1e-4, atol=1e-5)
