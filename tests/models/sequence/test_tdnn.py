import numpy as np
import pytest
import torch

from netsmith.core.errors import ConfigError
from netsmith.data.fsdd import Fsdd
from netsmith.layers.causal import receptive_field
from netsmith.models.sequence.tdnn import TDNN

PAPER = {
    "channels": (8,),
    "kernels": (3, 5),
    "dilations": (1, 1),
    "bands": 16,
    "num_classes": 3,
    "activation": "sigmoid",
}


def built(**fields):
    torch.manual_seed(0)
    return TDNN.Config(**{**PAPER, **fields}).build().double().eval()


def test_the_papers_layers_have_its_weights():
    """8 units that see 3 frames of 16 coefficients; 3 that see 5 frames of those: 9 places of 15 frames."""
    model = built()
    assert model.evidence(torch.zeros(1, 16, 15, dtype=torch.float64)).shape == (1, 3, 9)
    assert [parameter.numel() for parameter in model.parameters()] == [8 * 48, 8, 3 * 40, 3]
    assert TDNN.Config(**PAPER).receptive_field == 7


def test_a_class_unit_is_a_small_network_on_its_own_frames():
    model = built(channels=(6, 5), kernels=(3, 2, 2), dilations=(1, 3, 2), activation="tanh")
    frames = torch.randn(2, 16, 20, dtype=torch.float64)
    w1, b1, w2, b2, w3, b3 = (p.detach().numpy() for p in model.parameters())
    x = frames.numpy()
    got = model.evidence(frames).detach().numpy()
    assert got.shape[2] == 20 - receptive_field((3, 2, 2), dilations=(1, 3, 2)) + 1

    def unit(f, w, b, read, t, d):
        return f(b + sum(w[:, :, k] @ read(t + k * d) for k in range(w.shape[2])))

    for t in range(got.shape[2]):

        def first(t):
            return unit(np.tanh, w1, b1, lambda at: x[0, :, at], t, 1)

        def second(t):
            return unit(np.tanh, w2, b2, first, t, 3)

        assert np.abs(unit(lambda a: a, w3, b3, second, t, 2) - got[0, :, t]).max() < 1e-12


def test_it_does_not_matter_when_the_sound_begins():
    model = built(hop=80)
    sound = torch.zeros(1, 1, 6000, dtype=torch.float64)
    sound[..., 2000:3000] = torch.rand(1000, dtype=torch.float64) - 0.5
    moved = sound.roll(10 * 80, dims=2)  # ten frames later, still far from both ends
    assert (model(sound) - model(moved)).abs().max() < 1e-9


def test_settings_that_do_not_fit_are_refused():
    with pytest.raises(ConfigError, match="1 layers and the class units need 2 kernels and dilations, got 1 and 2"):
        TDNN.Config(**{**PAPER, "kernels": (3,)})
    with pytest.raises(ConfigError, match="at least 1"):
        TDNN.Config(**{**PAPER, "dilations": (0, 1)})
    spec = Fsdd.Config(twin=True, length=600).build().spec
    assert "has 8000 samples per second; set rate" in TDNN.Config(rate=16000).misfit(spec)
    assert "has sounds of 600 samples; the network sees 680" in TDNN.Config(**PAPER).misfit(spec)
