import torch
from torch.nn import functional as F

from netsmith.layers.glimpse import glimpse
from netsmith.models.vision.deep_recurrent_attention import DeepRecurrentAttention

FACTS = {"in_channels": 1, "num_classes": 10}


def test_it_is_the_network_of_the_paper():
    """Every look by hand: gates of the two recurrent layers from their weights, no layer called."""
    torch.manual_seed(0)
    fields = {"glimpses": 2, "size": 4, "channels": (2, 3, 2), "context_channels": (2, 2, 3), "hidden_size": 5}
    model = DeepRecurrentAttention.Config(**fields, image_size=20, **FACTS).build().double()
    state = model.state_dict()
    for tensor in state.values():
        tensor.normal_(std=0.4)
    images, noise = torch.randn(2, 1, 20, 20).double(), torch.randn(2, 4, 2).double()
    looks = model.look(images, noise)

    def affine(name, x):
        return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    def convolved(name, x, stride):
        for at in (1, 2, 3):
            weight, bias = state[f"{name}.conv{at}.weight"], state[f"{name}.conv{at}.bias"]
            x = F.conv2d(x, weight, bias, stride=stride, padding=1).clamp(min=0)
        return x.flatten(1)

    def step(name, x, h, c):
        gates = x @ state[f"{name}.weight_ih"].T + state[f"{name}.bias_ih"]
        i, f, g, o = (gates + h @ state[f"{name}.weight_hh"].T + state[f"{name}.bias_hh"]).chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c

    coarse = images.view(2, 1, 5, 4, 5, 4).mean((3, 5))
    upper = affine("context_out", convolved("context", coarse, 2)).tanh()
    lower, upper_memory, lower_memory = (torch.zeros(2, 5).double() for _ in range(3))
    answers = []
    for at in range(4):
        mean = affine("policy", upper).clamp(-1, 1)
        torch.testing.assert_close(looks.means[:, at], mean, rtol=0, atol=1e-12)
        torch.testing.assert_close(looks.places[:, at], mean + noise[:, at], rtol=0, atol=1e-12)
        torch.testing.assert_close(looks.baselines[:, at], affine("baseline", upper)[:, 0], rtol=0, atol=1e-12)
        place = (mean + noise[:, at]).clamp(-1, 1)
        what = affine("what_out", convolved("what", glimpse(images, place, size=4, scales=2), 1)).clamp(min=0)
        g = what * affine("where", place).clamp(min=0)
        lower, lower_memory = step("reader", g, lower, lower_memory)
        upper, upper_memory = step("planner", lower, upper, upper_memory)
        if at % 2:
            answers.append(affine("head", affine("classifier", lower).clamp(min=0)))
    torch.testing.assert_close(looks.output, torch.stack(answers, 1), rtol=0, atol=1e-12)


def test_what_is_answered_comes_from_what_was_looked_at_alone():
    """Two images alike in what is looked at, not in what the context sees: the same answers at the same places."""
    torch.manual_seed(0)
    model = DeepRecurrentAttention.Config(objects=1, glimpses=1, scales=1, image_size=40, **FACTS).build()
    one = torch.randn(1, 1, 40, 40)
    other = one.clone()
    other[..., :10, :] = 0
    with torch.no_grad():
        model.policy.weight.zero_()
    looks = [model.look(images) for images in (one, other)]
    assert torch.equal(looks[0].output, looks[1].output)
    assert not torch.equal(looks[0].baselines, looks[1].baselines)
