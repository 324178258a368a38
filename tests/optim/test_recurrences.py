"""Each optimizer follows the recurrence of its paper, written here once more in numpy, in double precision."""

import numpy as np
import pytest
import torch
from torch import nn

from netsmith.core.errors import UnsupportedError
from netsmith.optim.adadelta import Adadelta
from netsmith.optim.adagrad import Adagrad
from netsmith.optim.adam import Adam
from netsmith.optim.adamax import Adamax
from netsmith.optim.lamb import Lamb
from netsmith.optim.lookahead import Lookahead
from netsmith.optim.momentum import Momentum
from netsmith.optim.nadam import Nadam
from netsmith.optim.nesterov import Nesterov
from netsmith.optim.radam import RAdam
from netsmith.optim.rmsprop import RMSProp
from netsmith.optim.rmsprop_nesterov import RMSPropNesterov
from netsmith.optim.sam import SAM
from netsmith.optim.sgd import SGD

STEPS = 25
PARTS = {"weight": (2, 3), "bias": (3,)}
CUTS = [slice(0, 6), slice(6, 9)]
RATES = [1.0] * 4 + [0.3] * 5 + [1.7] * 3 + [0.05 * step + 0.1 for step in range(13)]

_RANDOM = np.random.default_rng(0)
_ROOT = _RANDOM.normal(size=(9, 9))
HESSIAN = _ROOT @ _ROOT.T / 9 + 0.1 * np.eye(9)
LINEAR = _RANDOM.normal(size=9)
START = _RANDOM.normal(size=9)


def slope(x):
    """The gradient of ``x.H.x / 2 - c.x + sum(x^4) / 40``."""
    return HESSIAN @ x - LINEAR + 0.1 * x**3


@pytest.fixture(autouse=True)
def _double():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # in which torch keeps Nadam's product of momenta
    yield
    torch.set_default_dtype(before)


class Descent:
    """An optimizer on that function; ``path`` holds the points it went through."""

    def __init__(self, config):
        self.parameters = {
            name: nn.Parameter(torch.tensor(START[cut].reshape(PARTS[name])))
            for name, cut in zip(PARTS, CUTS, strict=True)
        }
        self.optimizer = config.build(self.parameters)
        self.base = [group["lr"] for group in self.optimizer.param_groups]
        self.closure = config.needs_closure
        self.asked = 0

    def point(self):
        return torch.cat([p.detach().flatten() for p in self.parameters.values()]).numpy()

    def velocity(self):
        return torch.cat([self.optimizer.state[p]["velocity"].flatten() for p in self.parameters.values()]).numpy()

    def gradient(self):
        self.asked += 1
        found = torch.tensor(slope(self.point()))
        for (name, p), cut in zip(self.parameters.items(), CUTS, strict=True):
            p.grad = found[cut].reshape(PARTS[name])
        return 1.5

    def step(self, factor=1.0):
        for group, base in zip(self.optimizer.param_groups, self.base, strict=True):
            group["lr"] = base * factor
        if self.closure:
            assert self.optimizer.step(self.gradient) == 1.5
        else:
            self.gradient()
            self.optimizer.step()


def walked(config, rates):
    descent = Descent(config)
    path = []
    for rate in rates:
        descent.step(rate)
        path.append(descent.point())
    return np.array(path)


# -- the recurrences: each is given the point, the gradient's function and the rate of each step -----------------------


def sgd(x, f, rates, mu=0.0, nesterov=False, decay=0.0):
    b = np.zeros(9)
    for eta in rates:
        g = f(x) + decay * x
        b = mu * b + g
        x = x - eta * (g + mu * b if nesterov else b)
        yield x


def heavy_ball(x, f, rates, mu):
    v = np.zeros(9)
    for eta in rates:
        v = mu * v - eta * f(x)
        x = x + v
        yield x


def look_ahead(x, f, rates, mu, decay=0.0):
    v = np.zeros(9)
    for eta in rates:
        ahead = x + mu * v
        v = mu * v - eta * (f(ahead) + decay * ahead)
        x = x + v
        yield x


def rmsprop(x, f, rates, rho, eps, mu=0.0, first=False, decay=0.0):
    s, b = None, np.zeros(9)
    for eta in rates:
        g = f(x) + decay * x
        if s is None:
            s = np.abs(g) if first else np.zeros(9)  # sigma_0
        s = np.sqrt(rho * s**2 + (1 - rho) * g**2)
        b = mu * b + g / (s + eps)
        x = x - eta * b
        yield x


def rmsprop_nesterov(x, f, rates, rho, alpha, eps):
    r, v = np.zeros(9), np.zeros(9)
    for eta in rates:
        g = f(x + alpha * v)
        r = rho * r + (1 - rho) * g * g
        v = alpha * v - eta / (np.sqrt(r) + eps) * g
        x = x + v
        yield x


def adagrad(x, f, rates, eps, initial=0.0):
    total = np.full(9, initial)
    for eta in rates:
        g = f(x)
        total = total + g**2
        x = x - eta * g / (np.sqrt(total) + eps)
        yield x


def adadelta(x, f, rates, rho, eps):
    v, u = np.zeros(9), np.zeros(9)
    for eta in rates:
        g = f(x)
        v = rho * v + (1 - rho) * g**2
        d = np.sqrt(u + eps) / np.sqrt(v + eps) * g
        u = rho * u + (1 - rho) * d**2
        x = x - eta * d
        yield x


def adam(x, f, rates, b1, b2, eps, amsgrad=False):
    m, v, most = np.zeros(9), np.zeros(9), np.zeros(9)
    for t, eta in enumerate(rates, 1):
        g = f(x)
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        most = np.maximum(most, v)
        x = x - eta * (m / (1 - b1**t)) / (np.sqrt((most if amsgrad else v) / (1 - b2**t)) + eps)
        yield x


def adamax(x, f, rates, b1, b2, eps):
    m, u = np.zeros(9), np.zeros(9)
    for t, eta in enumerate(rates, 1):
        g = f(x)
        m, u = b1 * m + (1 - b1) * g, np.maximum(b2 * u, np.abs(g) + eps)
        x = x - eta / (1 - b1**t) * m / u
        yield x


def nadam(x, f, rates, b1, b2, eps, psi):
    m, v, product = np.zeros(9), np.zeros(9), 1.0
    for t, eta in enumerate(rates, 1):
        g = f(x)
        now, after = (b1 * (1 - 0.5 * 0.96 ** (step * psi)) for step in (t, t + 1))
        product *= now
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        ahead = after * m / (1 - product * after) + (1 - now) * g / (1 - product)
        x = x - eta * ahead / (np.sqrt(v / (1 - b2**t)) + eps)
        yield x


def rho_of(t, b2=0.999):
    return (2 / (1 - b2) - 1) - 2 * t * b2**t / (1 - b2**t)


def radam(x, f, rates, b1, b2, eps):
    m, v, limit = np.zeros(9), np.zeros(9), 2 / (1 - b2) - 1
    for t, eta in enumerate(rates, 1):
        g, rho = f(x), rho_of(t, b2)
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        step = m / (1 - b1**t)
        if rho > 5:
            r = np.sqrt((rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho))
            step = step * r * np.sqrt(1 - b2**t) / (np.sqrt(v) + eps)
        x = x - eta * step
        yield x


def lamb(x, f, rates, b1, b2, eps, decay, bounds=(0.0, np.inf), vectors=True):
    m, v = np.zeros(9), np.zeros(9)
    for t, eta in enumerate(rates, 1):
        g = f(x)
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        u = m / (1 - b1**t) / (np.sqrt(v / (1 - b2**t)) + eps) + decay * x
        new = x.copy()
        for number, cut in enumerate(CUTS):
            phi = min(max(np.sqrt((x[cut] ** 2).sum()), bounds[0]), bounds[1])
            ratio = phi / np.sqrt((u[cut] ** 2).sum()) if vectors or number == 0 else 1.0
            new[cut] = x[cut] - eta * ratio * u[cut]
        x = new
        yield x


def sam(x, f, rates, rho, mu):
    b = np.zeros(9)
    for eta in rates:
        g = f(x)
        b = mu * b + f(x + rho * g / np.sqrt((g**2).sum()))
        x = x - eta * b
        yield x


def lookahead(x, f, rates, k, alpha, mu):
    slow, b = x, np.zeros(9)
    for t, eta in enumerate(rates, 1):
        b = mu * b + f(x)
        x = x - eta * b
        if t % k == 0:
            slow = slow + alpha * (x - slow)
            x = slow
        yield x


CASES = {
    "sgd": (SGD.Config(lr=0.05, momentum=0.8, weight_decay=0.1), sgd, {"mu": 0.8, "decay": 0.1}),
    "sgd nesterov": (SGD.Config(lr=0.05, momentum=0.8, nesterov=True), sgd, {"mu": 0.8, "nesterov": True}),
    "momentum": (Momentum.Config(lr=0.05, momentum=0.8), heavy_ball, {"mu": 0.8}),
    "nesterov": (Nesterov.Config(lr=0.05, momentum=0.8, weight_decay=0.1), look_ahead, {"mu": 0.8, "decay": 0.1}),
    "adagrad": (Adagrad.Config(lr=0.1), adagrad, {"eps": 1e-10}),
    "adagrad initial": (Adagrad.Config(lr=0.1, initial=0.3), adagrad, {"eps": 1e-10, "initial": 0.3}),
    "adadelta": (Adadelta.Config(), adadelta, {"rho": 0.9, "eps": 1e-6}),
    "rmsprop": (RMSProp.Config(lr=0.01, decay=0.99), rmsprop, {"rho": 0.99, "eps": 1e-8}),
    "rmsprop from gradient": (
        RMSProp.Config(lr=0.01, decay=0.99, start="gradient", momentum=0.7, weight_decay=0.2),
        rmsprop,
        {"rho": 0.99, "eps": 1e-8, "first": True, "mu": 0.7, "decay": 0.2},
    ),
    "rmsprop nesterov": (
        RMSPropNesterov.Config(lr=0.01, decay=0.95, momentum=0.8, eps=1e-3),
        rmsprop_nesterov,
        {"rho": 0.95, "alpha": 0.8, "eps": 1e-3},
    ),
    "rmsprop nesterov, as in the book": (
        RMSPropNesterov.Config(lr=0.01, eps=1e-300),
        rmsprop_nesterov,
        {"rho": 0.9, "alpha": 0.9, "eps": 0.0},
    ),
    "adam": (Adam.Config(lr=0.1), adam, {"b1": 0.9, "b2": 0.999, "eps": 1e-8}),
    "amsgrad": (
        Adam.Config(lr=0.1, betas=(0.8, 0.7), amsgrad=True),
        adam,
        {"b1": 0.8, "b2": 0.7, "eps": 1e-8, "amsgrad": True},
    ),
    "adamax": (Adamax.Config(lr=0.1, betas=(0.9, 0.8)), adamax, {"b1": 0.9, "b2": 0.8, "eps": 1e-8}),
    "nadam": (Nadam.Config(lr=0.1), nadam, {"b1": 0.9, "b2": 0.999, "eps": 1e-8, "psi": 0.004}),
    "radam": (RAdam.Config(lr=0.1), radam, {"b1": 0.9, "b2": 0.999, "eps": 1e-8}),
    "lamb": (Lamb.Config(lr=0.02), lamb, {"b1": 0.9, "b2": 0.999, "eps": 1e-6, "decay": 0.01}),
    "lamb bounded": (
        Lamb.Config(lr=0.1, bounds=(0.5, 1.5), adapt_norms=False, weight_decay=0.3),
        lamb,
        {"b1": 0.9, "b2": 0.999, "eps": 1e-6, "decay": 0.3, "bounds": (0.5, 1.5), "vectors": False},
    ),
    "sam": (SAM.Config(inner=SGD.Config(lr=0.05, momentum=0.8), rho=0.2), sam, {"rho": 0.2, "mu": 0.8}),
    "lookahead": (
        Lookahead.Config(inner=SGD.Config(lr=0.05, momentum=0.8), steps=4, alpha=0.3),
        lookahead,
        {"k": 4, "alpha": 0.3, "mu": 0.8},
    ),
}


def base_rate(config):
    return config.inner.lr if isinstance(config, (SAM.Config, Lookahead.Config)) else config.lr


@pytest.mark.parametrize("rates", [[1.0] * STEPS, RATES], ids=["constant", "varying"])
@pytest.mark.parametrize("name", CASES)
def test_the_recurrence_of_the_paper(name, rates):
    config, recurrence, settings = CASES[name]
    wanted = np.array(list(recurrence(START, slope, [base_rate(config) * rate for rate in rates], **settings)))
    found = walked(config, rates)
    assert np.abs(found - wanted).max() < 1e-12
    assert np.abs(found[-1] - START).max() > 0.03  # it went somewhere


def test_no_two_of_them_are_the_same():
    ends = {name: walked(config, RATES)[-1] for name, (config, _, _) in CASES.items()}
    for one in ends:
        for other in ends:
            assert one == other or np.abs(ends[one] - ends[other]).max() > 1e-3, (one, other)


# -- momentum ---------------------------------------------------------------------------------------------------------


def paths_of_nesterov(rates):
    """The point that the look-ahead form looks at, and where the two reformulated forms stand, after each step."""
    ahead, inside = Descent(Nesterov.Config(lr=0.05)), Descent(Momentum.Config(lr=0.05, nesterov=True))
    outside = Descent(SGD.Config(lr=0.05, momentum=0.9, nesterov=True))
    paths = []
    for rate in rates:
        for descent in (ahead, inside, outside):
            descent.step(rate)
        paths.append((ahead.point() + 0.9 * ahead.velocity(), inside.point(), outside.point()))
    assert ahead.asked == inside.asked == outside.asked == len(rates)  # one gradient a step
    return np.array(paths).transpose(1, 0, 2)


def test_both_forms_of_nesterov_are_one_after_the_change_of_variables():
    """With ``y = p + mu v``; torch's form as long as the rate is constant, ours with the rate inside always."""
    ahead, inside, outside = paths_of_nesterov([1.0] * STEPS)
    assert np.abs(ahead - inside).max() < 1e-12
    assert np.abs(ahead - outside).max() < 1e-12
    ahead, inside, outside = paths_of_nesterov(RATES)
    assert np.abs(ahead - inside).max() < 1e-12
    assert np.abs(ahead - outside)[:4].max() < 1e-12  # the rate first changes at the fifth step
    assert np.abs(ahead - outside)[4].max() > 1e-3


def test_the_rate_inside_and_outside_the_velocity_are_one_while_it_is_constant():
    inside, outside = Momentum.Config(lr=0.05), SGD.Config(lr=0.05, momentum=0.9)
    assert np.abs(walked(inside, [1.0] * STEPS) - walked(outside, [1.0] * STEPS)).max() < 1e-12
    apart = np.abs(walked(inside, RATES) - walked(outside, RATES)).max(1)
    assert apart[:4].max() < 1e-12
    # At the first other rate, eta' = .3 eta, the old velocity still counts whole: mu |v| (1 - .3) apart.
    descent = Descent(inside)
    for _ in range(4):
        descent.step()
    assert apart[4] == pytest.approx(0.9 * 0.7 * np.abs(descent.velocity()).max(), rel=1e-12)


def test_momentum_is_a_damped_mechanical_system():
    """``m x'' = -c x' - f'(x)`` in semi-implicit steps of h: ``mu = 1 - c h / m`` and ``eta = h^2 / m``."""
    mass, damping, h = 2.0, 0.6, 0.4
    x, u, wanted, explicit = START, np.zeros(9), [], []
    for _ in range(STEPS):
        u = u + h / mass * (-damping * u - slope(x))
        x = x + h * u  # the new velocity
        wanted.append(x)
    x, u = START, np.zeros(9)
    for _ in range(STEPS):
        x, u = x + h * u, u + h / mass * (-damping * u - slope(x))  # the old one
        explicit.append(x)
    found = walked(Momentum.Config(lr=h**2 / mass, momentum=1 - damping * h / mass), [1.0] * STEPS)
    assert np.abs(found - np.array(wanted)).max() < 1e-12
    assert np.abs(found - np.array(explicit)).max() > 0.1


# -- first steps and constants ----------------------------------------------------------------------------------------


def steps_of(config, gradients):
    """The moves of one number, each divided by minus the rate."""
    p = nn.Parameter(torch.zeros(()))
    optimizer = config.build({"p": p})
    moves = []
    for gradient in gradients:
        before = p.item()
        p.grad = torch.tensor(float(gradient))
        optimizer.step()
        moves.append((before - p.item()) / config.lr)
    return moves


@pytest.mark.parametrize("gradient", [3.0, -0.02])
def test_first_steps(gradient):
    sign = np.sign(gradient)
    assert steps_of(Adam.Config(), [gradient]) == [pytest.approx(sign, rel=1e-6)]
    assert steps_of(Adagrad.Config(), [gradient]) == [pytest.approx(sign, rel=1e-7)]
    assert steps_of(Adamax.Config(), [gradient]) == [pytest.approx(sign, rel=1e-6)]
    assert steps_of(RMSProp.Config(decay=0.99), [gradient]) == [pytest.approx(10 * sign, rel=1e-5)]
    assert steps_of(RMSProp.Config(decay=0.99, start="gradient"), [gradient]) == [pytest.approx(sign, rel=1e-6)]


def test_where_epsilon_stands():
    assert steps_of(Adagrad.Config(), [1e-10]) == [pytest.approx(0.5)]  # outside the root; inside: 1e-5
    assert steps_of(RMSProp.Config(decay=0.99, eps=1e-3), [1e-2]) == [pytest.approx(1e-2 / (1e-3 + 1e-3))]
    assert steps_of(Adadelta.Config(), [1e-2]) == [pytest.approx(1e-3 / (1e-5 + 1e-6) ** 0.5 * 1e-2)]  # inside both
    adagrad, adadelta = Adagrad.Config(), Adadelta.Config()
    assert (adagrad.eps, adadelta.lr, adadelta.decay, adadelta.eps) == (1e-10, 1.0, 0.9, 1e-6)


def test_nadams_momentum_grows():
    descent = Descent(Nadam.Config())
    product = 1.0
    for step in range(1, 6):
        descent.step()
        product *= 0.9 * (1 - 0.5 * 0.96 ** (0.004 * step))
        for parameter in descent.parameters.values():
            assert descent.optimizer.state[parameter]["mu_product"].item() == pytest.approx(product, abs=1e-15)


def test_radam_is_momentum_until_its_sixth_step():
    wanted = [1.0, 1.999, 2.999, 3.997, 4.996, 5.994, 6.992]
    assert [rho_of(step) for step in range(1, 8)] == pytest.approx(wanted, abs=6e-4)
    moves = steps_of(RAdam.Config(), [2.0] * 7)
    assert moves[:5] == pytest.approx([2.0] * 5, rel=1e-12)  # rho_5 = 4.996: the paper (above 4) would adapt here
    rho, limit = rho_of(6), 1999
    rectified = ((rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho)) ** 0.5
    assert moves[5] == pytest.approx(rectified, rel=1e-6)
    assert rectified < 0.05


# -- what a step leaves alone -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_a_parameter_without_a_gradient_stays(name):
    """Also one that gets its first gradient late, as when a network is thawed: it begins as if new."""
    config = CASES[name][0]
    parameters = {"a": nn.Parameter(torch.ones(2, 2)), "b": nn.Parameter(torch.full((2,), 3.0))}
    optimizer = config.build(parameters)

    def gradients(names):
        def closure():
            for key, p in parameters.items():
                p.grad = p.detach() ** 3 if key in names else None
            return 1.0

        if config.needs_closure:
            optimizer.step(closure)
        else:
            closure()
            optimizer.step()

    for _ in range(5):
        gradients("a")
    assert torch.equal(parameters["b"], torch.full((2,), 3.0))
    assert not torch.equal(parameters["a"], torch.ones(2, 2))
    for _ in range(4):
        gradients("ab")
    assert (parameters["b"] < 3).all()
    assert torch.isfinite(parameters["b"]).all()


def test_lambs_layers_of_zeros_leave_zero():
    p = nn.Parameter(torch.zeros(3))
    optimizer = Lamb.Config(lr=0.1).build({"p": p})
    p.grad = torch.tensor([1.0, -2.0, 0.5])
    optimizer.step()
    assert p.tolist() == pytest.approx([-0.1, 0.1, -0.1], rel=1e-5)  # the ratio is 1
    p.grad = torch.zeros(3)
    still = Lamb.Config(weight_decay=0.0).build({"p": nn.Parameter(torch.ones(3))})
    (q,) = still.param_groups[0]["params"]
    q.grad = torch.zeros(3)
    still.step()
    assert torch.equal(q, torch.ones(3))


@pytest.mark.parametrize("name", ["nesterov", "rmsprop nesterov", "sam"])
def test_a_step_without_the_closure_it_needs_says_so(name):
    with pytest.raises(UnsupportedError, match=r"\.step\(\) was called without a closure, and it must compute"):
        Descent(CASES[name][0]).optimizer.step()


@pytest.mark.parametrize("name", CASES)
def test_a_closure_may_be_given_to_all(name):
    descent = Descent(CASES[name][0])
    assert descent.optimizer.step(descent.gradient) == 1.5
    assert np.array_equal(descent.point(), walked(CASES[name][0], [1.0])[0])
