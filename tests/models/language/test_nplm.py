"""The neural probabilistic language model: Eq. 1 by hand, the paper's count of weights, its windows."""

import pytest
import torch

from netsmith.core.errors import ConfigError
from netsmith.models.language.nplm import SIZES, Nplm


@pytest.mark.parametrize(("hidden", "direct"), [(4, False), (4, True), (0, True)])
def test_logits_are_equation_one(hidden, direct):
    torch.manual_seed(0)
    model = Nplm.Config(order=4, embedding_size=3, hidden_size=hidden, direct=direct, vocab_size=9).build().double()
    tokens = torch.randint(1, 9, (2, 8), generator=torch.Generator().manual_seed(1))
    found, state = model(tokens)
    for row in range(2):
        for t in range(2, 8):
            x = torch.cat([model.embedding.weight[tokens[row, t - k]] for k in range(3)])  # C(w_{t-1}), C(w_{t-2}), ...
            if not hidden:
                y = model.head.bias + model.head.weight @ x
            else:
                y = model.head.bias + model.head.weight @ torch.tanh(model.hidden.bias + model.hidden.weight @ x)
                y = y + model.direct.weight @ x if direct else y
            torch.testing.assert_close(found[row, t], y, rtol=1e-12, atol=1e-13)
    assert torch.equal(state, tokens[:, -2:])


def test_the_papers_count_of_weights():
    """Section 2: |V| (1 + n m + h) + h (1 + (n - 1) m); Brown has 16,383 words."""
    with torch.device("meta"):
        model = Nplm.Config(**SIZES["nplm_brown"], vocab_size=16_383).build()
    assert sum(p.numel() for p in model.parameters()) == 4_124_233


def test_windows_with_the_state_carried_answer_as_the_whole_text():
    torch.manual_seed(0)
    model = Nplm.Config(order=4, embedding_size=3, hidden_size=4, vocab_size=9).build().double()
    tokens = torch.randint(1, 9, (2, 8), generator=torch.Generator().manual_seed(1))
    first, state = model(tokens[:, :1])
    second, _ = model(tokens[:, 1:], state)
    torch.testing.assert_close(torch.cat([first, second], 1), model(tokens)[0], rtol=1e-12, atol=1e-14)


def test_nothing_between_words_and_outputs_is_refused():
    with pytest.raises(ConfigError, match="hidden_size=0 and direct=false"):
        Nplm.Config(hidden_size=0, vocab_size=9).build()
