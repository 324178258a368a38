"""Single units and galleries on networks whose favorite inputs are known in closed form."""

import pytest
import torch
from torch import nn

from netsmith.core.errors import UnknownNameError, UnsupportedError, UserError
from netsmith.explain.gallery import activated_layers, filters_of, strongest_maps, view_filters
from netsmith.explain.generated import generated_maximization
from netsmith.explain.prototypes import activation_maximization
from netsmith.explain.units import maximize_on_sphere, maximize_units, unit_scores


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def linear(rows):
    module = nn.Linear(rows.shape[1], len(rows), bias=False).double()
    with torch.no_grad():
        module.weight.copy_(rows)
    return module


def test_a_linear_unit_likes_its_weights_best():
    weights = normal(3, 20)
    found = maximize_on_sphere(linear(weights), [2, 0], shape=(20,), norm=2.5, generator=generator())
    unit = weights[[2, 0]] / weights[[2, 0]].norm(dim=1, keepdim=True)
    assert torch.allclose(found.images, 2.5 * unit, atol=1e-8)  # Erhan et al.: x* = rho w / |w|
    assert torch.allclose(found.scores, 2.5 * weights[[2, 0]].norm(dim=1))
    assert (found.first_scores < found.scores).all()


def test_the_quadratic_unit_likes_its_first_eigenvector():
    root = normal(12, 12)

    class Quadratic(nn.Module):
        def __init__(self):
            super().__init__()
            self.root = nn.Parameter(root)

        def forward(self, inputs):
            return ((inputs @ self.root.T) ** 2).sum(1, keepdim=True)

    found = maximize_on_sphere(Quadratic(), [0], shape=(12,), steps=400, generator=generator())
    largest = torch.linalg.eigvalsh(root.T @ root)[-1]
    assert float(found.scores) == pytest.approx(float(largest), rel=1e-3)


def test_within_a_range_a_linear_unit_takes_every_corner():
    weights = normal(2, 18)
    weights += 0.3 * weights.sign()
    module = nn.Sequential(nn.Flatten(), linear(weights))
    found = maximize_units(module, [0, 1], layer="1", shape=(2, 3, 3), generator=generator(), rate=0.2)
    assert torch.equal(found.images.flatten(1), (weights > 0).double())
    assert torch.allclose(found.scores, weights.clamp(min=0).sum(1))


def test_maximize_units_of_the_scores_is_activation_maximization(net):
    settings = {"shape": (2, 8, 8), "start": 0.2, "steps": 12, "l2": 3.0, "variation": 0.4, "blur_every": 3}
    classes = activation_maximization(net, [2, 0], generator=generator(), **settings)
    units = maximize_units(net, [2, 0], generator=generator(), **settings)
    assert all(torch.equal(a, b) for a, b in zip(classes, units, strict=True))


def test_any_channel_of_any_layer_mean_or_center(net, images):
    maps = net.features(images)
    assert torch.allclose(
        unit_scores(net, [5, 0, 1], layer="features")(images), maps[[0, 1, 2], [5, 0, 1]].mean((1, 2))
    )
    center = unit_scores(net, [5, 0, 1], layer="features", place="center")(images)
    assert torch.allclose(center, maps[[0, 1, 2], [5, 0, 1], 2, 2])
    found = maximize_units(
        net, [0, 3], layer="features.4", place="center", shape=(2, 8, 8), generator=generator(), steps=30, low=-1.0
    )
    assert (found.scores > found.first_scores + 0.1).all()
    # The center of a 4 x 4 map after a pooling by 2 sees 8 x 8 pixels less the last border; the rest keeps its noise.
    assert not net.training
    with pytest.raises(UserError, match=r"channels \[6\]; layer 'features' has 0\.\.5"):
        maximize_units(net, [6], layer="features", shape=(2, 8, 8), generator=generator())
    with pytest.raises(UnknownNameError, match="no layer named 'feature'"):
        maximize_units(net, [0], layer="feature", shape=(2, 8, 8), generator=generator())
    with pytest.raises(UserError, match="expected all positive"):
        maximize_on_sphere(net, [0], shape=(2, 8, 8), norm=0, generator=generator())


def test_a_generator_draws_the_favorite_among_what_it_can_draw():
    paints, weights = normal(15, 4), normal(2, 15, seed=1)
    painter, module = linear(paints), linear(weights)
    pull = weights @ paints  # the gradient of the score by the code
    found = generated_maximization(
        module, [0, 1], painter=painter, code_shape=(4,), generator=generator(), rate=1.0, limit=2.0
    )
    assert torch.equal(found.codes, 2.0 * pull.sign())
    assert torch.allclose(found.images, found.codes @ paints.T)
    assert torch.allclose(found.scores, 2 * pull.abs().sum(1))
    held = generated_maximization(
        module,
        [0, 1],
        painter=painter,
        code_shape=(4,),
        generator=generator(),
        l2=20.0,
        limit=50.0,
        steps=400,
        rate=0.02,
    )
    assert torch.allclose(held.codes, pull * 4 / 40, atol=0.03)  # where the gradient of score - 20 mean(z^2) is zero
    doubled = generated_maximization(
        module,
        [0],
        painter=painter,
        code_shape=(4,),
        generator=generator(),
        adapt=lambda images: 2 * images,
        rate=1.0,
        limit=2.0,
    )
    assert torch.allclose(doubled.scores, 2 * found.scores[:1])
    with pytest.raises(UserError, match="limit 0"):
        generated_maximization(module, [0], painter=painter, code_shape=(4,), generator=generator(), limit=0)
    settings = {"painter": painter, "code_shape": (4,), "generator": generator(), "l2": 1.0}

    class Steps(nn.Module):
        def forward(self, images):
            return module((images > 0).to(images))

    with pytest.raises(UnsupportedError, match="does not depend on the code of the generator by a differentiable path"):
        generated_maximization(Steps(), [0], **settings)


def test_filters(net):
    found = filters_of(net)
    assert found.layer == "features.0"
    assert torch.equal(found.weights, net.features[0].weight)
    assert filters_of(net, layer="features.4").weights.shape == (6, 4, 3, 3)
    shown = view_filters(found.weights)
    assert shown.shape == (4, 1, 3, 3)
    means = found.weights.detach().mean(1, keepdim=True)
    assert torch.allclose((shown - 0.5).abs().amax((1, 2, 3)), torch.full((4,), 0.5, dtype=torch.float64))
    assert torch.equal((shown - 0.5).sign(), means.sign())
    assert torch.equal(view_filters(torch.zeros(2, 3, 5, 5)), torch.full((2, 3, 5, 5), 0.5))
    with pytest.raises(UnsupportedError, match="layer 'head' is a Linear"):
        filters_of(net, layer="head")
    with pytest.raises(UnsupportedError, match="no convolution"):
        filters_of(nn.Linear(2, 2))


def test_activated_layers(net, images):
    assert activated_layers(net, images[:1]) == ["features.2", "features.5"]
    again = nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), act := nn.ReLU(), nn.Conv2d(2, 2, 3), act, nn.MaxPool2d(2))
    assert activated_layers(again.double(), images[:1]) == ["0", "2"]  # the shared activation runs twice
    twice = nn.Sequential(conv := nn.Conv2d(2, 2, 3, padding=1), conv, nn.ReLU())
    assert activated_layers(twice.double(), images[:1]) == []


def test_strongest_maps(net, images):
    (first, last) = strongest_maps(net, images[:1], layers=["features.0", "features.5"], count=4)
    maps = net.features[0](images[:1])[0]
    strengths = maps.abs().mean((1, 2))
    assert first.channels.tolist() == strengths.argsort(descending=True).tolist()
    assert torch.equal(first.maps[0], maps[strengths.argmax()])
    assert (last.total, len(last.channels)) == (6, 4)
    assert (last.strengths.diff() <= 0).all()
    with pytest.raises(UserError, match="got 3 examples"):
        strongest_maps(net, images, layers=["features.0"])
    with pytest.raises(UnsupportedError, match="layer 'head' gave no maps"):
        strongest_maps(net, images[:1], layers=["head"])
