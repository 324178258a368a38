import warnings

import pytest
import torch

from netsmith.core.errors import ConfigError
from netsmith.core.roles import ScheduleConfig
from netsmith.optim.schedules.constant import Constant
from netsmith.optim.schedules.cosine import Cosine
from netsmith.optim.schedules.linear import Linear
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.optim.schedules.step import Step
from netsmith.optim.schedules.window import Window

scheduler = torch.optim.lr_scheduler


def rates(make, steps):
    """The rates that torch's scheduler sets at each step, for a base rate of 1."""
    optimizer = torch.optim.SGD([torch.zeros(1, dtype=torch.float64, requires_grad=True)], lr=1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's SequentialLR uses its own deprecated argument
        one, found = make(optimizer), []
        for _ in range(steps):
            found.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            one.step()
    return found


def factors(config, steps):
    schedule = config.build()
    return [schedule.factor(step, steps) for step in range(steps)]


def test_the_published_values():
    cosine = Cosine.Config().build()
    want = [1, 0.96194, 0.853553, 0.691342, 0.5]
    assert [cosine.factor(step, 8) for step in range(5)] == pytest.approx(want, abs=5e-7)
    assert factors(Linear.Config(), 4) == [1.0, 0.75, 0.5, 0.25]
    assert factors(Constant.Config(), 3) == [1.0, 1.0, 1.0]


def warm(optimizer, warmup, then):
    first = scheduler.LinearLR(optimizer, start_factor=1 / (warmup + 1), total_iters=warmup)
    return scheduler.SequentialLR(optimizer, [first, then], milestones=[warmup])


CASES = {
    "cosine": (Cosine.Config(final=0.1), lambda o: scheduler.CosineAnnealingLR(o, 20, eta_min=0.1)),
    "cosine after a warm-up": (
        Cosine.Config(warmup=5),
        lambda o: warm(o, 5, scheduler.CosineAnnealingLR(o, 15)),
    ),
    "warm-up as a fraction": (
        Cosine.Config(warmup=0.25),
        lambda o: warm(o, 5, scheduler.CosineAnnealingLR(o, 15)),
    ),
    "linear": (Linear.Config(final=0.2), lambda o: scheduler.LinearLR(o, 1.0, 0.2, total_iters=20)),
    "linear after a warm-up": (
        Linear.Config(warmup=4),
        lambda o: warm(o, 4, scheduler.LinearLR(o, 1.0, 0.0, total_iters=16)),
    ),
    "step": (Step.Config(milestones=(6, 14), gamma=0.3), lambda o: scheduler.MultiStepLR(o, [6, 14], gamma=0.3)),
    "step after a start at a lower rate": (
        Step.Config(milestones=(6, 14), gamma=0.3, warmup=4, warmup_factor=0.2),
        lambda o: scheduler.ChainedScheduler(
            [scheduler.ConstantLR(o, 0.2, 4), scheduler.MultiStepLR(o, [6, 14], gamma=0.3)]
        ),
    ),
    "step by fractions": (
        Step.Config(milestones=(0.3, 0.7), gamma=0.3),
        lambda o: scheduler.MultiStepLR(o, [6, 14], gamma=0.3),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_torch_sets_the_same_rates(name):
    config, make = CASES[name]
    assert factors(config, 20) == pytest.approx(rates(make, 20), abs=1e-14)


@pytest.mark.parametrize(("steps", "peak"), [(20, 0.3), (17, 0.4), (5, 0.9)])
def test_one_cycle_is_torchs_linear_way_up_and_cosine_way_down(steps, peak):
    def torchs(anneal):
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        one = scheduler.OneCycleLR(optimizer, 1.0, total_steps=steps, pct_start=peak, anneal_strategy=anneal)
        found = [optimizer.param_groups[0]["lr"]]
        for _ in range(steps - 1):
            optimizer.step()
            one.step()
            found.append(optimizer.param_groups[0]["lr"])
        return found

    up, down = torchs("linear"), torchs("cos")
    want = [up[step] if step <= peak * steps - 1 else down[step] for step in range(steps)]
    assert factors(OneCycle.Config(peak=peak), steps) == pytest.approx(want, abs=1e-12)


def test_a_window_plays_a_schedule_in_a_part_of_the_run():
    inner = Cosine.Config(warmup=2)
    got = factors(Window.Config(schedule=inner, start=6, stop=0.8), 20)
    whole = factors(inner, 10)
    assert got == [whole[0]] * 6 + whole + [whole[-1]] * 4
    assert factors(Window.Config(schedule=inner, stop=0.25), 2) == [factors(inner, 1)[0]] * 2  # at least a step
    with pytest.raises(ConfigError, match="holds no step of a run of 5"):
        Window.Config(schedule=inner, start=7).build().factor(0, 5)


def test_a_schedule_survives_its_json_form_with_steps_and_fractions_apart():
    for config in (Step.Config(milestones=(3, 9)), Step.Config(milestones=(0.5,)), Cosine.Config(warmup=1)):
        again = ScheduleConfig.load(config.dump())
        assert again == config
        assert type(next(iter(again.dump().values()))) is type(next(iter(config.dump().values())))
    assert Cosine.Config(warmup=1).build().factor(0, 10) == 0.5  # one step, not all of them


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Step.Config(milestones=(9, 3)), "must rise"),
        (lambda: Step.Config(milestones=(3, 0.5)), "all integers"),
        (lambda: Step.Config(warmup_factor=0.5), "means nothing with warmup=0"),
        (lambda: Cosine.Config(warmup=1.5), r"a fraction of all steps in 0..1 \(got 1.5\)"),
        (lambda: Window.Config(schedule="cosine", start=8, stop=8), "before stop"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_runs_of_one_step_and_steps_past_the_end_have_a_factor():
    for config in (Constant.Config(), Cosine.Config(), Linear.Config(), OneCycle.Config(), Step.Config()):
        assert config.build().factor(0, 1) > 0
        assert config.build().factor(50, 10) == config.build().factor(10, 10)
