"""MobileNet in both forms, against the implementation of transformers."""

import pytest
import torch
from torch import nn

import netsmith
from models.drawn import shaken
from netsmith.api.weights import adopt_weights
from netsmith.core.errors import ConfigError
from netsmith.measure.parameters import layer_table
from netsmith.models.vision.mobilenet_v1 import MobileNetV1
from netsmith.models.vision.mobilenet_v2 import MobileNetV2

FACTS = {"in_channels": 3, "num_classes": 1000}


@pytest.mark.parametrize(
    ("kind", "parameters", "macs"), [(MobileNetV1, 4_231_976, 568_740_352), (MobileNetV2, 3_504_872, 300_774_272)]
)
def test_the_counts_of_the_papers(kind, parameters, macs):
    with torch.device("meta"):
        model = kind.Config(**FACTS).build()
    rows = layer_table(model, torch.zeros(1, 3, 224, 224))
    assert sum(row.parameters for row in rows) == parameters
    assert sum(row.macs for row in rows) == macs
    assert [row for row in rows if row.type == "Conv2d"][-1].output[2] == 7


def test_a_separable_block_costs_its_share_of_a_plain_convolution():
    rows = layer_table(MobileNetV1.Config(**FACTS).build(), torch.zeros(1, 3, 224, 224))
    block = sum(row.macs for row in rows if row.name.startswith("blocks.7."))  # 512 to 512 at 14 x 14
    plain = 14**2 * 9 * 512 * 512
    assert block / plain == pytest.approx(1 / 512 + 1 / 9, rel=1e-12)
    assert round(1 / 512 + 1 / 9, 5) == 0.11306


@pytest.mark.parametrize("same", [False, True])
def test_v1_is_the_network_of_transformers_with_its_weights(same):
    modeling = pytest.importorskip("transformers.models.mobilenet_v1.modeling_mobilenet_v1")
    form = modeling.MobileNetV1Config(depth_multiplier=0.125, num_labels=5, tf_padding=same, classifier_dropout_prob=0)
    theirs = shaken(modeling.MobileNetV1ForImageClassification(form))
    ours, config = _built(MobileNetV1.Config(in_channels=3, num_classes=5, tf_padding=same).scaled(width=0.125))
    assert config.channels[:2] == (4, 8)
    wide = [layer.out_channels for layer in theirs.modules() if isinstance(layer, nn.Conv2d) and layer.groups == 1]
    ours, config = _built(config.derive(channels=tuple(wide)))  # there no layer has fewer than eight channels
    assert adopt_weights(ours, config, theirs.state_dict()) == "transformers"
    x = torch.randn(2, 3, 64, 65, dtype=torch.float64)
    torch.testing.assert_close(ours(x), theirs(x).logits, rtol=0, atol=1e-12)


@pytest.mark.parametrize("same", [False, True])
def test_v2_is_the_network_of_transformers_with_its_weights(same):
    modeling = pytest.importorskip("transformers.models.mobilenet_v2.modeling_mobilenet_v2")
    form = modeling.MobileNetV2Config(depth_multiplier=0.5, num_labels=5, tf_padding=same, finegrained_output=True)
    theirs = shaken(modeling.MobileNetV2ForImageClassification(form))
    wide = [layer.out_channels for name, layer in theirs.named_modules() if name.endswith("reduce_1x1.convolution")]
    starts = (0, 1, 3, 6, 10, 13, 16)
    ours, config = _built(
        MobileNetV2.Config(
            stem=theirs.mobilenet_v2.conv_stem.first_conv.convolution.out_channels,
            channels=tuple(wide[at] for at in starts),
            last=1280,
            norm_eps=1e-3,
            in_channels=3,
            num_classes=5,
            tf_padding=same,
        )
    )
    assert adopt_weights(ours, config, theirs.state_dict()) == "transformers"
    x = torch.randn(2, 3, 64, 65, dtype=torch.float64)
    torch.testing.assert_close(ours(x), theirs(x).logits, rtol=0, atol=1e-12)


def test_what_public_weights_may_want_is_told_until_it_is_so():
    for kind in (MobileNetV1, MobileNetV2):
        config = kind.Config(in_channels=3, num_classes=5)
        assert "symmetric padding" in config.public_doubt("transformers")
        assert not config.public_doubt("torchvision")
    assert not MobileNetV1.Config(tf_padding=True).public_doubt("transformers")
    assert "TensorFlow's padding and norm_eps=1e-05" in MobileNetV2.Config(tf_padding=True).public_doubt("transformers")
    assert not MobileNetV2.Config(tf_padding=True, norm_eps=1e-3).public_doubt("transformers")


def test_tensorflows_padding_is_exported(tmp_path):
    config = MobileNetV2.Config(in_channels=3, num_classes=5, tf_padding=True).scaled(width=0.1)
    network = netsmith.from_module(config.build(), torch.rand(1, 3, 32, 33), classes=tuple("abcde"))
    assert network.export(tmp_path / "x.onnx", exporter="fast").file == "x.onnx"


def _built(config):
    return config.build().double().eval(), config


@pytest.mark.parametrize(
    ("width", "parameters"), [(0.75, 2_636_424), (0.5, 1_968_680), (0.35, 1_677_128), (1.4, 6_108_776)]
)
def test_the_width_multiplier_gives_the_published_networks(width, parameters):
    with torch.device("meta"):
        model = MobileNetV2.Config(**FACTS).scaled(width=width).build()
    assert sum(p.numel() for p in model.parameters()) == parameters


def test_v2_takes_weights_under_torchvisions_names():
    config = MobileNetV2.Config(in_channels=3, num_classes=5).scaled(width=0.1)
    source, target = shaken(config.build()).float(), config.build()
    parts = {"expand": "0.0", "norm1": "0.1", "depthwise": "1.0", "norm2": "1.1", "project": "2", "norm3": "3"}
    first = {"depthwise": "0.0", "norm2": "0.1", "project": "1", "norm3": "2"}
    names = {"stem.conv": "features.0.0", "stem.norm": "features.0.1", "head": "classifier.1"}
    names |= {"last.conv": "features.18.0", "last.norm": "features.18.1"}
    for block in range(17):
        for ours, theirs in (first if block == 0 else parts).items():
            names[f"blocks.{block}.branch.{ours}"] = f"features.{block + 1}.conv.{theirs}"
    weights = {}
    for name, tensor in source.state_dict().items():
        layer, _, kind = name.rpartition(".")
        weights[f"{names[layer]}.{kind}"] = tensor
    assert adopt_weights(target, config, weights) == "torchvision"
    for one, other in zip(source.state_dict().values(), target.state_dict().values(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MobileNetV1.Config(strides=(1,)), "they have 14 and 1"),
        (lambda: MobileNetV1.Config(channels=(0,), strides=(1,)), "must be positive"),
        (lambda: MobileNetV2.Config(layers=(1,)), "they have 7, 7, 1, 7"),
        (lambda: MobileNetV2.Config(strides=(1, 2, 2, 2, 1, 2, 0)), "must be positive"),
    ],
)
def test_bad_forms_are_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
