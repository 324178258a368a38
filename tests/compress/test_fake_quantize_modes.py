"""Functional dropout under fake quantization: active in training, absent from what is exported."""

import onnx
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from netsmith.compress._by_mode import ByMode
from netsmith.compress.fake_quantize import FakeQuantizeLog, fake_quantized, frozen, observe
from netsmith.core.errors import UnsupportedError
from netsmith.export.onnx import export_onnx
from netsmith.measure.session import open_session, run_session


class Attends(nn.Module):
    """Functional dropout as it is written most; ``always`` says whether it is active, None: by mode."""

    def __init__(self, always=None):
        super().__init__()
        self.inner, self.outer = nn.Linear(6, 18), nn.Linear(6, 6)
        self.always, self.p = always, 0.4

    def forward(self, x):
        active = self.training if self.always is None else self.always
        query, key, value = self.inner(x).chunk(3, -1)
        x = F.scaled_dot_product_attention(query, key, value, dropout_p=self.p if active else 0)
        return F.dropout(self.outer(x), self.p, training=active)


def attends(always=None):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second, self.head = Attends(always), Attends(always), nn.Linear(6, 3)

        def forward(self, x):
            return self.head(self.second(self.first(x)).mean(1) * (2 if self.training else 1))

    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Net().eval()


def test_dropout_is_active_in_training_alone():
    x = torch.randn(3, 5, 6, generator=torch.Generator().manual_seed(1))
    answers = {}
    for always in (None, True, False):
        net = fake_quantized(attends(always))
        assert sum(isinstance(part, ByMode) for part in net.modules()) == (5 if always is None else 1)
        if always is None:
            observe(net, [x])
            ranges = [part.clone() for part in net.buffers()]
        for part, found in zip(net.buffers(), ranges, strict=True):
            part.copy_(found)
        with torch.random.fork_rng():
            for mode in (False, True):
                torch.manual_seed(2)
                answers[always, mode] = net.train(mode)(x)
    assert torch.equal(answers[None, True], answers[True, True])
    assert torch.equal(answers[None, False], answers[False, False])
    assert not torch.equal(answers[True, True], answers[False, True])


def test_each_call_has_the_mode_of_its_layer():
    net = attends().train()
    net.first.eval()
    modes = [part.training for part in fake_quantized(net).modules() if isinstance(part, ByMode)]
    assert modes == [False, False, True, True, True]


def test_each_call_of_one_layer_has_its_mode():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.part = Attends()

        def forward(self, x):
            return F.dropout(self.part(self.part(x)), training=self.training)

    net = Twice().train()
    net.part.eval()
    modes = [part.training for part in fake_quantized(net).modules() if isinstance(part, ByMode)]
    assert modes == [False, False, False, False, True]


@pytest.mark.parametrize("same", [True, False])
def test_a_constant_is_one_in_both_modes_if_its_values_are(same):
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, x):
            return F.dropout(self.layer(x) * torch.tensor(0.5 if same or self.training else 2.0), 0.0, self.training)

    net = Scaled().eval()
    if not same:
        with pytest.raises(UnsupportedError, match="Scaled itself computes otherwise in training"):
            fake_quantized(net)
        return
    x = torch.randn(16, 4, generator=torch.Generator().manual_seed(1))
    quantized = fake_quantized(net)
    observe(quantized, [x])
    assert (quantized.eval()(x) - net(x)).abs().max() < 0.02


def test_the_file_has_none(tmp_path):
    x = torch.randn(4, 5, 6, generator=torch.Generator().manual_seed(1))
    net = fake_quantized(attends())
    observe(net, [x])
    export_onnx(frozen(net.train()), x, tmp_path / "n.onnx", exporter="torchscript", tolerance=0.05)
    assert not [node.op_type for node in onnx.load(str(tmp_path / "n.onnx")).graph.node if "Drop" in node.op_type]
    (found,) = run_session(open_session(tmp_path / "n.onnx"), x.numpy())
    expected = net.eval()(x).detach()
    assert (torch.from_numpy(found) - expected).norm() < 0.01 * expected.norm()
    rebuilt = FakeQuantizeLog().apply(attends())
    rebuilt.load_state_dict(net.state_dict())
    assert torch.equal(rebuilt.eval()(x), expected)


def test_a_convolution_is_rounded_once_across_dropout():
    class Convolved(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Conv2d(1, 2, 3)

        def forward(self, x):
            return F.dropout2d(self.layer(x), training=self.training).relu()

    net = fake_quantized(Convolved())
    assert [name for name, _ in net.quantizers.named_children()] == ["x", "relu"]


@pytest.mark.parametrize("form", ["more", "other"])
def test_code_that_is_other_in_training_is_refused(form):
    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, x):
            if not self.training:
                return self.layer(x).relu()
            if form == "more":
                return self.layer(x + 1).relu()
            return self.layer(x).sigmoid()

    with pytest.raises(UnsupportedError, match="Noisy itself computes otherwise in training"):
        fake_quantized(Noisy())
