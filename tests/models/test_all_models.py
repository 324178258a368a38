"""What holds for every model of the catalogue that these rooms began with."""

import pytest
import torch

from netsmith.core.config import AUTO
from netsmith.core.roles import ModelConfig

SMALL = {
    "lenet5": ({"in_channels": 1, "image_size": 28, "num_classes": 10}, (2, 1, 28, 28)),
    "cifar_resnet": ({"depth": 8, "in_channels": 3, "num_classes": 10}, (2, 3, 16, 16)),
    "student_net": ({"in_channels": 3, "num_classes": 10}, (2, 3, 16, 16)),
    "small_cnn": ({"in_channels": 3, "num_classes": 10}, (2, 3, 16, 16)),
    "mlp": ({"in_features": 8, "num_outputs": 10}, (2, 8)),
    "text_cnn": ({"vocab_size": 30, "num_classes": 10}, (2, 7)),
    "bilstm": ({"vocab_size": 30, "num_classes": 10}, (2, 7)),
    "transformer_encoder": ({"vocab_size": 30, "max_length": 9, "num_classes": 10}, (2, 7)),
    "gcn": ({"in_features": 8, "num_classes": 10}, (2, 5, 8)),
    "naive_bayes": ({"in_features": 8, "num_classes": 10}, (2, 8)),
}


def example(kind):
    fields, shape = SMALL[kind]
    config = ModelConfig.load({"kind": kind, **fields})
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
    output = model(x)
    assert output.shape == ((2, 5, 10) if kind == "gcn" else (2, 10))
    parameters = dict(model.named_parameters())
    if parameters:
        scale = torch.randn(output.shape)
        gradients = torch.autograd.grad((output * scale).sum(), list(parameters.values()), allow_unused=True)
        dead = [name for name, g in zip(parameters, gradients, strict=True) if g is None or not g.any()]
        assert dead == []


@pytest.mark.parametrize("kind", SMALL)
def test_its_config_survives_json_and_leaves_data_to_the_data(kind):
    config, _ = example(kind)
    assert ModelConfig.load(config.dump()) == config
    fields = SMALL[kind][0]
    default = ModelConfig.load(kind)
    assert {name for name in type(default).model_fields if getattr(default, name) == AUTO} == set(fields) - {"depth"}


@pytest.mark.parametrize("kind", SMALL)
def test_its_landmarks_exist(kind):
    config, _ = example(kind)
    model = config.build()
    for name in model.landmarks().values():
        model.get_submodule(name)
