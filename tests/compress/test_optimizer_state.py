import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from netsmith.compress.optimizer_state import cut_optimizer
from netsmith.compress.proof import mask_units
from netsmith.compress.prune import cut_units, prune
from netsmith.compress.surgery import SurgeryLog
from netsmith.compress.trace import trace
from netsmith.core.errors import CheckpointError, UnsupportedError
from netsmith.optim.lookahead import Lookahead
from netsmith.optim.sgd import SGD

DATA = torch.Generator().manual_seed(3)
IMAGES = torch.randn(40, 8, 3, 6, 6, generator=DATA, dtype=torch.float64)
LABELS = torch.randint(0, 4, (40, 8), generator=DATA)


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.a, self.b = nn.Conv2d(8, 6, 3, padding=1), nn.Conv2d(6, 8, 3, padding=1)
        self.scale, self.head = nn.Parameter(torch.tensor(1.5)), nn.Linear(8, 4)

    def forward(self, x):
        x = F.relu(self.norm(self.stem(x)))
        return self.head((self.b(self.a(x).relu()) + x).mean((2, 3)))


def build():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Small().double()


def step(net, optimizer, number):
    optimizer.zero_grad()
    loss = F.cross_entropy(net(IMAGES[number]), LABELS[number])
    loss.backward()
    optimizer.step()
    return loss.item()


# The gradient of a bias before a batch normalization is zero but for rounding, which differs with the processor, and
# which Adam's usual eps of 1e-8 would make a step of.
OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, eps=1e-3, amsgrad=True, weight_decay=0.05),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_cut_network_goes_on_as_the_masked_one_would(name):
    net = build()
    weights, rest = [p for p in net.parameters() if p.dim() > 1], [p for p in net.parameters() if p.dim() <= 1]
    optimizer = OPTIMIZERS[name]([{"params": weights}, {"params": rest, "weight_decay": 0.0, "names": ["kept"]}])
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2)
    for number in range(6):
        step(net, optimizer, number)
    graph = trace(net, IMAGES[0])
    units = {unit for family in graph.families for unit in family.units[1::2]}
    small, log = cut_units(net, IMAGES[0], graph, units)
    # the reference: the masked original with a copy of the whole optimizer, masked again after each step
    masked = mask_units(net, graph, units)
    names = (
        [n for n, p in net.named_parameters() if p.dim() > 1],
        [n for n, p in net.named_parameters() if p.dim() <= 1],
    )
    held = dict(masked.named_parameters())
    twin = OPTIMIZERS[name]([{"params": [held[n] for n in group]} for group in names])
    twin.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    gone = {n: p.detach() == 0 for n, p in held.items()}
    whole = {n: copy.deepcopy(optimizer.state[p]) for n, p in net.named_parameters() if p in optimizer.state}

    cut_optimizer(optimizer, net, small, log)
    assert [len(group["params"]) for group in optimizer.param_groups] == [4, 7]
    assert (optimizer.param_groups[1]["weight_decay"], optimizer.param_groups[1]["names"]) == (0.0, ["kept"])
    assert schedule.optimizer is optimizer
    left = dict(small.named_parameters())
    assert {id(p) for group in optimizer.param_groups for p in group["params"]} == {id(p) for p in left.values()}
    assert {id(p) for p in optimizer.state} <= {id(p) for p in left.values()}
    kept = {"stem": [0, 2, 4, 6], "a": [0, 2, 4]}
    place = {"a.weight": (kept["a"], kept["stem"]), "b.weight": (kept["stem"], kept["a"]), "a.bias": (kept["a"],)}
    place |= dict.fromkeys(("stem.weight", "stem.bias", "norm.weight", "norm.bias", "b.bias"), (kept["stem"],))
    place["head.weight"] = (range(4), kept["stem"])
    compared = 0
    for n, entries in whole.items():
        for entry, value in entries.items():
            for axis, positions in enumerate(place.get(n, ())):
                value = value.index_select(axis, torch.tensor(list(positions))) if value.dim() else value
            assert torch.equal(optimizer.state[left[n]][entry], value)
            compared += 1
    assert compared == {"sgd": 10, "adamw": 40}[name]  # `scale` takes no part

    for number in range(6, 12):
        a, b = step(small, optimizer, number), step(masked, twin, number)
        assert a == pytest.approx(b, rel=1e-12)
        with torch.no_grad():
            for n, p in held.items():
                p[gone[n]] = 0
        for n, p in left.items():
            assert torch.allclose(p, log.cut(n, held[n].detach()), rtol=1e-11, atol=1e-13)
    # identical gradients: bit for bit
    for n, p in left.items():
        with torch.no_grad():
            p.copy_(log.cut(n, held[n].detach()))
        for entry in optimizer.state.get(p, {}):
            value = twin.state[held[n]][entry]
            optimizer.state[p][entry] = value.clone() if entry == "step" else log.cut(n, value).clone()
        if held[n].grad is not None:
            p.grad = log.cut(n, held[n].grad)
    optimizer.step()
    twin.step()
    assert all(torch.equal(p, log.cut(n, held[n].detach())) for n, p in left.items())


def test_what_cannot_be_cut_is_refused_by_name_and_nothing_changes():
    net = build()
    small, log = prune(net, IMAGES[0], ratio=0.5)
    optimizer = torch.optim.Adafactor(net.parameters(), lr=0.01)
    step(net, optimizer, 0)
    held = [id(p) for p in optimizer.param_groups[0]["params"]]
    with pytest.raises(UnsupportedError, match=r"Adafactor's row_var of stem.weight .* \(8, 3, 3, 1\).*\(8, 3, 3, 3\)"):
        cut_optimizer(optimizer, net, small, log)
    assert [id(p) for p in optimizer.param_groups[0]["params"]] == held
    assert {id(p) for p in optimizer.state} <= set(held)
    history = torch.optim.LBFGS(net.parameters(), max_iter=2)
    history.step(lambda: _backward(net, history))
    with pytest.raises(UnsupportedError, match=r"LBFGS's \w+ of scale is a"):
        cut_optimizer(history, net, small, log)
    plain = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    with pytest.raises(UnsupportedError, match="not one of the network before"):
        cut_optimizer(plain, small, net, log)
    with pytest.raises(CheckpointError, match=r"gives stem.weight shape \(8, 3, 3, 3\); the cut network has it in"):
        cut_optimizer(plain, net, small, SurgeryLog(()))
    cut_optimizer(plain, net, small, log)  # before its first step: no state
    assert [p.shape for p in plain.param_groups[0]["params"]] == [p.shape for p in small.parameters()]
    assert not plain.state


def _backward(net, optimizer):
    optimizer.zero_grad()
    loss = net(IMAGES[0]).square().sum()
    loss.backward()
    return loss


def test_an_optimizer_around_another_is_cut_with_it():
    net = build()
    config = Lookahead.Config(inner=SGD.Config(lr=0.05, momentum=0.9), steps=4)
    optimizer = config.build(dict(net.named_parameters()))
    for number in range(6):
        step(net, optimizer, number)
    whole = {name: dict(optimizer.state[p]) for name, p in net.named_parameters() if name != "scale"}  # which is unused
    graph = trace(net, IMAGES[0])
    small, log = cut_units(net, IMAGES[0], graph, {unit for family in graph.families for unit in family.units[1::2]})
    cut_optimizer(optimizer, net, small, log)
    trained = {name: p for name, p in small.named_parameters() if name in whole}
    for name, p in trained.items():
        for entry in ("slow", "momentum_buffer"):
            assert torch.equal(optimizer.inner.state[p][entry], log.cut(name, whole[name][entry]))
    for number in (6, 7):  # the eighth step is a meeting
        step(small, optimizer, number)
    for p in trained.values():
        assert torch.equal(optimizer.state[p]["slow"], p)
    assert not torch.equal(small.head.weight, log.cut("head.weight", whole["head.weight"]["slow"]))
