"""Tucker-2 and its layers: numbers against numpy, and networks against the ones they came from."""

import copy
import itertools
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load, save
from torch import nn
from torch.nn import functional as F

from netsmith.compress._low_rank import tucker2, tucker2_energies
from netsmith.compress.factorize import FactorLog, apply_factors, factorize
from netsmith.compress.prune import prune
from netsmith.core.errors import CheckpointError, UnknownNameError, UnsupportedError


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def rebuilt(weight, ranks, **settings):
    left, core, right = tucker2(weight, ranks, **settings)
    return torch.einsum("op,iq,pq...->oi...", left, right, core)


def hooi_of_numpy(weight, ranks, sweeps):
    """Return the core and the kernel again: by eigenvectors of Gram matrices, written from the definition."""
    whole = weight.numpy().reshape(*weight.shape[:2], -1)

    def leading(gram, rank):
        return np.linalg.eigh(gram)[1][:, ::-1][:, :rank]

    left = leading(np.einsum("oik,pik->op", whole, whole), ranks[0])
    right = leading(np.einsum("oik,ojk->ij", whole, whole), ranks[1])
    for _ in range(sweeps):
        half = np.einsum("oik,iq->oqk", whole, right)
        left = leading(np.einsum("oqk,pqk->op", half, half), ranks[0])
        half = np.einsum("oik,op->pik", whole, left)
        right = leading(np.einsum("pik,pjk->ij", half, half), ranks[1])
    core = np.einsum("oik,op,iq->pqk", whole, left, right)
    return np.einsum("pqk,op,iq->oik", core, left, right).reshape(weight.shape)


@pytest.mark.parametrize(("ranks", "shape"), [((3, 4), (8, 10, 3, 3)), ((5, 2), (9, 6, 5)), ((2, 3), (6, 5, 2, 3, 2))])
def test_tucker_2_is_that_of_numpy_and_iteration_only_helps(ranks, shape):
    weight = normal(*shape)
    errors = []
    for sweeps in (0, 1, 2, 5):
        ours = tucker2(weight, ranks, sweeps=sweeps)
        theirs = hooi_of_numpy(weight, ranks, sweeps)
        assert np.abs(rebuilt(weight, ranks, sweeps=sweeps).numpy() - theirs).max() <= 1e-10
        for factor in (ours[0], ours[2]):
            assert (factor.T @ factor - torch.eye(factor.shape[1])).abs().max() <= 1e-12
        lost = float((weight - torch.from_numpy(theirs)).square().sum())
        assert lost == pytest.approx(float(weight.square().sum() - ours[1].square().sum()), rel=1e-10)
        errors.append(lost)
    assert all(b <= a * (1 + 1e-12) for a, b in itertools.pairwise(errors))
    final = float((weight - rebuilt(weight, ranks)).square().sum())
    assert final < 0.999 * errors[0]  # the iteration does something on a kernel without structure
    # the HOSVD's own bound, by what each unfolding leaves out
    bound = 0.0
    for mode, rank in enumerate(ranks):
        bound += float(torch.linalg.svdvals(weight.transpose(0, mode).flatten(1))[rank:].square().sum())
    assert final <= errors[0] <= bound
    assert (rebuilt(weight, shape[:2]) - weight).abs().max() <= 1e-12
    kept = tucker2_energies(weight)
    assert 1 - errors[0] / float(weight.square().sum()) == pytest.approx(float(kept[ranks[0] - 1, ranks[1] - 1]))
    assert kept[-1, -1] == pytest.approx(1)


def test_ranks_that_cannot_be_filled_are_lowered_without_loss():
    weight = normal(12, 7, 3)
    left, core, right = tucker2(weight, (10, 2))
    assert (left.shape, core.shape, right.shape) == ((12, 6), (6, 2, 3), (7, 2))
    whole = float((weight - rebuilt(weight, (12, 2))).square().sum())
    assert float((weight - rebuilt(weight, (10, 2))).square().sum()) == pytest.approx(whole, rel=1e-9)
    with pytest.raises(UnsupportedError, match=r"1\.\.12 and 1\.\.7 .* got \(13, 2\)"):
        tucker2(weight, (13, 2))


CONVOLUTIONS = {
    1: (nn.Conv1d, 3, (2, 11)),
    2: (nn.Conv2d, (3, 5), (2, 9, 10)),
    3: (nn.Conv3d, (3, 1, 3), (2, 6, 7, 6)),
}


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize(
    "geometry",
    [
        {},
        {"stride": 2},
        {"padding": 2, "dilation": 2},
        {"padding": "same"},
        {"padding": 1, "padding_mode": "circular"},
        {"padding": 1, "padding_mode": "reflect", "stride": 3},
        {"padding": 1, "padding_mode": "replicate", "bias": False},
    ],
)
def test_at_full_rank_a_convolution_answers_as_before(axes, geometry):
    kind, size, shape = CONVOLUTIONS[axes]
    layer = kind(12, 10, size, **geometry).double()
    x = normal(shape[0], 12, *shape[1:], seed=3)
    for ranks, parts in (((4, 5), 3), ((4, 12), 2), ((10, 5), 2)):
        outer, inner = ranks
        with torch.no_grad():  # a kernel whose full ranks are these
            kernel = torch.einsum(
                "op,iq,pq...->oi...", normal(10, outer), normal(12, inner), normal(*ranks, *layer.kernel_size)
            )
            layer.weight.copy_(kernel / kernel.std())
        net = nn.Sequential(layer)
        small, log = factorize(net, energy=1 - 1e-13)
        assert [(f.module, f.rank, f.kind) for f in log.factors] == [("0", ranks, "convolution")]
        assert log.factors[0].after == sum(part.weight.numel() for part in small[0]) < log.factors[0].before
        assert len(small[0]) == parts
        want = net(x)
        assert (small(x) - want).abs().max() <= 1e-10 * want.abs().max()
        assert (small[0].weight - layer.weight).abs().max() <= 1e-10
        assert (small[0].bias is None) is (layer.bias is None)


def test_the_error_in_the_log_is_that_of_the_product():
    net = nn.Sequential(nn.Conv2d(16, 24, 3), nn.Conv2d(24, 40, 1, stride=2, padding=1)).double()
    small, log = factorize(net, rank={"0": (6, 5), "1": 7})
    assert [f.rank for f in log.factors] == [(6, 5), 7]
    for factor, layer, thin in zip(log.factors, net, small, strict=True):
        lost = (layer.weight - thin.weight).detach().norm() / layer.weight.detach().norm()
        assert factor.error == pytest.approx(float(lost), rel=1e-10)
        assert factor.energy == pytest.approx(1 - float(lost) ** 2, rel=1e-10)
    values = torch.linalg.svdvals(net[1].weight.detach().flatten(1))  # Eckart-Young
    assert log.factors[1].error == pytest.approx(float(values[7:].norm() / values.norm()), rel=1e-10)
    x = normal(2, 16, 9, 9)
    dense = copy.deepcopy(net)
    with torch.no_grad():
        for layer, thin in zip(dense, small, strict=True):
            layer.weight.copy_(thin.weight)
    assert (small(x) - dense(x)).abs().max() <= 1e-12


def test_an_embedding_becomes_a_thin_one_and_a_map():
    net = nn.Sequential(nn.Embedding(50, 20, padding_idx=3), nn.Linear(20, 20)).double()
    small, log = factorize(net, rank={"0": 5})
    assert [(f.module, f.rank, f.kind, f.before, f.after) for f in log.factors] == [("0", 5, "embedding", 1000, 350)]
    values = torch.linalg.svdvals(net[0].weight.detach())
    assert log.factors[0].error == pytest.approx(float(values[5:].norm() / values.norm()), rel=1e-10)
    tokens = torch.arange(28).reshape(4, 7)
    answer = small[0](tokens)
    assert not answer[0, 3].any()
    assert (answer - small[0].weight[tokens]).abs().max() <= 1e-12
    answer.square().sum().backward()  # the padding vector gets no slope, and no map moves it from zero
    slope = small[0][0].weight.grad
    assert not slope[3].any()
    assert slope[tokens[1, 0]].any()
    with torch.no_grad():
        for parameter in small[0].parameters():
            parameter -= 0.1 * parameter.grad
    assert not small[0](torch.tensor(3)).any()
    exact, _ = factorize(nn.Sequential(low_rank_embedding()), energy=1 - 1e-13)
    assert exact[0][0].embedding_dim == 3
    assert (exact(tokens) - low_rank_embedding()(tokens)).abs().max() <= 1e-10


def low_rank_embedding():
    layer = nn.Embedding(50, 20).double()
    with torch.no_grad():
        layer.weight.copy_(normal(50, 3, seed=1) @ normal(3, 20, seed=2))
    return layer


class Tied(nn.Module):
    """Tied by use: the output layer reads the embedding's weight."""

    def __init__(self):
        super().__init__()
        self.embedding = low_rank_embedding()

    def forward(self, tokens):
        return F.linear(self.embedding(tokens).tanh(), self.embedding.weight)


def test_tied_embeddings_stay_right_or_are_refused():
    net, tokens = Tied(), torch.arange(10).reshape(2, 5)
    small, log = factorize(net, rank=3)
    assert [f.module for f in log.factors] == ["embedding"]
    assert (small(tokens) - net(tokens)).abs().max() <= 1e-10
    shared = nn.Sequential(nn.Embedding(30, 20), nn.Linear(20, 30))
    shared[1].weight = shared[0].weight
    assert factorize(shared, rank=2)[1].factors == ()
    with pytest.raises(UnsupportedError, match="'0' cannot be factorized: it shares its weight"):
        factorize(shared, rank={"0": 2})


def computed():
    """As a weight normalization by hooks leaves it."""
    layer = nn.Linear(20, 20)
    del layer.weight
    layer.weight = torch.ones(20, 20)
    return layer


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (nn.Embedding(30, 20, max_norm=1.0), r"max_norm=1.0 has no thin form"),
        (nn.Embedding(30, 20, scale_grad_by_freq=True), r"scale_grad_by_freq=True has no thin form"),
        (nn.Embedding(30, 20, sparse=True), r"sparse=True has no thin form"),
        (nn.Embedding.from_pretrained(torch.ones(30, 20), padding_idx=2), r"padding_idx=2 is not zero"),
        (nn.Conv2d(16, 16, 3, groups=4), r"groups=4: a core of all channels would mix"),
        (computed(), r"computed from others"),
        (nn.Linear(20, 20).half(), r""),
    ],
)
def test_what_has_no_thin_form_is_left_alone_and_named(layer, words):
    net = nn.Sequential(layer)
    if not words:
        assert factorize(net, rank=2)[1].factors[0].rank == 2  # half precision has
        return
    assert factorize(net, rank=2)[1].factors == ()
    with pytest.raises(UnsupportedError, match="'0' cannot be factorized: .*" + words):
        factorize(net, rank={"0": 2})


def test_hooks_and_numbers_that_are_none_are_refused():
    net = nn.Sequential(nn.Linear(20, 20), nn.Linear(20, 20))
    net[0].register_forward_hook(lambda *_: None)
    with torch.no_grad():
        net[1].weight[0, 0] = float("nan")
    assert factorize(net, rank=2)[1].factors == ()
    with pytest.raises(UnsupportedError, match="it carries hooks"):
        factorize(net, rank={"0": 2})
    with pytest.raises(UnsupportedError, match="must be finite"):
        factorize(net, rank={"1": 2})


def test_only_the_wanted_kinds_and_good_settings():
    net = nn.Sequential(nn.Conv2d(16, 16, 3), nn.Flatten(), nn.Linear(64, 32))
    assert [f.module for f in factorize(net, rank=2, kinds=("linear",))[1].factors] == ["2"]
    assert [f.module for f in factorize(net, rank=2, protect=("2",))[1].factors] == ["0"]
    with pytest.raises(UnknownNameError, match="no kind of layer to factorize named 'conv'"):
        factorize(net, rank=2, kinds=("conv",))
    with pytest.raises(UnsupportedError, match=r"1\.\.16 and 1\.\.16 for '0', .*\(16, 16, 3, 3\), got \(2, 17\)"):
        factorize(net, rank={"0": (2, 17)})
    with pytest.raises(UnsupportedError, match=r"1\.\.32 for '2'.* got \(2, 2\)"):
        factorize(net, rank={"2": (2, 2)})
    with pytest.raises(UnsupportedError, match="at least 1, got 0"):
        factorize(net, rank=0)
    with pytest.raises(UnsupportedError, match="of='macs' and example belong to a budget"):
        factorize(net, rank=2, of="macs")


def every_kind():
    torch.manual_seed(0)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.words = nn.Embedding(40, 16, padding_idx=0)
            self.wide = nn.Conv1d(16, 20, 3, padding=1, padding_mode="circular", bias=False)
            self.point = nn.Conv1d(20, 24, 1)
            self.head = nn.Linear(24, 30)

        def forward(self, tokens):
            maps = self.point(self.wide(self.words(tokens).mT).relu()).relu()
            return self.head(maps.mean(2))

    return Net()


def test_a_saved_network_of_every_kind_is_rebuilt_in_its_class():
    net = every_kind().eval()
    net.wide.weight.requires_grad_(False)
    small, log = factorize(net, energy=0.4)
    assert [f.kind for f in log.factors] == ["embedding", "convolution", "convolution", "linear"]
    text = json.dumps(log.to_json())
    read = FactorLog.from_json(json.loads(text))
    assert read == log
    assert json.loads(text)["format"] == 2
    again = apply_factors(every_kind().eval(), read)
    assert type(again) is not type(small)
    assert type(again).__name__ == "Net"
    again.load_state_dict(load(save(small.state_dict())))
    tokens = torch.randint(0, 40, (3, 9))
    assert torch.equal(again(tokens), small(tokens))
    assert not any(p.requires_grad for p in small.wide.parameters())
    assert not any(m.training for m in small.modules())


def test_logs_that_do_not_fit_are_refused_before_anything_changes():
    log = factorize(every_kind(), energy=0.4)[1].to_json()
    for change, words in (
        ({"module": "wode"}, "did you mean"),
        ({"kind": "linear"}, "as one of kind linear; it is a Conv1d"),
        ({"rank": 3}, r"at most \(20, 16\)"),
        ({"rank": [3, 17]}, r"at most \(20, 16\)"),
        ({"rank": [3, 0]}, r"rank \[3, 0\]"),
        ({"rank": [3, True]}, "with rank"),
        ({"rank": [1, 2, 3]}, "with rank"),
        ({"kind": "script"}, "of kind 'script'"),
        ({"energy": "much"}, "with energy 'much'"),
        ({"code": "x"}, "unexpected keyword"),
    ):
        broken = copy.deepcopy(log)
        broken["factors"][1] |= change
        net = every_kind()
        with pytest.raises(CheckpointError, match=words):
            apply_factors(net, FactorLog.from_json(broken))
        assert isinstance(net.words, nn.Embedding)
    twice = copy.deepcopy(log)
    twice["factors"] *= 2
    with pytest.raises(CheckpointError, match="names 'words' twice"):
        FactorLog.from_json(twice)
    with pytest.raises(CheckpointError, match="of format 1: it holds a kind"):
        FactorLog.from_json(log | {"format": 1})
    grouped = every_kind()
    grouped.wide.groups = 2
    with pytest.raises(CheckpointError, match="no thin form: groups=2"):
        apply_factors(grouped, FactorLog.from_json(log))


def test_a_log_of_format_1_still_loads():
    entry = {"module": "head", "rank": 4, "energy": 0.9, "error": 0.3, "before": 720, "after": 216}
    net = apply_factors(every_kind(), FactorLog.from_json({"format": 1, "factors": [entry]}))
    assert [tuple(part.weight.shape) for part in net.head] == [(4, 24), (30, 4)]


def test_a_factorized_network_can_be_pruned_with_proof():
    net = nn.Sequential(nn.Conv2d(3, 24, 3), nn.ReLU(), nn.Conv2d(24, 24, 3), nn.Flatten(), nn.Linear(24 * 16, 5))
    small, _ = factorize(net.double().eval(), rank={"0": (6, 3), "2": (8, 8), "4": 3})
    cut, log = prune(small, normal(2, 3, 8, 8), ratio=0.5)
    assert log.proof[0]["error"] <= 1e-12
    assert cut(normal(2, 3, 8, 8)).shape == (2, 5)
    assert sum(p.numel() for p in cut.parameters()) < 0.6 * sum(p.numel() for p in small.parameters())


def test_torchs_own_encoder_layer_keeps_its_fast_path():
    layer = nn.TransformerEncoderLayer(16, 2, 64, batch_first=True).eval()
    net = nn.Sequential(layer)
    small, log = factorize(net, rank={"0.linear1": 8, "0.linear2": 8})
    assert len(log.factors) == 2
    x = torch.randn(2, 5, 16)
    with torch.no_grad():
        fast = small(x)
    torch.testing.assert_close(fast, small(x), rtol=1e-5, atol=1e-5)  # with gradients: the thin layers themselves
