import numpy as np
import pytest
import torch

from netsmith.core.errors import ConfigError
from netsmith.layers.mu_law import mu_law_decode, mu_law_encode


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("levels", [2, 16, 256])
def test_each_level_comes_back(levels, dtype):
    codes = torch.arange(levels)
    samples = mu_law_decode(codes, levels=levels, dtype=dtype)
    assert samples.dtype == dtype
    assert [float(samples[0]), float(samples[-1])] == pytest.approx([-1, 1], abs=1e-6)
    assert bool((samples.diff() > 0).all())
    assert torch.equal(mu_law_encode(samples, levels=levels), codes)


@pytest.mark.parametrize("levels", [16, 256])
def test_it_is_the_formula(levels):
    x = np.random.default_rng(0).uniform(-1, 1, size=(3, 5000))
    mu = levels - 1.0
    companded = np.sign(x) * np.log(1 + mu * np.abs(x)) / np.log(1 + mu)
    wanted = np.floor((companded + 1) / 2 * mu + 0.5)
    assert np.array_equal(mu_law_encode(torch.from_numpy(x), levels=levels).numpy(), wanted)
    y = 2 * wanted / mu - 1
    inverse = np.sign(y) * ((1 + mu) ** np.abs(y) - 1) / mu
    back = mu_law_decode(torch.from_numpy(wanted), levels=levels, dtype=torch.float64).numpy()
    assert np.abs(back - inverse).max() < 1e-14
    y = np.abs(companded).clip(0, 1)
    wide = np.log(1 + mu) / mu * (1 + mu) ** np.minimum(1, y + 1 / mu)  # the slope of the inverse near it
    assert bool((np.abs(back - x) <= wide / mu + 1e-12).all())


def test_quiet_sound_has_finer_steps():
    steps = mu_law_decode(torch.arange(256), dtype=torch.float64).diff()
    assert float(steps[127]) < 2e-4
    assert float(steps[254]) > 0.04
    assert 200 < steps[254] / steps[127] < 260  # (1 + mu) over a step of the companded scale


def test_what_is_too_loud_is_clipped_and_half_precision_is_widened():
    assert mu_law_encode(torch.tensor([-9.0, -1.0, 0.0, 1.0, 1.5])).tolist() == [0, 0, 128, 255, 255]
    fine = mu_law_decode(torch.arange(256)).to(torch.bfloat16)
    assert torch.equal(mu_law_encode(fine), mu_law_encode(fine.float()))


def test_one_level_is_refused():
    for function in (mu_law_encode, mu_law_decode):
        with pytest.raises(ConfigError, match="at least 2 levels, got 1"):
            function(torch.zeros(1), levels=1)
