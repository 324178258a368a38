import copy
import io
import zipfile

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import prune as reference

import toy
from netsmith.compress.masked_training import KeepMasks, lottery_ticket, masked_updates
from netsmith.compress.masks import apply_masks, magnitude_masks, n_m_masks, rewound, zipped_bytes
from netsmith.core.errors import CheckpointError, UnknownNameError, UnsupportedError
from netsmith.engine.hooks.ema import Ema


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.norm, self.conv = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 12, 3, groups=2)
        self.up, self.head = nn.ConvTranspose2d(12, 6, 2), nn.Linear(6, 4)

    def forward(self, x):
        return self.head(self.up(self.conv(self.norm(self.stem(x)).relu())).relu().mean((2, 3)))


def build(make=Net, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return make()


NAMES = ("stem", "conv", "up", "head")


@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.85])
def test_magnitude_masks_are_those_of_torch(sparsity):
    net, twin = build(), build()
    masks = magnitude_masks(net, sparsity=sparsity)
    assert set(masks) == {f"{name}.weight" for name in NAMES}
    modules = [(getattr(twin, name), "weight") for name in NAMES]
    reference.global_unstructured(modules, reference.L1Unstructured, amount=sparsity)
    for name in NAMES:
        assert torch.equal(masks[f"{name}.weight"], getattr(twin, name).weight_mask.bool())
    masks, twin = magnitude_masks(net, sparsity=sparsity, scope="layer"), build()
    for name in NAMES:
        reference.l1_unstructured(getattr(twin, name), "weight", amount=sparsity)
        assert torch.equal(masks[f"{name}.weight"], getattr(twin, name).weight_mask.bool())
    apply_masks(net, masks)
    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(net(x), twin(x))


def test_magnitude_masks_by_hand():
    net = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1)).double()
    with torch.no_grad():
        net[0].weight[:] = torch.tensor([[0.1, -5, 0.3], [2, -0.2, 4]])
        net[1].weight[:] = torch.tensor([[0.25, 9]])
    masks = magnitude_masks(net, sparsity=0.5)
    assert masks["0.weight"].tolist() == [[False, True, False], [True, False, True]]
    assert masks["1.weight"].tolist() == [[False, True]]
    masks = magnitude_masks(net, sparsity=0.5, protect=("1",))
    assert list(masks) == ["0.weight"]
    assert int(masks["0.weight"].sum()) == 3
    # what an earlier mask took goes first, however large
    early = {"0.weight": torch.tensor([[True, False, True], [True, True, True]])}
    masks = magnitude_masks(net, sparsity=0.25, within=early)
    assert masks["0.weight"].tolist() == [[False, False, True], [True, True, True]]
    with torch.no_grad():
        net[0].weight[0, 0] = 0  # a zero that was not masked does not go before one that was
    assert magnitude_masks(net, sparsity=0.125, within=early)["0.weight"].tolist() == early["0.weight"].tolist()
    nn.init.ones_(net[0].weight)
    assert magnitude_masks(net, sparsity=0.5, scope="layer")["0.weight"].tolist() == [[False] * 3, [True] * 3]


def test_two_of_four_along_the_inputs():
    net = build()
    masks = n_m_masks(net)
    assert set(masks) == {"conv.weight", "up.weight"}  # 3 and 6 inputs are no multiple of 4
    for name, axis in (("conv.weight", 1), ("up.weight", 0)):
        weight = net.get_parameter(name).detach()
        mask = masks[name]
        assert mask.is_contiguous()
        rows, kept = (t.movedim(axis, -1).reshape(-1, 4) for t in (weight, mask))
        for row, keep in zip(rows.tolist(), kept.tolist(), strict=True):
            largest = sorted(range(4), key=lambda i, row=row: -abs(row[i]))[:2]
            assert keep == [i in largest for i in range(4)]
    linear = nn.Linear(8, 3)
    assert (n_m_masks(linear, n=1, m=8)["weight"].sum(1) == 1).all()
    assert set(n_m_masks(net, n=1, m=2, protect=("head",))) == {"conv.weight", "up.weight"}
    # a grouped transposed convolution sums within each group: 4 and 4, not 8
    grouped = nn.ConvTranspose2d(8, 4, 2, groups=2)
    assert n_m_masks(grouped)["weight"].reshape(2, 4, 2, 2, 2).sum(1).eq(2).all()
    with pytest.raises(UnsupportedError, match="multiple of 8"):
        n_m_masks(grouped, n=2, m=8)
    with pytest.raises(UnsupportedError, match="n=4, m=4"):
        n_m_masks(net, n=4)


def test_what_a_mask_buys_is_a_smaller_zip_and_nothing_else():
    net = nn.Linear(256, 256)
    dense = zipped_bytes(net.state_dict())
    raw = sum(t.numel() * 4 for t in net.state_dict().values())
    assert 0.88 < dense / raw < 0.96
    sizes = {}
    for name, masks in (("nine tenths", magnitude_masks(net, sparsity=0.9)), ("two of four", n_m_masks(net))):
        masked = apply_masks(copy.deepcopy(net), masks)
        sizes[name] = zipped_bytes(masked.state_dict()) / dense
        assert [p.shape for p in masked.parameters()] == [p.shape for p in net.parameters()]
    assert 0.10 < sizes["nine tenths"] < 0.20
    assert 0.50 < sizes["two of four"] < 0.65
    # an ordinary zip archive says the same
    held, archive = net.state_dict(), io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as file:
        for name, tensor in held.items():
            file.writestr(name, tensor.numpy().tobytes())
    with zipfile.ZipFile(archive) as file:
        assert sum(entry.compress_size for entry in file.infolist()) == dense
    odd = {"half": torch.ones(3, dtype=torch.bfloat16), "one": torch.tensor(3), "none": torch.zeros(0)}
    assert zipped_bytes(odd) > 0


def test_rewinding_takes_the_early_weights_under_the_late_mask():
    net = build()
    initial = {name: value.clone() for name, value in net.state_dict().items()}
    with torch.no_grad():
        for p in net.parameters():
            p.add_(torch.randn(p.shape, generator=torch.Generator().manual_seed(1)))
    net.norm.running_mean.add_(1)
    trained = copy.deepcopy(net.state_dict())
    masks = magnitude_masks(net, sparsity=0.6)
    ticket = rewound(net, masks, initial)
    for name, value in ticket.state_dict().items():
        assert torch.equal(value, initial[name] * masks.get(name, torch.ones(())).to(value.dtype))
        assert torch.equal(net.state_dict()[name], trained[name])
    with pytest.raises(CheckpointError, match=r"head\.weight"):
        rewound(net, masks, {n: v for n, v in initial.items() if n != "head.weight"})
    with pytest.raises(CheckpointError, match="extra"):
        rewound(net, masks, initial | {"extra": torch.zeros(1)})
    with pytest.raises(CheckpointError, match=r"stem\.bias"):
        rewound(net, masks, initial | {"stem.bias": torch.zeros(9)})


X = torch.randn(32, 6, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
Y = (X[:, :2] * X[:, 2:4]).sum(1, keepdim=True)


def mlp():
    return nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 1)).double()


def fit(net, masks, steps=20):
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    with masked_updates(net, masks, optimizer):
        for _ in range(steps):
            optimizer.zero_grad()
            F.mse_loss(net(X), Y).backward()
            optimizer.step()


def test_a_lottery_ticket_by_torchs_own_iterative_pruning():
    net, seen = build(mlp), []
    before = copy.deepcopy(net.state_dict())

    def train(network, masks):
        seen.append({name: int(mask.sum()) for name, mask in masks.items()})
        fit(network, masks)

    ticket, masks = lottery_ticket(net, train, sparsity=0.784, rounds=3, scope="layer")
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    # 1 - 0.784 = 0.6 ^ 3: 40 % of what is left goes in each round
    assert seen == [{}, {"0.weight": 58, "2.weight": 10}, {"0.weight": 35, "2.weight": 6}]
    assert {name: int(mask.sum()) for name, mask in masks.items()} == {"0.weight": 21, "2.weight": 3}
    # the reference: torch's masks on parameters `weight_orig`, rewound by hand
    twin = build(mlp)
    for counts in ((38, 6), (23, 4), (14, 3)):
        if reference.is_pruned(twin):
            optimizer = torch.optim.SGD(twin.parameters(), lr=0.05, momentum=0.9)
            for _ in range(20):
                optimizer.zero_grad()
                F.mse_loss(twin(X), Y).backward()
                optimizer.step()
        else:
            fit(twin, {})
        twin(X)  # torch's `weight` is as old as the last forward pass
        for layer, count in zip((twin[0], twin[2]), counts, strict=True):
            reference.l1_unstructured(layer, "weight", amount=count)  # of what is left
        with torch.no_grad():
            for index in (0, 2):
                twin[index].weight_orig.copy_(before[f"{index}.weight"])
                twin[index].bias.copy_(before[f"{index}.bias"])
    for index in (0, 2):
        assert torch.equal(masks[f"{index}.weight"], twin[index].weight_mask.bool())
        reference.remove(twin[index], "weight")
        assert torch.equal(ticket[index].weight, twin[index].weight)
        assert torch.equal(ticket[index].bias, before[f"{index}.bias"])
    # late rewinding
    early = {name: value + 1 for name, value in before.items()}
    late, masks = lottery_ticket(net, train, sparsity=0.5, initial=early)
    assert torch.equal(late[0].weight, early["0.weight"] * masks["0.weight"])
    with pytest.raises(UnsupportedError, match="rounds >= 1"):
        lottery_ticket(net, train, sparsity=0.5, rounds=0)


def test_masked_weights_stay_zero_whatever_the_momentum():
    net = build(mlp)
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.05, weight_decay=0.1)
    for _ in range(3):
        F.mse_loss(net(X), Y).backward()
        optimizer.step()
    masks = magnitude_masks(net, sparsity=0.7)
    kinds = [type(module) for module in net.modules()]
    with masked_updates(net, masks, optimizer):
        for _ in range(5):
            optimizer.zero_grad()
            F.mse_loss(net(X), Y).backward()
            assert all((net.get_parameter(name).grad[~mask] == 0).all() for name, mask in masks.items())
            optimizer.step()
            assert all((net.get_parameter(name)[~mask] == 0).all() for name, mask in masks.items())
    assert [type(module) for module in net.modules()] == kinds
    assert list(net.state_dict()) == list(build(mlp).state_dict())
    optimizer.zero_grad()
    F.mse_loss(net(X), Y).backward()
    optimizer.step()  # and outside, everything moves again
    assert all((net.get_parameter(name)[~mask] != 0).any() for name, mask in masks.items())


def test_the_engine_trains_under_masks():
    def run(clip, hooks):
        engine = toy.engine(toy.config(epochs=2, clip_norm=clip, hooks=(Ema.Config(),), micro_batches=2), hooks=hooks)
        engine.fit()
        return engine

    # masks from a network of the same start
    untouched = toy.engine(toy.config())
    masks = magnitude_masks(untouched.method.product(), sparsity=0.6)
    engine = run(0.05, [KeepMasks(masks)])
    product = engine.method.product()  # the average of the weights, which are masked before they are averaged
    assert all((product.get_parameter(name)[~mask] == 0).all() for name, mask in masks.items())
    assert any((product.get_parameter(name)[mask] != 0).all() for name, mask in masks.items())
    # the gradients are masked too, before they are clipped: only what is left counts in the norm
    assert all((product.get_parameter(name).grad[~mask] == 0).all() for name, mask in masks.items())
    norm = sum(float(p.grad.double().square().sum()) for p in product.parameters()) ** 0.5
    assert norm == pytest.approx(0.05, rel=1e-4)
    assert not any(p._backward_hooks for p in product.parameters())
    free = run(0.05, []).method.product()
    assert any((free.get_parameter(name)[~mask] != 0).any() for name, mask in masks.items())
    with pytest.raises(CheckpointError, match="'wrong'"):
        run(0.0, [KeepMasks({"wrong": torch.ones(1, dtype=torch.bool)})])


def test_bad_arguments_are_named():
    net = build()
    for named in ({"sparsity": 1.0}, {"sparsity": 0.5, "scope": "local"}):
        with pytest.raises(UnsupportedError, match="sparsity in"):
            magnitude_masks(net, **named)
    with pytest.raises(UnknownNameError, match="did you mean 'stem'"):
        magnitude_masks(net, sparsity=0.5, protect=("stam",))
    with pytest.raises(UnsupportedError, match="no weights"):
        magnitude_masks(nn.BatchNorm2d(4), sparsity=0.5)
    with pytest.raises(CheckpointError, match=r"did you mean 'stem\.weight'"):
        apply_masks(net, {"stem.wieght": torch.ones(1, dtype=torch.bool)})
    before = net.stem.weight.clone()
    good = magnitude_masks(net, sparsity=0.5)
    with pytest.raises(CheckpointError, match=r"mask of head\.weight must be booleans"):
        apply_masks(net, good | {"head.weight": torch.zeros(4, 6)})
    assert torch.equal(net.stem.weight, before)
