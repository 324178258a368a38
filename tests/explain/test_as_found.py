"""A module is left exactly as it was found, and what does not apply is refused in words that help."""

from functools import partial

import pytest
import torch
from torch import nn

from netsmith.core.errors import UnknownNameError, UnsupportedError, UserError
from netsmith.explain.embeddings import (
    embedding_gradients,
    embedding_integrated_gradients,
    embedding_saliency,
    embedding_smooth_grad,
)
from netsmith.explain.grad_cam import grad_cam, spatial_layers
from netsmith.explain.guided import guided_backprop
from netsmith.explain.integrated_gradients import integrated_gradients
from netsmith.explain.lime import kernel_shap, lime
from netsmith.explain.occlusion import occlusion
from netsmith.explain.prototypes import activation_maximization, features_at
from netsmith.explain.saliency import gradient, heat_maps, saliency, smooth_grad
from netsmith.explain.sanity import pixel_curve, randomization_check
from netsmith.explain.segments import grid_segments
from netsmith.explain.shapley import shapley_values


def generator():
    return torch.Generator().manual_seed(0)


METHODS = {
    "saliency": lambda net, x: saliency(net, x, 1),
    "smooth_grad": lambda net, x: smooth_grad(net, x, 1, generator=generator(), samples=2),
    "guided_backprop": lambda net, x: guided_backprop(net, x, 1),
    "integrated_gradients": lambda net, x: integrated_gradients(net, x, 1, nodes=3),
    "grad_cam": lambda net, x: grad_cam(net, x, 1, layer="features.4"),
    "occlusion": lambda net, x: occlusion(net, x, 1, window=4),
    "shapley": lambda net, x: shapley_values(
        net, x, 1, segments=grid_segments(8, 8, cells=2), orders=4, generator=generator()
    ),
    "lime": lambda net, x: lime(net, x, 1, segments=grid_segments(8, 8, cells=2), samples=5, generator=generator()),
    "kernel_shap": lambda net, x: kernel_shap(
        net, x, 1, segments=grid_segments(8, 8, cells=2), samples=8, generator=generator()
    ),
    "features_at": lambda net, x: features_at(net, x, layer="pool"),
    "prototypes": lambda net, x: activation_maximization(
        net, [0, 1], start=0.5, shape=x.shape[1:], generator=generator(), steps=3
    ),
    "spatial_layers": spatial_layers,
    "pixel_curve": lambda net, x: pixel_curve(net, x, 1, attributions=x[:, 0], mode="deletion", steps=2),
    "randomization": lambda net, x: randomization_check(net, lambda m: saliency(m, x, 1), generator=generator()),
}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("failing", [False, True])
def test_module_is_left_as_found(net, images, name, failing):
    net.train()
    net.features[0].eval()
    net.head.weight.requires_grad_(False)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    modes = [part.training for part in net.modules()]
    state = torch.get_rng_state()
    broken = net.head.register_forward_pre_hook(lambda _m, _x: 1 / 0) if failing else None
    hooks = [list(part._forward_hooks) for part in net.modules()]
    if failing:
        with pytest.raises(ZeroDivisionError):
            METHODS[name](net, images)
        broken.remove()
    else:
        METHODS[name](net, images)
    assert [part.training for part in net.modules()] == modes
    assert [list(part._forward_hooks) for part in net.modules()] == hooks
    assert [p.requires_grad for n, p in net.named_parameters() if n != "head.weight"] == [True] * 7
    assert not net.head.weight.requires_grad
    assert all(parameter.grad is None for parameter in net.parameters())
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert not images.requires_grad


def test_gradients_are_found_under_no_grad_inference_mode_and_frozen_parameters(net, images):
    wanted = gradient(net, images, 1)
    cam = grad_cam(net, images, 1, layer="features.0")
    net.requires_grad_(False)
    with torch.no_grad():
        assert torch.equal(gradient(net, images, 1), wanted)
        assert torch.equal(grad_cam(net, images, 1, layer="features.0"), cam)
    with torch.inference_mode():
        assert torch.equal(gradient(net, images, 1), wanted)


def test_no_target_means_the_predicted_class(net, images):
    predicted = net(images).argmax(1)
    assert torch.equal(saliency(net, images), saliency(net, images, predicted))
    ours = integrated_gradients(net, images, nodes=9).attributions
    assert torch.equal(ours, integrated_gradients(net, images, predicted, nodes=9).attributions)


def test_one_value_per_example_needs_no_target():
    linear = nn.Linear(4, 1).double()
    rows = torch.randn(3, 4, dtype=torch.float64, generator=generator())
    wanted = linear.weight.detach().expand(3, 4)
    assert torch.equal(gradient(linear, rows), wanted)
    assert torch.equal(gradient(nn.Sequential(linear, nn.Flatten(0)), rows), wanted)


def test_grad_cam_names_the_layers_that_would_do(net, images):
    assert spatial_layers(net, images[:1]) == [f"features.{index}" for index in range(6)] + ["features"]
    with pytest.raises(UnsupportedError, match=r"layer 'head' gave \(3, 3\); these would do: .*features\.5, features"):
        grad_cam(net, images, layer="head")
    with pytest.raises(UnsupportedError, match=r"'pool' gave \(3, 6, 1, 1\); these would do"):
        grad_cam(net, images, layer="pool")
    with pytest.raises(UnknownNameError, match=r"no layer named 'feature\.4'; did you mean 'features\.4'"):
        grad_cam(net, images, layer="feature.4")
    flat = nn.Sequential(nn.Flatten(), nn.Linear(128, 3)).double()
    with pytest.raises(UnsupportedError, match="this module has no such layer"):
        grad_cam(flat, images, layer="1")


def test_a_layer_that_runs_twice_or_returns_a_tuple_is_refused(token_net, token_batch):
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(2, 2, 3, padding=1)

        def forward(self, x):
            return self.conv(self.conv(x)).mean((2, 3))

    with pytest.raises(UnsupportedError, match="2 outputs in one pass"):
        grad_cam(Twice(), torch.zeros(1, 2, 4, 4), layer="conv")
    with pytest.raises(UnsupportedError, match="a tuple"):
        embedding_gradients(token_net, token_batch, layer="mix")
    with pytest.raises(UnknownNameError, match="did you mean 'embedding'"):
        embedding_gradients(token_net, token_batch, layer="embeding")
    shorter = {name: part[:, :3] for name, part in token_batch.items()}
    with pytest.raises(UserError, match=r"baselines embed to \(4, 3, 5\); expected \(4, 6, 5\)"):
        embedding_integrated_gradients(token_net, token_batch, layer="embedding", baselines=shorter)


class _TimeFirst(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(9, 4)
        self.mix = nn.GRU(4, 5)
        self.head = nn.Linear(5, 3)

    def forward(self, tokens):
        return self.head(self.mix(self.embedding(tokens.t()))[0][-1])


@pytest.mark.parametrize(
    "explain",
    [
        embedding_gradients,
        embedding_saliency,
        embedding_integrated_gradients,
        partial(embedding_smooth_grad, generator=generator()),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 6])
def test_embeddings_of_the_first_words_of_all_texts_are_not_taken_for_a_text(explain, size):
    tokens = torch.randint(9, (size, 6), generator=generator())
    with pytest.raises(UnsupportedError, match=r"'embedding' returns \(6, \d+, 4\) for .*expected \(B, L, D\)"):
        explain(_TimeFirst(), tokens, layer="embedding")
    with pytest.raises(UnsupportedError, match=r"'embedding' returns \(1, (\d+), 4\) for a batch of \1;"):
        explain(_TimeFirst(), tokens[:1, :1], layer="embedding")


def test_as_many_texts_as_words_are_refused_before_the_module_works_on_them():
    class Masked(_TimeFirst):
        def forward(self, tokens):
            x = self.embedding(tokens.t()) * (tokens.t() != 0)[..., None]
            return self.head(self.mix(x)[0][-1])

    tokens = torch.randint(9, (6, 6), generator=generator())
    for targets in (None, 1):
        with pytest.raises(UnsupportedError, match=r"'embedding' returns \(6, \d+, 4\) for .*expected \(B, L, D\)"):
            embedding_smooth_grad(Masked(), tokens, targets, layer="embedding", generator=generator())


def test_smooth_grad_runs_the_module_whole_and_once_for_the_embeddings():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.head, self.rows = nn.Embedding(9, 4), nn.Linear(4, 3), []

        def forward(self, tokens):
            x = self.embedding(tokens)
            x *= 2.0  # in place, right behind the layer
            self.rows.append(len(tokens))
            return self.head(x.tanh().mean(1)) + (self.embedding(tokens).mean() if tokens.shape[1] == 3 else 0)

    module, tokens = Scaled().double(), torch.randint(9, (4, 5), generator=generator())
    smooth = partial(embedding_smooth_grad, module, tokens, layer="embedding", samples=6)
    predicted = module(tokens).argmax(1)
    module.rows.clear()
    given = smooth(predicted, generator=generator())
    assert module.rows == [4, 24]
    assert torch.equal(smooth(None, generator=generator()), given)
    assert torch.equal(smooth(1, generator=generator()), smooth(torch.full((4,), 1), generator=generator()))
    assert module.rows == [4, 24] * 4
    assert smooth(predicted, generator=generator(), rows=4).shape == (4, 5)
    with pytest.raises(UserError, match="target 3 is no class of this module; it returns 3"):
        smooth(3, generator=generator())
    for targets in (None, 0):
        with pytest.raises(UnsupportedError, match="'embedding' runs 2 times in one pass"):
            embedding_smooth_grad(module, tokens[:, :3], targets, layer="embedding", generator=generator())
        with pytest.raises(UserError, match="samples is 0"):
            smooth(targets, generator=generator(), samples=0)
    assert not module.embedding._forward_hooks


def test_bad_input_is_refused_with_what_was_received(net, images):
    with pytest.raises(UserError, match="target 3 is no class of this module; it returns 3"):
        saliency(net, images, 3)
    with pytest.raises(UserError, match=r"targets have shape \(2,\); expected \(3,\)"):
        saliency(net, images, torch.tensor([0, 1]))
    with pytest.raises(UserError, match=r"torch\.float32; expected class numbers"):
        saliency(net, images, torch.zeros(3))
    with pytest.raises(UserError, match=r"inputs are torch\.int64"):
        saliency(net, images.long(), 0)
    with pytest.raises(UserError, match="inputs are tuple"):
        occlusion(net, (images,), 0, window=2)
    with pytest.raises(UnsupportedError, match=r"returned \(3, 6, 4, 4\)"):
        saliency(net.features, images, 0)
    with pytest.raises(UnsupportedError, match="does not depend on the inputs"):
        saliency(_Constant(), images, 0)
    with pytest.raises(UserError, match=r"baselines has shape \(5,\)"):
        integrated_gradients(net, images, 0, baselines=torch.zeros(5))
    with pytest.raises(UserError, match="nodes is 0"):
        integrated_gradients(net, images, 0, nodes=0)
    with pytest.raises(UserError, match="does not cover"):
        occlusion(net, images, 0, window=9)
    with pytest.raises(UserError, match="window is"):
        occlusion(net, images, 0, window=(2, 2, 2))
    with pytest.raises(UserError, match="rows is 0"):
        occlusion(net, images, 0, window=2, rows=0)
    with pytest.raises(UserError, match="samples is 0"):
        smooth_grad(net, images, 0, generator=generator(), samples=0)
    with pytest.raises(UserError, match=r"expected \(B, C, H, W\)"):
        heat_maps(images[0])
    with pytest.raises(UserError, match=r"attributions have shape \(3, 2, 8, 8\)"):
        pixel_curve(net, images, 0, attributions=images, mode="deletion")


class _Constant(nn.Module):
    def forward(self, x):
        return x.new_ones(len(x), 2)
