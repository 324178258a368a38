import copy
import json

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from netsmith.compress.proof import mask_units
from netsmith.compress.prune import prune
from netsmith.compress.surgery import SurgeryLog, apply_surgery
from netsmith.compress.trace import trace
from netsmith.core.errors import ProofError, UnknownNameError, UnsupportedError
from netsmith.layers.shortcut import PadShortcut


def conv(i, o, k=3, **named):
    return nn.Conv2d(i, o, k, padding=k // 2, **named)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.norm = conv(3, 8), nn.BatchNorm2d(8)
        self.a, self.b, self.norm2 = conv(8, 6), conv(6, 8), nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = F.relu(self.norm(self.stem(x)))
        x = F.relu(self.norm2(self.b(self.a(x).relu_())) + x)
        return self.head(x.mean((2, 3)))


class Concat(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.norm, self.c = conv(3, 6), conv(3, 4), nn.BatchNorm2d(10), conv(10, 8)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        both = torch.cat([self.a(x), self.b(x)], dim=1)
        return self.head(self.c(self.norm(both).tanh()).amax(dim=(-1, -2)))


class Squeeze(nn.Module):
    """Squeeze and excitation: a sigmoid gate, broadcast over the image."""

    def __init__(self):
        super().__init__()
        self.stem, self.down, self.up, self.last = conv(3, 8), nn.Linear(8, 4), nn.Linear(4, 8), conv(8, 6, 1)
        self.head = nn.Linear(6, 2)

    def forward(self, x):
        x = self.stem(x).relu()
        gate = torch.sigmoid(self.up(F.relu(self.down(x.mean((2, 3))))))
        return self.head(self.last(x * gate[:, :, None, None]).mean((2, 3)))


class OptionA(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.norm = conv(3, 6), nn.BatchNorm2d(6)
        self.a1, self.b1 = conv(6, 6), conv(6, 6)
        self.a2, self.b2, self.norm2 = conv(6, 12, stride=2), conv(12, 12), nn.BatchNorm2d(12)
        self.shortcut = PadShortcut(6, 12, stride=2)
        self.head = nn.Linear(12, 4)

    def forward(self, x):
        x = self.norm(self.stem(x)).relu()
        x = (x + self.b1(self.a1(x).relu())).relu()
        x = (self.shortcut(x) + self.norm2(self.b2(self.a2(x).relu()))).relu()
        return self.head(x.mean((2, 3)))


class Functional(nn.Module):
    """The shortcut's padding is written in the code: its channels must stay, those inside the branch can go."""

    def __init__(self):
        super().__init__()
        self.stem, self.a, self.b = conv(3, 4), conv(4, 8), conv(8, 8)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        x = self.stem(x).relu()
        y = self.b(self.a(x).relu())
        return self.head((y + F.pad(x, (0, 0, 0, 0, 2, 2))).relu().mean((2, 3)))


class Shuffle(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = conv(3, 8), conv(8, 12, groups=2), conv(12, 12, groups=4)
        self.head = nn.Linear(12, 2)

    def forward(self, x):
        x = self.b(self.a(x).relu())
        n, c, h, w = x.shape
        x = x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
        return self.head(self.c(x).relu().flatten(2).mean(-1))


class Gated(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = conv(3, 12), conv(6, 8)
        self.scale, self.shift = nn.Parameter(torch.rand(8, 1, 1) + 0.5), nn.Parameter(torch.rand(1, 8, 1, 1))
        self.act, self.head = nn.PReLU(8), nn.Linear(8, 2)

    def forward(self, x):
        value, gate = self.a(x).chunk(2, dim=1)
        x = self.b(value * gate.sigmoid())
        return self.head(self.act(self.scale * x + self.shift).mean((2, 3)))


class Shared(nn.Module):
    """One convolution used twice, and one weight under two names."""

    def __init__(self):
        super().__init__()
        self.stem, self.twice, self.one, self.two = conv(3, 6), conv(6, 6), nn.Linear(6, 6), nn.Linear(6, 6)
        self.two.weight = self.one.weight
        self.head = nn.Linear(6, 2)

    def forward(self, x):
        x = self.twice(self.twice(self.stem(x)).relu()).mean((2, 3))
        return self.head(self.two(self.one(x).relu()))


class Tokens(nn.Module):
    """A block of torch's own attention: a head goes with its share of the embedding."""

    def __init__(self):
        super().__init__()
        self.embedding, self.attention = nn.Embedding(11, 8), nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm, self.up, self.down = nn.LayerNorm(8), nn.Linear(8, 16), nn.Linear(16, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, tokens):
        x = self.embedding(tokens)
        x = x + self.attention(x, x, x, need_weights=False)[0]
        x = x + self.down(F.gelu(self.up(self.norm(x))))
        return self.head(x.mean(1))


GRAPHS = {
    "plain": (
        lambda: nn.Sequential(
            conv(3, 8),
            nn.BatchNorm2d(8),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            conv(8, 6),
            nn.ReLU6(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.5),
            nn.Linear(24, 10),
            nn.ReLU(),
            nn.Linear(10, 3),
        ),
        {"0", "4", "9"},
    ),
    "separable": (
        lambda: nn.Sequential(
            conv(3, 8),
            nn.BatchNorm2d(8),
            nn.ReLU6(),
            conv(8, 8, groups=8, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU6(),
            conv(8, 12, 1),
            conv(12, 24, groups=12),
            nn.Hardswish(),
            nn.AvgPool2d(4),
            nn.Flatten(),
            nn.Linear(96, 2),
        ),
        {"0", "6"},
    ),
    "transposed": (
        lambda: nn.Sequential(
            conv(3, 6),
            nn.ReLU(),
            nn.ConvTranspose2d(6, 8, 2, stride=2),
            nn.BatchNorm2d(8, affine=False),
            nn.LeakyReLU(),
            nn.Upsample(scale_factor=2),
            nn.ZeroPad2d(1),
            conv(8, 2),
        ),
        {"0", "2"},
    ),
    "one_dimensional": (
        lambda: nn.Sequential(
            nn.Flatten(2),
            nn.Conv1d(3, 8, 3),
            nn.ELU(),
            nn.Conv1d(8, 8, 3, groups=4, padding_mode="reflect", padding=1),
            nn.GELU(),
            nn.AdaptiveMaxPool1d(3),
            nn.Flatten(),
            nn.Linear(24, 2),
        ),
        {"1", "3"},
    ),
    "residual": (Residual, {"stem", "a"}),
    "concat": (Concat, {"a", "b", "c"}),
    "squeeze": (Squeeze, {"stem", "down", "last"}),
    "option_a": (OptionA, {"stem", "a1", "a2", "shortcut"}),
    "functional": (Functional, {"a"}),
    "shuffle": (Shuffle, {"a", "b", "c"}),
    "gated": (Gated, {"a", "b"}),
    "shared": (Shared, {"stem"}),
}
IMAGE = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def build(make):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = make()
        for child in net.modules():
            if isinstance(child, nn.BatchNorm2d):
                child.running_mean.uniform_(-0.5, 0.5)
                child.running_var.uniform_(0.5, 2)
                if child.affine:
                    nn.init.uniform_(child.weight, 0.5, 1.5)
                    nn.init.uniform_(child.bias, -1, 1)
    return net


def zero_masked(net, log):
    """The original with the channels that are gone set to zero, by the log alone: independent of the graph."""
    net = copy.deepcopy(net).double().eval()
    for step in log.steps:
        module = net.get_submodule(step.module)
        for name, cut in step.tensors.items():
            tensor = getattr(module, name)
            transposed = isinstance(module, nn.ConvTranspose2d)
            for axis, kept in cut.kept.items():
                made = tensor.dim() == 1 or name in ("scale", "shift") or axis == (1 if transposed else 0)
                if made and name != "running_var":
                    gone = [i for i in range(tensor.shape[axis]) if i not in kept]
                    with torch.no_grad():
                        tensor.movedim(axis, 0)[gone] = -1 if name == "source" else 0
    return net


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("scope", ["local", "global"])
def test_a_cut_network_answers_like_the_masked_one(name, scope):
    make, families = GRAPHS[name]
    net = build(make)
    graph = trace(net, IMAGE)
    assert {family.name for family in graph.families} == families
    before = copy.deepcopy(net.state_dict())
    small, log = prune(net, IMAGE, ratio=0.4, scope=scope)
    for key, value in net.state_dict().items():
        assert torch.equal(value, before[key])
    assert sum(p.numel() for p in small.parameters()) < sum(p.numel() for p in net.parameters())
    first, second, *_ = log.proof[0]["shapes"]
    assert first == [2, 3, 8, 8]
    assert second in ([3, 3, 4, 5], [3, 3, 9, 8])  # another batch and another length; half of it is too small for one
    assert log.proof[0]["precision"] == "float64"
    assert log.proof[0]["error"] <= 1e-12
    x = torch.randn(5, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        expected = zero_masked(net, log)(x)
        got = copy.deepcopy(small).double().eval()(x)
    assert (expected - got).abs().max() <= 1e-10 * expected.abs().max()
    # the log, through JSON, rebuilds the network exactly in its original class
    again = SurgeryLog.from_json(json.loads(json.dumps(log.to_json())))
    assert again.to_json() == log.to_json()
    rebuilt = apply_surgery(build(make), again)
    rebuilt.load_state_dict(small.state_dict())
    for module in (net, small, rebuilt):
        module.eval()
    assert torch.equal(rebuilt(IMAGE), small(IMAGE))
    assert [str(m) for m in rebuilt.modules()] == [str(m) for m in small.modules()]
    same = apply_surgery(copy.deepcopy(net), again)
    assert torch.equal(same(IMAGE), small(IMAGE))
    # and what is left can be cut again
    smaller, second = prune(small, IMAGE, ratio=0.3, scope="local")
    twice = apply_surgery(copy.deepcopy(net), log.then(second))
    assert torch.equal(twice(IMAGE), smaller(IMAGE))


def test_a_head_goes_with_its_share_of_the_embedding():
    net = build(Tokens)
    tokens = torch.randint(0, 11, (2, 5), generator=torch.Generator().manual_seed(0))
    graph = trace(net, tokens)
    assert [(f.name, len(f.units)) for f in graph.families] == [("embedding", 2), ("up", 16)]
    small, log = prune(net, tokens, ratio=0.5, scope="local")
    assert (small.up.out_features, small.down.in_features, small.down.out_features) == (8, 8, 4)
    assert (small.attention.embed_dim, small.attention.num_heads, small.attention.head_dim) == (4, 1, 4)
    assert (small.norm.normalized_shape, small.embedding.embedding_dim) == ((4,), 4)
    assert small.attention.in_proj_weight.shape == (12, 4)
    assert log.proof[0]["error"] <= 1e-12


def test_shared_parameters_stay_shared():
    small, _ = prune(build(Shared), IMAGE, ratio=0.5, scope="local")
    assert small.one.weight is small.two.weight
    assert (small.one.out_features, small.two.in_features) == (3, 3)


def test_the_shortcut_follows_on_either_side():
    net = build(OptionA)
    with torch.no_grad():
        net.stem.weight[[1, 4]] = 0
        net.b1.weight[[1, 4]] = 0
        for module in (net.b2, net.norm2):
            module.weight[[0, 9]] = 0
    small, _ = prune(net, IMAGE, ratio={"stem": 2 / 6, "b2": 2 / 12}, criterion="l1")
    # stem channels 0 2 3 5 stay; of the wide ones 0 and 9 go: 1 and 4 lost their source
    assert small.shortcut.source.tolist() == [-1, 1, 2, -1, 3, -1, -1, -1, -1, -1]
    assert small.b2.out_channels == 10


def test_everything_but_the_weights_is_left_as_found():
    net = build(Residual)
    net.norm.eval()
    net.a.weight.requires_grad_(False)
    calls = []
    net.b.register_forward_hook(lambda *_: calls.append(1))
    small, _ = prune(net, IMAGE, ratio=0.5)
    assert (small.training, small.norm.training, small.norm2.training) == (True, False, True)
    assert not small.a.weight.requires_grad
    assert small.b.weight.requires_grad
    assert len(small.b._forward_hooks) == 1
    assert not small.stem._forward_hooks
    assert not net.stem._forward_hooks
    assert type(small.a) is nn.Conv2d
    assert (small.a.out_channels, small.b.in_channels) == tuple(small.a.weight.shape[:1]) * 2


def test_the_lowest_scores_go():
    net = build(lambda: nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2)))
    with torch.no_grad():
        net[0].weight[:] = torch.tensor([5.0, 1, 4, 2, 6, 3])[:, None]
    x = torch.zeros(1, 4)
    for criterion in ("l1", "l2"):
        _, log = prune(net, x, ratio=0.5, criterion=criterion)
        assert log.steps[0].tensors["weight"].kept[0] == (0, 2, 4)
    # Molchanov et al. 2019, Eq. 9 by hand: (g . w)^2 with g = row / w / 4, so the score is row^2; the bias adds nothing
    wanted = torch.tensor([1.0, 2, -3, 0.5, -4, 0.1])
    gradients = {"0.weight": wanted[:, None] / net[0].weight.detach() / 4, "0.bias": torch.zeros(6)}
    _, log = prune(net, x, ratio=0.5, criterion="taylor", gradients=gradients)
    assert log.steps[0].tensors["weight"].kept[0] == (1, 2, 4)
    first, second = (
        prune(net, x, ratio=0.5, criterion="random", generator=torch.Generator().manual_seed(s))[1] for s in (0, 0)
    )
    assert first.to_json() == second.to_json()
    _, log = prune(net, x, ratio=0.2, round_to=4)  # keeps 5, so the next multiple, so all
    assert log.steps == ()
    _, log = prune(net, x, ratio=0.34, round_to=4)
    assert log.steps[0].tensors["weight"].after == (4, 4)


def test_batch_norm_scales_rank_channels():
    net = build(
        lambda: nn.Sequential(conv(3, 4), nn.BatchNorm2d(4), nn.ReLU(), conv(4, 4), nn.Flatten(), nn.Linear(256, 2))
    )
    with torch.no_grad():
        net[1].weight[:] = torch.tensor([0.1, -2.0, 0.01, 1.0])
    small, log = prune(net, IMAGE, ratio=0.25, criterion="bn_scale")
    assert log.steps[0].tensors["weight"].kept[0] == (1, 3)  # a quarter of 8; the second convolution has no scale
    assert small[3].out_channels == 4
    with pytest.raises(UnsupportedError, match="scores nothing"):
        prune(nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)), torch.zeros(1, 3), ratio=0.5, criterion="bn_scale")


def test_momentum_can_be_cut_along():
    net = build(Residual)
    small, log = prune(net, IMAGE, ratio=0.5)
    for (name, whole), (_, left) in zip(net.named_parameters(), small.named_parameters(), strict=True):
        assert torch.equal(log.cut(name, whole.detach()), left.detach())


def test_a_ratio_per_module_and_protection():
    net = build(Residual)
    small, _ = prune(net, IMAGE, ratio={"a": 0.5})
    assert (small.a.out_channels, small.stem.out_channels) == (3, 8)
    small, _ = prune(net, IMAGE, ratio=0.5, protect=("b",))  # b is tied to the stem
    assert (small.a.out_channels, small.stem.out_channels) == (3, 8)
    with pytest.raises(UnknownNameError, match="did you mean 'stem'"):
        prune(net, IMAGE, ratio=0.5, protect=("stam",))
    with pytest.raises(UnsupportedError, match="nothing that head makes"):
        prune(net, IMAGE, ratio={"head": 0.5})
    with pytest.raises(UnsupportedError, match="another ratio"):
        prune(net, IMAGE, ratio={"stem": 0.5, "b": 0.25})
    with pytest.raises(UnsupportedError, match="got 1"):
        prune(net, IMAGE, ratio=1)
    with pytest.raises(UnsupportedError, match="no channel"):
        prune(nn.Linear(3, 2), torch.zeros(1, 3), ratio=0.5)
    for criterion, named in (("taylor", "gradients"), ("random", "generator"), ("l3", "l1, l2")):
        with pytest.raises(UnsupportedError, match=named):
            prune(net, IMAGE, ratio=0.5, criterion=criterion)


class Unknown(nn.Module):
    def __init__(self, op):
        super().__init__()
        self.first, self.body, self.last = conv(3, 4), Body(op), conv(4, 2)

    def forward(self, x):
        return self.last(self.body(self.first(x)))


class Body(nn.Module):
    def __init__(self, op):
        super().__init__()
        self.op = op

    def forward(self, x):
        return self.op(x)


def assigned(x):
    x = x.clone()
    x[:, 0] = 0
    return x


@pytest.mark.parametrize(
    ("op", "named"),
    [
        (torch.fft.fft, "fft"),
        (torch.special.i0, "i0"),
        (lambda x: x.unfold(1, 4, 1), "unfold"),
        (assigned, "assignment"),
        (lambda x: x.view(x.shape).add_(x), "in-place operation on a view"),
        (lambda x: F.conv2d(x, torch.ones(4, 4, 1, 1, device=x.device)), "weight that is computed"),
    ],
)
def test_an_unknown_operation_stops_the_surgery_by_name_and_place(op, named):
    with pytest.raises(UnsupportedError, match=rf"{named}.* in body"):
        prune(Unknown(op), IMAGE, ratio=0.5)


class Fixed(nn.Module):
    """Splits channels by a number in the code that happens to divide what is left."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(6, 8), nn.Linear(4, 2)

    def forward(self, x):
        x = self.first(x)
        return self.last(x.view(-1, 4))


def test_a_wrong_cut_is_refused_and_names_the_module():
    net = build(Fixed)
    x = torch.randn(2, 6, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ProofError, match=r"(first at|at) (first|last|the output)"):
        prune(net, x, ratio=0.5)
    assert net.first.out_features == 8


def test_the_proof_finds_the_module_where_answers_part():
    from netsmith.compress.proof import Proof
    from netsmith.compress.surgery import plan_surgery

    net = build(Residual)
    graph = trace(net, IMAGE)
    units = set(graph.families[1].units[:2])
    small = apply_surgery(copy.deepcopy(net), plan_surgery(net, graph, units))
    assert Proof(net, graph, units, IMAGE).check(small)["error"] <= 1e-12
    with torch.no_grad():
        small.b.weight[0] += 1e-3
    with pytest.raises(ProofError, match=r"first at b \(Conv2d\)"):
        Proof(net, graph, units, IMAGE).check(small)
    assert mask_units(net, graph, units).a.weight.abs().sum((1, 2, 3)).eq(0).sum() == 2


class Raw(nn.Module):
    """Casts to float32 itself, as preprocessing does."""

    def __init__(self):
        super().__init__()
        self.first, self.last = conv(3, 6), conv(6, 2)

    def forward(self, x):
        return self.last(self.first(x.to(torch.float32) / 255).relu())


def test_raw_inputs_are_proven_as_found():
    x = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    _, log = prune(build(Raw), x, ratio=0.5)
    assert log.proof[0]["precision"] == "as found"
    assert log.proof[0]["error"] <= 1e-5


def test_netsmiths_own_image_models_are_cut():
    from netsmith.models.vision.cifar_resnet import CifarResNet

    net = build(lambda: CifarResNet.Config(depth=8, in_channels=3, num_classes=10).build())
    x = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    small, log = prune(net, x, ratio=0.5, round_to=4)
    assert log.proof[0]["error"] <= 1e-12
    assert all(m.out_channels % 4 == 0 for m in small.modules() if isinstance(m, nn.Conv2d))
    assert sum(p.numel() for p in small.parameters()) < 0.45 * sum(p.numel() for p in net.parameters())
