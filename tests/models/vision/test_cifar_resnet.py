import pytest
import torch
from torch.nn import functional as F

from netsmith.core.errors import ConfigError
from netsmith.core.registry import sizes
from netsmith.models.vision.cifar_resnet import CifarResNet

COUNTS = {
    "resnet20": 269_722,
    "resnet32": 464_154,
    "resnet44": 658_586,
    "resnet56": 853_018,
    "resnet110": 1_727_962,
    "plain20": 269_722,
    "plain56": 853_018,
}


@pytest.mark.parametrize("name", COUNTS)
def test_the_papers_sizes(name):
    entry, fields = sizes()[name]
    assert entry.name == "cifar_resnet"
    with torch.device("meta"):
        model = CifarResNet.Config(**fields, in_channels=3, num_classes=10).build()
        assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 10)
    assert sum(p.numel() for p in model.parameters()) == COUNTS[name]


def reference(w, x, blocks, *, residual):
    """The network written out over its weights, in training mode."""

    def norm(y, name):
        return F.batch_norm(y, None, None, w[f"{name}.weight"], w[f"{name}.bias"], training=True)

    y = F.relu(norm(F.conv2d(x, w["stem.conv.weight"], padding=1), "stem.norm"))
    for stage in range(3):
        for block in range(blocks):
            at, stride = f"stages.{stage}.{block}", 2 if stage and not block else 1
            z = F.relu(norm(F.conv2d(y, w[f"{at}.conv1.weight"], stride=stride, padding=1), f"{at}.norm1"))
            z = norm(F.conv2d(z, w[f"{at}.conv2.weight"], padding=1), f"{at}.norm2")
            more = z.shape[1] - y.shape[1]
            y = F.relu(z + residual * F.pad(y[:, :, ::stride, ::stride], (0, 0, 0, 0, 0, more)))
    return y.mean((2, 3)) @ w["head.weight"].T + w["head.bias"]


@pytest.mark.parametrize(("size", "residual"), [(16, True), (15, True), (15, False)])
def test_output_and_gradients_agree_with_the_network_written_out(size, residual):
    torch.manual_seed(0)
    form = {"depth": 14, "width": 4, "residual": residual}
    model = CifarResNet.Config(**form, in_channels=2, num_classes=5).build().double()
    for parameter in model.parameters():  # so that scales and shifts matter too
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    x = torch.randn(4, 2, size, size, dtype=torch.float64)
    names, weights = zip(*model.named_parameters(), strict=True)
    ours, theirs = model(x), reference(dict(zip(names, weights, strict=True)), x, blocks=2, residual=residual)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)
    ours_grad = torch.autograd.grad(ours.square().sum(), weights)
    for name, one, other in zip(names, ours_grad, torch.autograd.grad(theirs.square().sum(), weights), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-8, msg=name)


def test_landmarks_lead_to_the_last_feature_map():
    model = CifarResNet.Config(depth=8, in_channels=1, num_classes=3).build().eval()
    seen = []
    model.get_submodule(model.landmarks()["features"]).register_forward_hook(lambda *a: seen.append(a[2].shape))
    model(torch.zeros(2, 1, 28, 28))
    assert seen == [(2, 64, 7, 7)]


def test_a_depth_that_is_not_6n_plus_2_is_refused():
    with pytest.raises(ConfigError, match=r"got 21; the nearest are 20 and 26"):
        CifarResNet.Config(depth=21)


def test_stochastic_depth_skips_whole_blocks_and_scales_them_in_use():
    fields = {"depth": 8, "width": 4, "in_channels": 3, "num_classes": 10}
    torch.manual_seed(0)
    plain = CifarResNet.Config(**fields).build().eval()
    deep = CifarResNet.Config(stochastic_depth=0.5, **fields).build().eval()
    deep.load_state_dict(plain.state_dict())  # there is nothing new to save
    images = torch.randn(2, 3, 16, 16)
    for block, survival in zip((stage[0] for stage in plain.stages), (5 / 6, 4 / 6, 3 / 6), strict=True):
        block.norm2.weight.data.mul_(survival)
        block.norm2.bias.data.mul_(survival)
    assert torch.allclose(deep(images), plain(images), atol=1e-6)
    deep.train()
    skipped = torch.zeros(3)
    for _ in range(200):
        deep.zero_grad()
        deep(images).sum().backward()
        skipped += torch.tensor([float(stage[0].conv1.weight.grad is None) for stage in deep.stages])
    counted = torch.tensor([float(stage[0].norm1.num_batches_tracked) for stage in deep.stages])
    assert torch.equal(counted, 200 - skipped)
    assert torch.allclose(skipped / 200, torch.tensor([1, 2, 3]) / 6, atol=5 * 0.5 / 200**0.5)
    with pytest.raises(ConfigError, match="needs residual=true"):
        CifarResNet.Config(stochastic_depth=0.5, residual=False, **fields)
    assert "stochastic_depth" not in CifarResNet.Config(**fields).dump()
