"""Reading texts of several lengths a window at a time gives what reading each alone in one go gives."""

import pytest
import torch
from torch.nn import functional as F

from netsmith.layers import reading
from netsmith.layers.reading import Reading
from netsmith.models.language.lstm_lm import LstmLm


@pytest.mark.parametrize("logits", [2**22, 9 * 3 * 2])
def test_each_text_alone(logits, monkeypatch):
    monkeypatch.setattr(reading, "_LOGITS", logits)  # windows of two tokens
    torch.manual_seed(0)
    model = Reading(LstmLm.Config(hidden_size=5, vocab_size=9, bound=0.8).build().double().eval())
    texts = [[3, 4, 5, 6, 7, 8, 3], [4], [5, 5, 8]]
    tokens = torch.zeros(3, 7, dtype=torch.int64)
    for row, text in enumerate(texts):
        tokens[row, : len(text)] = torch.tensor(text)
    with torch.no_grad():
        found = model.read(tokens)
        assert found.state is None
        for row, text in enumerate(texts):
            whole, state = model(torch.tensor([[2, *text]]), carry=True)
            wanted = F.cross_entropy(whole[0, :-1], torch.tensor(text), reduction="sum")
            torch.testing.assert_close(found.nats[row], wanted)
            torch.testing.assert_close(found.following[row], whole[0, -1])
            alone = model.read(torch.tensor([text]))
            torch.testing.assert_close(alone.nats[0], wanted)
            torch.testing.assert_close(tuple(alone.state), state)
        assert found.tokens.tolist() == [7, 1, 3]
        nothing = model.read(torch.zeros(1, 0, dtype=torch.int64))
    assert float(nothing.nats) == 0
    torch.testing.assert_close(nothing.following, model(torch.tensor([[2]]))[:, 0])
