"""Term gating against its formula."""

import math

import pytest
import torch

from netsmith.core.errors import ConfigError
from netsmith.layers.term_gating import TermGating


def test_shares_are_the_formula_and_sum_to_1():
    gate = TermGating(2).double()
    generator = torch.Generator().manual_seed(0)
    terms = torch.randn(3, 4, 2, generator=generator, dtype=torch.float64)
    mask = torch.tensor([[1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 0, 0]]).bool()
    torch.nn.init.normal_(gate.weight, generator=generator)
    shares = gate(terms, mask)
    w = gate.weight.tolist()
    for row in range(2):
        powers = [
            math.exp(sum(a * b for a, b in zip(w, terms[row, place].tolist(), strict=True))) * mask[row, place].item()
            for place in range(4)
        ]
        assert shares[row].tolist() == pytest.approx([power / sum(powers) for power in powers], abs=1e-12)
    assert shares.sum(1).tolist() == pytest.approx([1, 1, 0], abs=1e-12)
    padded = gate(torch.cat([terms, terms[:, :2]], 1), torch.cat([mask, mask[:, :2] & False], 1))
    assert torch.equal(padded[:, :4], shares)


def test_the_gradient_is_that_of_finite_differences_also_without_words():
    gate = TermGating(2).double()
    terms = torch.randn(2, 3, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[1, 1, 0], [0, 0, 0]]).bool()
    assert torch.autograd.gradcheck(
        lambda x, w: torch.func.functional_call(gate, {"weight": w}, (x, mask)), (terms, gate.weight)
    )
    assert gate(terms, mask)[0].tolist() == [0.5, 0.5, 0]


def test_rare_words_count_more_where_the_weight_is_above_0():
    gate = TermGating()
    gate.weight.data.fill_(2.0)
    shares = gate(torch.tensor([[[6.0], [1.0]]]), torch.ones(1, 2, dtype=torch.bool))
    assert shares[0, 0].item() == pytest.approx(1 / (1 + math.exp(-10)))
    with pytest.raises(ConfigError, match="expected 1 or more"):
        TermGating(0)
