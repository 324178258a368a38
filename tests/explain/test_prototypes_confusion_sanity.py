"""Prototypes, confusions and sanity checks on problems whose answer is known."""

import pytest
import torch
from torch import nn

from netsmith.core.errors import UserError
from netsmith.explain.confusion import confused_examples, confusion_matrix, most_confused
from netsmith.explain.prototypes import activation_maximization, features_at, nearest_examples
from netsmith.explain.saliency import heat_maps, input_x_gradient, saliency
from netsmith.explain.sanity import pixel_curve, randomization_check, rank_correlation


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def template_net():
    """Two classes, each a template: the left half bright, or the right half bright."""
    module = nn.Sequential(nn.Flatten(), nn.Linear(36, 2)).double()
    left = torch.zeros(6, 6, dtype=torch.float64)
    left[:, :3] = 1
    with torch.no_grad():
        module[1].weight.copy_(torch.stack([left - 0.5, 0.5 - left]).flatten(1))
        module[1].bias.zero_()
    return module, left


def test_activation_maximization_finds_the_template():
    module, left = template_net()
    drawn = activation_maximization(
        module, [0, 1], start=0.5, shape=(1, 6, 6), generator=generator(), steps=60, blur_every=0, l2=0.0, variation=0.0
    )
    assert torch.allclose(drawn.images[0, 0], left, atol=0.02)
    assert torch.allclose(drawn.images[1, 0], 1 - left, atol=0.02)
    assert torch.allclose(drawn.scores, torch.full((2,), 9.0, dtype=torch.float64), atol=0.2)
    assert (drawn.first_scores.abs() < 0.5).all()


def test_the_priors_hold_the_picture_back():
    module, _ = template_net()

    def draw(**settings):
        settings = {"l2": 0.0, "variation": 0.0, "blur_every": 0, "steps": 80, "generator": generator()} | settings
        return activation_maximization(module, [0], start=0.5, shape=(1, 6, 6), **settings).images

    free = draw()
    assert (free - 0.5).abs().mean() > 0.49
    assert (draw(l2=72.0) - 0.5).abs().mean() < 0.2  # balance: 2 * 72 / 36 pixels * 0.125 = 0.5, the weight
    assert (draw(l2=72.0) - 0.5).abs().mean() > 0.05
    noise = {"noise": 0.3, "rate": 0.01, "steps": 10}

    def roughness(x):
        return (x[..., 1:, :] - x[..., :-1, :]).abs().mean()

    assert roughness(draw(**noise, variation=60.0)) < 0.8 * roughness(draw(**noise))
    assert roughness(draw(**noise, blur_every=2, blur=1.0)) < 0.5 * roughness(draw(**noise))


def test_activation_maximization_is_a_function_of_the_seed_and_keeps_the_range(net):
    low = torch.tensor([-1.0, -2.0]).view(2, 1, 1)

    def draw(seed):
        return activation_maximization(
            net,
            [0, 1, 2],
            start=0.0,
            shape=(2, 8, 8),
            generator=generator(seed),
            steps=15,
            low=low,
            high=2.0,
            l2=0.0,
            variation=0.0,
        )

    first = draw(0)
    assert torch.equal(first.images, draw(0).images)
    assert not torch.equal(first.images, draw(1).images)
    assert (first.scores > first.first_scores).all()
    assert (first.images >= low).all()
    assert first.images.max() <= 2
    with pytest.raises(UserError, match="low is not below high"):
        activation_maximization(net, [0], start=0.0, shape=(2, 8, 8), generator=generator(), low=1.0, high=1.0)
    with pytest.raises(UserError, match="target 7 is no class"):
        activation_maximization(net, [7], start=0.0, shape=(2, 8, 8), generator=generator())


def test_nearest_examples():
    features = torch.tensor([[0.0, 0.0], [4.0, 0.0], [1.0, 0.0], [9.0, 9.0], [3.0, 4.0]])
    nearest = nearest_examples(features, torch.tensor([0, 0, 0, 2, 2]), num_classes=3, count=3)
    assert nearest.indices.tolist() == [[2, 0, 1], [-1, -1, -1], [3, 4, -1]]
    assert nearest.distances[0].tolist() == pytest.approx([2 / 3, 5 / 3, 7 / 3])
    assert nearest.centroids[2].tolist() == [6.0, 6.5]
    assert nearest.centroids[1].isnan().all()
    with pytest.raises(UserError, match=r"features \(5, 2\), labels \(3,\)"):
        nearest_examples(features, torch.tensor([0, 0, 0]), num_classes=3)


def test_features_at(net, images):
    wanted = net.features(images).mean((2, 3))
    assert torch.allclose(features_at(net, images, layer="features", rows=2), wanted)
    assert torch.allclose(features_at(net, images, layer="pool"), wanted)


def test_confusions():
    targets = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 2])
    predictions = torch.tensor([0, 1, 1, 1, 0, 2, 0, 0, 1])
    confidences = torch.tensor([0.9, 0.4, 0.8, 0.7, 0.6, 0.9, 0.5, 0.7, 0.3])
    matrix = confusion_matrix(targets, predictions, num_classes=3)
    assert matrix.tolist() == [[1, 2, 0], [1, 1, 0], [2, 1, 1]]
    pairs = most_confused(matrix, count=3, targets=targets, predictions=predictions, confidences=confidences)
    assert [(p.truth, p.prediction, p.count) for p in pairs] == [(0, 1, 2), (2, 0, 2), (1, 0, 1)]
    assert [p.rate for p in pairs] == pytest.approx([2 / 3, 1 / 2, 1 / 2])
    assert [p.indices for p in pairs] == [(2, 1), (7, 6), (4,)]
    assert confused_examples(targets, predictions, truth=2, prediction=0) == [6, 7]
    assert most_confused(torch.eye(3, dtype=torch.int64)) == []
    with pytest.raises(UserError, match=r"classes lie in 0\.\.2; expected 0\.\.1"):
        confusion_matrix(targets, predictions, num_classes=2)
    with pytest.raises(UserError, match="only one was given"):
        most_confused(matrix, targets=targets)
    many = torch.randint(0, 5, (2, 200), generator=generator())
    counted = [[sum(a == t and b == p for a, b in many.T.tolist()) for p in range(5)] for t in range(5)]
    assert confusion_matrix(*many, num_classes=5).tolist() == counted


def test_rank_correlation_against_scipy():
    stats = pytest.importorskip("scipy.stats")
    first, second = torch.randint(0, 6, (2, 4, 3, 5), generator=generator()).double()  # many ties
    wanted = [stats.spearmanr(a.flatten(), b.flatten()).statistic for a, b in zip(first, second, strict=True)]
    assert rank_correlation(first, second).tolist() == pytest.approx(wanted, abs=1e-12)
    assert rank_correlation(first, first * 0).tolist() == [0, 0, 0, 0]


def test_randomization_check_tells_a_map_of_the_network_from_a_map_of_the_picture(net, images):
    def about_the_network(module):
        return heat_maps(saliency(module, images, 1))

    layers = randomization_check(net, about_the_network, generator=generator())
    assert [layer.layer for layer in layers] == ["head", "features.4", "features.1", "features.0"]
    assert layers[-1].correlation < 0.6
    for stages, names in ((1, ["features.0"]), (2, ["features.4", "features.0"]), (9, [one.layer for one in layers])):
        some = randomization_check(net, about_the_network, generator=generator(), stages=stages)
        assert [layer.layer for layer in some] == names
        assert set(some) <= set(layers)
    with pytest.raises(UserError, match="stages is 0"):
        randomization_check(net, about_the_network, generator=generator(), stages=0)
    picture = randomization_check(net, lambda _: images.abs().amax(1), generator=generator())
    assert all(layer.correlation == pytest.approx(1) for layer in picture)


def test_deletion_and_insertion():
    weights = torch.tensor([[0.0] * 4, [4.0, 3.0, 2.0, 1.0]], dtype=torch.float64)
    module = nn.Linear(4, 2, bias=False).double()
    with torch.no_grad():
        module.weight.copy_(weights)
    rows = torch.ones(2, 4, dtype=torch.float64)
    good = input_x_gradient(module, rows, 1)
    deletion = pixel_curve(module, rows, 1, attributions=good, mode="deletion", steps=4, rows=3)
    logits = torch.tensor([10.0, 6.0, 3.0, 1.0, 0.0], dtype=torch.float64)
    assert torch.allclose(deletion.probabilities, logits.sigmoid().expand(2, 5))
    assert deletion.shares.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert torch.allclose(deletion.area, torch.trapezoid(logits.sigmoid(), dx=0.25).expand(2))
    insertion = pixel_curve(module, rows, 1, attributions=good, mode="insertion", steps=4)
    gained = torch.tensor([0.0, 4.0, 7.0, 9.0, 10.0], dtype=torch.float64)
    assert torch.allclose(insertion.probabilities[0], gained.sigmoid())
    worse = pixel_curve(module, rows, 1, attributions=-good, mode="deletion", steps=4)
    assert (worse.area > deletion.area).all()


def test_insertion_on_pictures_prefers_the_places_that_matter():
    module, left = template_net()
    picture = left[None, None]
    right_map = pixel_curve(module, picture, 0, attributions=left[None], mode="insertion", steps=6)
    wrong_map = pixel_curve(module, picture, 0, attributions=1 - left[None], mode="insertion", steps=6)
    assert right_map.area > wrong_map.area + 0.05
    assert right_map.probabilities[0, -1] == wrong_map.probabilities[0, -1]
