from collections import UserDict

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from netsmith.core.errors import UnsupportedError
from netsmith.measure.example import arguments, batch_size, called, random_like
from netsmith.measure.macs import count_macs
from netsmith.measure.memory import estimate_memory, weight_bytes
from netsmith.measure.parameters import count_parameters, layer_table


def lenet5():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2),
        nn.Tanh(),
        nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.Tanh(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120),
        nn.Tanh(),
        nn.Linear(120, 84),
        nn.Tanh(),
        nn.Linear(84, 10),
    )


def test_lenet5_has_its_known_parameters_and_macs():
    net = lenet5()
    assert count_parameters(net) == 61_706
    by_hand = 28 * 28 * 6 * 25 + 10 * 10 * 16 * 6 * 25 + 400 * 120 + 120 * 84 + 84 * 10
    assert count_macs(net, torch.zeros(1, 1, 28, 28)) == by_hand == 416_520
    assert count_macs(net, torch.zeros(3, 1, 28, 28)) == 3 * by_hand


@pytest.mark.parametrize(
    ("layer", "shape", "macs"),
    [
        (nn.Conv2d(8, 12, 3, stride=2, padding=1), (1, 8, 9, 9), 5 * 5 * 12 * 8 * 9),
        (nn.Conv2d(8, 12, 3, groups=4), (1, 8, 9, 9), 7 * 7 * 12 * 2 * 9),
        (nn.Conv2d(8, 16, 3, groups=8), (1, 8, 9, 9), 7 * 7 * 16 * 9),
        (nn.Conv1d(4, 6, 5, dilation=2), (1, 4, 20), 12 * 6 * 4 * 5),
        (nn.ConvTranspose2d(4, 6, 2, stride=2), (1, 4, 5, 5), 5 * 5 * 4 * 6 * 4),
        (nn.Linear(7, 5), (2, 3, 7), 6 * 7 * 5),
        (nn.BatchNorm2d(4), (1, 4, 5, 5), 0),
        (nn.LSTM(5, 6, batch_first=True), (1, 4, 5), 4 * (4 * 6 * 5 + 4 * 6 * 6)),
    ],
)
def test_macs_of_single_layers_follow_the_closed_form(layer, shape, macs):
    assert count_macs(layer, torch.zeros(shape)) == macs


class Attention(nn.Module):
    def __init__(self, fused):
        super().__init__()
        self.fused = fused

    def forward(self, q, k, v):
        if self.fused:
            return F.scaled_dot_product_attention(q, k, v)
        return (q @ k.transpose(-1, -2)).softmax(-1) @ v


@pytest.mark.parametrize("fused", [True, False])
def test_attention_counts_both_products(fused):
    q, k, v = torch.zeros(2, 3, 5, 8), torch.zeros(2, 3, 7, 8), torch.zeros(2, 3, 7, 8)
    assert count_macs(Attention(fused), (q, k, v)) == 2 * (2 * 3 * 5 * 7 * 8)


def test_einsum_and_vectors():
    class Net(nn.Module):
        def forward(self, a, b):
            return torch.einsum("bij,bjk->bik", a, b) @ torch.zeros(6, device=a.device)

    assert count_macs(Net(), (torch.zeros(2, 3, 4), torch.zeros(2, 4, 6))) == 2 * 3 * 4 * 6 + 2 * 3 * 6


def test_resnet20_by_closed_form():
    from netsmith.models.vision.cifar_resnet import CifarResNet

    net = CifarResNet.Config(depth=20, in_channels=3, num_classes=10).build()
    stage = lambda width, size, before: size**2 * 9 * width * (before + 5 * width)  # noqa: E731
    by_hand = 32**2 * 9 * 3 * 16 + stage(16, 32, 16) + stage(32, 16, 16) + stage(64, 8, 32) + 64 * 10
    assert count_macs(net, torch.zeros(1, 3, 32, 32)) == by_hand == 40_551_040
    rows = layer_table(net, torch.zeros(1, 3, 32, 32))
    assert sum(row.macs for row in rows) == by_hand
    assert sum(row.parameters for row in rows) == count_parameters(net) == 269_722


def test_the_table_has_shapes_and_sums_to_the_whole():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(4, 6)
            self.tied = nn.Linear(4, 6)
            self.tied.weight = self.first.weight
            self.scale = nn.Parameter(torch.ones(6, 3))

        def forward(self, x):
            return (self.first(x) + self.tied(x)) @ self.scale

    net = Net().train()
    rows = {row.name: row for row in layer_table(net, torch.zeros(2, 4))}
    assert net.training
    assert not net.first._forward_hooks
    assert rows["first"].output == (2, 6)
    assert (rows["first"].parameters, rows["tied"].parameters, rows[""].parameters) == (30, 6, 18)
    assert (rows["first"].macs, rows["tied"].macs, rows[""].macs) == (48, 48, 36)
    assert sum(row.parameters for row in rows.values()) == count_parameters(net)
    net.tied.bias.requires_grad_(False)
    assert count_parameters(net, trainable=True) == count_parameters(net) - 6


def test_a_module_the_meta_device_cannot_run_is_counted_on_real_values():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 3)

        def forward(self, x):
            return self.layer(x) if x.sum().item() > 0 else x

    assert count_macs(Net(), torch.ones(2, 4)) == 24


def test_memory_by_hand():
    net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(256, 2))
    memory = estimate_memory(net, torch.zeros(1, 1, 8, 8))
    assert memory.weights == weight_bytes(net) == 4 * (40 + 16 + 514) + 8  # num_batches_tracked is int64
    assert memory.kept == 4 * (256 + 256 + 256 + 2)
    assert memory.peak == 4 * (256 + 256)


def test_random_examples_keep_the_form():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 50, generator=generator) * 3 + 7
    example = {"x": x, "i": torch.tensor([[2], [5]]), "m": torch.zeros(2, 3, dtype=torch.bool)}
    other = random_like(example, 400, generator=generator)
    assert batch_size(other) == 400
    assert other["x"].dtype == torch.float32
    assert abs(float(other["x"].mean()) - 7) < 0.5
    assert abs(float(other["x"].std()) - 3) < 0.5
    assert set(other["i"].flatten().tolist()) == {2, 3, 4, 5}
    assert other["m"].any()
    assert not other["m"].all()
    assert random_like(torch.zeros(1, 9, dtype=torch.uint8), 50, generator=generator).max() > 200


def test_any_mapping_gives_names():
    class Named(nn.Module):
        def forward(self, *, ids, mask):
            return ids * mask

    given = arguments(UserDict(ids=torch.ones(2, 3), mask=torch.zeros(2, 3)), Named())
    assert type(given[0]) is dict
    assert torch.equal(called(Named(), given), torch.zeros(2, 3))


def test_bad_examples_are_refused():
    with pytest.raises(UnsupportedError, match="got int"):
        arguments(3)
    with pytest.raises(UnsupportedError, match="got nothing"):
        arguments(())
    with pytest.raises(UnsupportedError, match="one batch size"):
        batch_size((torch.zeros(2), torch.zeros(3)))


def test_memory_is_what_layers_make():
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.PReLU(),
        nn.Dropout2d(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Identity(),
        nn.Linear(16, 3),
        nn.Softplus(),
    )
    rows = layer_table(net, torch.zeros(2, 1, 4, 4, dtype=torch.float32))
    assert [row.memory // (2 * 4) for row in rows] == [64, 64, 0, 0, 16, 0, 0, 3, 0]


class Packed(nn.Module):
    """Reads texts as far as they go: how far, only their lengths say."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return self.layer(packed)[0].data


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("lengths", [(4, 4), (4, 3)])
def test_packed_recurrence_is_counted(kind, lengths):
    layer = kind(5, 6, num_layers=2, bidirectional=True, batch_first=True)
    gates = {nn.LSTM: 4, nn.GRU: 3, nn.RNN: 1}[kind]
    each = 2 * gates * 6 * (5 + 6) + 2 * gates * 6 * (12 + 6)  # two directions, two layers
    assert count_macs(Packed(layer), (torch.zeros(2, 4, 5), torch.tensor(lengths))) == sum(lengths) * each
