import numpy as np
import pytest
import torch
from torch.nn import functional as F

from netsmith.core.errors import ConfigError
from netsmith.models.vision.maxout_cnn import MaxoutCNN

FACTS = {"in_channels": 1, "image_size": 28, "num_classes": 10}


def build(**fields):
    torch.manual_seed(0)
    return MaxoutCNN.Config(**FACTS | fields).build()


def test_the_count_and_the_maps_of_the_published_form():
    model = build()
    counts = [sum(p.numel() for p in layer.parameters()) for layer in (*model.layers, model.head)]
    assert counts == [832, 4640, 12832, 4640, 6960, 5232, 1090]
    assert sum(counts) == 36_226
    x, shapes = torch.randn(2, 1, 28, 28), []
    for layer in model.layers:
        x = layer(x)
        shapes.append(tuple(x.shape[1:]))
    sides = (24, 10, 12, 4, 8, 3)
    assert shapes == [(units, side, side) for units, side in zip((16, 16, 16, 16, 12, 12), sides, strict=True)]


def test_it_computes_what_the_papers_say():
    model = build(init_range=0.2).double()
    x = torch.randn(3, 1, 28, 28, dtype=torch.float64)
    y = x.numpy()
    forms = zip(model.layers, (2, 2, 2, 2, 4, 4), (0, 0, 3, 0, 3, 0), (None, 4, None, 4, None, 2), strict=True)
    for layer, pieces, padding, pool in forms:
        weight, bias = (p.detach().numpy() for p in (layer.conv.weight, layer.conv.bias))
        y = np.pad(y, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
        windows = np.lib.stride_tricks.sliding_window_view(y, weight.shape[2:], axis=(2, 3))
        z = np.einsum("bcijuv,ocuv->boij", windows, weight) + bias[:, None, None]
        y = np.stack([z[:, piece::pieces] for piece in range(pieces)]).max(0)  # h_i = max_j z_ij
        if pool:
            side = -(-(y.shape[2] - pool) // 2) * 2 + pool  # the last window may hang over the edge
            short = side - y.shape[2]
            y = np.pad(y, ((0, 0), (0, 0), (0, short), (0, short)), constant_values=-np.inf)
            y = np.lib.stride_tricks.sliding_window_view(y, (pool, pool), axis=(2, 3))[:, :, ::2, ::2].max((4, 5))
    want = F.linear(torch.from_numpy(y).flatten(1), model.head.weight, model.head.bias)
    torch.testing.assert_close(model(x), want, rtol=0, atol=1e-12)


def test_first_weights_follow_the_rule():
    weight = build().layers[2].conv.weight
    assert weight.abs().max() <= 0.005
    assert weight.std().item() == pytest.approx(0.005 / 3**0.5, rel=0.03)
    assert build(init_range=0.0).layers[2].conv.weight.var().item() == pytest.approx(2 / 400, rel=0.03)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"channels": (4,)}, r"one entry for each layer; they have 1, 6, 6, 6, 6"),
        ({"pieces": (2, 2, 2, 2, 4, 0)}, "must be positive"),
        ({"pools": ((1, 1), (1, 2), *[(1, 1)] * 4)}, "must not be larger than its size"),
        ({"paddings": (0, 0, 3, 0, 3, -1)}, "must not be negative"),
        ({"image_size": 5}, r"images of 5 pixels leave nothing after layer 1.*small_cnn"),
    ],
)
def test_bad_forms_are_refused(fields, message):
    with pytest.raises(ConfigError, match=message):
        build(**fields)
