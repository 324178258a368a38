import torch

from netsmith.core.roles import ModelConfig
from netsmith.models.generative.mlp_discriminator import MlpDiscriminator


def test_it_is_a_plain_perceptron_with_one_logit():
    config = MlpDiscriminator.Config(hidden=(6,), in_features=2)
    torch.manual_seed(0)
    network = config.build().double()
    assert sum(p.numel() for p in network.parameters()) == (2 * 6 + 6) + (6 + 1)
    x = torch.randn(7, 2, dtype=torch.float64)
    h = x @ network.layers[0].weight.T + network.layers[0].bias
    h = torch.where(h > 0, h, 0.2 * h)
    expected = (h @ network.layers[2].weight.T + network.layers[2].bias)[:, 0]
    torch.testing.assert_close(network(x), expected, rtol=1e-12, atol=1e-12)
    assert ModelConfig.load(config.dump()) == config
