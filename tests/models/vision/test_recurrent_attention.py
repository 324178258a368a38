import pytest
import torch
from torch.nn import functional as F

from netsmith.core.errors import ConfigError
from netsmith.explain.prototypes import features_at
from netsmith.models.vision.recurrent_attention import RecurrentAttention

FACTS = {"in_channels": 1, "num_classes": 10}


def test_the_counts():
    with torch.device("meta"):
        model = RecurrentAttention.Config(**FACTS).build()
    sensor = (64 + 1) * 128 + (2 + 1) * 128 + 2 * (128 + 1) * 256
    core = 2 * (256 + 1) * 256
    answers = (256 + 1) * (10 + 2 + 1)
    # the number that a public implementation of the same form prints
    assert sum(p.numel() for p in model.parameters()) == sensor + core + answers == 209_677


def test_it_is_the_network_of_the_paper():
    torch.manual_seed(0)
    fields = {"glimpses": 3, "size": 4, "scales": 2, "sensor_size": 5, "hidden_size": 6}
    model = RecurrentAttention.Config(**fields, **FACTS).build().double()
    state = model.state_dict()
    for tensor in state.values():
        tensor.normal_(std=0.4)
    images = torch.randn(2, 1, 16, 16, dtype=torch.float64)
    noise = torch.randn(2, 3, 2, dtype=torch.float64)
    looks = model.look(images, noise)
    padded = F.pad(images, [8] * 4)

    def affine(name, x):
        return state[f"{name}.weight"] @ x + state[f"{name}.bias"]

    for row in range(2):
        h = torch.zeros(6, dtype=torch.float64)
        for t in range(3):
            mean = affine("policy", h).clamp(-1, 1)
            place = mean + noise[row, t]
            torch.testing.assert_close(looks.means[row, t], mean, rtol=0, atol=1e-12)
            torch.testing.assert_close(looks.places[row, t], place, rtol=0, atol=1e-12)
            torch.testing.assert_close(looks.baselines[row, t], affine("baseline", h)[0], rtol=0, atol=1e-12)
            seen_at = place.clamp(-1, 1)
            x, y = ((seen_at + 1) / 2 * 16).tolist()
            patches = []
            for side in (4, 8):
                top, left = int(y - side / 2 + 0.5 + 8), int(x - side / 2 + 0.5 + 8)
                patch = padded[row, 0, top : top + side, left : left + side]
                patches.append(patch.reshape(4, side // 4, 4, side // 4).mean((1, 3)).flatten())
            what = affine("what", torch.cat(patches)).clamp(min=0)
            where = affine("where", seen_at).clamp(min=0)
            g = (affine("from_what", what) + affine("from_where", where)).clamp(min=0)
            h = (affine("core", h) + affine("core_input", g)).clamp(min=0)
        torch.testing.assert_close(looks.output[row], affine("head", h), rtol=0, atol=1e-12)


def test_it_takes_any_size_of_image_at_the_same_cost():
    model = RecurrentAttention.Config(**FACTS).build()
    assert model(torch.zeros(2, 1, 100, 60)).shape == (2, 10)


def test_what_it_answers_from_can_be_read_in_one_pass():
    model = RecurrentAttention.Config(**FACTS).build()
    images = torch.randn(3, 1, 28, 28)
    features = features_at(model, images, layer=model.landmarks()["features"])
    torch.testing.assert_close(model.head(features), model(images))


def test_bad_forms_are_refused():
    with pytest.raises(ConfigError, match=r"glimpses: .*greater than or equal to 1"):
        RecurrentAttention.Config(glimpses=0)
    with pytest.raises(ConfigError, match=r"scales: .*less than or equal to 8"):
        RecurrentAttention.Config(scales=9)
