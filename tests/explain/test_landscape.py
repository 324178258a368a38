"""Loss surfaces against closed forms, what filter normalization must and must not see, and modules left as found."""

import itertools

import pytest
import torch
from torch import nn

from netsmith.core.errors import UnknownNameError, UnsupportedError, UserError
from netsmith.engine.batch import Batch
from netsmith.engine.task import Loss
from netsmith.explain.hessian import hessian_trace, hessian_vector_product, spectral_density, top_eigenvalues
from netsmith.explain.landscape import loss_surface, random_directions, straight_line
from netsmith.explain.sharpness import sharpness
from netsmith.explain.trajectory import trajectory_plane
from quadratic import NOTHING, Quadratic, generator, itself, normal


def symmetric(size, seed=0):
    matrix = normal(size, size, seed=seed)
    return matrix + matrix.T


def mlp(*sizes, seed=0):
    parts = []
    for before, after in itertools.pairwise(sizes):
        parts += [nn.Linear(before, after, dtype=torch.float64), nn.ReLU()]
    net = nn.Sequential(*parts[:-1])
    with torch.no_grad():
        for at, parameter in enumerate(net.parameters()):
            parameter.copy_(normal(*parameter.shape, seed=seed + at))
    return net


@pytest.fixture
def batches():
    targets = torch.randint(0, 3, (10,), generator=generator(3))
    inputs = normal(10, 4, seed=2)
    return [(inputs[:6], targets[:6]), (inputs[6:], targets[6:])]


def test_surface_of_a_quadratic_is_the_closed_form():
    matrix, place, a, b = symmetric(5), normal(5, seed=1), normal(5, seed=2), normal(5, seed=3)
    net = Quadratic(matrix, place)
    surface = loss_surface(net, itself, NOTHING, [{"w": a}, {"w": b}], steps=7, span=[(-1, 2), (0, 0.6)])
    assert surface.axes[0].tolist() == pytest.approx([-1, -0.5, 0, 0.5, 1, 1.5, 2])
    assert surface.axes[1].tolist() == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    moved = surface.axes[0][:, None, None] * a + surface.axes[1][None, :, None] * b - place
    wanted = 0.5 * torch.einsum("ijk,kl,ijl->ij", moved, matrix, moved)
    assert torch.allclose(surface.losses, wanted, rtol=1e-12, atol=1e-12)
    assert surface.non_finite == 0
    line = loss_surface(net, itself, NOTHING, [{"w": a}], steps=5, center={"w": b})
    moved = line.axes[0][:, None] * a + b - place
    assert torch.allclose(line.losses, 0.5 * torch.einsum("ik,kl,il->i", moved, matrix, moved), atol=1e-12)
    assert net.w.abs().max() == 0


def test_the_mean_counts_examples_not_batches(batches):
    net = mlp(4, 5, 3)
    loss = nn.CrossEntropyLoss()
    inputs, targets = (torch.cat(parts) for parts in zip(*batches, strict=True))
    directions = random_directions(net, generator=generator())
    whole = loss_surface(net, loss, [Batch(inputs, targets)], directions, steps=3).losses
    cut = loss_surface(net, loss, iter(batches), directions, steps=3).losses
    assert torch.allclose(whole, cut, rtol=1e-13)
    assert float(whole[1, 1]) == pytest.approx(float(loss(net(inputs), targets).detach()), rel=1e-14)

    def summed(output, target):
        return Loss(nn.functional.cross_entropy(output, target, reduction="sum"), len(target))

    assert torch.allclose(loss_surface(net, summed, batches, directions, steps=3).losses, whole, rtol=1e-13)


def test_each_filter_of_a_direction_has_the_norm_of_its_weights_filter():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(
            nn.Conv2d(4, 6, 3, groups=2),
            nn.BatchNorm2d(6),
            nn.ConvTranspose2d(6, 4, 3, groups=2),
            nn.LayerNorm((4, 5, 5)),
            nn.Linear(5, 3),
        ).double()
    directions = random_directions(net, generator=generator())
    assert [set(one) for one in directions] == [{"0.weight", "2.weight", "4.weight"}] * 2
    for one in directions:
        for name in ("0.weight", "4.weight"):
            weight = dict(net.named_parameters())[name].detach()
            assert torch.allclose(one[name].flatten(1).norm(dim=1), weight.flatten(1).norm(dim=1), rtol=1e-12)
        # Output 3 of the transposed convolution is made by inputs 3..5, the second group, at its place 1.
        mine, weights = one["2.weight"], net[2].weight.detach()
        for output, (group, place) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
            rows = slice(3 * group, 3 * group + 3)
            assert float(mine[rows, place].norm()) == pytest.approx(float(weights[rows, place].norm()), rel=1e-12), (
                output
            )
    assert not torch.equal(directions[0]["4.weight"], directions[1]["4.weight"])
    layer = random_directions(net, generator=generator(), count=1, normalize="layer")[0]
    for name, direction in layer.items():
        weight = dict(net.named_parameters())[name].detach()
        assert float(direction.norm()) == pytest.approx(float(weight.norm()), rel=1e-12)
    plain = random_directions(net, generator=generator(), count=1, normalize="none")[0]
    assert torch.equal(plain["0.weight"], torch.randn(6, 2, 3, 3, generator=generator(), dtype=torch.float64))
    everything = random_directions(net, generator=generator(), count=1, vectors=True)[0]
    assert set(everything) == {name for name, _ in net.named_parameters()}
    assert torch.allclose(everything["0.bias"].abs(), net[0].bias.detach().abs(), rtol=1e-12)
    assert torch.allclose(everything["3.weight"].abs(), torch.ones(4, 5, 5, dtype=torch.float64), rtol=1e-12)


@pytest.mark.parametrize("vectors", [False, True])
def test_rescaled_relu_layers_have_the_same_surface_only_with_filter_normalization(batches, vectors):
    net, scaled = mlp(4, 8, 6, 3), mlp(4, 8, 6, 3)
    with torch.no_grad():
        scaled[0].weight.mul_(10)
        scaled[0].bias.mul_(10)
        scaled[2].weight.div_(10)

    def of(module, normalize):
        directions = random_directions(module, generator=generator(), normalize=normalize, vectors=vectors)
        return loss_surface(module, nn.CrossEntropyLoss(), batches, directions, steps=7).losses

    assert torch.allclose(of(net, "filter"), of(scaled, "filter"), rtol=1e-12)
    assert torch.allclose(of(net, "layer"), of(scaled, "layer"), rtol=1e-12)
    plain, other = of(net, "none"), of(scaled, "none")
    assert float(plain[3, 3]) == pytest.approx(float(other[3, 3]), rel=1e-12)  # the same function
    assert float(((plain - other).abs() / plain).max()) > 0.5


def test_one_neuron_scaled_alone_changes_the_layer_normalized_surface(batches):
    """Why filters and not layers: of one unit, weights times a and the next layer's column over a."""
    net, scaled = mlp(4, 8, 3), mlp(4, 8, 3)
    with torch.no_grad():
        scaled[0].weight[0] *= 10
        scaled[0].bias[0] *= 10
        scaled[2].weight[:, 0] /= 10

    def first_layer(module, normalize):
        direction = random_directions(module, generator=generator(), count=1, normalize=normalize)[0]
        return loss_surface(
            module, nn.CrossEntropyLoss(), batches, [{"0.weight": direction["0.weight"]}], steps=7
        ).losses

    assert torch.allclose(first_layer(net, "filter"), first_layer(scaled, "filter"), rtol=1e-12)
    assert not torch.allclose(first_layer(net, "layer"), first_layer(scaled, "layer"), rtol=1e-2)


def test_straight_line_goes_from_one_network_to_the_other(net, images):
    targets = torch.tensor([0, 1, 2])
    loss = nn.CrossEntropyLoss()
    first = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    second = {
        name: tensor + normal(*tensor.shape, seed=at).abs() if tensor.is_floating_point() else tensor + 3
        for at, (name, tensor) in enumerate(first.items())
    }
    line = straight_line(net, loss, [(images, targets)], first=first, second=second, steps=3, span=(0, 1))
    wanted = []
    with torch.no_grad():
        for t in (0, 0.5, 1):
            net.load_state_dict(
                {k: first[k] + t * (second[k] - first[k]) if v.is_floating_point() else v for k, v in first.items()}
            )
            wanted.append(float(loss(net(images), targets)))
    assert line.losses.tolist() == pytest.approx(wanted, rel=1e-12)
    assert len(set(wanted)) == 3
    second.pop("head.bias")
    with pytest.raises(UserError, match=r"differ in 1 names, such as 'head\.bias'"):
        straight_line(net, loss, [(images, targets)], first=first, second=second)


def test_trajectory_in_a_plane_is_found_whole():
    basis = torch.linalg.qr(normal(12, 2, seed=1)).Q
    way = torch.stack([torch.linspace(4, 0, 9, dtype=torch.float64), torch.linspace(1, 0, 9).double() ** 2], 1)
    flat = normal(12, seed=2) + way @ basis.T
    states = [{"a": row[:8].reshape(2, 4), "b": row[8:], "n": torch.tensor(1)} for row in flat]
    plane = trajectory_plane(states)
    vectors = torch.stack([torch.cat([one["a"].flatten(), one["b"]]) for one in plane.directions])
    assert torch.allclose(vectors @ vectors.T, torch.eye(2, dtype=torch.float64), atol=1e-12)
    assert torch.allclose(plane.coordinates @ vectors, flat - flat[-1], atol=1e-12)  # nothing is lost
    assert plane.coordinates[-1].abs().max() == 0
    variances = torch.linalg.eigvalsh(torch.cov(way.T)).flip(0)
    assert torch.allclose(plane.explained, variances / variances.sum(), atol=1e-12)
    assert float(plane.explained.sum()) == pytest.approx(1, abs=1e-12)
    only = trajectory_plane(states, count=1, names=["b"], center=states[0])
    assert set(only.directions[0]) == {"b"}
    assert only.coordinates[0].abs().max() == 0
    with pytest.raises(UserError, match="span 2 directions; expected at least 3"):
        trajectory_plane(states, count=3)
    with pytest.raises(UserError, match="got 2 states for 2 directions"):
        trajectory_plane(states[:2])
    with pytest.raises(UnknownNameError, match="'aa'"):
        trajectory_plane(states, names=["aa"])
    with pytest.raises(UserError, match="1 states are not finite"):
        trajectory_plane([{"b": states[0]["b"] * float("nan")}, *states[1:]], names=["b"])


def test_losses_that_are_not_finite_stay_and_are_counted():
    net = nn.Linear(1, 1, bias=False, dtype=torch.float64)
    nn.init.zeros_(net.weight)
    one = torch.ones(1, 1, dtype=torch.float64)
    surface = loss_surface(net, lambda out, _t: out.log().mean(), [(one, one)], [{"weight": one}], steps=5)
    assert surface.non_finite == 3
    assert surface.losses[:2].isnan().all()
    assert surface.losses[2] == -float("inf")
    assert surface.losses[3:].tolist() == pytest.approx([torch.tensor(0.5).log().item(), 0], abs=1e-7)


def test_training_mode_has_the_same_noise_everywhere_and_batch_statistics(net, images):
    targets = torch.tensor([0, 1, 2])
    still = [{"head.weight": torch.zeros_like(net.head.weight)}]
    loss = nn.CrossEntropyLoss()
    training = loss_surface(net, loss, [(images, targets)], still, steps=5, training=True).losses
    assert len(set(training.tolist())) == 1
    evaluation = loss_surface(net, loss, [(images, targets)], still, steps=2).losses
    assert abs(float(training[0] - evaluation[0])) > 1e-3


LOOKS = {
    "surface": lambda net, data: loss_surface(
        net, nn.CrossEntropyLoss(), data, random_directions(net, generator=generator(), vectors=True), steps=2
    ),
    "surface in training": lambda net, data: loss_surface(
        net, nn.CrossEntropyLoss(), data, random_directions(net, generator=generator()), steps=2, training=True
    ),
    "line": lambda net, data: straight_line(
        net,
        nn.CrossEntropyLoss(),
        data,
        first={name: tensor * 2 for name, tensor in net.state_dict().items()},
        second={name: tensor * 3 for name, tensor in net.state_dict().items()},
        steps=2,
        training=True,
    ),
    "product": lambda net, data: hessian_vector_product(
        net, nn.CrossEntropyLoss(), data, {"features.0.bias": torch.ones(4)}
    ),
    "eigenvalues": lambda net, data: top_eigenvalues(
        net, nn.CrossEntropyLoss(), data, generator=generator(), iterations=3
    ),
    "trace": lambda net, data: hessian_trace(net, nn.CrossEntropyLoss(), data, generator=generator(), samples=2),
    "density": lambda net, data: spectral_density(
        net, nn.CrossEntropyLoss(), data, generator=generator(), probes=1, iterations=3
    ),
    "sharpness": lambda net, data: sharpness(net, nn.CrossEntropyLoss(), data),
}


@pytest.mark.parametrize("name", LOOKS)
@pytest.mark.parametrize("failing", [False, True])
def test_module_is_left_as_found_bit_for_bit(net, images, name, failing):
    class Counting(nn.Module):
        """Replaces a buffer, which no in-place restoring would see."""

        def __init__(self):
            super().__init__()
            self.register_buffer("seen", torch.zeros(()))
            self.register_buffer("wide", torch.ones(1).expand(3), persistent=False)

        def forward(self, x):
            self.seen = self.seen + 1
            return x

    net.add_module("dropout", nn.Sequential(net.dropout, Counting()))
    net.train()
    net.features[0].eval()
    net.head.weight.requires_grad_(False)
    net.features[4].bias.grad = torch.ones(6, dtype=torch.float64)
    with torch.no_grad():
        net.head.bias[0] = -0.0  # a sum with 0 would turn its sign
    before = {key: value.clone() for key, value in net.state_dict().items()}
    objects = {key: id(value) for key, value in [*net.named_parameters(), *net.named_buffers()]}
    modes = [part.training for part in net.modules()]
    state = torch.get_rng_state()
    data = [(images, torch.tensor([0, 1, 2]))]
    calls = []
    broken = net.head.register_forward_pre_hook(lambda _m, _x: calls.append(1) or (1 / 0 if len(calls) > 1 else None))
    if failing:
        with pytest.raises(ZeroDivisionError):
            LOOKS[name](net, [*data, *data])
        broken.remove()
    else:
        broken.remove()
        LOOKS[name](net, data)
    assert [part.training for part in net.modules()] == modes
    assert {key: id(value) for key, value in [*net.named_parameters(), *net.named_buffers()]} == objects
    for key, value in net.state_dict().items():
        assert value.numpy().tobytes() == before[key].numpy().tobytes(), key
    assert not net.head.weight.requires_grad
    assert sum(parameter.requires_grad for parameter in net.parameters()) == 7
    assert [name for name, p in net.named_parameters() if p.grad is not None] == ["features.4.bias"]
    assert torch.equal(net.features[4].bias.grad, torch.ones(6, dtype=torch.float64))
    assert torch.equal(torch.get_rng_state(), state)


def test_tied_weights_move_once():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(2, 2, bias=False, dtype=torch.float64)
            self.b = nn.Linear(2, 2, bias=False, dtype=torch.float64)
            self.b.weight = self.a.weight

        def forward(self, x):
            return self.b(self.a(x)).sum()

    net = Tied()
    way = normal(2, 2)
    surface = loss_surface(net, itself, [(torch.eye(2).double(), None)], [{"a.weight": way, "b.weight": way}], steps=3)
    weight = net.a.weight.detach() + way
    assert float(surface.losses[2]) == pytest.approx(float((weight @ weight).sum()), rel=1e-12)


def test_a_surface_is_the_same_under_inference_mode(batches):
    net = mlp(4, 5, 3)
    directions = random_directions(net, generator=generator())
    wanted = loss_surface(net, nn.CrossEntropyLoss(), batches, directions, steps=3).losses
    with torch.inference_mode():
        assert torch.equal(loss_surface(net, nn.CrossEntropyLoss(), batches, directions, steps=3).losses, wanted)


def test_bad_input_is_refused_with_what_was_received(batches):
    net, loss = mlp(4, 5, 3), nn.CrossEntropyLoss()
    good = random_directions(net, generator=generator())
    with pytest.raises(UserError, match="ReLU has no floating-point parameter besides"):
        random_directions(nn.ReLU(), generator=generator())
    with pytest.raises(UserError, match="normalize is 'filters'"):
        random_directions(net, generator=generator(), normalize="filters")
    with pytest.raises(UserError, match="got 3 directions"):
        loss_surface(net, loss, batches, [good[0]] * 3)
    with pytest.raises(UserError, match="steps is 1"):
        loss_surface(net, loss, batches, good, steps=1)
    with pytest.raises(UserError, match=r"span is -1\.0"):
        loss_surface(net, loss, batches, good, span=-1.0)
    with pytest.raises(UserError, match="there are no batches"):
        loss_surface(net, loss, [], good)
    with pytest.raises(UserError, match="a batch is Tensor; expected a pair"):
        loss_surface(net, loss, batches[0], good)
    with pytest.raises(UnknownNameError, match=r"direction 0\) named '0\.weigth'; did you mean '0\.weight'"):
        loss_surface(net, loss, batches, [{"0.weigth": torch.zeros(5, 4)}])
    with pytest.raises(UserError, match=r"direction 0: 0\.weight has shape \(4, 5\); expected \(5, 4\)"):
        loss_surface(net, loss, batches, [{"0.weight": torch.zeros(4, 5)}])
    with pytest.raises(UserError, match=r"direction 0: 0\.bias is not finite"):
        loss_surface(net, loss, batches, [{"0.bias": torch.full((5,), float("nan"))}])
    with pytest.raises(UserError, match="name no tensor"):
        loss_surface(net, loss, batches, [{}])
    with pytest.raises(UnsupportedError, match=r"returned shape \(6,\)"):
        loss_surface(net, nn.CrossEntropyLoss(reduction="none"), batches, good)
    with pytest.raises(UnsupportedError, match="batches have weights of examples"):
        loss_surface(net, loss, [Batch(*batches[0], weights=torch.ones(6))], good)
