import pytest
import torch
from torch import nn
from torch.nn import functional as F

import netsmith
from netsmith.compress.prune import prune
from netsmith.core.errors import ConfigError
from netsmith.models.vision.spatial_transformer_net import SpatialTransformerNet

FACTS = {"in_channels": 1, "image_size": 42, "num_classes": 10}


def size(**fields):
    with torch.device("meta"):
        return sum(p.numel() for p in SpatialTransformerNet.Config(**FACTS | fields).build().parameters())


def test_the_counts():
    classifier = 32 * 81 + 32 + 32 * 32 * 49 + 32
    assert size(transformer=False) == classifier + 32 * 5 * 5 * 10 + 10 == 60_842
    localization = 20 * 25 + 20 + 20 * 20 * 25 + 20
    assert size() - size(transformer=False) == localization + 20 * 4 * 4 * 6 + 6 == 12_466
    assert size(transformation="attention") - size(transformer=False) == localization + 20 * 4 * 4 * 3 + 3
    # 28 x 28: one pixel is left to the localization network
    small = size(image_size=28) - size(image_size=28, transformer=False)
    assert small == localization + 20 * 6 + 6


@pytest.mark.parametrize("transformation", ["affine", "attention"])
def test_it_is_the_network_of_the_paper(transformation):
    torch.manual_seed(0)
    fields = {"in_channels": 2, "image_size": 31, "num_classes": 4, "channels": (3, 5), "localization_channels": (4, 3)}
    model = SpatialTransformerNet.Config(transformation=transformation, **fields).build().double()
    state = model.state_dict()
    for name, tensor in state.items():
        tensor.normal_(std=0.1 if "regressor.weight" in name else 0.3)
    images = torch.randn(3, 2, 31, 31, dtype=torch.float64)

    def conv(x, name):
        return F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"]).clamp(min=0)

    def linear(x, name):
        return x.flatten(1) @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    def halved(x):
        return x.unfold(2, 2, 2).unfold(3, 2, 2).amax((4, 5))

    x = halved(conv(halved(images), "transformer.localization.conv1"))
    theta = linear(conv(x, "transformer.localization.conv2"), "transformer.regressor")
    if transformation == "attention":
        (s, x, y), zero = theta.T, torch.zeros(3)
        theta = torch.stack([s, zero, x, zero, s, y], 1)
    grid = F.affine_grid(theta.view(3, 2, 3), [3, 2, 31, 31], align_corners=False)
    x = F.grid_sample(images, grid, align_corners=False)
    x = halved(conv(halved(conv(x, "features.conv1")), "features.conv2"))
    torch.testing.assert_close(model(images), linear(x, "head"), rtol=0, atol=1e-11)
    assert float((theta - theta[0]).abs().max()) > 0.05


def test_a_fresh_one_is_its_own_control():
    models = []
    for transformer in (True, False):
        torch.manual_seed(3)
        models.append(SpatialTransformerNet.Config(**FACTS, transformer=transformer).build().eval())
    with_it, alone = models
    for name, tensor in alone.state_dict().items():
        assert torch.equal(with_it.state_dict()[name], tensor)
    last = with_it.transformer.localization.conv2.weight.detach()
    features = with_it.transformer.regressor.in_features
    assert float(last.var()) * 500 * features == pytest.approx(2, rel=0.06)  # He, over the root of what it feeds
    images = torch.rand(4, 1, 42, 42)
    torch.testing.assert_close(with_it(images), alone(images), rtol=0, atol=1e-5)
    nn.init.normal_(with_it.transformer.regressor.weight, std=0.1)
    assert float((with_it(images) - alone(images)).detach().abs().max()) > 1e-2


def test_it_learns_to_look_where_the_blob_is():
    """Blobs lie anywhere; the loss wants them in the middle, and says nothing of where they are."""
    torch.manual_seed(0)
    config = SpatialTransformerNet.Config(
        in_channels=1, image_size=28, num_classes=2, transformation="attention", localization_channels=(8, 8)
    )
    transformer = config.build().transformer
    y, x = torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="ij")

    def blobs(places):
        away = (y - places[:, 0, None, None]).square() + (x - places[:, 1, None, None]).square()
        return (-away / 18).exp()[:, None]

    images = blobs(14 + 8 * (torch.rand(64, 2) - 0.5))
    middle = blobs(torch.full((1, 2), 13.5))
    optimizer = torch.optim.Adam(transformer.parameters(), lr=3e-3)
    errors = []
    for _ in range(60):
        error = (transformer(images) - middle).square().sum((1, 2, 3)).mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        errors.append(float(error.detach()))
    assert errors[-1] < 0.25 * errors[0]


def test_it_is_exported_with_its_sampler(tmp_path):
    torch.manual_seed(0)
    model = SpatialTransformerNet.Config(**FACTS | {"image_size": 28}, transformation="attention").build()
    nn.init.normal_(model.transformer.regressor.weight, std=0.1)
    network = netsmith.from_module(model, torch.rand(3, 1, 28, 28), classes=[str(digit) for digit in range(10)])
    assert 0 < network.export(tmp_path / "model.onnx").error < 1e-4


@pytest.mark.parametrize("fields", [{}, {"transformation": "attention"}, {"transformer": False}])
def test_surgery_cuts_it(fields):
    torch.manual_seed(0)
    config = SpatialTransformerNet.Config(in_channels=1, image_size=28, num_classes=3, channels=(8, 8), **fields)
    if config.transformer:
        config = config.derive(localization_channels=(4, 4))
    model = config.build().double().eval()
    if config.transformer:
        nn.init.normal_(model.transformer.regressor.weight, std=0.1)
    small, log = prune(model, torch.randn(3, 1, 28, 28, dtype=torch.float64), ratio=0.5, scope="local")
    assert log.proof[0]["error"] <= 1e-12
    kept = {name: p.shape[0] for name, p in small.named_parameters() if name.endswith("weight")}
    wanted = {"features.conv1": 4, "features.conv2": 4, "head": 3}
    if config.transformer:  # theta keeps all its numbers
        theta = 3 if "transformation" in fields else 6
        wanted |= {"localization.conv1": 2, "localization.conv2": 2, "regressor": theta}
    assert {name.removeprefix("transformer.").removesuffix(".weight"): n for name, n in kept.items()} == wanted


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"image_size": 27}, "expected at least 28, got 27; enlarge the images; transformer=False takes 24"),
        ({"image_size": 23, "transformer": False}, "expected at least 24, got 23; enlarge the images$"),
        ({"transformer": False, "transformation": "attention"}, "transformation='attention' applies to transformer=Tr"),
        ({"transformer": False, "localization_rate": 0.5}, "localization_rate=0.5 applies to transformer=True only"),
        ({"transformer": False, "localization_channels": (4, 4)}, r"localization_channels=\(4, 4\) applies to tr"),
        ({"transformation": "spline"}, "transformation: .*'affine' or 'attention'"),
        ({"channels": (8, 0)}, "channels.1: .*greater than or equal to 1"),
    ],
)
def test_bad_forms_are_refused(fields, message):
    with pytest.raises(ConfigError, match=message):
        SpatialTransformerNet.Config(**FACTS | fields).build()


@pytest.mark.parametrize(("transformer", "least"), [(True, 28), (False, 24)])
def test_the_smallest_images_are_taken(transformer, least):
    fields = FACTS | {"image_size": least, "transformer": transformer}
    assert SpatialTransformerNet.Config(**fields).build()(torch.zeros(1, 1, least, least)).shape == (1, 10)


def test_the_control_is_scaled_too():
    control = SpatialTransformerNet.Config(**FACTS, transformer=False)
    assert control.scaled(width=0.5) == control.derive(channels=(16, 16))
