import pytest
import torch

from netsmith.layers.max_plus import max_plus_chain


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 7, 16, 17, 30])
def test_a_chain_in_blocks_is_the_recursion_step_by_step(count):
    generator = torch.Generator().manual_seed(count)
    start = torch.randn(2, 3, generator=generator, dtype=torch.float64)
    steps = torch.randn(2, count, 3, 3, generator=generator, dtype=torch.float64)
    found, values = max_plus_chain(start, steps), start
    assert found.shape == (2, count, 3)
    for at in range(count):
        values = torch.stack([(values + steps[:, at, :, j]).max(1).values for j in range(3)], 1)
        torch.testing.assert_close(found[:, at], values, rtol=0, atol=1e-12)
