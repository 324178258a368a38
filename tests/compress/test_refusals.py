"""What surgery cannot do it says in one line, and names the place and the cause."""

import pytest
import torch
from torch import nn

from netsmith.compress.prune import prune
from netsmith.core.errors import UnsupportedError

X = torch.randn(2, 12, generator=torch.Generator().manual_seed(0))


def test_what_goes_from_an_attention_is_one_of_two():
    with pytest.raises(UnsupportedError, match="heads must be whole or width, got 'x'"):
        prune(nn.Sequential(nn.Linear(12, 8), nn.Linear(8, 2)), X, ratio=0.5, heads="x")
