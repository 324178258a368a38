"""Single tokens' log-probabilities: those of the model they are looked up in."""

import numpy as np
import pytest
import torch

from netsmith.models.language.ngram import Ngram
from netsmith.models.language.ngram_scores import NgramScores


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("smoothing", ["modified", "plain"])
def test_each_token_costs_what_the_model_says(order, smoothing):
    generator = torch.Generator().manual_seed(order)
    model = Ngram.Config(order=order, vocab_size=9, smoothing=smoothing).build()
    model.fit([torch.randint(2, 8, (400,), generator=generator)])  # lines end by chance; token 8 is never seen
    contexts = torch.randint(0, 9, (500, order - 1), generator=generator)
    tokens = torch.randint(1, 9, (500,), generator=generator)
    expected = model.probabilities(contexts)[torch.arange(500), tokens].log()
    np.testing.assert_allclose(NgramScores(model)(contexts.numpy(), tokens.numpy()), expected, rtol=1e-12)


def test_before_the_fit_all_tokens_are_alike():
    scores = NgramScores(Ngram.Config(order=3, vocab_size=9).build())
    np.testing.assert_allclose(scores(np.array([[2, 3], [0, 0]]), np.array([3, 8])), np.log(1 / 8))
