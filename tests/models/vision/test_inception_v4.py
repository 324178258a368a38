import pytest
import torch
from torch.nn import functional as F

from models.drawn import random_state
from netsmith.api.weights import adopt_weights
from netsmith.compress.prune import prune
from netsmith.core.errors import ConfigError
from netsmith.measure.parameters import layer_table
from netsmith.models.vision.inception_v4 import InceptionV4

FACTS = {"in_channels": 3, "image_size": 299, "num_classes": 1000}
MAPS = {  # depth and side of what each layer gives: Figures 3 to 9
    "stem.conv1": (32, 149),
    "stem.conv2": (32, 147),
    "stem.conv3": (64, 147),
    "stem.mixed1": (160, 73),
    "stem.mixed2": (192, 71),
    "stem.mixed3": (384, 35),
    "inception_a.0": (384, 35),
    "inception_a.3": (384, 35),
    "reduction_a": (1024, 17),
    "inception_b.0": (1024, 17),
    "inception_b.6": (1024, 17),
    "reduction_b": (1536, 8),
    "inception_c.0": (1536, 8),
    "inception_c.2": (1536, 8),
    "pool": (1536, 1),
}
THIN = {
    "modules": (2, 3, 2),
    "stem": (2, 3, 4, 3, 2, 5, 4),
    "inception_a": (3, 2),
    "reduction_a": (2, 3, 4, 5),
    "inception_b": (5, 2, 3, 4, 1),
    "reduction_b": (2, 3, 4),
    "inception_c": (2, 3, 4, 5),
    "num_classes": 5,
}
KERNELS = {  # of each convolution, as timm's network orders them
    "stem": "33 33 33 33 11 33 11 17 71 33 33",
    "A": "11 11 33 11 33 33 11",
    "reduction_a": "33 11 33 33",
    "B": "11 11 17 71 11 71 17 71 17 11",
    "reduction_b": "11 33 11 17 71 33",
    "C": "11 11 13 31 11 31 13 13 31 11",
}


def published(**fields):
    with torch.device("meta"):
        return InceptionV4.Config(**FACTS | fields).build()


def test_the_counts():
    rows = layer_table(published(), torch.zeros(1, 3, 299, 299))
    assert sum(row.parameters for row in rows) == 42_679_816
    assert round(sum(row.macs for row in rows) / 1e9, 3) == 12.254


def test_the_maps_of_the_figures():
    model, seen = published(), {}
    for name, module in model.named_modules():
        module.register_forward_hook(lambda _, __, out, name=name: seen.update({name: tuple(out.shape[1:])}))
    model(torch.zeros(1, 3, 299, 299, device="meta"))
    assert {name: seen[name] for name in MAPS} == {name: (depth, side, side) for name, (depth, side) in MAPS.items()}


def test_its_tensors_stand_in_the_order_of_the_public_weights():
    k = KERNELS
    wanted = [k["stem"], *[k["A"]] * 4, k["reduction_a"], *[k["B"]] * 7, k["reduction_b"], *[k["C"]] * 3]
    state = published().state_dict()
    found = ["".join(map(str, t.shape[2:])) for t in state.values() if t.dim() == 4]
    assert " ".join(found) == " ".join(wanted)
    assert len(state) == 6 * len(found) + 2
    for name, shape in {
        "stem.mixed2.branch7x7.3.conv.weight": (96, 64, 3, 3),
        "reduction_a.branch3x3_double.1.conv.weight": (224, 192, 3, 3),
        "inception_b.6.branch7x7_double.2.conv.weight": (224, 192, 1, 7),
        "reduction_b.branch7x7.2.conv.weight": (320, 256, 7, 1),
        "inception_c.0.branch3x3_double.2.conv.weight": (512, 448, 1, 3),
    }.items():
        assert state[name].shape == shape


def recomputed(state, x, *, modules):
    """Take the tensors one by one, in the order in which the figures name the layers from left to right."""
    tensors = iter([tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")])

    def unit(x, kernel, *, stride=1, valid=False):
        weight = next(tensors)
        assert tuple(weight.shape[2:]) == kernel
        x = F.conv2d(x, weight, None, stride, 0 if valid else (kernel[0] // 2, kernel[1] // 2))
        scale, shift, mean, var = (next(tensors)[:, None, None] for _ in range(4))
        return ((x - mean) / (var + 1e-3).sqrt() * scale + shift).clamp(min=0)

    def units(x, *kernels):
        for kernel in kernels:
            x = unit(x, kernel)
        return x

    def reduced(x):
        return unit(x, three, stride=2, valid=True)

    def fork(x):
        return [unit(x, (1, 3)), unit(x, (3, 1))]

    def pooled(x):
        ones = F.pad(torch.ones_like(x), (1, 1, 1, 1))
        sums = [F.avg_pool2d(padded, 3, 1) for padded in (F.pad(x, (1, 1, 1, 1)), ones)]
        return unit(sums[0] / sums[1], one)  # the mean of what lies inside

    one, three, wide, tall = (1, 1), (3, 3), (1, 7), (7, 1)
    x = unit(reduced(x), three, valid=True)
    x = unit(x, three)
    x = torch.cat([F.max_pool2d(x, 3, 2), reduced(x)], 1)
    short = unit(unit(x, one), three, valid=True)
    x = torch.cat([short, unit(units(x, one, wide, tall), three, valid=True)], 1)
    x = torch.cat([reduced(x), F.max_pool2d(x, 3, 2)], 1)
    for _ in range(modules[0]):
        x = torch.cat([unit(x, one), units(x, one, three), units(x, one, three, three), pooled(x)], 1)
    x = torch.cat([reduced(x), reduced(units(x, one, three)), F.max_pool2d(x, 3, 2)], 1)
    for _ in range(modules[1]):
        seven = [units(x, one), units(x, one, wide, tall), units(x, one, tall, wide, tall, wide)]
        x = torch.cat([*seven, pooled(x)], 1)
    x = torch.cat([reduced(unit(x, one)), reduced(units(x, one, wide, tall)), F.max_pool2d(x, 3, 2)], 1)
    for _ in range(modules[2]):
        x = torch.cat([unit(x, one), *fork(unit(x, one)), *fork(units(x, one, (3, 1), (1, 3))), pooled(x)], 1)
    weight, bias = tensors
    return x.mean((2, 3)) @ weight.T + bias


@pytest.mark.parametrize("size", [75, 150, 299])
def test_it_is_the_network_of_the_figures(size):
    model = InceptionV4.Config(**THIN, in_channels=2, image_size=size).build().double().eval()
    state = random_state(model)
    x = torch.randn(2, 2, size, size, dtype=torch.float64)
    logits = recomputed(state, x, modules=THIN["modules"])
    torch.testing.assert_close(model(x), logits, rtol=0, atol=1e-12 * float(logits.detach().abs().max()))


def test_surgery_cuts_it():
    torch.manual_seed(0)
    config = InceptionV4.Config(in_channels=1, image_size=75, num_classes=5).scaled(width=0.1, depth=0.3)
    model = config.build().double().eval()
    small, log = prune(model, torch.randn(2, 1, 75, 75, dtype=torch.float64), ratio=0.5, scope="local")
    assert log.proof[0]["error"] <= 1e-12
    assert sum(p.numel() for p in small.parameters()) < 0.35 * sum(p.numel() for p in model.parameters())
    assert small.inception_c[0].branch3x3[1].branch1x3.conv.out_channels == 13  # of 26


def test_it_is_scaled():
    config = InceptionV4.Config().scaled(width=0.5, depth=2)
    assert config.modules == (8, 14, 6)
    assert (config.inception_b, config.reduction_a) == ((192, 96, 112, 128, 64), (96, 112, 128, 192))
    assert config.stem == (16, 16, 32, 48, 32, 48, 96)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"image_size": 74}, "InceptionV4.Config.image_size: expected at least 75, got 74; use larger images"),
        ({"modules": (4, 0, 3)}, "modules.1: .*greater than or equal to 1"),
        ({"reduction_a": (192, 224, 256)}, "reduction_a.3 is required"),
    ],
)
def test_bad_forms_are_refused(fields, message):
    with pytest.raises(ConfigError, match=message):
        InceptionV4.Config(**FACTS | fields).build()


def test_smaller_images_leave_nothing():
    model = InceptionV4.Config(**THIN, in_channels=1, image_size=75).build().eval()
    assert model(torch.zeros(1, 1, 75, 75)).shape == (1, 5)
    with pytest.raises(RuntimeError, match=r"too small|Kernel size"):
        model(torch.zeros(1, 1, 74, 74))


def timm_names(a, b, c):
    """Yield timm's layers in its order."""
    numbered = {
        "A": ["branch0", "branch1.0", "branch1.1", "branch2.0", "branch2.1", "branch2.2", "branch3.1"],
        "reduction_a": ["branch0", "branch1.0", "branch1.1", "branch1.2"],
        "B": ["branch0", *(f"branch1.{at}" for at in range(3)), *(f"branch2.{at}" for at in range(5)), "branch3.1"],
        "reduction_b": ["branch0.0", "branch0.1", *(f"branch1.{at}" for at in range(4))],
        "C": [
            *("branch0", "branch1_0", "branch1_1a", "branch1_1b", "branch2_0", "branch2_1", "branch2_2"),
            *("branch2_3a", "branch2_3b", "branch3.1"),
        ],
    }
    stem = ["", "", "", "conv", "branch0.0 branch0.1 branch1.0 branch1.1 branch1.2 branch1.3", "conv"]
    blocks = [part.split() or [""] for part in stem]
    blocks += [numbered["A"]] * a + [numbered["reduction_a"]] + [numbered["B"]] * b
    blocks += [numbered["reduction_b"]] + [numbered["C"]] * c
    for number, layers in enumerate(blocks):
        for layer in layers:
            prefix = f"features.{number}.{layer}." if layer else f"features.{number}."
            yield f"{prefix}conv.weight"
            for role in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
                yield f"{prefix}bn.{role}"
    yield from ("last_linear.weight", "last_linear.bias")


def test_public_weights_are_taken_by_their_names():
    for modules in ((2, 3, 2), (4, 7, 3)):
        config = InceptionV4.Config(**THIN | {"modules": modules}, in_channels=2, image_size=75)
        source, target = config.build(), config.build()
        weights = dict(zip(timm_names(*modules), random_state(source).values(), strict=True))
        assert adopt_weights(target, config, weights) == "timm"
        for name, tensor in source.state_dict().items():
            assert torch.equal(target.state_dict()[name], tensor), name
    assert "features.21.branch2_3b.conv.weight" in weights
    assert "features.3.conv.conv.weight" in weights
