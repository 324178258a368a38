import copy
from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

import toy
from netsmith.compress.fake_quantize import FakeQuantize, FakeQuantizeWeight, fake_quantized, frozen, observe
from netsmith.compress.folded import fold_int8
from netsmith.core.errors import UnsupportedError
from netsmith.data.digits import Digits
from netsmith.engine import checkpoint
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.export.onnx import export_onnx
from netsmith.measure.session import open_session, run_session
from netsmith.methods.supervised import Supervised
from netsmith.models.tabular.mlp import MLP
from netsmith.models.vision.cifar_resnet import CifarResNet
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.models.vision.student_net import StudentNet
from netsmith.optim.adamw import AdamW
from netsmith.tasks.classify import Classify

MODELS = {
    "cnn": (SmallCNN.Config(channels=(16, 32), in_channels=1, num_classes=10), (1, 16, 16)),
    "mlp": (MLP.Config(hidden=(256, 256), in_features=64, num_outputs=10), (64,)),
    "resnet": (CifarResNet.Config(depth=8, in_channels=3, num_classes=10), (3, 16, 16)),
}


def made(name, count=128):
    """A network whose normalizations have seen data, and examples."""
    config, shape = MODELS[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = config.build()
        x = torch.randn(count, *shape)
        net.train()
        with torch.no_grad():
            for part in x.chunk(8):
                net(part)
    return net.eval(), x


# -- the quantizers ---------------------------------------------------------------------------------------------------


def by_hand(x, low, high, bits):
    levels = 2**bits - 1
    scale = np.float32((high - low) / levels)
    zero = np.clip(np.rint(-low / scale), 0, levels)
    steps = np.rint(x / np.float64(scale)) + zero
    return (np.clip(steps, 0, levels) - zero) * scale, (steps >= 0) & (steps <= levels)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_activations_lie_on_the_grid_and_gradients_go_straight_through(bits):
    quantizer = FakeQuantize(bits=bits).double().eval()
    quantizer.low.fill_(-0.7)
    quantizer.high.fill_(2.1)
    generator = torch.Generator().manual_seed(0)
    x = (2 * torch.randn(400, generator=generator, dtype=torch.float64)).requires_grad_()
    upstream = torch.randn(400, generator=generator, dtype=torch.float64)
    value = quantizer(x)
    expected, inside = by_hand(x.detach().numpy(), -0.7, 2.1, bits)
    np.testing.assert_allclose(value.detach().numpy(), expected, rtol=0, atol=1e-6)
    assert 0.2 < inside.mean() < 0.8
    (gradient,) = torch.autograd.grad((value * upstream).sum(), x)
    np.testing.assert_array_equal(gradient.numpy(), upstream.numpy() * inside)
    assert len(value.unique()) <= 2**bits
    assert quantizer(torch.zeros(1, dtype=torch.float64)) == 0


@pytest.mark.parametrize("bits", [3, 8])
def test_weights_have_a_grid_for_each_output(bits):
    weight = torch.randn(6, 4, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    weight *= torch.logspace(-2, 2, 6, dtype=torch.float64)[:, None, None, None]
    weight[2] = 0
    weight.requires_grad_()
    value = FakeQuantizeWeight(bits=bits)(weight)
    scale = (weight.detach().flatten(1).abs().amax(1) / (2 ** (bits - 1) - 1)).float().double()[:, None, None, None]
    scale[2] = 1
    torch.testing.assert_close(value, (weight / scale).round() * scale, rtol=0, atol=1e-4)
    upstream = torch.randn(6, 4, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    (gradient,) = torch.autograd.grad((value * upstream).sum(), weight)
    torch.testing.assert_close(gradient, upstream, rtol=0, atol=0)


def test_ranges_are_moving_averages_that_hold_zero():
    quantizer = FakeQuantize(momentum=0.25)
    for low, high in ((1.0, 3.0), (-2.0, 1.0), (-1.0, 5.0)):
        quantizer(torch.tensor([low, high]))
    low = 0.75 * (0.75 * 0 + 0.25 * -2) + 0.25 * -1
    high = 0.75 * (0.75 * 3 + 0.25 * 1) + 0.25 * 5
    assert (quantizer.low.item(), quantizer.high.item()) == pytest.approx((low, high))
    assert quantizer.seen == 3
    quantizer.eval()(torch.tensor([-100.0, 100.0]))
    assert (quantizer.low.item(), quantizer.high.item()) == pytest.approx((low, high))


# -- the network ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(MODELS))
def test_at_eight_bits_a_network_answers_nearly_as_before(name):
    net, x = made(name)
    before = copy.deepcopy(net.state_dict())
    quantized = fake_quantized(net)
    assert not quantized.training
    assert not any(isinstance(part, nn.BatchNorm2d) for part in quantized.modules())
    observe(quantized, x.chunk(4))
    with torch.no_grad():
        a, b = net(x), quantized(x)
    assert 0 < (a - b).norm() / a.norm() < 0.02
    for key, value in net.state_dict().items():
        torch.testing.assert_close(value, before[key], rtol=0, atol=0)


def test_folded_normalizations_change_nothing():
    from netsmith.compress._quantized_graph import fold_norms, traced

    net, x = made("resnet")
    net, x = net.double(), x.double()
    graph = traced(net)
    fold_norms(graph)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in graph.modules())
    torch.testing.assert_close(graph(x), net(x), rtol=0, atol=1e-12)


def test_modes_and_names_are_kept():
    net, _ = made("cnn")
    quantized = fake_quantized(net.train())
    assert quantized.training
    assert all(part.training for part in quantized.modules())
    assert "stages.0.conv1.parametrizations.weight.original" in quantized.state_dict()
    assert "head.bias" in quantized.state_dict()


# -- the file ---------------------------------------------------------------------------------------------------------


def kinds(path, optimized):
    """The operators that ONNX Runtime itself runs, after its own fusions."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(optimized)
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return Counter(node.op_type for node in onnx.load(str(optimized)).graph.node)


@pytest.mark.parametrize(
    ("name", "integer", "ratio"),
    [
        ("cnn", {"QLinearConv": 2, "QGemm": 1}, 0.31),
        ("mlp", {"QGemm": 3}, 0.28),
        ("resnet", {"QLinearConv": 7, "QLinearAdd": 3, "QGemm": 1}, 0.27),
    ],
)
def test_the_file_computes_in_int8_as_the_network_does(tmp_path, name, integer, ratio):
    net, x = made(name)
    quantized = fake_quantized(net)
    observe(quantized, x.chunk(4))
    constant = frozen(quantized)
    with torch.no_grad():
        expected = quantized(x)
        torch.testing.assert_close(constant(x), expected, rtol=0, atol=1e-5)
    export_onnx(constant, x[:4], tmp_path / "wide.onnx", exporter="torchscript", tolerance=0.05)
    report = fold_int8(tmp_path / "wide.onnx", tmp_path / "q.onnx", [x.numpy()])
    assert (report.method, report.examples) == ("trained", 128)
    assert report.bytes < ratio * report.bytes_before
    assert report.agreement >= 0.99
    found = kinds(tmp_path / "q.onnx", tmp_path / "fused.onnx")
    assert {kind: found[kind] for kind in integer} == integer
    assert not {"Conv", "FusedConv", "Gemm", "MatMul", "FusedGemm"} & set(found)
    tensors = onnx.load(str(tmp_path / "q.onnx")).graph.initializer
    sizes = sum(int(np.prod(t.dims)) for t in tensors if t.data_type == onnx.TensorProto.INT8 and len(t.dims) > 1)
    assert sizes == sum(p.numel() for p in net.parameters() if p.ndim > 1)
    assert not [t.name for t in tensors if t.data_type == onnx.TensorProto.FLOAT and len(t.dims) > 1]
    got = run_session(open_session(tmp_path / "q.onnx"), x.numpy())[0]
    # a sum that falls between two steps may be rounded to either, and what follows moves with it
    assert np.linalg.norm(got - expected.numpy()) < 0.01 * np.linalg.norm(expected.numpy())
    assert (got.argmax(1) == expected.numpy().argmax(1)).mean() >= 0.97


def test_fewer_bits_are_exported_with_a_clip(tmp_path):
    net, x = made("mlp")
    quantized = fake_quantized(net, weight_bits=4, activation_bits=4)
    observe(quantized, [x])
    export_onnx(frozen(quantized), x[:4], tmp_path / "wide.onnx", exporter="torchscript", tolerance=0.3)
    report = fold_int8(tmp_path / "wide.onnx", tmp_path / "q.onnx", [x.numpy()])
    assert report.kept["Clip"] == 3
    weights = [t for t in onnx.load(str(tmp_path / "q.onnx")).graph.initializer if t.data_type == onnx.TensorProto.INT8]
    values = np.unique(np.concatenate([onnx.numpy_helper.to_array(t).ravel() for t in weights if len(t.dims) > 1]))
    assert values.tolist() == list(range(-7, 8))
    with torch.no_grad():
        expected = quantized(x).numpy()
    got = run_session(open_session(tmp_path / "q.onnx"), x.numpy())[0]
    assert np.linalg.norm(got - expected) < 0.1 * np.linalg.norm(expected)


# -- training ---------------------------------------------------------------------------------------------------------


class Rounded(toy.Supervised):
    """The toy method whose network is fake-quantized."""

    class Config(toy.Supervised.Config):
        bits: int = 8

    def __init__(self, config, *, spec):
        super().__init__(config, spec=spec)
        self.model = fake_quantized(self.model, weight_bits=config.bits, activation_bits=config.bits, momentum=0.1)


ROUNDED = {
    "table": toy.config(checkpoint_every=3, method=Rounded.Config(model=toy.Net.Config(norm=True))),
    "pictures": toy.config(
        checkpoint_every=3,
        method=Rounded.Config(model=toy.ConvNet.Config(), bits=4),
        data=toy.Pictures.Config(),
        optimizers={"model": toy.Adam.Config()},
        epochs=2,
    ),
}


@pytest.mark.parametrize("name", list(ROUNDED))
def test_a_resume_is_exact(tmp_path, name):
    whole = toy.engine(ROUNDED[name])
    whole.fit()
    cut = toy.engine(ROUNDED[name], checkpoints=tmp_path, hooks=[toy.Cut(8)])
    with pytest.raises(toy.Cut.Stop):
        cut.fit()
    torch.manual_seed(5)  # a new process has another random state
    resumed = toy.engine(ROUNDED[name], checkpoints=tmp_path)
    snapshot, _ = checkpoint.load_latest(tmp_path)
    resumed.restore(snapshot)
    resumed.fit()
    assert toy.sha(resumed) == toy.sha(whole)
    assert resumed.history == whole.history
    seen = [part.seen.item() for part in whole.method.modules() if isinstance(part, FakeQuantize)]
    assert seen
    assert set(seen) == {whole.step}  # an evaluation moves no range


def test_micro_batches_are_refused_by_name():
    """Ranges follow each batch, so pieces of one would set others."""
    config = toy.config(method=Rounded.Config(model=toy.Net.Config()), micro_batches=2)
    with pytest.raises(UnsupportedError, match=r"micro_batches=2 would change .* fake quantization .*\(model\..*\)"):
        toy.engine(config)


def fitted(model, *, lr, epochs, network=None):
    config = Experiment.Config(
        method=Supervised.Config(model=model, task=Classify.Config()),
        data=Digits.Config(twin=True, batch=64, augment=(), dev=0.4),
        optimizers={"model": AdamW.Config(lr=lr)},
        epochs=epochs,
        evaluate_every=100_000,
    )
    experiment = Experiment(config)
    if network is not None:
        experiment.method.model = network
    engine = Engine(experiment)
    engine.fit()
    return engine


@pytest.mark.parametrize(
    ("model", "epochs"), [(MLP.Config(hidden=(16,) * 6), 30), (StudentNet.Config(), 8)], ids=["mlp", "student"]
)
def test_at_four_bits_training_wins_back_what_rounding_alone_loses(model, epochs):
    engine = fitted(model, lr=3e-3, epochs=epochs)
    full = engine.evaluate("dev")["dev/accuracy"]
    assert full >= 0.97
    source = engine.source
    batches = [source.load("train", part).inputs for part in source.order("train", seed=0, epoch=0)]
    quantized = fake_quantized(engine.method.model, weight_bits=4, activation_bits=4)
    observe(quantized, batches)
    engine.method.model = quantized
    after = engine.evaluate("dev")["dev/accuracy"]
    assert after <= full - 0.08
    trained = fitted(model, lr=1e-3, epochs=5, network=quantized).evaluate("dev")["dev/accuracy"]
    assert trained >= after + 0.05
    assert trained >= full - 0.05


# -- refusals ---------------------------------------------------------------------------------------------------------


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        return self.layer(x) if x.sum() > 0 else x


class Noisy(Branching):
    def forward(self, x):
        return self.layer(x + 1) if self.training else self.layer(x)


def test_bad_calls_are_refused(tmp_path):
    net = nn.Sequential(nn.Linear(4, 4))
    with pytest.raises(UnsupportedError, match="weight_bits must be 2 to 8, got 1"):
        fake_quantized(net, weight_bits=1)
    with pytest.raises(UnsupportedError, match="activation_bits must be 2 to 8, got 16"):
        fake_quantized(net, activation_bits=16)
    with pytest.raises(UnsupportedError, match="momentum must be above 0 and at most 1, got 0"):
        fake_quantized(net, momentum=0)
    with pytest.raises(UnsupportedError, match="Branching cannot be traced for fake quantization: "):
        fake_quantized(Branching())
    with pytest.raises(UnsupportedError, match="Noisy itself computes otherwise in training"):
        fake_quantized(Noisy())
    with pytest.raises(UnsupportedError, match="ReLU has no convolution or linear layer"):
        fake_quantized(nn.ReLU())
    with pytest.raises(UnsupportedError, match="has seen no activations"):
        frozen(fake_quantized(net))
    with pytest.raises(UnsupportedError, match="found no fake quantizer"):
        frozen(net)
    export_onnx(net, torch.zeros(2, 4), tmp_path / "n.onnx", exporter="torchscript")
    with pytest.raises(UnsupportedError, match=r"n\.onnx has no quantized weights"):
        fold_int8(tmp_path / "n.onnx", tmp_path / "q.onnx", [np.zeros((2, 4), np.float32)])
    with pytest.raises(UnsupportedError, match="got none"):
        fold_int8(tmp_path / "n.onnx", tmp_path / "q.onnx", [])
    assert [p.name for p in tmp_path.iterdir()] == ["n.onnx"]


def test_a_normalization_behind_a_linear_layer_stays():
    """On (B, L, C) it works along L: folded along C, answers would silently be others where L == C."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Flatten(), nn.Linear(64, 2)).eval()
    with torch.no_grad():
        net[1].running_mean.normal_()
        net[1].weight.normal_()
    x = torch.randn(3, 8, 4)
    quantized = fake_quantized(net)
    observe(quantized, [x])
    with torch.no_grad():
        assert (quantized.eval()(x) - net(x)).norm() / net(x).norm() < 0.05


def test_layers_inside_what_is_taken_as_a_whole_are_left_alone():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(8, 8), nn.AdaptiveLogSoftmaxWithLoss(8, 6, [3])

        def forward(self, x, classes):
            return self.last(self.first(x), classes)[0]

    quantized = fake_quantized(Net())
    changed = [name for name, part in quantized.named_modules() if isinstance(part, FakeQuantizeWeight)]
    assert changed == ["first.parametrizations.weight.0"]
