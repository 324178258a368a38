import pytest
import torch
from torch import nn

from models.drawn import shaken
from netsmith.api.weights import adopt_weights
from netsmith.core.errors import ConfigError
from netsmith.core.registry import config_in, sizes
from netsmith.core.roles import ModelConfig
from netsmith.measure.parameters import layer_table
from netsmith.models.vision.resnet import ResNet

FACTS = {"in_channels": 3, "num_classes": 1000}


@pytest.mark.parametrize(
    ("name", "parameters", "gmacs"),
    [
        ("resnet18", 11_689_512, 1.814),
        ("resnet34", 21_797_672, 3.664),
        ("resnet50", 25_557_032, 4.089),
        ("resnet101", 44_549_160, 7.801),
        ("resnet152", 60_192_808, 11.514),
    ],
)
def test_the_counts_of_the_papers_sizes(name, parameters, gmacs):
    entry, form = sizes()[name]
    with torch.device("meta"):
        model = config_in(entry.module, ModelConfig)(**form, **FACTS).build()
    rows = layer_table(model, torch.zeros(1, 3, 224, 224))
    assert sum(row.parameters for row in rows) == sum(p.numel() for p in model.parameters()) == parameters
    assert round(sum(row.macs for row in rows) / 1e9, 3) == gmacs
    maps = [row.output[2] for row in rows if row.type == "Conv2d" and "shortcut" not in row.name]
    assert sorted(set(maps), reverse=True) == [112, 56, 28, 14, 7]  # Table 1


@pytest.mark.parametrize(("block", "layers"), [("basic", (2, 1)), ("bottleneck", (1, 2))])
def test_it_is_the_network_of_transformers_with_its_weights(block, layers):
    modeling = pytest.importorskip("transformers.models.resnet.modeling_resnet")
    expansion = 4 if block == "bottleneck" else 1
    theirs = modeling.ResNetForImageClassification(
        modeling.ResNetConfig(
            embedding_size=8,
            hidden_sizes=[8 * expansion, 16 * expansion],
            depths=list(layers),
            layer_type=block,
            downsample_in_first_stage=False,
            num_labels=5,
        )
    )
    theirs = shaken(theirs)
    config = ResNet.Config(block=block, layers=layers, width=8, in_channels=3, num_classes=5)
    ours = config.build().double().eval()
    assert adopt_weights(ours, config, theirs.state_dict()) == "transformers"
    x = torch.randn(2, 3, 41, 40, dtype=torch.float64)
    torch.testing.assert_close(ours(x), theirs(x).logits, rtol=0, atol=1e-12)


class _Torchvision(nn.Module):
    """Torchvision's bottleneck network, written from its names and figure alone."""

    class Block(nn.Module):
        def __init__(self, i, w, stride):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(i, w, 1, bias=False), nn.BatchNorm2d(w)
            self.conv2, self.bn2 = nn.Conv2d(w, w, 3, stride, 1, bias=False), nn.BatchNorm2d(w)
            self.conv3, self.bn3 = nn.Conv2d(w, 4 * w, 1, bias=False), nn.BatchNorm2d(4 * w)
            self.downsample = None
            if stride != 1 or i != 4 * w:
                self.downsample = nn.Sequential(nn.Conv2d(i, 4 * w, 1, stride, bias=False), nn.BatchNorm2d(4 * w))

        def forward(self, x):
            y = self.bn1(self.conv1(x)).relu()
            y = self.bn2(self.conv2(y)).relu()
            y = self.bn3(self.conv3(y))
            return (y + (x if self.downsample is None else self.downsample(x))).relu()

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = nn.Sequential(self.Block(8, 8, 1), self.Block(32, 8, 1))
        self.layer2 = nn.Sequential(self.Block(32, 16, 2), self.Block(64, 16, 1))
        self.fc = nn.Linear(64, 5)

    def forward(self, x):
        x = self.maxpool(self.bn1(self.conv1(x)).relu())
        return self.fc(self.layer2(self.layer1(x)).mean((2, 3)))


def test_it_takes_weights_under_torchvisions_names():
    theirs = shaken(_Torchvision())
    config = ResNet.Config(block="bottleneck", layers=(2, 2), width=8, in_channels=3, num_classes=5)
    ours = config.build().double().eval()
    weights = {name: tensor for name, tensor in theirs.state_dict().items() if "num_batches" not in name}  # as of old
    assert adopt_weights(ours, config, weights) == "torchvision"
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=1e-12)
    before = {name: tensor.clone() for name, tensor in ours.state_dict().items()}
    del weights["layer2.0.bn2.weight"]
    weights["fc.weight"] = torch.zeros(7, 64)
    expected = r"nearest are those of torchvision: missing stages.1.0.branch.norm2.weight; head.weight is \(7, 64\), ex"
    with pytest.raises(ConfigError, match=expected):
        adopt_weights(ours, config, weights)
    assert all(torch.equal(tensor, before[name]) for name, tensor in ours.state_dict().items())
    assert adopt_weights(ours, config, before) == "netsmith"


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
def test_pre_activation_against_the_network_written_out(block):
    config = ResNet.Config(
        block=block, layers=(1, 2), width=4, stem="small", preactivation=True, in_channels=2, num_classes=3
    )
    model = shaken(config.build())
    w = model.state_dict()

    def activated(x, name):
        statistics = (w[f"{name}.running_mean"], w[f"{name}.running_var"])
        return nn.functional.batch_norm(x, *statistics, w[f"{name}.weight"], w[f"{name}.bias"]).relu()

    x = torch.randn(2, 2, 9, 9, dtype=torch.float64)
    y = activated(nn.functional.conv2d(x, w["stem.conv.weight"], padding=1), "stem.norm")  # before both ways part
    kernels = {"basic": (3, 3), "bottleneck": (1, 3, 1)}[block]
    for stage, blocks in enumerate(config.layers):
        for at in range(blocks):
            name, stride = f"stages.{stage}.{at}", 2 if stage and not at else 1
            first = z = y if (stage, at) == (0, 0) else activated(y, f"{name}.before.norm1")
            for number, kernel in enumerate(kernels, start=1):
                if number > 1:
                    z = activated(z, f"{name}.branch.norm{number}")
                step = stride if number == kernels.index(3) + 1 else 1
                z = nn.functional.conv2d(z, w[f"{name}.branch.conv{number}.weight"], stride=step, padding=kernel // 2)
            shortcut = w.get(f"{name}.shortcut.conv.weight")
            y = z + (y if shortcut is None else nn.functional.conv2d(first, shortcut, stride=stride))
    y = activated(y, "last.norm").mean((2, 3)) @ w["head.weight"].T + w["head.bias"]
    torch.testing.assert_close(model(x), y, rtol=0, atol=1e-12)


def test_the_plain_network_has_no_shortcut():
    config = ResNet.Config(layers=(1, 1), width=4, stem="small", residual=False, in_channels=2, num_classes=3)
    model = shaken(config.build())
    assert not [name for name in model.state_dict() if "shortcut" in name]
    x = torch.randn(2, 2, 8, 8, dtype=torch.float64)
    y = model.stem(x)
    for stage in model.stages:
        y = stage[0].branch(y).relu()
    torch.testing.assert_close(model(x), model.head(y.mean((2, 3))), rtol=0, atol=1e-12)


def test_a_stage_without_blocks_is_refused():
    with pytest.raises(ConfigError, match=r"each of at least one block, got \(2, 0\)"):
        ResNet.Config(layers=(2, 0))
