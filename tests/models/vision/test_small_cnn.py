import pytest
import torch
from torch import nn

from netsmith.core.errors import ConfigError
from netsmith.models.vision.small_cnn import SmallCNN


def test_it_is_the_plain_stack_of_layers():
    torch.manual_seed(0)
    model = SmallCNN.Config(channels=(4, 6), depth=2, in_channels=3, num_classes=5).build().double()
    plain = []
    for inner, outer in ((3, 4), (4, 4), (4, 6), (6, 6)):
        plain += [nn.Conv2d(inner, outer, 3, padding=1, bias=False), nn.BatchNorm2d(outer), nn.ReLU()]
    plain.insert(6, nn.MaxPool2d(2))
    stack = nn.Sequential(*plain, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5)).double()
    stack.load_state_dict(dict(zip(stack.state_dict(), model.state_dict().values(), strict=True)))
    for size in (8, 9, 20):
        x = torch.randn(2, 3, size, size + 1, dtype=torch.float64)
        torch.testing.assert_close(model(x), stack(x), rtol=0, atol=1e-12)


def test_the_count_of_the_default_and_the_first_weights():
    model = SmallCNN.Config(in_channels=1, num_classes=10).build()
    assert sum(p.numel() for p in model.parameters()) == 9 * (32 + 32 * 64 + 64 * 128) + 2 * (32 + 64 + 128) + 1290
    weight = model.stages[2].conv1.weight
    assert weight.var().item() == pytest.approx(2 / (9 * 64), rel=0.03)


def test_no_stage_is_refused():
    with pytest.raises(ConfigError, match="at least one stage"):
        SmallCNN.Config(channels=())
