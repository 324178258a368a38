import torch

from netsmith.core.roles import ModelConfig
from netsmith.models.policy.mlp_actor_critic import MlpActorCritic

CONFIG = MlpActorCritic.Config(in_features=4, num_classes=2)


def test_two_networks_side_by_side():
    network = CONFIG.build()
    one = 4 * 64 + 64 + 64 * 64 + 64
    assert sum(p.numel() for p in network.parameters()) == 2 * one + (64 * 2 + 2) + (64 + 1)
    x = torch.randn(3, 5, 4)
    assert network(x).shape == (3, 5, 2)
    assert network.value(x).shape == (3, 5)
    gradients = torch.autograd.grad(network(x).sum(), list(network.parameters()), allow_unused=True)
    used = [gradient is not None for gradient in gradients]
    assert used == [True] * 6 + [False] * 6  # the policy does not touch the critic
    assert ModelConfig.load(CONFIG.dump()) == CONFIG


def test_weights_start_orthogonal_and_the_policy_uniform():
    torch.manual_seed(0)
    network = CONFIG.build().double()
    weight = network.actor[2].weight
    torch.testing.assert_close(weight @ weight.T, 2 * torch.eye(64).double(), rtol=0, atol=1e-5)
    shares = network(torch.randn(100, 4).double()).softmax(-1)
    assert (shares - 0.5).abs().max() < 0.01
    assert network.value(torch.randn(100, 4).double()).abs().max() > 0.1
