"""Labs on energy-based networks: what they find is what is known, and what they say follows from it."""

import math
from itertools import pairwise

import pytest
import torch
from scipy import special

from netsmith.core.errors import ConfigError
from netsmith.core.findings import Lines, Pictures, Points
from netsmith.data.digits import Digits
from netsmith.engine.random import example_keys as keys
from netsmith.labs.foundations import restricted_boltzmann as boltzmann
from netsmith.labs.foundations.boltzmann_digits import BoltzmannDigits
from netsmith.labs.foundations.hopfield_capacity import HopfieldCapacity, critical_load
from netsmith.labs.foundations.hopfield_recall import HopfieldRecall
from netsmith.labs.foundations.layerwise_pretraining import FewLabels
from netsmith.labs.foundations.restricted_boltzmann import RestrictedBoltzmann, bars_and_stripes
from netsmith.labs.foundations.travelling_salesman import TravellingSalesman


def test_the_jump_lies_where_theory_has_it_and_is_steeper_in_larger_networks():
    load, error = critical_load()
    assert load == pytest.approx(0.138, abs=5e-4)
    assert error == pytest.approx(0.016, abs=1e-3)
    found = HopfieldCapacity.Config(sizes=(60, 240), loads=(0.08, 0.12, 0.25), trials=1).build().run()
    small, large = found.numbers["wrong/60"], found.numbers["wrong/240"]
    assert large[0] < 0.002
    assert large[1] < 0.02
    assert large[2] > 0.15
    assert large[2] - large[1] > small[2] - small[1]
    chart = found.figures[0]
    assert isinstance(chart, Lines)
    assert chart.series[-1].xs[-1] == load
    assert all(a < b for a, b in zip(chart.series[-1].xs, chart.series[-1].xs[1:], strict=False))
    crossed = found.numbers["crossing/240"]
    assert 0.12 < crossed < 0.25
    assert found.remarks[-2].endswith(f"5 % are passed at {crossed:.3f}.")
    assert chart.log_y  # theory's shares are some thousandths, those beyond the jump some tenths
    below, beyond = found.numbers["wrong/theory"][:2], found.numbers["wrong/theory"][2]
    assert beyond is None
    for share, at in zip(below, (0.08, 0.12), strict=True):
        y = special.erfcinv(2 * share)
        assert math.sqrt(2 * at) == pytest.approx(math.erf(y) / y - 2 / math.sqrt(math.pi) * math.exp(-y * y), abs=1e-9)
    assert found.remarks[-1] == (
        f"At 0.12, the highest load below the end of theory, this has {100 * below[1]:.2g} % wrong and N = 240 "
        f"{100 * large[1]:.2g} %."
    )


def test_attention_recalls_what_hebbs_weights_confuse():
    found = HopfieldRecall.Config(trials=10).build().run()
    hebb, modern = found.numbers["agreement/hebb"], found.numbers["agreement/modern"]
    assert min(modern) > 0.99
    assert hebb[0] > 0.98
    assert hebb[-1] < found.numbers["agreement/start"] == pytest.approx(54 / 64)
    assert found.numbers["energy_rises"] == 0
    pictures = found.figures[0]
    assert isinstance(pictures, Pictures)
    assert len(pictures.pictures) == 4 * 3
    stored, corrupted = (torch.tensor(pictures.pictures[at].values) for at in (0, 3))
    assert int((stored != corrupted).sum()) == 10
    assert "From" in found.remarks[2]
    clean = HopfieldRecall.Config(trials=2, flipped=0.0).build().run()
    assert clean.numbers["agreement/modern"] == (1.0,) * 9


def test_tours_are_never_shorter_than_the_shortest_and_counted_as_they_come():
    found = TravellingSalesman.Config(cities=6, layouts=2, trials=30).derive(**{"model.steps": 1000}).build().run()
    assert all(ratio is None or ratio >= 1 - 1e-9 for ratio in found.numbers["best_ratio"])
    assert all(ratio > 1.1 for ratio in found.numbers["random_ratio"])
    tours = sum(found.numbers["valid"])
    assert found.remarks[0].startswith(f"{tours} of 60 trials end in a tour")
    assert isinstance(found.figures[0], Points)
    assert len(found.figures[0].lines[0].xs) == 7
    none = TravellingSalesman.Config(cities=6, layouts=1, trials=2).derive(**{"model.steps": 1}).build().run()
    assert none.remarks == ("0 of 2 trials end in a tour (0.0 %).",)
    with pytest.raises(ConfigError, match="expected a hopfield_tsp"):
        TravellingSalesman.Config().derive(model="hopfield").build()


def test_likelihoods_stay_below_the_entropy_and_rise():
    patterns = bars_and_stripes(3)
    assert len(patterns) == 14
    square = patterns.view(-1, 3, 3)
    assert ((square == square[:, :1]).all((1, 2)) | (square == square[:, :, :1]).all((1, 2))).all()
    found = RestrictedBoltzmann.Config(side=3, hidden=6, steps=800, rate=1.0, filters=10, epochs=2).build().run()
    bound = found.numbers["bound"]
    assert bound == -math.log(14)
    for name in ("CD-1", "CD-10", "persistent CD-1"):
        line = found.numbers[f"likelihood/{name}"]
        assert line[0] == pytest.approx(-9 * math.log(2), abs=0.01)  # nine fair coins
        assert line[0] + 1.5 < line[-1] <= bound
    assert found.numbers["reconstruction/digits"][1] < found.numbers["reconstruction/digits"][0]
    assert "Highest at the end" in found.remarks[3]
    assert [len(figure.pictures) for figure in found.figures[1:]] == [10, 40]


def test_a_rate_that_teaches_nothing_is_said_to():
    fields = {"side": 2, "hidden": 4, "filters": 4, "epochs": 1}
    found = RestrictedBoltzmann.Config(**fields, steps=100, rate=1000.0).build().run()
    lines = {name: found.numbers[f"likelihood/{name}"] for name in ("CD-1", "CD-10", "persistent CD-1")}
    lost = [name for name, line in lines.items() if line[-1] <= line[0]]
    assert len(lost) >= 2
    said = f"At a rate of 1000, 100 updates end no higher than the {lines['CD-1'][0]:.3f} nats of the first weights"
    assert found.remarks[3] == f"{said}: {', '.join(lost)}."
    good = RestrictedBoltzmann.Config(**fields, steps=400, rate=1.0).build().run()
    assert all(good.numbers[f"likelihood/{name}"][-1] > lines[name][0] for name in lines)
    assert not [remark for remark in good.remarks if "no higher" in remark]
    with pytest.raises(ConfigError, match="rate: input should be less than or equal to 1000"):
        RestrictedBoltzmann.Config(rate=1e30)


def test_no_seed_repeats_what_another_drew(monkeypatch):
    salesman = TravellingSalesman.Config(cities=4, trials=1).derive(**{"model.steps": 1})
    shortest = [salesman.derive(layouts=2, seed=seed).build().run().numbers["shortest"] for seed in (0, 1000)]
    assert len({*shortest[0], *shortest[1]}) == 4
    capacity = HopfieldCapacity.Config(sizes=(40,), loads=(0.2, 0.3))
    (one, two), other = (
        [capacity.derive(trials=trials, seed=seed).build().run().numbers["wrong/40"] for trials in range(1, most)]
        for seed, most in ((0, 3), (1000, 2))
    )
    second = [2 * both - first for first, both in zip(one, two, strict=True)]  # of the mean of two trials
    assert second != pytest.approx(other[0])
    used = {}
    for seed in (0, 1):
        bases = used.setdefault(seed, [])
        monkeypatch.setattr(boltzmann, "example_keys", lambda base, at, to=bases: to.append(base) or keys(base, at))
        RestrictedBoltzmann.Config(side=2, hidden=2, steps=5, filters=4, epochs=2, seed=seed).build().run()
    assert not set(used[0]) & set(used[1])
    assert len(set(used[0])) == 6 + 2 + 1  # updates, passes over the digits, samples


def test_pretrained_layers_are_learned_without_labels_and_kept():
    lab = FewLabels.Config(hidden=(20, 10), labels=(20,), pretraining=60, steps=30, seeds=(0,)).build()
    first, again = lab._pretrained("autoencoder", 0), lab._pretrained("autoencoder", 0)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert set(first) == {
        f"layers.{at}.{part}" for at in (0, 1) for part in ("linear.weight", "linear.bias", "visible_bias")
    }
    found = lab.run()
    assert set(found.numbers) == {f"error/{name}/20" for name in ("no pre-training", "RBMs", "autoencoders")}
    assert all(0 < value[0] < 1 for value in found.numbers.values())
    assert found.remarks[0].startswith("20 labels, from the lowest error: ")


def test_a_boltzmann_machine_of_coarse_digits_surpasses_independent_pixels_and_matches_their_pairs():
    found = BoltzmannDigits.Config(side=3, hidden=(0, 3), steps=300, sweeps=30).build().run()
    numbers = found.numbers
    images = Digits.Config(normalize=False).build()
    seen = {
        name: images.load(name, torch.arange(images.spec.split(name).size)).inputs.double()
        for name in ("train", "test")
    }
    small = {name: torch.nn.functional.adaptive_avg_pool2d(some, 3).flatten(1) for name, some in seen.items()}
    bits = {name: (some > small["train"].mean()).double() for name, some in small.items()}
    on = (bits["train"].sum(0) + 1) / (len(bits["train"]) + 2)
    alone = torch.distributions.Bernoulli(on).log_prob(bits["test"]).sum(1).mean()
    assert numbers["test/independent"] == pytest.approx(float(alone), rel=1e-12)
    assert numbers["test/no hidden units"][0] == pytest.approx(float(alone), abs=0.02)  # where the machine begins
    _, counts = bits["train"].unique(dim=0, return_counts=True)
    share = counts / counts.sum()
    bound = float((share * share.log()).sum())
    pairs, more = numbers["train/no hidden units"], numbers["train/3 hidden units"]
    assert all(a < b for a, b in pairwise(pairs))  # exact gradients climb
    assert numbers["train/independent"] + 0.15 < pairs[-1] < bound
    assert pairs[-1] <= more[-1] < bound
    assert numbers["gap/no hidden units"] < 0.01
    assert f"{numbers['test/no hidden units'][-1]:.3f} nats" in found.remarks[1]
    assert "more than independent pixels" in found.remarks[1]
    short = BoltzmannDigits.Config(side=2, hidden=(0,), steps=1, sweeps=1, rate=30.0).build().run()
    assert "less than independent pixels" in short.remarks[1]
    samples = found.figures[2]
    assert isinstance(samples, Pictures)
    assert {value for one in samples.pictures for row in one.values for value in row} == {0.0, 1.0}
    with pytest.raises(ConfigError, match="rise from 0 or more to at most 4"):
        BoltzmannDigits.Config(hidden=(0, 5))
