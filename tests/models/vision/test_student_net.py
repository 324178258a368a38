import itertools

import pytest
import torch
from torch.nn import functional as F

from netsmith.core.errors import ConfigError
from netsmith.models.vision.student_net import StudentNet


def build(**fields):
    torch.manual_seed(0)
    return StudentNet.Config(in_channels=1, num_classes=10, **fields).build()


@pytest.mark.parametrize("activate", [False, True])
def test_the_count_by_formula(activate):
    channels = (16, 32, 64, 128)
    want = 9 * 16 + 2 * 16
    for n, m in itertools.pairwise(channels):
        want += 9 * n + 2 * n + n * m + (2 * m if activate else m)  # depthwise, norm, pointwise, bias or norm
    want += 128 * 10 + 10
    assert sum(p.numel() for p in build(activate_pointwise=activate).parameters()) == want


def test_a_block_costs_one_over_n_plus_one_ninth():
    block = build(channels=(64, 128), pools=()).blocks[0]
    cost = block.depthwise.weight.numel() + block.pointwise.weight.numel()
    assert cost / (9 * 64 * 128) == pytest.approx(1 / 128 + 1 / 9, rel=1e-12)


@pytest.mark.parametrize(
    "fields",
    [
        {"channels": (4, 6, 8), "pools": (0, 2)},
        {"channels": (4, 6), "pools": (), "stem_stride": 2, "activate_pointwise": True},
        {"channels": (4, 6, 8), "pools": (1,), "activation": "relu", "activate_pointwise": True},
    ],
)
def test_it_computes_what_it_says(fields):
    model = build(**fields).double()
    w = dict(model.named_parameters())
    activation = F.relu if fields.get("activation") == "relu" else F.relu6

    def norm(y, name):
        return activation(F.batch_norm(y, None, None, w[f"{name}.weight"], w[f"{name}.bias"], training=True))

    x = torch.randn(3, 1, 11, 13, dtype=torch.float64)
    y = norm(F.conv2d(x, w["stem.conv.weight"], stride=fields.get("stem_stride", 1), padding=1), "stem.norm")
    if 0 in fields["pools"]:
        y = F.max_pool2d(y, 2)
    for place in range(1, len(fields["channels"])):
        at = f"blocks.{place - 1}"
        channels = [
            F.conv2d(y[:, c : c + 1], w[f"{at}.depthwise.weight"][c : c + 1], padding=1) for c in range(y.shape[1])
        ]
        y = norm(torch.cat(channels, 1), f"{at}.norm")
        y = torch.einsum("oi,bihw->bohw", w[f"{at}.pointwise.weight"][:, :, 0, 0], y)
        if fields.get("activate_pointwise"):
            y = norm(y, f"{at}.pointwise_norm")
        else:
            y = y + w[f"{at}.pointwise.bias"][:, None, None]
        if place in fields["pools"]:
            y = F.max_pool2d(y, 2)
    torch.testing.assert_close(model(x), model.head(y.mean((2, 3))), rtol=0, atol=1e-10)


def test_pools_outside_the_network_are_refused():
    with pytest.raises(ConfigError, match=r"different places in 0..1, got \(2,\)"):
        build(channels=(4, 8), pools=(2,))
