"""First weights: torch's own numbers where torch has the rule, closed forms elsewhere, and the classic experiment."""

import math

import pytest
import torch
from torch import nn

from netsmith.core.errors import ConfigError, UnsupportedError
from netsmith.core.roles import InitializerConfig
from netsmith.layers.biases import constant_biases, forget_gate_biases, prior_bias
from netsmith.layers.initialization import he_initialize
from netsmith.layers.initializers.constant import Constant
from netsmith.layers.initializers.gaussian import Gaussian
from netsmith.layers.initializers.he import He
from netsmith.layers.initializers.lsuv import Lsuv
from netsmith.layers.initializers.orthogonal import Orthogonal
from netsmith.layers.initializers.uniform import Uniform
from netsmith.layers.initializers.xavier import Xavier
from netsmith.layers.layer_statistics import layer_activations, layer_statistics


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def network():
    """Layers whose weights torch's rules see as they are: no groups, nothing transposed."""
    layers = [nn.Linear(30, 20), nn.Conv1d(6, 8, 3), nn.Conv2d(5, 7, (3, 2)), nn.Conv3d(2, 3, 2), nn.Linear(4, 50)]
    return nn.Sequential(*layers).double()


init = nn.init
SAME = {
    "constant": (Constant.Config(value=0.3), lambda w, g: init.constant_(w, 0.3)),
    "gaussian": (Gaussian.Config(std=0.02, mean=0.1), lambda w, g: init.normal_(w, 0.1, 0.02, generator=g)),
    "uniform": (Uniform.Config(low=-0.1, high=0.3), lambda w, g: init.uniform_(w, -0.1, 0.3, generator=g)),
    "xavier normal": (Xavier.Config(), lambda w, g: init.xavier_normal_(w, generator=g)),
    "xavier uniform for tanh": (
        Xavier.Config(distribution="uniform", gain=5 / 3),
        lambda w, g: init.xavier_uniform_(w, init.calculate_gain("tanh"), generator=g),
    ),
    "he": (He.Config(), lambda w, g: init.kaiming_normal_(w, nonlinearity="relu", generator=g)),
    "he uniform, fan-out": (
        He.Config(distribution="uniform", fan="out"),
        lambda w, g: init.kaiming_uniform_(w, mode="fan_out", nonlinearity="relu", generator=g),
    ),
    "he for a parametric relu": (
        He.Config(slope=0.25),
        lambda w, g: init.kaiming_normal_(w, 0.25, nonlinearity="leaky_relu", generator=g),
    ),
    "lecun": (He.Config(slope=1.0), lambda w, g: init.kaiming_normal_(w, nonlinearity="linear", generator=g)),
    "orthogonal": (Orthogonal.Config(gain=2**0.5), lambda w, g: init.orthogonal_(w, 2**0.5, generator=g)),
}


@pytest.mark.parametrize("name", SAME)
def test_torchs_rules_draw_the_same_numbers(name):
    config, torchs = SAME[name]
    ours, theirs = network(), network()
    drawn = config.build()(ours, generator=seeded())
    assert drawn == [f"{number}.weight" for number in range(5)]
    generator = seeded()
    for one, other in zip(ours, theirs, strict=True):
        torchs(other.weight.data, generator)
        torch.testing.assert_close(one.weight, other.weight, rtol=1e-14, atol=0)
        assert not one.bias.any()


def test_a_generator_is_all_the_randomness_there_is():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    found = [network() for _ in range(3)]
    torch.set_rng_state(before)
    for one, seed in zip(found, (1, 1, 2), strict=True):
        He.Config().build()(one, generator=seeded(seed))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(found[0][0].weight, found[1][0].weight)
    assert not torch.equal(found[0][0].weight, found[2][0].weight)
    He.Config().build()(found[0])  # without one, torch's own is used
    assert not torch.equal(torch.get_rng_state(), before)


def variance(config, layer):
    config.build()(layer, generator=seeded())
    return float(layer.weight.detach().double().var())


@pytest.mark.parametrize(
    ("config", "want"),
    [
        (Xavier.Config(), 2 / (300 + 700)),
        (Xavier.Config(gain=4.0), 16 * 2 / (300 + 700)),  # the logistic function: 16 times the variance
        (Xavier.Config(distribution="uniform"), 2 / (300 + 700)),
        (He.Config(), 2 / 300),
        (He.Config(fan="out"), 2 / 700),
        (He.Config(slope=0.25), 2 / (1.0625 * 300)),
        (He.Config(slope=0.25, distribution="uniform"), 2 / (1.0625 * 300)),
        (Uniform.Config(), 0.08**2 / 3),
        (Orthogonal.Config(), 1 / 700),
    ],
)
def test_the_variances_of_the_papers(config, want):
    """210,000 numbers: the standard error of their variance is at most 0.4 %."""
    assert variance(config, nn.Linear(300, 700)) == pytest.approx(want, rel=0.015)


def test_uniform_bounds_are_those_of_the_papers():
    for config, bound in (
        (Xavier.Config(distribution="uniform"), math.sqrt(6 / 1000)),
        (Xavier.Config(distribution="uniform", gain=4.0), 4 * math.sqrt(6 / 1000)),
        (He.Config(distribution="uniform"), math.sqrt(6 / 300)),
    ):
        layer = nn.Linear(300, 700)
        config.build()(layer, generator=seeded())
        assert 0.999 * bound < float(layer.weight.detach().abs().max()) <= bound


def test_orthogonal_rows_or_columns():
    for layer in (nn.Linear(40, 25), nn.Linear(25, 40), nn.Conv2d(3, 16, 3), nn.ConvTranspose2d(16, 3, 3)):
        Orthogonal.Config(gain=3.0).build()(layer.double(), generator=seeded())
        weight = layer.weight.detach()
        matrix = (weight.transpose(0, 1) if isinstance(layer, nn.ConvTranspose2d) else weight).flatten(1)
        gram = matrix @ matrix.T if len(matrix) <= matrix.shape[1] else matrix.T @ matrix
        torch.testing.assert_close(gram, 9 * torch.eye(len(gram), dtype=torch.float64), rtol=0, atol=1e-12)


def test_grouped_and_transposed_convolutions_count_what_a_unit_reads():
    depthwise, transposed = nn.Conv2d(400, 400, 5, groups=400), nn.ConvTranspose2d(60, 20, 4)
    assert variance(He.Config(), depthwise) == pytest.approx(2 / 25, rel=0.05)
    assert variance(Xavier.Config(), depthwise) == pytest.approx(2 / 50, rel=0.05)
    assert variance(He.Config(), transposed) == pytest.approx(2 / (60 * 16), rel=0.05)
    assert variance(He.Config(fan="out"), transposed) == pytest.approx(2 / (20 * 16), rel=0.05)
    grouped = nn.ConvTranspose2d(400, 200, 4, groups=4)  # a unit reads 100 channels, a number is read by 50
    assert variance(He.Config(), grouped) == pytest.approx(2 / (100 * 16), rel=0.05)
    assert variance(He.Config(fan="out"), grouped) == pytest.approx(2 / (50 * 16), rel=0.05)
    assert variance(Xavier.Config(), grouped) == pytest.approx(2 / (150 * 16), rel=0.05)
    assert variance(He.Config(fan="out"), nn.ConvTranspose2d(64, 64, 5, groups=64)) == pytest.approx(2 / 25, rel=0.1)


def test_each_group_is_orthogonal_by_itself():
    layer = nn.Conv2d(64, 64, 3, groups=64).double()
    Orthogonal.Config().build()(layer, generator=seeded())
    norms = layer.weight.detach().flatten(1).norm(dim=1)
    torch.testing.assert_close(norms, torch.ones(64, dtype=torch.float64), rtol=0, atol=1e-12)


def test_frozen_biases_and_learned_keys_stay():
    linear, lstm, attention = nn.Linear(3, 3), nn.LSTM(3, 3), nn.MultiheadAttention(4, 2, add_bias_kv=True)
    linear.bias.requires_grad_(requires_grad=False).fill_(7)
    lstm.bias_ih_l0.requires_grad_(requires_grad=False).fill_(5)
    keys = attention.bias_k.detach().clone()
    He.Config().build()(nn.ModuleList([linear, lstm, attention]), generator=seeded())
    assert linear.bias.tolist() == [7] * 3
    assert lstm.bias_ih_l0.tolist() == [5] * 12
    assert torch.equal(attention.bias_k, keys)
    assert keys.any()


def test_recurrent_layers_gate_by_gate_and_attention_part_by_part():
    lstm = nn.LSTM(24, 16, num_layers=2, bidirectional=True, proj_size=8).double()
    cells = [nn.GRU(24, 16).double(), nn.RNNCell(24, 16).double(), nn.MultiheadAttention(16, 2).double()]
    net = nn.ModuleList([lstm, *cells])
    drawn = Orthogonal.Config(forget_bias=1.5).build()(net, generator=seeded())
    assert len(drawn) == 3 * 4 + 2 + 2 + 2  # weights in, back and of the projection; the attention's in and out
    gates = {"0": 4, "1": 3, "2": 1, "3": 3}
    for name in drawn:
        first, _, inner = name.partition(".")
        count = 1 if "hr" in inner or "out_proj" in inner else gates[first]
        for part in net.get_parameter(name).detach().chunk(count):
            gram = part @ part.T if len(part) <= part.shape[1] else part.T @ part
            torch.testing.assert_close(gram, torch.eye(len(gram), dtype=torch.float64), rtol=0, atol=1e-12)
    summed = lstm.bias_ih_l0.detach() + lstm.bias_hh_l0.detach()
    assert summed.reshape(4, 16)[:, 0].tolist() == [0, 1.5, 0, 0]
    assert not net[1].bias_ih_l0.any()
    assert not net[3].in_proj_bias.any()


def test_what_stays_as_it_was():
    net = nn.ModuleDict(
        {
            "body": nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 4)),
            "body2": nn.Linear(4, 4),
            "words": nn.Embedding(5, 4),
            "frozen": nn.Linear(4, 4).requires_grad_(requires_grad=False),
            "tied": nn.Linear(4, 5, bias=False),
        }
    )
    net["tied"].weight = net["words"].weight  # a layer that shares its weight is a layer
    before = {name: value.clone() for name, value in net.state_dict().items()}
    drawn = Gaussian.Config(bias=0.1, leave=("body",)).build()(net, generator=seeded())
    changed = {name for name, value in net.state_dict().items() if not torch.equal(value, before[name])}
    assert drawn == ["body2.weight", "tied.weight"]
    assert changed == {"body2.weight", "body2.bias", "tied.weight", "words.weight"}
    assert net["body2"].bias.tolist() == pytest.approx([0.1] * 4)


# -- by what layers answer --------------------------------------------------------------------------------------------


def block():
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.ReLU(),
        nn.BatchNorm2d(16),
        nn.Dropout(0.5),
        nn.Conv2d(16, 8, 3, groups=4),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(8 * 36, 40),
        nn.GELU(),
        nn.Linear(40, 10),
    )


def test_lsuv_gives_every_layer_variance_one():
    net, batch = block().double(), 3 + 5 * torch.randn(64, 3, 8, 8, generator=seeded(), dtype=torch.float64)
    twin = block().double()
    twin[3].eval()
    net[3].eval()  # a part in another mode than the rest
    config = Lsuv.Config(tolerance=1e-6, bias=0.2)
    assert config.build()(net, generator=seeded(1), run=lambda: net(batch)) == [f"{n}.weight" for n in (0, 4, 7, 9)]
    assert (net.training, net[0].training, net[3].training) == (True, True, False)
    assert net[2].num_batches_tracked == 0  # the pass is no training
    Orthogonal.Config(bias=0.2).build()(twin, generator=seeded(1))
    net.eval()
    signal = batch
    for layer, other in zip(net, twin, strict=True):
        signal = layer(signal)
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            assert float(signal.detach().var(correction=0)) == pytest.approx(1, abs=2e-6)
            ratio = layer.weight.detach() / other.weight.detach()
            torch.testing.assert_close(ratio, ratio.flatten()[0].expand_as(ratio))  # a factor, nothing else
    assert not any(layer._forward_hooks for layer in net)


def test_lsuv_stops_at_its_tolerance_as_the_paper_says():
    """Within it, an orthonormal layer is left alone."""
    batch = torch.randn(500, 60, generator=seeded())
    for tolerance, kept in ((0.2, True), (1e-5, False)):
        net, twin = nn.Linear(60, 60), nn.Linear(60, 60)
        Lsuv.Config(tolerance=tolerance).build()(net, generator=seeded(1), run=lambda net=net: net(batch))
        Orthogonal.Config().build()(twin, generator=seeded(1))
        assert torch.equal(net.weight, twin.weight) is kept


def test_lsuv_scales_a_shared_layer_at_its_first_answer():
    layer, batch = nn.Linear(30, 30).double(), 4 * torch.randn(200, 30, generator=seeded(), dtype=torch.float64)
    Lsuv.Config(tolerance=1e-6).build()(layer, generator=seeded(), run=lambda: layer(layer(batch).relu()))
    assert float(layer(batch).detach().var(correction=0)) == pytest.approx(1, abs=2e-6)


# -- biases -----------------------------------------------------------------------------------------------------------


def test_biases():
    net = nn.Sequential(nn.Linear(3, 4), nn.Conv1d(4, 5, 1), nn.Linear(3, 3, bias=False), nn.BatchNorm1d(5))
    assert constant_biases(net, 0.1) == 2
    assert [net[0].bias.unique().tolist(), net[3].bias.unique().tolist()] == [[pytest.approx(0.1)], [0]]
    lstms = nn.ModuleList(
        [nn.LSTM(3, 4, num_layers=2, bidirectional=True), nn.LSTMCell(3, 4), nn.LSTM(3, 4, bias=False)]
    )
    assert forget_gate_biases(lstms) == 5
    for name, value in lstms.named_parameters():
        if "bias_ih" in name:
            twin = lstms.get_parameter(name.replace("bias_ih", "bias_hh"))
            assert (value + twin).detach().chunk(4)[1].tolist() == [1] * 4
            assert (value + twin).detach().chunk(4)[0].abs().min() > 0  # the others are as they were


def test_an_open_forget_gate_keeps_the_cell():
    """With weights of 0 a cell keeps sigmoid(1) of what it holds, and half of it without the rule."""
    cell = nn.LSTMCell(2, 3)
    held = torch.tensor([[1.0, -2.0, 4.0]])
    for value, share in ((0.0, 0.5), (1.0, 1 / (1 + math.exp(-1)))):
        Constant.Config(forget_bias=value).build()(cell)
        _, after = cell(torch.ones(1, 2), (torch.zeros(1, 3), held))
        torch.testing.assert_close(after, share * held)


def test_a_softmax_layer_answers_the_prior():
    layer = nn.Linear(4, 3).double()
    Constant.Config().build()(layer)
    prior_bias(layer, [60, 30, 10])
    torch.testing.assert_close(layer(torch.ones(1, 4).double()).softmax(1)[0], torch.tensor([0.6, 0.3, 0.1]).double())
    targets = torch.tensor([0] * 6 + [1] * 3 + [2])
    loss = nn.functional.cross_entropy(layer(torch.randn(10, 4, generator=seeded()).double()), targets)
    entropy = -sum(p * math.log(p) for p in (0.6, 0.3, 0.1))
    assert float(loss.detach()) == pytest.approx(entropy, rel=1e-14)


# -- the classic experiment: ten layers of 500 units ------------------------------------------------------------------

TANH_GAUSSIAN = [0.047551, 0.010630, 0.002378, 0.000532, 0.000119, 0.000026, 0.000006, 0.000001]  # from layer 2
TANH_XAVIER = [0.627953, 0.486051, 0.407723, 0.357108, 0.320917, 0.292116, 0.273387, 0.254935, 0.239266, 0.228008]
RELU_XAVIER = [0.582273, 0.403795, 0.276912, 0.198685, 0.140299, 0.103280, 0.072748, 0.051572, 0.038583, 0.026076]


def stds(config, activation, seed=0):
    return [one.std for one in layer_statistics(config.build(), activation=activation, seed=seed)]


def test_tanh_after_a_small_gaussian_dies_out():
    found = stds(Gaussian.Config(std=0.01), "tanh")
    assert found[1:9] == pytest.approx(TANH_GAUSSIAN, rel=0.02, abs=1e-6)
    assert found[8] < 1e-5
    assert found[9] < found[8] < found[7]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_tanh_after_xavier_stays(seed):
    assert stds(Xavier.Config(), "tanh", seed) == pytest.approx(TANH_XAVIER, abs=0.004)


def test_tanh_after_xaviers_uniform_stays_too():
    assert stds(Xavier.Config(distribution="uniform"), "tanh") == pytest.approx(TANH_XAVIER, abs=0.004)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_relu_after_xavier_decays_and_after_he_stays(seed):
    xavier, he = stds(Xavier.Config(), "relu", seed), stds(He.Config(), "relu", seed)
    assert xavier == pytest.approx(RELU_XAVIER, rel=0.2)  # one net of 500 units differs from the next
    assert xavier[9] < 0.035
    assert all(0.55 < std < 1.05 for std in he)
    # The same weights but for a factor: what ReLU passes on grows with it, layer by layer.
    assert [big / small for big, small in zip(he, xavier, strict=True)] == pytest.approx(
        [2 ** ((layer + 1) / 2) for layer in range(10)], rel=1e-4
    )


def test_the_logistic_after_four_times_xavier_passes_on_more_than_after_xavier():
    plain, scaled = stds(Xavier.Config(), "logistic"), stds(Xavier.Config(gain=4.0), "logistic")
    assert all(0.32 < std < 0.41 for std in scaled)
    assert all(std < 0.13 for std in plain[1:])


def test_orthogonal_keeps_every_length_and_lsuv_every_variance():
    lengths = [one.norm(dim=1) for one in layer_activations(Orthogonal.Config().build(), activation="linear", units=80)]
    torch.testing.assert_close(lengths[9], lengths[0], rtol=1e-4, atol=0)
    found = stds(Lsuv.Config(), "tanh")
    assert found == pytest.approx([0.628] * 10, abs=0.003)  # the std of tanh of a standard normal: 0.62797
    relu = stds(Lsuv.Config(), "relu")  # a unit's own mean is not 0 there, so that the closed form is only near
    assert relu == pytest.approx([math.sqrt(0.5 - 1 / (2 * math.pi))] * 10, abs=0.05)


def test_the_experiment_leaves_torchs_generator_alone():
    before = torch.get_rng_state()
    layer_statistics(He.Config().build(), layers=2, units=8, batch=8)
    assert torch.equal(torch.get_rng_state(), before)


# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [case[0] for case in SAME.values()] + [Lsuv.Config(leave=("a",), bias=0.1)])
def test_a_config_survives_its_json_form(config):
    assert InitializerConfig.load(config.dump()) == config
    assert InitializerConfig.load(config.kind_name()).kind_name() == config.kind_name()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: He.Config().build()(nn.ReLU()),
            ConfigError,
            "ReLU has no linear, convolution, recurrent or attention",
        ),
        (
            lambda: He.Config(leave=("0",)).build()(nn.Sequential(nn.Linear(2, 2))),
            ConfigError,
            "layer to draw besides those of leave",
        ),
        (
            lambda: He.Config(leave=("bdy",)).build()(nn.ModuleDict({"body": nn.Linear(2, 2)})),
            ConfigError,
            "initialize.leave: no module 'bdy'; did you mean 'body'",
        ),
        (lambda: Lsuv.Config().build()(nn.Linear(2, 2)), ConfigError, "give run=lambda: network"),
        (
            lambda: Lsuv.Config().build()(nn.Linear(2, 2), run=lambda: None),
            UnsupportedError,
            "the examples reached no linear or convolution layer of Linear",
        ),
        (lambda: dead(), UnsupportedError, "the answers of 0 to the batch have variance 0; no factor makes it 1"),
        (lambda: Uniform.Config(low=1.0), ConfigError, "low must not lie above high, got 1.0 and 0.08"),
        (lambda: prior_bias(nn.Linear(2, 3), [0.5, 0.5]), ConfigError, r"has 3 biases, and \(2,\) frequencies"),
        (lambda: prior_bias(nn.Linear(2, 2, bias=False), [1, 1]), ConfigError, "has no bias"),
        (lambda: prior_bias(nn.Linear(2, 2), [1, 0]), ConfigError, "expected frequencies above 0, got 0"),
        (lambda: InitializerConfig.load("xaver"), ConfigError, "no initializer of kind 'xaver'; did you mean 'xavier'"),
    ],
)
def test_what_makes_no_sense_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def dead():
    net = nn.Sequential(nn.Linear(2, 2))
    Lsuv.Config().build()(net, run=lambda: net(torch.zeros(3, 2)))


def test_lsuv_scales_a_shared_weight_once():
    first, second = nn.Linear(32, 32), nn.Linear(32, 32)
    second.weight = first.weight
    net, examples = nn.Sequential(first, nn.ReLU(), second), torch.randn(500, 32, generator=seeded())
    Lsuv.Config().build()(net, generator=seeded(), run=lambda: net(examples))
    assert float(first(examples).detach().var(correction=0)) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("nonlinearity", ["relu", "linear"])
def test_models_draw_by_the_same_rule_and_what_torch_draws_bit_for_bit(nonlinearity, monkeypatch):
    def net():
        return nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, groups=8), nn.BatchNorm2d(8), nn.Linear(7, 5))

    ours, theirs = net(), net()
    torch.manual_seed(1)
    he_initialize(ours, nonlinearity=nonlinearity)
    torch.manual_seed(1)
    for layer in theirs:
        if not isinstance(layer, nn.BatchNorm2d):
            init.kaiming_normal_(layer.weight, nonlinearity=nonlinearity)
            init.zeros_(layer.bias)
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(one, other)
    slopes = []
    monkeypatch.setattr(He, "fill", lambda self, weight, fans, generator: slopes.append((self.config.slope, *fans)))
    he_initialize(net(), nonlinearity=nonlinearity)
    slope = 0.0 if nonlinearity == "relu" else 1.0
    assert slopes == [(slope, 27, 72), (slope, 9, 72), (slope, 7, 5)]
