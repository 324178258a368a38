"""Ways to write a network that are common outside of torch's own layers."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from compress.judge import draw, judge
from netsmith.compress.cut_file import load_cut, save_cut
from netsmith.compress.prune import prune
from netsmith.core.errors import UnsupportedError
from netsmith.export.onnx import export_onnx
from netsmith.measure.macs import count_macs
from netsmith.measure.memory import estimate_memory
from netsmith.measure.session import open_session, run_session


class ResponseNorm(nn.Module):
    """Statistics of every channel over the picture: norm, variance, product, largest."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 1)
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = self.first(x)
        x = x / (1 + torch.linalg.vector_norm(x, dim=(2, 3), keepdim=True))
        x = x / (1 + x.norm(2, (2, 3), True) + x.std((2, 3), keepdim=True))
        x = torch.max(self.second(x), 0.1 * x) - torch.min(x, x.square())
        return self.head(x.var((-2, -1)) + x.flatten(2).max(2).values + x.flatten(2)[..., :3].prod(-1))


class Turned(nn.Module):
    """A layer whose weight lies the other way round, and one with another factor."""

    def __init__(self, beta=1):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(6, 8)), nn.Parameter(torch.randn(8))
        self.head, self.beta = nn.Linear(8, 4), beta

    def forward(self, x):
        return self.head(torch.addmm(self.bias, x, self.weight, beta=self.beta).relu())


class Rotated(nn.Module):
    """Attention with angles of a table, a bias for every head added in place, and keys that two queries share."""

    def __init__(self, fused):
        super().__init__()
        self.query, self.key, self.value = nn.Linear(16, 16), nn.Linear(16, 8), nn.Linear(16, 8)
        self.out, self.fused = nn.Linear(16, 16), fused
        self.bias = nn.Embedding(20, 4)
        self.register_buffer("angles", torch.tensor([1.0, 0.1]))

    def forward(self, x):
        size = x.shape[1]
        angle = (torch.arange(size)[:, None] * self.angles).repeat(1, 2)
        query, key, value = (f(x).view(len(x), size, -1, 4).transpose(1, 2) for f in (self.query, self.key, self.value))
        query, key = (
            t * angle.cos() + torch.cat([-t[..., 2:], t[..., :2]], dim=-1) * angle.sin() for t in (query, key)
        )
        bias = self.bias((torch.arange(size) - torch.arange(size)[:, None] + 10) % 20).permute(2, 0, 1)[None]
        if self.fused:
            y = F.scaled_dot_product_attention(query, key, value, attn_mask=bias, scale=0.5, enable_gqa=True)
        else:
            key, value = (t[:, :, None].expand(-1, -1, 2, -1, -1).flatten(1, 2) for t in (key, value))
            scores = query @ key.transpose(-1, -2) / 2
            scores += bias
            y = scores.softmax(-1) @ value
        return self.out(y.transpose(1, 2).flatten(2))


class Linked(nn.Module):
    """Message passing over links ``(2, E)`` between nodes ``(N, F)``: attention to neighbors, then their largest."""

    def __init__(self):
        super().__init__()
        self.project, self.score = nn.Linear(6, 16), nn.Parameter(torch.randn(1, 2, 8))
        self.bias, self.head = nn.Parameter(torch.randn(16)), nn.Linear(16, 3)

    def forward(self, x, links):
        start, end = links
        x = self.project(x).view(len(x), 2, -1)
        found = (x * self.score).sum(-1)
        found = F.leaky_relu(found[start] + found[end])
        where = end[:, None].expand_as(found)
        top = found.new_zeros(len(x), 2).scatter_reduce_(0, where, found, "amax", include_self=False)
        found = (found - top[end]).exp()
        share = found / found.new_zeros(len(x), 2).scatter_add_(0, where, found)[end]
        messages = x[start] * share[..., None]
        x = torch.zeros_like(x).index_add(0, end, messages).flatten(1) + self.bias
        spread = links[1][:, None].expand(-1, x.shape[1])
        most = x.new_zeros(x.shape).scatter_reduce(0, spread, x[start].relu(), "amax", include_self=False)
        count = x.new_zeros(len(x)).scatter_add_(0, end, x.new_ones(len(end)))
        return self.head(most + x) / (1 + count[:, None])


class Insisting(nn.Module):
    """Checks how many channels it is given, and knows how many it makes."""

    def __init__(self, channels, out_channels):
        super().__init__()
        self.channels, self.out_channels = channels, out_channels
        self.conv = nn.Conv2d(channels, out_channels, 3, padding=1)

    def forward(self, x):
        assert x.shape[1] == self.channels
        return self.conv(x).relu()


def attention(*, fused):
    return nn.Sequential(nn.Linear(6, 16), Rotated(fused), nn.Linear(16, 3))


NETWORKS = {
    "statistics of channels": (ResponseNorm, torch.randn(2, 3, 8, 8)),
    "addmm": (Turned, torch.randn(3, 6)),
    "shared keys, fused": (lambda: attention(fused=True), torch.randn(2, 9, 6)),
    "shared keys": (lambda: attention(fused=False), torch.randn(2, 9, 6)),
    "insisting": (
        lambda: nn.Sequential(Insisting(3, 8), Insisting(8, 8), Insisting(8, 16), nn.Conv2d(16, 2, 1)),
        torch.randn(2, 3, 8, 8),
    ),
    "links": (Linked, (torch.randn(7, 6), torch.arange(24).reshape(2, 12) % 7)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_cut_is_what_an_independent_judge_masks(name):
    make, example = NETWORKS[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = make().eval()
    verdict = judge(net, example, [draw(example, 1), draw(example, 2, None if isinstance(example, tuple) else 5)])
    assert (verdict.outcome, verdict.reason) == ("right", "")
    assert verdict.after <= 0.6 * verdict.before


def test_both_ways_of_shared_keys_lose_whole_heads():
    for fused in (True, False):
        make, example = NETWORKS["shared keys, fused" if fused else "shared keys"]
        small, _ = prune(make().eval(), example, ratio=0.5, scope="local")
        assert small[1].query.out_features == 8
        assert small[1].key.out_features == small[1].value.out_features == 4
        assert small[1].bias.embedding_dim == 2
        assert torch.equal(small[1].angles, torch.tensor([1.0, 0.1]))


def test_attributes_that_code_insists_on_follow_what_it_is_given():
    make, example = NETWORKS["insisting"]
    small, log = prune(make().eval(), example, ratio=0.5, scope="local")
    assert [small[at].channels for at in range(3)] == [3, 4, 4]
    assert {step.module: step.attributes for step in log.steps}["2"] == {"channels": 4}


class Remembering(nn.Module):
    """Keeps the last places, at most as many as a width elsewhere is large by chance."""

    def __init__(self):
        super().__init__()
        self.table, self.first, self.max_len = nn.Embedding(50, 32), Insisted(32), 32
        self.line, self.head = nn.Linear(32, 32), nn.Linear(32, 3)

    def forward(self, words):
        x = self.first(self.table(words))
        return self.head(self.line(x[:, -self.max_len :]).relu().mean(1))


class Insisted(nn.Module):
    """Checks its width, which is also how often it repeats itself."""

    def __init__(self, width):
        super().__init__()
        self._width, self.steps, self.line = width, width, nn.Linear(width, width)

    def forward(self, x):
        if x.shape[-1] != self._width:
            raise ValueError(f"expected {self._width}")
        y = self.line(x)
        for _ in range(self.steps):
            y = torch.tanh(y) + x
        return y


def test_a_number_that_is_as_large_as_a_width_by_chance_stays(tmp_path):
    net = Remembering().eval()
    small, log = prune(net, torch.randint(0, 50, (2, 8)), ratio={"table": 0.5})
    assert (small.first._width, small.first.steps, small.max_len) == (16, 32, 32)
    save_cut(tmp_path, small, [log])
    again, _ = load_cut(tmp_path, copy.deepcopy(net))
    words = torch.randint(0, 50, (2, 40))
    assert torch.equal(again(words), small(words))


class OneKey(nn.Module):
    """Heads that share one key and one value."""

    def __init__(self):
        super().__init__()
        self.query, self.key, self.value = nn.Linear(8, 16), nn.Linear(8, 4), nn.Linear(8, 4)
        self.out = nn.Linear(16, 3)

    def forward(self, x):
        query, key, value = (f(x).unflatten(-1, (-1, 4)).transpose(1, 2) for f in (self.query, self.key, self.value))
        return self.out(F.scaled_dot_product_attention(query, key, value, enable_gqa=True).transpose(1, 2).flatten(2))


def test_heads_that_share_one_key_go_alone():
    net, x = OneKey().eval(), torch.randn(2, 5, 8)
    small, log = prune(net, x, ratio=0.5)
    assert (small.query.out_features, small.key.out_features) == (8, 4)
    kept = {step.module: step for step in log.steps}["out"].tensors["weight"].kept[1]
    unread = copy.deepcopy(net).double()
    with torch.no_grad():
        unread.out.weight[:, [at for at in range(16) if at not in kept]] = 0
    other = torch.randn(3, 7, 8, dtype=torch.float64)
    assert torch.allclose(small.double()(other), unread(other), rtol=1e-12, atol=1e-12)


class Biased(nn.Module):
    """Heads with a learned bias for every pair of places."""

    def __init__(self, fused):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(8, 16) for _ in range(3))
        self.bias, self.out, self.fused = nn.Parameter(torch.randn(4, 6, 6)), nn.Linear(16, 3), fused

    def forward(self, x):
        query, key, value = (f(x).unflatten(-1, (-1, 4)).transpose(1, 2) for f in (self.query, self.key, self.value))
        if self.fused:
            y = F.scaled_dot_product_attention(query, key, value, attn_mask=self.bias, scale=0.5)
        else:
            y = (query @ key.mT / 2 + self.bias).softmax(-1) @ value
        return self.out(y.transpose(1, 2).flatten(2))


@pytest.mark.parametrize("fused", [True, False])
def test_a_learned_bias_of_pairs_goes_with_its_head(fused):
    net, x = Biased(fused).eval(), torch.randn(2, 6, 8)
    verdict = judge(net, x, [draw(x, 1), draw(x, 2, 3)])
    assert (verdict.outcome, verdict.reason) == ("right", "")
    small, _ = prune(net, x, ratio=0.5)
    assert small.bias.shape == (2, 6, 6)
    assert small.query.out_features == 8


def test_inputs_without_a_common_batch_are_compared_with_a_node_and_a_link_more():
    make, example = NETWORKS["links"]
    _, log = prune(make().eval(), example, ratio=0.5)
    assert log.proof[0]["shapes"] == [[7, 6], [7, 6], [8, 6], [7, 6]]  # of the nodes; the last has a link more


def test_a_product_with_factors_of_its_own_is_left_whole():
    with pytest.raises(UnsupportedError, match="no channel of this network can be cut"):
        prune(Turned(beta=2).eval(), torch.randn(3, 6), ratio=0.5)


class Asked(nn.Module):
    """Takes what it may be given by name."""

    def __init__(self):
        super().__init__()
        self.table, self.line, self.head = nn.Embedding(9, 8), nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, words, weights=None, *, loud=False):
        x = self.table(words)
        x = x if weights is None else x * weights[..., None]
        return self.head(self.line(x).relu().mean(1) * (2 if loud else 1))


def test_examples_by_name_reach_every_measure(tmp_path):
    net, words = Asked().eval(), torch.randint(0, 9, (2, 5))
    example = {"weights": torch.rand(2, 5), "words": words}
    small, log = prune(net, example, ratio=0.5)
    assert log.proof[0]["shapes"][0] == [2, 5]
    assert count_macs(net, example) == count_macs(net, (words, example["weights"])) == 2 * 5 * 64 + 2 * 24
    report = export_onnx(small, example, tmp_path / "small.onnx", exporter="fast")
    assert report.inputs == ("words", "weights")
    alone = export_onnx(small, (words, None), tmp_path / "alone.onnx", exporter="fast")
    assert alone.inputs == ("inputs",)
    with pytest.raises(UnsupportedError, match="got ndarray"):
        prune(net, {"words": words.numpy()}, ratio=0.5)
    for example, message in (
        ({"words": words, "loud": words}, r"takes words, weights by place or name; 'loud' is taken by name alone"),
        ({"words": words, "wieghts": words}, r"'wieghts' is none of its arguments; did you mean 'weights'"),
        ({"weights": words}, r"Asked.forward needs words too; got \['weights'\]"),
    ):
        with pytest.raises(UnsupportedError, match=message):
            prune(net, example, ratio=0.5)


class Named(Asked):
    """Takes whatever it is given by name, and nothing by place."""

    def forward(self, **named):
        return super().forward(named["words"], named.get("weights"))


class Alone(Asked):
    def forward(self, *, words, weights=None):
        return super().forward(words, weights)


@pytest.mark.parametrize("kind", [Named, Alone])
def test_a_network_that_takes_names_alone_is_given_them(tmp_path, kind):
    torch.manual_seed(0)
    net, whole = kind().eval(), Asked().eval()
    whole.load_state_dict(net.state_dict())
    example = {"weights": torch.rand(2, 5), "words": torch.randint(0, 9, (2, 5))}
    small, log = prune(net, example, ratio=0.5)
    reference, _ = prune(whole, example, ratio=0.5)
    assert log.proof[0]["shapes"][0] == [2, 5]
    assert torch.equal(small(**example), reference(example["words"], example["weights"]))
    assert count_macs(small, example) < count_macs(net, example) == count_macs(whole, example)
    assert estimate_memory(net, example) == estimate_memory(whole, example)
    report = export_onnx(small, example, tmp_path / "small.onnx", exporter="fast")
    assert report.inputs == ("weights", "words")
    (found,) = run_session(open_session(tmp_path / "small.onnx"), [example[name].numpy() for name in report.inputs])
    assert (torch.from_numpy(found) - small(**example)).abs().max() < 1e-5


def test_names_that_cannot_be_told_are_refused():
    words = torch.randint(0, 9, (2, 5))

    class Extra(Asked):
        def forward(self, words, **named):
            return super().forward(words, **named)

    for net, example, message in (
        (Alone(), {"words": words, "wieghts": words}, r"takes words, weights; 'wieghts' is .* did you mean 'weights'"),
        (Alone(), {"weights": words}, r"Alone.forward needs words too; got \['weights'\]"),
        (Named(), {0: words}, r"Named.forward takes names; 0 is none of its arguments"),
        (Extra(), {"words": words, "weights": words}, r"takes words by .* 'weights' is taken by name alone: wrap the"),
    ):
        with pytest.raises(UnsupportedError, match=message):
            prune(net.eval(), example, ratio=0.5)


class Timed(nn.Module):
    """Takes a picture and the time of a step, one for all."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, x, time):
        return self.second(self.first(x).relu() * time.reshape(-1, 1, 1, 1))


def test_a_single_number_is_no_batch():
    example = torch.randn(2, 3, 8, 8), torch.tensor(0.3)
    _, log = prune(Timed().eval(), example, ratio=0.5)
    assert log.proof[0]["shapes"][:2] == [[2, 3, 8, 8], [3, 3, 4, 5]]
    _, log = prune(Timed().eval(), (example[0], torch.ones(1)), ratio=0.5)
    assert [2, 3, 4, 5] in log.proof[0]["shapes"]


def test_a_graph_is_exported_with_nodes_and_links_free(tmp_path):
    net, (_, example) = Plain().eval(), NETWORKS["links"]
    with pytest.raises(UnsupportedError, match=r"no batch in common.*dynamic_batch=False"):
        export_onnx(net, example, tmp_path / "net.onnx")
    report = export_onnx(
        net, {"x": example[0], "links": example[1]}, tmp_path / "net.onnx", exporter="fast", dynamic_batch=False,
        free={"x": [0], "links": [1]},
    )  # fmt: skip
    assert report.inputs == ("x", "links")
    assert {parity.lengths for parity in report.parity} >= {(7, 12), (8, 13)}


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.line = nn.Linear(6, 3)

    def forward(self, x, links):
        x = self.line(x)
        return x.index_add(0, links[1], x[links[0]])
