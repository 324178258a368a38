import numpy as np
import pytest
import torch

from netsmith.core.errors import ConfigError, DataError, UnsupportedError
from netsmith.data.airline import Airline
from netsmith.data.sunspots import Sunspots
from netsmith.layers.series_scale import SeriesScale
from netsmith.models.sequence.autoregressive import Autoregressive
from netsmith.models.sequence.narx import Narx
from netsmith.models.sequence.recurrent_regressor import RecurrentRegressor


def loaded(config, split):
    source = config.build()
    batch = source.load(split, torch.arange(source.spec.split(split).size))
    return batch.inputs, batch.targets


def series_of(config):
    inputs, targets = loaded(config, "train")
    return np.concatenate([inputs[0, :, 0].numpy(), targets[:, 0].numpy()]).astype(np.float64)


@pytest.mark.parametrize("order", [1, 9])
def test_the_coefficients_and_forecasts_are_statsmodels(order):
    autoreg = pytest.importorskip("statsmodels.tsa.ar_model").AutoReg
    config = Sunspots.Config(window=order, twin=True)
    series = series_of(config)
    theirs = autoreg(series, lags=order).fit()
    model = Autoregressive.Config(order=order, num_outputs=24).build()
    model.absorb(*loaded(config, "train"))
    assert np.abs(model.coefficients.numpy() - theirs.params).max() < 1e-8
    wanted = theirs.predict(start=len(series), end=len(series) + 23)
    got = model(torch.from_numpy(series[None, :, None]))[0].numpy()
    assert np.abs(got - wanted).max() < 1e-6


def test_the_coefficients_do_not_depend_on_how_windows_are_cut_and_solve_the_least_squares():
    inputs, targets = loaded(Airline.Config(window=14, twin=True), "train")
    model = Autoregressive.Config(order=13, log=True, num_outputs=1).build()
    model.absorb(inputs[:20], targets[:20])
    model.absorb(inputs[20:], targets[20:])
    lags = inputs[:, 1:, 0].double().log().flip(1)
    design = torch.cat([torch.ones(len(lags), 1, dtype=torch.float64), lags], dim=1)
    expected = torch.linalg.lstsq(design, targets.double().log()).solution[:, 0]
    assert (model.coefficients - expected).abs().max() < 1e-6
    with pytest.raises(DataError, match="order of 13 takes windows of as many steps"):
        model(inputs[:, :12])


def built(**fields):
    torch.manual_seed(0)
    return Narx.Config(**{"lags": 3, "hidden_size": 4, "num_outputs": 1, **fields}).build().double()


def test_narx_is_its_formula():
    model = built(exogenous=2, exogenous_lags=2, scaling=SeriesScale.Config(location=2.0, scale=4.0))
    window = torch.randn(5, 6, 3, dtype=torch.float64)
    y = (window[:, -3:, 0].numpy() - 2) / 4
    v = np.concatenate([y, window[:, -2:, 1:].flatten(1).numpy()], axis=1)
    w, b, out, c, a = (p.detach().numpy() for p in model.parameters())
    expected = 2 + 4 * (np.tanh(v @ w.T + b) @ out.T + c + v @ a.T)
    assert np.abs(model(window).detach().numpy() - expected).max() < 1e-12


def test_narx_without_units_of_weight_is_the_autoregressive_model():
    inputs, targets = loaded(Sunspots.Config(window=3, horizon=8, twin=True), "train")
    line = Autoregressive.Config(order=3, num_outputs=8).build()
    line.absorb(inputs, targets)
    model = built(num_outputs=8)
    with torch.no_grad():
        model.head.weight.zero_()
        model.head.bias.copy_(line.line.bias)
        model.direct.weight.copy_(line.line.weight.T)
    assert (model(inputs.double()) - line(inputs)).abs().max() < 1e-9


def test_a_parallel_forecast_steps_on_its_own_answers_and_the_given_drive():
    model = built(exogenous=1, exogenous_lags=2)
    series, drive = torch.randn(2, 9, 1, dtype=torch.float64), torch.randn(2, 9, 1, dtype=torch.float64)
    got = model.forecast(torch.cat([series[:, :5], drive[:, :5]], dim=2), drive[:, 5:8])
    values = series[:, :5]
    for step in range(4):
        following = model(torch.cat([values, drive[:, : 5 + step]], dim=2)).detach()
        assert (got[:, step] - following[:, 0]).abs().max() < 1e-12
        values = torch.cat([values, following[..., None]], dim=1)
    with pytest.raises(UnsupportedError, match="set num_outputs"):
        built().forecast(series, drive)


def test_a_relative_scale_follows_the_level_and_a_logarithm_its_growth():
    torch.manual_seed(0)
    window = torch.rand(4, 12, 1, dtype=torch.float64) + 20
    for config, shifted, expected in (
        (SeriesScale.Config(relative=True, scale=3.0), window + 50, lambda y: y + 50),
        (SeriesScale.Config(relative=True, log=True), window * 50, lambda y: y * 50),
    ):
        model = RecurrentRegressor.Config(cell="gru", scaling=config, num_outputs=2).build().double()
        assert (model(shifted) - expected(model(window))).abs().max() < 1e-9


def test_a_logarithm_and_its_tangent_below_one_are_undone():
    scale = SeriesScale(SeriesScale.Config(log=True, location=1.0, scale=2.0))
    window = torch.tensor([-50.0, 0.0, 0.5, 1.0, 2.0, 400.0], dtype=torch.float64)[None, :, None]
    z, anchor = scale(window)
    assert torch.allclose(z[0, 4:, 0], (window[0, 4:, 0].log() - 1) / 2, rtol=0, atol=1e-15)
    assert (z.diff(dim=1) > 0).all()
    assert torch.allclose(scale.back(z[..., 0], anchor), window[..., 0], rtol=1e-14)


def test_what_does_not_fit_is_refused():
    month = Airline.Config(twin=True, exogenous="month").build().spec
    assert "3 numbers per step, and the network takes 1" in Narx.Config().misfit(month)
    assert "takes 2" in RecurrentRegressor.Config(channels=2).misfit(month)
    assert not Narx.Config(exogenous=2).misfit(month)
    assert "takes 1" in Autoregressive.Config().misfit(month)
    with pytest.raises(ConfigError, match="num_outputs=3"):
        built(exogenous=1, num_outputs=3)
    with pytest.raises(ConfigError, match="exogenous_lags=2 means nothing"):
        built(exogenous_lags=2)
    with pytest.raises(DataError, match="at least 3 steps of 1 numbers"):
        built()(torch.zeros(1, 2, 1, dtype=torch.float64))
