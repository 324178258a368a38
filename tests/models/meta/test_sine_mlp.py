import torch

from netsmith.core.roles import ModelConfig
from netsmith.models.meta.sine_mlp import SineMlp


def test_the_papers_network():
    network = SineMlp.Config(in_features=1, num_outputs=1).build()
    assert sum(p.numel() for p in network.parameters()) == 40 + 40 + 40 * 40 + 40 + 40 + 1
    assert network(torch.zeros(3, 5, 1)).shape == (3, 5, 1)


def test_truncated_normal_start():
    torch.manual_seed(0)
    config = SineMlp.Config(hidden=(400, 400), truncated_normal=True, in_features=1, num_outputs=1)
    network = config.build()
    weight = network.layers[2].weight
    assert weight.abs().max() <= 0.02
    assert (
        abs(float(weight.detach().std()) - 0.0088) < 1e-4
    )  # a normal cut at two deviations keeps 0.88 of its deviation
    assert all(
        float(layer.bias.detach().abs().sum()) == 0 for layer in network.layers if isinstance(layer, torch.nn.Linear)
    )
    assert ModelConfig.load(config.dump()) == config
