"""What holds for every model of the catalogue that these rooms began with."""

import pytest
import torch

from netsmith.compress.prune import prune
from netsmith.core.config import AUTO
from netsmith.core.errors import ConfigError
from netsmith.core.roles import ModelConfig

SMALL = {
    "lenet5": ({"in_channels": 1, "image_size": 28, "num_classes": 10}, (2, 1, 28, 28)),
    "lenet5_1998": ({"in_channels": 1, "image_size": 28, "num_classes": 10}, (2, 1, 28, 28)),
    "cifar_resnet": ({"in_channels": 3, "num_classes": 10}, (2, 3, 16, 16)),
    "student_net": ({"in_channels": 3, "num_classes": 10}, (2, 3, 16, 16)),
    "small_cnn": ({"in_channels": 3, "num_classes": 10}, (2, 3, 16, 16)),
    "attention_cnn": ({"in_channels": 3, "num_classes": 10}, (2, 3, 16, 16)),
    "maxout_cnn": ({"in_channels": 1, "image_size": 28, "num_classes": 10}, (2, 1, 28, 28)),
    "mobilenet_v1": ({"in_channels": 3, "num_classes": 10}, (2, 3, 32, 32)),
    "mobilenet_v2": ({"in_channels": 3, "num_classes": 10}, (2, 3, 64, 64)),
    "alexnet": ({"in_channels": 1, "image_size": 67, "num_classes": 10}, (2, 1, 67, 67)),
    "zfnet": ({"in_channels": 1, "image_size": 63, "num_classes": 10}, (2, 1, 63, 63)),
    "resnet": ({"in_channels": 3, "num_classes": 10}, (2, 3, 32, 32)),
    "vgg": ({"in_channels": 1, "image_size": 32, "num_classes": 10}, (2, 1, 32, 32)),
    "googlenet": ({"in_channels": 1, "image_size": 32, "num_classes": 10}, (2, 1, 32, 32)),
    "inception_v3": ({"in_channels": 1, "image_size": 75, "num_classes": 10}, (2, 1, 75, 75)),
    "inception_v4": ({"in_channels": 1, "image_size": 75, "num_classes": 10}, (2, 1, 75, 75)),
    "highway_cnn": ({"in_channels": 1, "image_size": 28, "num_classes": 10}, (2, 1, 28, 28)),
    "highway_net": ({"in_features": 784, "num_classes": 10}, (2, 1, 28, 28)),
    "spatial_transformer_net": ({"in_channels": 1, "image_size": 28, "num_classes": 10}, (2, 1, 28, 28)),
    "recurrent_attention": ({"in_channels": 1, "num_classes": 10}, (2, 1, 28, 28)),
    "deep_recurrent_attention": ({"in_channels": 1, "image_size": 40, "num_classes": 10}, (2, 1, 40, 40)),
    "context_module": ({"in_channels": 3, "num_classes": 10}, (2, 3, 16, 16)),
    "neocognitron": ({"in_channels": 1, "num_classes": 10}, (2, 1, 16, 16)),
    "wavenet": ({"num_classes": 10}, (2, 1, 64)),
    "mlp": ({"in_features": 8, "num_outputs": 10}, (2, 8)),
    "text_cnn": ({"vocab_size": 30, "num_classes": 10}, (2, 7)),
    "bilstm": ({"vocab_size": 30, "num_classes": 10}, (2, 7)),
    "transformer_encoder": ({"vocab_size": 30, "max_length": 9, "num_classes": 10}, (2, 7)),
    "gcn": ({"in_features": 8, "num_classes": 10}, (2, 5, 8)),
    "naive_bayes": ({"in_features": 8, "num_classes": 10}, (2, 8)),
}
THIN = {
    "cifar_resnet": {"depth": 0.4},
    "vgg": {"width": 0.25},
    "alexnet": {"width": 0.25},
    "zfnet": {"width": 0.25},
    "resnet": {"width": 0.25},
    "mobilenet_v1": {"width": 0.25},
    "mobilenet_v2": {"width": 0.5},
    "googlenet": {"width": 0.125},
    "inception_v3": {"width": 0.125, "depth": 0.5},
    "inception_v4": {"width": 0.125, "depth": 0.3},
    "highway_net": {"depth": 0.2},
}
"""Factors on networks that would take long."""
ZERO_AT_FIRST = {"spatial_transformer_net": "transformer.regressor.weight"}
"""Weights that start at zero by design, so that what lies behind them learns from the second step on."""

BY_REWARD = {
    "recurrent_attention": ("policy", "baseline"),
    "deep_recurrent_attention": ("policy", "baseline", "planner", "context", "context_out"),
}
"""Layers without a gradient from the answer: where to look is learned by reward."""
FIXED = ("lenet5", "lenet5_1998", "naive_bayes")
SEVERAL = {"gcn": 5, "deep_recurrent_attention": 2}
"""Answers of an example, where it is more than one."""


def example(kind):
    fields, shape = SMALL[kind]
    config = ModelConfig.load({"kind": kind, **fields}).scaled(**THIN.get(kind, {}))
    if "vocab_size" in fields:
        return config, torch.randint(1, fields["vocab_size"], shape)
    if kind == "gcn":
        return config, {"nodes": torch.randn(shape), "edges": torch.randint(0, shape[1], (shape[0], 6, 2))}
    return config, torch.randn(shape)


@pytest.mark.parametrize("kind", SMALL)
def test_one_seed_one_network_and_every_parameter_learns(kind):
    config, x = example(kind)
    models = []
    for _ in range(2):
        torch.manual_seed(5)
        models.append(config.build())
    for one, other in zip(models[0].state_dict().values(), models[1].state_dict().values(), strict=True):
        assert torch.equal(one, other)
    model = models[0]
    if kind in ZERO_AT_FIRST:
        weight = model.get_parameter(ZERO_AT_FIRST[kind])
        assert not weight.any()
        torch.nn.init.normal_(weight, std=0.1)
    output = model(x)
    assert output.shape == ((2, SEVERAL[kind], 10) if kind in SEVERAL else (2, 10))
    parameters = dict(model.named_parameters())
    if parameters:
        scale = torch.randn(output.shape)
        gradients = torch.autograd.grad((output * scale).sum(), list(parameters.values()), allow_unused=True)
        dead = {name for name, g in zip(parameters, gradients, strict=True) if g is None or not g.any()}
        assert dead == {name for name in parameters if name.split(".")[0] in BY_REWARD.get(kind, ())}


@pytest.mark.parametrize("kind", SMALL)
def test_its_config_survives_json_and_leaves_data_to_the_data(kind):
    config, _ = example(kind)
    assert ModelConfig.load(config.dump()) == config
    fields = SMALL[kind][0]
    default = ModelConfig.load(kind)
    assert {name for name in type(default).model_fields if getattr(default, name) == AUTO} == set(fields)


@pytest.mark.parametrize("kind", SMALL)
def test_its_landmarks_exist(kind):
    config, _ = example(kind)
    model = config.build()
    for name in model.landmarks().values():
        model.get_submodule(name)


def size(config):
    with torch.device("meta"):
        return sum(tensor.numel() for tensor in config.build().state_dict().values())


@pytest.mark.parametrize("kind", [kind for kind in SMALL if kind not in FIXED])
def test_it_can_be_scaled(kind):
    config, x = example(kind)
    assert config.scaled() == config
    half = config.scaled(width=0.5)
    assert 0.2 * size(config) < size(half) < 0.75 * size(config)
    assert half.build()(x).shape == config.build()(x).shape
    if not config.depths:
        with pytest.raises(ConfigError, match=f"{kind} has no depth to scale"):
            config.scaled(depth=2)
        return
    deep = config.scaled(depth=3)
    assert size(deep) > 1.2 * size(config)
    assert deep.build()(x).shape == config.build()(x).shape
    assert size(config.scaled(width=0.01, depth=0.01)) > 0


@pytest.mark.parametrize(
    "kind", ["vgg", "alexnet", "zfnet", "resnet", "mobilenet_v1", "mobilenet_v2", "deep_recurrent_attention"]
)
def test_surgery_cuts_it(kind):
    config, x = example(kind)
    network = config.build()
    small, log = prune(network, x, ratio=0.5, scope="local")
    assert log.proof[0]["error"] <= 1e-12
    before, after = (sum(p.numel() for p in net.parameters()) for net in (network, small))
    assert after < (0.85 if kind in ("alexnet", "zfnet") else 0.4) * before  # what they normalize across stays whole


def test_scaled_numbers_are_those_that_a_kind_takes():
    resnet = ModelConfig.load({"kind": "cifar_resnet", "depth": 20})
    assert [resnet.scaled(depth=factor).depth for factor in (0.1, 0.5, 1, 1.5, 2)] == [8, 14, 20, 26, 38]
    encoder = ModelConfig.load({"kind": "transformer_encoder", "size": 24, "num_heads": 3})
    assert [encoder.scaled(width=factor).size for factor in (0.1, 0.5, 1.2)] == [6, 12, 30]
    mlp = ModelConfig.load({"kind": "mlp", "hidden": [40, 20]})
    assert [mlp.scaled(depth=factor).hidden for factor in (0.5, 1.5, 2)] == [(40,), (40, 40, 20), (40, 40, 20, 20)]
    assert mlp.scaled(depth=2, width=0.5).hidden == (20, 20, 10, 10)


@pytest.mark.parametrize("kind", FIXED)
def test_a_fixed_form_is_not_scaled(kind):
    with pytest.raises(ConfigError, match=f"{kind} has no width to scale; its form is fixed"):
        example(kind)[0].scaled(width=0.5)
    for factor in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match="expected a factor above 0"):
            example("mlp")[0].scaled(width=factor)
