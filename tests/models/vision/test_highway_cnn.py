import pytest
import torch

from netsmith.compress.prune import prune
from netsmith.core.errors import ConfigError
from netsmith.models.vision.highway_cnn import HighwayCNN

FACTS = {"in_channels": 1, "image_size": 28, "num_classes": 10}


def size(**fields):
    with torch.device("meta"):
        return sum(p.numel() for p in HighwayCNN.Config(**FACTS, **fields).build().parameters())


def test_the_counts():
    assert size() == 32 * 10 + 8 * 2 * (32 * 32 * 9 + 32) + 3 * 3 * 32 * 10 + 10 == 151_178  # Table 1: 151 K
    assert size(width=16) == 38_730  # 39 K
    assert size(highway=False) == 77_194


@pytest.mark.parametrize("highway", [True, False])
def test_its_layers_are_one_plain_and_eight_gated_ones_with_a_pool_after_each_third(highway):
    torch.manual_seed(0)
    model = HighwayCNN.Config(width=4, highway=highway, **FACTS).build().double()
    state = model.state_dict()
    for tensor in state.values():
        tensor.normal_().mul_(0.3)
    images = torch.randn(2, 1, 28, 28, dtype=torch.float64)

    def conv(x, name):
        return torch.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1)

    x, found = images, 2
    for stage in range(3):
        for at in (1, 2, 3):
            name = f"stages.{stage}.{'highway' if highway and (stage or at > 1) else 'conv'}{at}"
            if "highway" in name:
                t = conv(x, f"{name}.gate").sigmoid()
                x = conv(x, f"{name}.plain.conv").clamp(min=0) * t + x * (1 - t)
                found += 4
            else:
                x = conv(x, name).clamp(min=0)
                found += 2
        x = torch.max_pool2d(x, 2)
    assert len(state) == found
    assert x.shape == (2, 4, 3, 3)
    logits = x.flatten(1) @ state["head.weight"].T + state["head.bias"]
    torch.testing.assert_close(model(images), logits, rtol=0, atol=1e-12)


@pytest.mark.parametrize("highway", [True, False])
def test_surgery_cuts_it(highway):
    torch.manual_seed(0)
    config = HighwayCNN.Config(width=8, layers=(2, 2), highway=highway, in_channels=1, image_size=8, num_classes=3)
    model = config.build().double().eval()
    small, log = prune(model, torch.randn(4, 1, 8, 8, dtype=torch.float64), ratio=0.5, scope="local")
    assert log.proof[0]["error"] <= 1e-12
    assert small.head.in_features == 4 * 2 * 2


def test_bad_forms_are_refused():
    with pytest.raises(ConfigError, match=r"transform_bias=-3.0 applies to highway=True only: .* leave it out"):
        HighwayCNN.Config(highway=False, transform_bias=-3.0)
    with pytest.raises(ConfigError, match="layers needs at least one stage"):
        HighwayCNN.Config(layers=())
    with pytest.raises(ConfigError, match="7 pixels leave nothing after 3 pools; expected at least 8"):
        HighwayCNN.Config(in_channels=1, image_size=7, num_classes=2).build()
