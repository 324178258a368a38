import pytest
import torch
from torch.nn import functional as F

from netsmith.layers.shortcut import PadShortcut


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_option_a_is_subsampling_and_zeros_and_keeps_the_memory_format(memory_format):
    odd = torch.randn(2, 3, 7, 5)
    assert torch.equal(PadShortcut(3, 5, stride=2)(odd), F.pad(odd[:, :, ::2, ::2], (0, 0, 0, 0, 0, 2)))
    x = torch.randn(2, 3, 8, 6).to(memory_format=memory_format)
    y = PadShortcut(3, 5, stride=2)(x)
    assert torch.equal(y, F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, 2)))
    assert y.is_contiguous(memory_format=memory_format)


def test_an_edited_source_is_followed_whichever_way_it_is_edited():
    x = torch.randn(2, 4, 4, 4)
    shortcut = PadShortcut(4, 6, stride=1)
    shortcut(x)
    want = torch.stack([x[:, 3], x[:, 1], torch.zeros(2, 4, 4)], 1)
    shortcut.source = torch.tensor([3, 1, -1])
    assert torch.equal(shortcut(x), want)
    shortcut.source.copy_(torch.tensor([0, 1, -1]))  # in place
    assert torch.equal(shortcut(x), torch.stack([x[:, 0], x[:, 1], torch.zeros(2, 4, 4)], 1))
    shortcut.load_state_dict({"source": torch.tensor([3, 1, -1])})
    assert torch.equal(shortcut(x), want)
    x.requires_grad_()
    shortcut(x).sum().backward()
    assert x.grad is not None
    assert x.grad.sum((0, 2, 3)).tolist() == [0, 32, 0, 32]


def test_it_can_be_traced_before_it_ever_ran():
    x = torch.randn(2, 3, 4, 4)
    fresh = PadShortcut(3, 5, stride=2)
    exported = torch.export.export(PadShortcut(3, 5, stride=2), (x,)).module()
    assert torch.equal(exported(x), fresh(x))
    with torch.device("meta"):
        assert PadShortcut(3, 5, stride=2)(torch.zeros(2, 3, 4, 4)).shape == (2, 5, 2, 2)
