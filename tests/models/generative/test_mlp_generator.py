import torch

from netsmith.core.roles import ModelConfig
from netsmith.models.generative.mlp_generator import MlpGenerator


def test_it_is_a_plain_perceptron():
    config = MlpGenerator.Config(latent_size=3, hidden=(5, 4), num_outputs=2)
    torch.manual_seed(0)
    network = config.build().double()
    assert sum(p.numel() for p in network.parameters()) == (3 * 5 + 5) + (5 * 4 + 4) + (4 * 2 + 2)
    x = torch.randn(7, 3, dtype=torch.float64)
    first, second, last = (layer for layer in network.layers if isinstance(layer, torch.nn.Linear))
    h = (x @ first.weight.T + first.bias).clamp_min(0)
    h = (h @ second.weight.T + second.bias).clamp_min(0)
    torch.testing.assert_close(network(x), h @ last.weight.T + last.bias, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(network(x)[2:3], network(x[2:3]), rtol=1e-12, atol=1e-12)
    assert ModelConfig.load(config.dump()) == config
