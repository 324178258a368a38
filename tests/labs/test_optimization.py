"""Labs on optimization and normalization: what they compute is what a closed form or another implementation says."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from netsmith.core.errors import ConfigError
from netsmith.core.keys import key
from netsmith.data.digits import Digits
from netsmith.data.table import Table
from netsmith.engine.experiment import Experiment
from netsmith.explain.hessian import top_eigenvalues
from netsmith.labs._rate_range import read_range
from netsmith.labs._spread import Spread
from netsmith.labs.normalization.batch_and_group_norm import BatchAndGroupNorm
from netsmith.labs.normalization.input_normalization import InputNormalization, descend, moments
from netsmith.labs.optimization._fits import classifier, examples, fit
from netsmith.labs.optimization.batch_size import BatchSize, gradient_noise
from netsmith.labs.optimization.critical_points import CriticalPoints, newton
from netsmith.labs.optimization.flat_and_sharp import FlatAndSharp
from netsmith.labs.optimization.gradient_clipping import GradientClipping, cliff
from netsmith.labs.optimization.hessian_spectrum import HessianSpectrum
from netsmith.labs.optimization.loss_landscape import LossLandscape
from netsmith.labs.optimization.momentum_as_mechanics import MomentumAsMechanics, euler, exact
from netsmith.labs.optimization.race import Race
from netsmith.labs.optimization.rate_range import RateRange
from netsmith.models.tabular.mlp import MLP
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.optim.sgd import SGD

SMALL = {"data": Digits.Config(twin=True, batch=64), "model": MLP.Config(hidden=(3,))}


# -- trained networks -------------------------------------------------------------------------------------------------


def test_a_landscape_holds_the_losses_of_the_weights_it_names() -> None:
    config = LossLandscape.Config(**SMALL, epochs=2, examples=200, steps=9, span=0.5)
    found = config.build().run()
    source = config.data.build()
    setting = classifier(config.model, config.data, config.optimizer, epochs=2, seed=0)
    again = fit(setting, source=source, kept=60)
    batches = examples(source, count=200)
    assert sum(map(len, batches)) == 200

    def loss(state: dict[str, torch.Tensor]) -> float:
        again.module.load_state_dict(state)
        with torch.no_grad():
            total = sum(F.cross_entropy(again.module(b.inputs), b.targets, reduction="sum") for b in batches)
        return float(total) / 200

    first, last = loss(again.states[0]), loss(again.states[-1])
    line, way, plane, under = found.figures
    assert found.numbers["loss"] == pytest.approx(last, rel=1e-5)
    assert all(series.ys[8] == pytest.approx(last, rel=1e-5) for series in line.series)
    places = dict(zip(np.round(way.series[0].xs, 6), way.series[0].ys, strict=True))
    assert places[-0.0625] == pytest.approx(loss_between(loss, again.states, -0.0625), rel=1e-5)
    assert plane.values[4][4] == pytest.approx(last, rel=1e-5)
    # the rows of a plane are its second direction: its first row's middle is what the second line begins with
    assert plane.values[0][4] == pytest.approx(line.series[1].ys[0], rel=1e-5)
    assert plane.values[4][0] == pytest.approx(line.series[0].ys[0], rel=1e-5)
    path = under.paths[0]
    assert (path.xs[-1], path.ys[-1]) == pytest.approx((0, 0), abs=1e-9)
    assert len(path.xs) == len(again.states)
    assert first > last
    explained = found.numbers["explained"]
    rows = torch.stack([torch.cat([t.double().flatten() for t in state.values()]) for state in again.states]).numpy()
    spread = np.linalg.svd(rows - rows.mean(0), compute_uv=False) ** 2
    assert explained == pytest.approx((spread[:2] / spread.sum()).tolist(), rel=1e-6)
    assert f"hold {100 * sum(explained):.1f} %" in found.remarks[4]
    assert 0 < found.numbers["seen_on_random_plane"] < 0.2


def loss_between(loss, states, share: float) -> float:
    return loss({name: (1 - share) * first + share * states[-1][name] for name, first in states[0].items()})


def test_a_training_ends_at_the_first_look_that_finds_it_deep_enough() -> None:
    source = SMALL["data"].build()
    batches = examples(source, count=100)
    setting = classifier(SMALL["model"], SMALL["data"], SGD.Config(lr=0.1), epochs=30, seed=0)
    whole = fit(setting, source=source, kept=10_000)

    def loss(state) -> float:
        whole.module.load_state_dict(state)
        with torch.no_grad():
            return float(F.cross_entropy(whole.module(batches[0].inputs), batches[0].targets))

    every = len(source.order("train", seed=0, epoch=0))
    looks = range(min(10, every), whole.steps[-1] + 1, min(10, every))
    depth = (loss(whole.states[0]) + loss(whole.states[-1])) / 2
    expected = next(step for step in looks if loss(whole.states[step]) <= depth)
    assert fit(setting, source=source, until=(batches, depth)).steps == (0, expected)


def test_flat_and_sharp_says_where_depths_differ_and_refuses_a_small_batch_that_is_not() -> None:
    found = FlatAndSharp.Config(**SMALL, epochs=1, seeds=2, examples=100, small=8, large=64).build().run()
    assert "the places are not equally deep" in found.remarks[6]
    assert found.numbers["steps/batch_8"] > found.numbers["steps/batch_64"]
    eigenvalues = [found.numbers[f"eigenvalue {rank}/batch_8"] for rank in (1, 2, 3)]
    assert all(a >= b >= c for a, b, c in zip(*eigenvalues, strict=True))
    with pytest.raises(ConfigError, match="small=8, large=8"):
        FlatAndSharp.Config(small=8, large=8)


def test_the_spectrum_is_that_of_the_whole_hessian() -> None:
    fields = {"epochs": 2, "examples": 120, "count": 4, "samples": 200, "probes": 6}
    config = HessianSpectrum.Config(**SMALL, **fields)
    found = config.build().run()
    source = config.data.build()
    again = fit(classifier(config.model, config.data, config.optimizer, epochs=2, seed=0), source=source)
    (batch,) = examples(source, count=120)
    for name, state in (("before", again.states[0]), ("after", again.states[-1])):
        shapes = {key: value.shape for key, value in state.items()}
        sizes = [value.numel() for value in state.values()]
        flat = torch.cat([value.double().flatten() for value in state.values()])
        module = again.module.double()

        def loss(weights, shapes=shapes, sizes=sizes, module=module):
            parts = zip(shapes.items(), weights.split(sizes), strict=True)
            named = {key: part.reshape(shape) for (key, shape), part in parts}
            logits = torch.func.functional_call(module, named, (batch.inputs.double(),))
            return F.cross_entropy(logits, batch.targets)

        hessian = torch.autograd.functional.hessian(loss, flat)
        values = torch.linalg.eigvalsh(hessian)
        assert found.numbers["parameters"] == len(values)
        assert found.numbers[f"largest/{name}"] == pytest.approx(values.flip(0)[:4].tolist(), rel=2e-3)
        assert found.numbers[f"smallest/{name}"] == pytest.approx(float(values[0]), rel=0.02, abs=1e-4)
        trace, error = found.numbers[f"trace/{name}"], found.numbers[f"trace_error/{name}"]
        assert abs(trace - float(values.sum())) < 4 * error
        bulk = float((values.abs() <= 0.05 * values[-1]).double().mean())
        assert found.numbers[f"bulk/{name}"] == pytest.approx(bulk, abs=0.06)
    assert f"{found.numbers['largest/after'][0]:.3g} after it" in found.remarks[0]


NORMALIZED = {"data": Digits.Config(twin=True, batch=64), "model": SmallCNN.Config(channels=(2,))}


def test_running_statistics_go_with_their_weights() -> None:
    config = LossLandscape.Config(**NORMALIZED, epochs=1, examples=100, steps=5)
    found = config.build().run()
    spectra = HessianSpectrum.Config(**NORMALIZED, epochs=1, examples=100, count=1, probes=1, samples=2).build().run()
    source = config.data.build()
    setting = classifier(config.model, config.data, config.optimizer, epochs=1, seed=0)
    fresh = Experiment(setting, source=source).method.product().eval()
    (batch,) = examples(source, count=100)
    with torch.no_grad():
        loss = float(F.cross_entropy(fresh(batch.inputs), batch.targets))
    way = found.figures[1].series[0]
    places = dict(zip(np.round(way.xs, 6), way.ys, strict=True))
    assert places[0] == pytest.approx(loss, rel=1e-5)
    assert set(places) == set(np.round(np.linspace(0, 1, 9), 6))  # a variance is not extrapolated
    generator = torch.Generator().manual_seed(key(0, "hessian"))
    top = top_eigenvalues(fresh, F.cross_entropy, [batch], generator=generator).values
    assert spectra.numbers["largest/before"] == pytest.approx(top.tolist(), rel=1e-4)
    assert spectra.numbers["parameters"] == sum(weight.numel() for weight in fresh.parameters())
    assert 0 < found.numbers["seen_on_random_plane"] < 0.5


# -- batches and rates ------------------------------------------------------------------------------------------------


def test_gradient_noise_is_the_covariance_of_single_gradients() -> None:
    generator = torch.Generator().manual_seed(0)
    module = torch.nn.Linear(4, 3).double()
    inputs = torch.randn(30, 4, generator=generator, dtype=torch.float64)
    targets = torch.randint(0, 3, (30,), generator=generator)
    rows = []
    for row, target in zip(inputs, targets, strict=True):
        loss = F.cross_entropy(module(row[None]), target[None])
        rows.append(torch.cat([part.flatten() for part in torch.autograd.grad(loss, list(module.parameters()))]))
    each = torch.stack(rows)
    covariance = float((each - each.mean(0)).square().sum()) / 29
    for size in (2, 10):
        expected = covariance / size * (30 - size) / 30 / float(each.mean(0).square().sum())
        found = gradient_noise(module, inputs, targets, size=size, draws=3000, generator=generator)
        assert found == pytest.approx(expected, rel=0.05)
    assert gradient_noise(module, inputs, targets, size=30, draws=2, generator=generator) == 0


def test_batches_and_rates_in_proportion_keep_together() -> None:
    fields = {"batches": (8, 32), "rates": (0.01, 0.04), "epochs": 4, "seeds": 2, "timed": False}
    config = BatchSize.Config(data=Digits.Config(twin=True, dev=0.2), model=MLP.Config(hidden=()), **fields)
    found = config.build().run()
    scaled, fixed = (found.numbers[f"apart/{way}/batch_32"] for way in ("scaled", "fixed"))
    assert scaled < 0.25 * fixed
    end = found.numbers["apart_at_end/fixed/batch_32"]
    assert f"{100 * fixed:.3g} % ({100 * end:.3g} %) for batch 32" in found.remarks[1]
    curves = [found.numbers[f"dev_loss/{way}/batch_8"] for way in ("scaled", "fixed")]
    assert curves[0] == curves[1]
    assert 2 < found.numbers["noise/batch_8"][0] / found.numbers["noise/batch_32"][0] < 8
    assert found.tables[0].columns == ("batch", "rate", "gradient noise", "test accuracy", "train - test accuracy")
    with pytest.raises(ConfigError, match="a rate above 0 for each of 2 batches"):
        BatchSize.Config(batches=(8, 16), rates=(0.1, 0.1, 0.1))


def test_the_pairs_of_the_catalogue_have_one_curve_per_epoch(tmp_path) -> None:
    generator = np.random.default_rng(0)
    rows = generator.standard_normal((7000, 4))
    scores = rows @ generator.standard_normal((4, 3)) + generator.gumbel(size=(7000, 3))
    lines = [",".join(f"{value:.4f}" for value in row) for row in rows]
    named = [f"{line},class {label}" for line, label in zip(lines, scores.argmax(1), strict=True)]
    (tmp_path / "rows.csv").write_text("\n".join(["a,b,c,d,label", *named]))
    data = Table.Config(path=str(tmp_path / "rows.csv"), target="label")
    pairs = {"batches": (128, 256, 1024), "rates": (0.1, 0.2, 0.8)}
    config = BatchSize.Config(data=data, model=MLP.Config(hidden=()), **pairs, epochs=3, seeds=1, timed=False)
    numbers = config.build().run().numbers
    for size, apart in ((256, 0.2), (1024, 0.6)):
        assert numbers[f"apart/scaled/batch_{size}"] < 0.01
        assert numbers[f"apart/fixed/batch_{size}"] > apart
    warm = config.derive(warmup=1.0).build().run().numbers
    assert warm["dev_loss/scaled/batch_128"] == numbers["dev_loss/scaled/batch_128"]
    # over the warm-up a batch moves by the mean of both rates: less than at its own, more than at the first
    own, first = (numbers[f"dev_loss/{way}/batch_1024"][0] for way in ("scaled", "fixed"))
    assert own < warm["dev_loss/scaled/batch_1024"][0] < first
    assert warm["apart_at_end/scaled/batch_1024"] < 0.01


def test_the_whole_training_split_as_a_batch_has_no_noise_and_a_larger_one_is_refused() -> None:
    config = BatchSize.Config(
        data=Digits.Config(twin=True, dev=0.2), model=MLP.Config(hidden=()), epochs=2, seeds=1, timed=False
    )
    size = config.data.build().spec.split("train").size
    found = config.derive(batches=(8, size), rates=(0.01, 0.02)).build().run()
    assert found.numbers[f"noise/batch_{size}"] == (0.0,)
    assert f"Batch {size} is the whole training split: its gradient has no noise." in found.remarks
    with pytest.raises(ConfigError, match=f"at most the {size} training examples"):
        config.derive(batches=(8, size + 1), rates=(0.01, 0.02)).build().run()


def test_the_range_test_names_rates_that_its_own_trainings_bear_out() -> None:
    config = RateRange.Config(data=Digits.Config(twin=True, batch=64), steps=60, epochs=2, high=1e4)
    found = config.build().run()
    reading = read_range(found.numbers["rates"], found.numbers["losses"])
    assert found.numbers["smoothed"] == reading.smoothed
    assert found.numbers["steepest"] == reading.steepest
    losses = {name.removeprefix("loss/"): value for name, value in found.numbers.items() if name.startswith("loss/")}
    assert losses["steepest"] < losses["a tenth of the steepest"]
    assert losses["ten times that"] is None or losses["ten times that"] > losses["between"]
    best = min(value for value in losses.values() if value is not None)
    assert f"is {best:.3g}, at" in found.remarks[2]
    marked = found.figures[0].lines[1:]
    assert [line.xs[0] for line in marked] == [found.numbers["steepest"], found.numbers["diverging"]]
    rates = {"half lost again": found.numbers["diverging"], "ten times that": 10 * found.numbers["diverging"]}
    high = [f"{rate:.3g}" for name, rate in rates.items() if losses[name] is None or losses[name] > best]
    assert found.remarks[3].endswith(f"a lower rate: {', '.join(high)}.")


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_where_no_rate_of_the_range_learns_none_is_called_too_high(seed) -> None:
    config = RateRange.Config(data=Digits.Config(twin=True, batch=16), low=1e-7, high=1e-5, epochs=1, seed=seed)
    found = config.build().run()
    assert (found.numbers["steepest"], found.numbers["diverging"]) == (None, None)
    ends = [found.numbers[f"loss/{name} of the range"] for name in ("start", "end")]
    assert ends[1] < ends[0]
    assert found.remarks[3].startswith("No rate was too high")
    assert len(found.figures[0].lines) == 1  # nothing is marked


def test_spread_tells_differences_from_chance() -> None:
    one, other = Spread((1.0, 2.0, 3.0)), Spread((2.5, 3.0, 3.5))
    assert (one.mean, one.sd) == (2.0, statistics.stdev((1, 2, 3)))
    error = math.sqrt(1 / 3 + 0.25 / 3)
    assert one.apart(other) is (2 * error < 1.0)
    assert one.apart(Spread((9.0, 9.1, 9.2)))
    assert not Spread((1.0,)).apart(Spread((9.0,)))
    assert (one.text(), Spread((0.5,)).text()) == ("2 ± 1", "0.5")


# -- functions of two numbers -----------------------------------------------------------------------------------------


def test_newton_finds_all_critical_points_of_himmelblaus_function() -> None:
    found = CriticalPoints.Config(starts=15).build().run()
    rows = [row[:3] for row in found.tables[1].rows]
    known = {
        "minimum": ((3, 2), (-2.805118, 3.131313), (-3.779310, -3.283186), (3.584428, -1.848127)),
        "maximum": ((-0.270845, -0.923039),),
        "saddle": ((-3.073026, -0.081353), (0.086678, 2.884255), (3.385154, 0.073852), (-0.127961, -1.953715)),
    }
    for kind, points in known.items():
        mine = sorted((x, y) for name, x, y in rows if name == kind)
        assert np.array(mine) == pytest.approx(np.array(sorted(points)), abs=2e-6)
    assert found.numbers["index_sum"] == 1
    assert "does not speak against" in found.remarks[1]
    shares = [found.numbers[f"share/Newton/{kind}"] for kind in ("minimum", "saddle", "maximum", "nowhere")]
    assert sum(shares) == pytest.approx(1)
    assert found.numbers["share/saddle-free Newton/minimum"] == pytest.approx(1)
    assert 0.1 < shares[1] < 0.6
    few = CriticalPoints.Config(starts=1).build().run()
    assert few.numbers["index_sum"] == 1  # one point: of whichever kind, but the remark counts it
    assert len(few.tables[1].rows) == 1


def test_the_camel_has_fifteen_critical_points_and_names_at_zero_are_right() -> None:
    found = CriticalPoints.Config(surface="camel", starts=31).build().run()
    counts = [found.numbers[f"count/{kind}"] for kind in ("minimum", "saddle", "maximum")]
    assert counts == [6, 7, 2]
    lowest = min(row[3] for row in found.tables[1].rows)
    assert lowest == pytest.approx(-1.0316285, abs=1e-6)
    names = {formula: name for name, formula in ((v, k.removeprefix("at_zero/")) for k, v in found.numbers.items())}
    assert names["x² - y²"] == names["x y"] == "saddle"
    assert names["x³ - 3 x y² (monkey saddle)"] == names["x² + y⁴"] == "degenerate"
    assert names["x + y²"] == "no critical point"


def test_newtons_step_goes_to_a_saddle_and_the_saddle_free_one_away() -> None:
    start = torch.tensor([[1.0, 0.1]], dtype=torch.float64)

    def saddle(p: torch.Tensor) -> torch.Tensor:
        return p[0] ** 2 - p[1] ** 2

    assert newton(saddle, start, steps=1)[0].tolist() == pytest.approx([0, 0], abs=1e-12)
    assert newton(saddle, start, steps=1, saddle_free=True)[0].tolist() == pytest.approx([0, 0.2], abs=1e-12)


def test_clipping_by_norm_keeps_the_direction_and_by_value_does_not() -> None:
    found = GradientClipping.Config(starts=2, bias=(-2.73, -2.6), steps=130).build().run()
    assert min(found.numbers["cosine/plain"] + found.numbers["cosine/norm"]) > 1 - 1e-6
    assert max(found.numbers["largest_step/norm"]) <= 0.05 * (1 + 1e-5)
    assert max(found.numbers["largest_step/value"]) <= 0.05 * math.sqrt(2) * (1 + 1e-9)
    assert max(found.numbers["largest_step/plain"]) > 0.1
    turned = math.degrees(math.acos(min(found.numbers["cosine/value"])))
    assert turned > 1
    assert found.remarks[3].endswith("no step turns away from the gradient's own direction.")
    assert found.remarks[4].endswith(f"by up to {turned:.3g} degrees.")


def test_the_cliff_is_that_of_the_recurrence() -> None:
    def logistic(x: float) -> float:
        return 1 / (1 + math.exp(-x))

    state = 0.5
    for _ in range(7):
        state = 5.0 * logistic(state) - 2.2
    places = torch.tensor([5.0, 0.0], dtype=torch.float64), torch.tensor([-2.2, 0.4], dtype=torch.float64)
    expected = [(logistic(state) - 0.7) ** 2, (logistic(0.4) - 0.7) ** 2]
    assert cliff(*places, steps=7).tolist() == pytest.approx(expected, rel=1e-12)


def test_momentum_is_the_semi_implicit_step_and_both_steps_are_of_first_order() -> None:
    found = MomentumAsMechanics.Config().build().run()
    assert found.numbers["optimizer_apart"] < 1e-12
    assert found.numbers["order/explicit"] == pytest.approx(1, abs=0.15)
    assert found.numbers["order/semi"] == pytest.approx(1, abs=0.05)
    assert found.numbers["energy/explicit"] > 1 > found.numbers["energy/semi"]
    times = torch.linspace(0, 5, 11, dtype=torch.float64)
    rate, decay = math.sqrt(2.0 - 0.15**2), 0.15  # x'' = -2 x - 0.3 x'
    closed = [math.exp(-decay * t) * (math.cos(rate * t) + decay / rate * math.sin(rate * t)) for t in times.tolist()]
    assert exact((2.0, 1.0), 0.3, times)[:, 0, 0].tolist() == pytest.approx(closed, abs=1e-12)
    states = euler((2.0,), 0.3, step=0.1, count=2, semi=False)[:, 0, 0].tolist()
    assert states == pytest.approx([1.0, 1.0, 1.0 - 0.1 * 0.1 * 2.0], abs=1e-15)
    with pytest.raises(ConfigError, match="friction \\* step below 1"):
        MomentumAsMechanics.Config(friction=6.0, step=0.2)


def test_all_sixteen_optimizers_race_by_default_at_most_five_in_a_picture() -> None:
    found = Race.Config(steps=3, rates=(0.01,)).build().run()
    names = {row[0] for row in found.tables[0].rows}
    plain = "sgd momentum nesterov adagrad adadelta rmsprop rmsprop_nesterov adam adamax nadam adamw radam lamb"
    assert names == {*plain.split(), "adam(amsgrad)", "sam(sgd)", "lookahead(sgd)"}
    assert sum(len(figure.paths) for figure in found.figures[::2]) == 16
    assert max(len(figure.paths) for figure in found.figures[::2]) <= 5


# -- normalization ----------------------------------------------------------------------------------------------------


def test_errors_of_both_normalizations_by_batch_size() -> None:
    fields = {"channels": (4, 8), "epochs": 1, "least": 12, "seeds": 2, "lr": 0.05}
    config = BatchAndGroupNorm.Config(data=Digits.Config(twin=True, dev=0.0, test=0.45), batches=(16, 64), **fields)
    found = config.build().run()
    assert config.batches == (64, 16)
    assert (found.numbers["steps/batch_64"], found.numbers["steps/batch_16"]) == (15, 21)
    bar = found.figures[0].series[0]
    assert bar.values[0] == pytest.approx(statistics.fmean(found.numbers["error/batch/batch_64"]))
    change = statistics.fmean(found.numbers["error/batch/batch_16"]) - bar.values[0]
    assert f"{change:+.3g} with batch normalization" in found.remarks[-1]
    assert found.tables[0].rows[1][4:] == (23.7, 24.2)
    with pytest.raises(ConfigError, match="each once"):
        BatchAndGroupNorm.Config(batches=(2, 2))


def test_z_score_and_min_max_are_those_of_scikit_learn() -> None:
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    rows = torch.randn(20, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * torch.tensor([1, 9, 0])
    for way, peer in (("min_max", preprocessing.MinMaxScaler()), ("z_score", preprocessing.StandardScaler())):
        low, spread = moments(rows, way)
        assert ((rows - low) / spread).numpy() == pytest.approx(peer.fit_transform(rows.numpy()), abs=1e-12)


def test_descent_at_the_safe_rate_never_rises_and_z_scores_learn_faster_than_raw_columns() -> None:
    found = InputNormalization.Config(steps=300).build().run()
    assert (
        found.numbers["condition/raw"] > 1e3 * found.numbers["condition/min_max"] > found.numbers["condition/z_score"]
    )
    assert found.numbers["loss/z_score"] < found.numbers["loss/min_max"] < found.numbers["loss/raw"]
    assert found.remarks[1].index("z-score") < found.remarks[1].index("raw")
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(40, 3, generator=generator, dtype=torch.float64)
    classes = torch.randint(0, 3, (40,), generator=generator)
    losses, weights, spectrum = descend(inputs, classes, steps=50)
    assert losses == sorted(losses, reverse=True)
    assert losses[0] == pytest.approx(math.log(3))
    assert losses[-1] == pytest.approx(float(F.cross_entropy(inputs @ weights, classes)), rel=1e-12)
    peer = np.linalg.svd(inputs.numpy() / math.sqrt(40), compute_uv=False) ** 2
    assert spectrum.tolist() == pytest.approx(sorted(peer))
