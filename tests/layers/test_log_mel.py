import numpy as np
import pytest
import torch

from netsmith.core.errors import ConfigError, DataError
from netsmith.layers.log_mel import LogMel, mel_filters

dct = pytest.importorskip("scipy.fft").dct
RATE, FRAME, HOP, BANDS = 8000, 200, 80, 20


def built(**fields):
    return LogMel(**{"rate": RATE, "frame": FRAME, "hop": HOP, "bands": BANDS, "floor": 1e-6, **fields})


def by_numpy(sound):
    """Frames, Hamming's window, numpy's transform, triangles by interpolation between corners."""
    mel = np.linspace(0, 2595 * np.log10(1 + RATE / 2 / 700), BANDS + 2)
    corners = 700 * (10 ** (mel / 2595) - 1)
    frequency = np.fft.rfftfreq(256, 1 / RATE)
    rows = []
    for start in range(0, len(sound) - FRAME + 1, HOP):
        power = np.abs(np.fft.rfft(sound[start : start + FRAME] * np.hamming(FRAME), 256)) ** 2
        energies = [np.interp(frequency, corners[m : m + 3], [0, 1, 0]) @ power for m in range(BANDS)]
        rows.append(np.log(np.array(energies) + 1e-6))
    return np.array(rows).T  # (bands, frames)


def test_energies_and_cepstra_are_numpys_and_scipys():
    sound = np.random.default_rng(0).normal(size=(2, 1000)) * 0.1
    samples = torch.from_numpy(sound)[:, None]
    expected = np.stack([by_numpy(one) for one in sound])
    precise = built().double()  # its constants were rounded to single precision
    assert np.abs(precise(samples).numpy() - expected).max() < 1e-5
    assert np.abs(built()(samples.float()).numpy() - expected).max() < 1e-4
    cepstra = built(coefficients=13)(samples.float()).numpy()
    assert np.abs(cepstra - dct(expected, axis=1, norm="ortho")[:, :13]).max() < 1e-3


def test_a_tone_is_loudest_in_the_band_around_it():
    time = torch.arange(4000) / RATE
    tip = 700 * (10 ** (torch.linspace(0, 2595 * np.log10(1 + RATE / 1400), BANDS + 2)[1:-1] / 2595) - 1)
    for band in range(2, BANDS):  # the lowest are narrower than what 256 points resolve
        sound = torch.sin(2 * torch.pi * tip[band] * time)[None, None]
        assert (built()(sound)[0].argmax(0) == band).all()


def test_filters_that_cover_no_frequency_are_refused():
    with pytest.raises(ConfigError, match="bands=200 are finer"):
        mel_filters(RATE, points=256, bands=200)
    with pytest.raises(ConfigError, match="got 8000, 0,"):
        built(hop=0)
    with pytest.raises(DataError, match=r"at least 200 samples, got \(1, 1, 199\)"):
        built()(torch.zeros(1, 1, 199))
