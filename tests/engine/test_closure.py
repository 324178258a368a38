"""What a closure leaves behind when it is asked more than once."""

import torch
from torch import nn

from netsmith.engine.closure import counted_once


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("count", torch.zeros(()))
        self.register_buffer("wide", torch.zeros(1).expand(3))  # cannot be written

    def ask(self):
        self.count += 1
        return float(self.count)


def test_buffers_move_at_the_first_call_alone():
    module = Counting()
    ask = counted_once(module.ask, module)
    assert [ask(), ask(), ask()] == [1, 2, 2]
    assert float(module.count) == 1
