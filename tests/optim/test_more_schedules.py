"""The schedules that fall, rise or begin anew by a formula: against torch's, and against their papers' numbers."""

import math

import pytest
import torch

from netsmith.core.errors import ConfigError
from netsmith.core.roles import ScheduleConfig
from netsmith.optim.schedules.constant import Constant
from netsmith.optim.schedules.cosine import Cosine
from netsmith.optim.schedules.cyclic import Cyclic
from netsmith.optim.schedules.exponential import Exponential
from netsmith.optim.schedules.inverse_square_root import InverseSquareRoot
from netsmith.optim.schedules.inverse_time import InverseTime
from netsmith.optim.schedules.linear import Linear
from netsmith.optim.schedules.noam import Noam
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.optim.schedules.step import Step
from netsmith.optim.schedules.warm_restarts import WarmRestarts
from netsmith.optim.schedules.warm_up import WarmUp
from netsmith.optim.schedules.window import Window

scheduler = torch.optim.lr_scheduler
STEPS = 60


def rates(make, steps=STEPS):
    """The rates that torch's scheduler sets at each step, for a base rate of 1."""
    optimizer = torch.optim.SGD([torch.zeros(1, dtype=torch.float64, requires_grad=True)], lr=1.0)
    one, found = make(optimizer), []
    for _ in range(steps):
        found.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        one.step()
    return found


def factors(config, steps=STEPS):
    schedule = config.build()
    return [schedule.factor(step, steps) for step in range(steps)]


def cyclic(form, gamma=1.0):
    def make(optimizer):
        return scheduler.CyclicLR(optimizer, 0.1, 1.0, 4, mode=form, gamma=gamma, cycle_momentum=False)

    return make


def chained(optimizer):
    """A line from 1/5 of the rate, over five steps, on milestones that count from the first step."""
    first = scheduler.LinearLR(optimizer, start_factor=0.2, total_iters=4)
    return scheduler.ChainedScheduler([first, scheduler.MultiStepLR(optimizer, [10, 30], gamma=0.3)])


CASES = {
    "exponential": (
        Exponential.Config(decay=0.07, unit=1),
        lambda o: scheduler.ExponentialLR(o, math.exp(-0.07)),
    ),
    "exponential, by fractions": (
        Exponential.Config(decay=3.0, unit=0.5),
        lambda o: scheduler.LambdaLR(o, lambda t: math.exp(-3.0 * t / 30)),
    ),
    "inverse time": (
        InverseTime.Config(decay=0.3),
        lambda o: scheduler.LambdaLR(o, lambda t: 1 / (1 + 0.3 * t)),
    ),
    "inverse square root": (
        InverseSquareRoot.Config(),
        lambda o: scheduler.LambdaLR(o, lambda t: (t + 1) ** -0.5),
    ),
    "noam": (
        Noam.Config(hidden_size=512, warmup=20),
        lambda o: scheduler.LambdaLR(o, lambda t: 512**-0.5 * min((t + 1) ** -0.5, (t + 1) * 20**-1.5)),
    ),
    "warm restarts": (
        WarmRestarts.Config(first=4, schedule=Cosine.Config(final=0.05)),
        lambda o: scheduler.CosineAnnealingWarmRestarts(o, 4, T_mult=2, eta_min=0.05),
    ),
    "warm restarts of one length, three times as long": (
        WarmRestarts.Config(first=0.1, grow=1),
        lambda o: scheduler.CosineAnnealingWarmRestarts(o, 6),
    ),
    "warm restarts that grow threefold": (
        WarmRestarts.Config(first=2, grow=3),
        lambda o: scheduler.CosineAnnealingWarmRestarts(o, 2, T_mult=3),
    ),
    "triangular": (Cyclic.Config(half=4), cyclic("triangular")),
    "triangular2": (Cyclic.Config(half=4, form="triangular2"), cyclic("triangular2")),
    "exp_range": (Cyclic.Config(half=4, form="exp_range", gamma=0.97), cyclic("exp_range", 0.97)),
    "warm-up over milestones": (
        WarmUp.Config(schedule=Step.Config(milestones=(10, 30), gamma=0.3), warmup=4, delay=False),
        chained,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_torch_sets_the_same_rates(name):
    config, make = CASES[name]
    found = factors(config)
    assert found == pytest.approx(rates(make), abs=1e-12, rel=0)
    assert max(found) > 1.5 * min(found)  # the case can tell one schedule from another


PUBLISHED = [
    (WarmRestarts.Config(first=2), [1, 0.5, 1, 0.853553, 0.5, 0.146447]),
    (Cyclic.Config(low=0.1, half=4), [0.1, 0.325, 0.55, 0.775, 1]),
    (Cosine.Config(), [1, 0.96194, 0.853553, 0.691342, 0.5, 0.308658, 0.146447, 0.03806]),
    (InverseTime.Config(), [1, 1 / 2, 1 / 3, 1 / 4]),
    (InverseSquareRoot.Config(), [1, 1 / math.sqrt(2), 1 / math.sqrt(3), 1 / 2]),
    (Exponential.Config(decay=1.0, unit=1), [1, math.exp(-1), math.exp(-2)]),
    (Linear.Config(), [1, 0.875, 0.75, 0.625]),
]


@pytest.mark.parametrize(("config", "want"), PUBLISHED, ids=[config.kind_name() for config, _ in PUBLISHED])
def test_the_numbers_of_the_papers(config, want):
    assert factors(config, 8)[: len(want)] == pytest.approx(want, abs=5e-7)


def test_noam_peaks_where_the_warm_up_ends():
    noam = Noam.Config(hidden_size=512, warmup=4000).build()
    found = [noam.factor(step, 10_000) for step in range(10_000)]
    assert found.index(max(found)) == 3999
    assert max(found) == pytest.approx(6.98771e-4, abs=5e-10)
    assert max(found) == pytest.approx((512 * 4000) ** -0.5, rel=1e-14)


EVERY = [
    Constant.Config(),
    Cosine.Config(final=0.1),
    Cyclic.Config(half=3),
    Exponential.Config(),
    InverseSquareRoot.Config(unit=5),
    InverseTime.Config(),
    Linear.Config(),
    Noam.Config(warmup=7),
    OneCycle.Config(),
    Step.Config(),
    WarmRestarts.Config(first=3),
    Window.Config(schedule="linear", start=0.1),
]


@pytest.mark.parametrize("within", EVERY, ids=lambda config: config.kind_name())
def test_every_schedule_can_be_warmed_up(within):
    """The rise ends one step before the schedule's first factor; from there on it is the schedule, moved."""
    found, alone = factors(WarmUp.Config(schedule=within, warmup=10), 50), factors(within, 40)
    assert found[10:] == alone
    assert found[:10] == pytest.approx([alone[0] * (step + 1) / 11 for step in range(10)], abs=1e-15)
    multiplied = factors(WarmUp.Config(schedule=within, warmup=0.2, initial=0.5, delay=False), 50)
    line = [min(1.0, 0.5 + 0.5 * (step + 1) / 11) for step in range(50)]
    want = [one * other for one, other in zip(line, factors(within, 50), strict=True)]
    assert multiplied == pytest.approx(want, abs=1e-15)


@pytest.mark.parametrize("kind", [Cosine, Linear])
def test_a_warm_up_within_and_one_around_are_the_same(kind):
    assert factors(WarmUp.Config(schedule=kind.Config(), warmup=5)) == factors(kind.Config(warmup=5))
    assert factors(WarmUp.Config(schedule=kind.Config(), warmup=0.25)) == factors(kind.Config(warmup=0.25))


def test_a_warmed_up_inverse_square_root_is_the_transformers_schedule():
    """With the unit of the warm-up it is sqrt(w / t) of the global step, as Noam is but for one step and its scale."""
    found = factors(WarmUp.Config(schedule=InverseSquareRoot.Config(unit=16), warmup=16), 100)
    assert found[16:] == pytest.approx([math.sqrt(16 / step) for step in range(16, 100)], abs=1e-14)


def test_lengths_are_steps_or_fractions_and_never_nothing():
    for steps, first in ((40, 10), (4, 1), (1, 1)):  # a quarter of a short run is one step at least
        wanted = factors(WarmRestarts.Config(first=first, grow=1), steps)
        assert factors(WarmRestarts.Config(first=0.25, grow=1), steps) == wanted
    assert factors(Cyclic.Config(half=0.1), 40) == factors(Cyclic.Config(half=4), 40)
    assert factors(Exponential.Config(unit=0.01), 10) == factors(Exponential.Config(unit=1), 10)


@pytest.mark.parametrize("config", [*EVERY, *(config for config, _ in PUBLISHED), WarmUp.Config(schedule="cosine")])
def test_a_schedule_survives_its_json_form_and_is_a_function_of_the_step_alone(config):
    again = ScheduleConfig.load(config.dump())
    assert (again, again.to_json()) == (config, config.to_json())
    schedule = again.build()
    backwards = [schedule.factor(step, 30) for step in reversed(range(30))]
    assert backwards[::-1] == factors(config, 30)
    assert all(math.isfinite(value) and value >= 0 for value in backwards)
    assert config.build().factor(0, 1) > 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: WarmRestarts.Config(first=0), r"at least one step, or a fraction of all steps above 0 \(got 0\)"),
        (lambda: WarmRestarts.Config(grow=0), "greater than or equal to 1"),
        (lambda: Cyclic.Config(half=0.0), "at least one step"),
        (lambda: Cyclic.Config(gamma=0.9), "gamma=0.9 means nothing with form='triangular'"),
        (lambda: WarmUp.Config(schedule="cosine", warmup=1.5), r"a fraction of all steps in 0..1 \(got 1.5\)"),
        (lambda: WarmUp.Config(schedule="cosin"), "did you mean 'cosine'"),
        (lambda: InverseTime.Config(decay=-1.0), "greater than or equal to 0"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_a_warm_up_has_a_step_even_in_a_short_run():
    short = WarmUp.Config(schedule=Constant.Config()).build()  # a twentieth of 9 steps
    assert [short.factor(step, 9) for step in range(3)] == [0.5, 1.0, 1.0]


def test_a_rate_beyond_all_numbers_is_refused():
    rising = Exponential.Config(decay=-1, unit=1).build()
    assert rising.factor(700, 1000) == pytest.approx(math.exp(700))
    with pytest.raises(ConfigError, match=r"e\^1000 times larger by step 1000; lower -decay"):
        rising.factor(1000, 1001)
