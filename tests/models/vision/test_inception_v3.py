import pytest
import torch
from torch.nn import functional as F

from models.drawn import random_state
from netsmith.api.weights import adopt_weights
from netsmith.compress.prune import prune
from netsmith.core.errors import ConfigError
from netsmith.measure.parameters import layer_table
from netsmith.models.vision.inception_v3 import InceptionV3

FACTS = {"in_channels": 3, "image_size": 299, "num_classes": 1000}
MAPS = {  # depth and side of what each layer gives; the grids of 35, 17 and 8 are those of Table 1
    "stem.conv1": (32, 149),
    "stem.conv2": (32, 147),
    "stem.conv3": (64, 147),
    "stem.pool1": (64, 73),
    "stem.conv4": (80, 73),
    "stem.conv5": (192, 71),
    "stem.pool2": (192, 35),
    "inception_a.0": (256, 35),
    "inception_a.1": (288, 35),
    "inception_a.2": (288, 35),
    "reduction_a": (768, 17),
    "inception_b.0": (768, 17),
    "inception_b.3": (768, 17),
    "reduction_b": (1280, 8),
    "inception_c.0": (2048, 8),
    "inception_c.1": (2048, 8),
    "pool": (2048, 1),
}
THIN = {
    "stem": (2, 3, 4, 3, 5),
    "inception_a": ((2, 3, 4, 2, 3, 1), (1, 2, 3, 3, 2, 2)),
    "reduction_a": (3, 2, 4),
    "inception_b": ((2, 3), (3, 2), (2, 1)),
    "reduction_b": (3, 2),
    "inception_c": ((2, 3, 4, 1),),
    "auxiliary_channels": (3, 4),
    "num_classes": 5,
}
BLOCKS = {  # the names of torchvision's convolutions, in their order, with the height and width of each kernel
    "A": "branch1x1:11 branch5x5_1:11 branch5x5_2:55 branch3x3dbl_1:11 branch3x3dbl_2:33 branch3x3dbl_3:33 "
    "branch_pool:11",
    "B": "branch3x3:33 branch3x3dbl_1:11 branch3x3dbl_2:33 branch3x3dbl_3:33",
    "C": "branch1x1:11 branch7x7_1:11 branch7x7_2:17 branch7x7_3:71 branch7x7dbl_1:11 branch7x7dbl_2:71 "
    "branch7x7dbl_3:17 branch7x7dbl_4:71 branch7x7dbl_5:17 branch_pool:11",
    "D": "branch3x3_1:11 branch3x3_2:33 branch7x7x3_1:11 branch7x7x3_2:17 branch7x7x3_3:71 branch7x7x3_4:33",
    "E": "branch1x1:11 branch3x3_1:11 branch3x3_2a:13 branch3x3_2b:31 branch3x3dbl_1:11 branch3x3dbl_2:33 "
    "branch3x3dbl_3a:13 branch3x3dbl_3b:31 branch_pool:11",
}
STEM = "Conv2d_1a_3x3:33 Conv2d_2a_3x3:33 Conv2d_2b_3x3:33 Conv2d_3b_1x1:11 Conv2d_4a_3x3:33"


def published(**fields):
    with torch.device("meta"):
        return InceptionV3.Config(**FACTS | fields).build()


def public_names(a=3, c=4, e=2, *, auxiliary):
    """Yield the name and the kernel of every tensor of torchvision's network of so many blocks, in its order."""
    blocks = [("", STEM), *((f"Mixed_5{'bcd'[at]}.", BLOCKS["A"]) for at in range(a)), ("Mixed_6a.", BLOCKS["B"])]
    blocks += [(f"Mixed_6{'bcde'[at]}.", BLOCKS["C"]) for at in range(c)]
    blocks += [("AuxLogits.", "conv0:11 conv1:55 fc:")] if auxiliary else []
    blocks += [("Mixed_7a.", BLOCKS["D"]), *((f"Mixed_7{'bc'[at]}.", BLOCKS["E"]) for at in range(e)), ("", "fc:")]
    for block, layers in blocks:
        for layer in layers.split():
            name, _, kernel = layer.partition(":")
            if not kernel:
                yield from ((f"{block}{name}.{role}", "") for role in ("weight", "bias"))
                continue
            yield f"{block}{name}.conv.weight", kernel
            for role in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
                yield f"{block}{name}.bn.{role}", ""


def test_the_counts():
    for auxiliary, parameters in ((False, 23_834_568), (True, 27_161_264)):
        rows = layer_table(published(auxiliary=auxiliary), torch.zeros(1, 3, 299, 299))
        assert sum(row.parameters for row in rows) == parameters
        assert round(sum(row.macs for row in rows) / 1e9, 3) == 5.713


def test_the_maps():
    model, seen = published(), {}
    for name, module in model.named_modules():
        module.register_forward_hook(lambda _, __, out, name=name: seen.update({name: tuple(out.shape[1:])}))
    model(torch.zeros(1, 3, 299, 299, device="meta"))
    assert {name: seen[name] for name in MAPS} == {name: (depth, side, side) for name, (depth, side) in MAPS.items()}


def test_its_tensors_stand_in_the_order_of_the_public_weights():
    state = published(auxiliary=True).state_dict()
    names = list(public_names(auxiliary=True))
    ours = {public: tensor for (public, _), tensor in zip(names, state.values(), strict=True)}
    for name, kernel in names:
        if kernel:
            assert "".join(map(str, ours[name].shape[2:])) == kernel, name
    assert ours["Mixed_5b.branch_pool.conv.weight"].shape == (32, 192, 1, 1)
    assert ours["Mixed_6a.branch3x3dbl_3.conv.weight"].shape == (96, 96, 3, 3)
    assert ours["Mixed_6c.branch7x7dbl_5.conv.weight"].shape == (192, 160, 1, 7)
    assert ours["AuxLogits.conv1.conv.weight"].shape == (768, 128, 5, 5)
    assert ours["Mixed_7a.branch3x3_2.conv.weight"].shape == (320, 192, 3, 3)
    assert ours["Mixed_7b.branch3x3dbl_2.conv.weight"].shape == (384, 448, 3, 3)
    assert [ours[name].shape for name in ("fc.weight", "AuxLogits.fc.weight")] == [(1000, 2048), (1000, 768)]


def recomputed(state, x, *, a, c, e):
    """Torchvision's forward pass on tensors of its names."""

    def unit(x, name, pad=(0, 0), stride=1):
        x = F.conv2d(x, state[f"{name}.conv.weight"], None, stride, pad)
        mean, var, scale, shift = (
            state[f"{name}.bn.{role}"][:, None, None] for role in ("running_mean", "running_var", "weight", "bias")
        )
        return ((x - mean) / (var + 1e-3).sqrt() * scale + shift).clamp(min=0)

    def units(x, names, *pads):
        for name, pad in zip(names, pads, strict=True):
            x = unit(x, name, pad)
        return x

    def pooled(x, block):
        return unit(F.avg_pool2d(F.pad(x, (1, 1, 1, 1)), 3, 1), f"{block}.branch_pool")

    def fork(x, name):
        return [unit(x, f"{name}a", (0, 1)), unit(x, f"{name}b", (1, 0))]

    none, wide, tall, three = (0, 0), (0, 3), (3, 0), (1, 1)
    x = unit(x, "Conv2d_1a_3x3", none, 2)
    x = F.max_pool2d(units(x, ("Conv2d_2a_3x3", "Conv2d_2b_3x3"), none, three), 3, 2)
    x = F.max_pool2d(units(x, ("Conv2d_3b_1x1", "Conv2d_4a_3x3"), none, none), 3, 2)
    for at in range(a):
        block = f"Mixed_5{'bcd'[at]}"
        five = units(x, [f"{block}.branch5x5_{i}" for i in (1, 2)], none, (2, 2))
        double = units(x, [f"{block}.branch3x3dbl_{i}" for i in (1, 2, 3)], none, three, three)
        x = torch.cat([unit(x, f"{block}.branch1x1"), five, double, pooled(x, block)], 1)
    double = units(x, ("Mixed_6a.branch3x3dbl_1", "Mixed_6a.branch3x3dbl_2"), none, three)
    double = unit(double, "Mixed_6a.branch3x3dbl_3", none, 2)
    x = torch.cat([unit(x, "Mixed_6a.branch3x3", none, 2), double, F.max_pool2d(x, 3, 2)], 1)
    for at in range(c):
        block = f"Mixed_6{'bcde'[at]}"
        seven = units(x, [f"{block}.branch7x7_{i}" for i in (1, 2, 3)], none, wide, tall)
        double = units(x, [f"{block}.branch7x7dbl_{i}" for i in range(1, 6)], none, tall, wide, tall, wide)
        x = torch.cat([unit(x, f"{block}.branch1x1"), seven, double, pooled(x, block)], 1)
    heads = []
    if "AuxLogits.fc.weight" in state:
        y = units(F.avg_pool2d(x, 5, 3), ("AuxLogits.conv0", "AuxLogits.conv1"), none, none).mean((2, 3))
        heads.append(y @ state["AuxLogits.fc.weight"].T + state["AuxLogits.fc.bias"])
    first = unit(unit(x, "Mixed_7a.branch3x3_1"), "Mixed_7a.branch3x3_2", none, 2)
    seven = units(x, [f"Mixed_7a.branch7x7x3_{i}" for i in (1, 2, 3)], none, wide, tall)
    seven = unit(seven, "Mixed_7a.branch7x7x3_4", none, 2)
    x = torch.cat([first, seven, F.max_pool2d(x, 3, 2)], 1)
    for at in range(e):
        block = f"Mixed_7{'bc'[at]}"
        single = fork(unit(x, f"{block}.branch3x3_1"), f"{block}.branch3x3_2")
        double = units(x, [f"{block}.branch3x3dbl_{i}" for i in (1, 2)], none, three)
        double = fork(double, f"{block}.branch3x3dbl_3")
        x = torch.cat([unit(x, f"{block}.branch1x1"), *single, *double, pooled(x, block)], 1)
    return x.mean((2, 3)) @ state["fc.weight"].T + state["fc.bias"], heads


@pytest.mark.parametrize(("size", "auxiliary"), [(139, False), (140, True), (331, True)])
def test_it_is_the_public_network(size, auxiliary):
    model = InceptionV3.Config(**THIN, in_channels=2, image_size=size, auxiliary=auxiliary).build().double().eval()
    names = [name for name, _ in public_names(2, 3, 1, auxiliary=auxiliary)]
    state = dict(zip(names, random_state(model).values(), strict=True))
    x = torch.randn(2, 2, size, size, dtype=torch.float64)
    logits, heads = recomputed(state, x, a=2, c=3, e=1)
    scale = float(logits.detach().abs().max())
    torch.testing.assert_close(model(x), logits, rtol=0, atol=1e-12 * scale)
    ours, found = model.auxiliary_logits(x)
    torch.testing.assert_close(ours, logits, rtol=0, atol=1e-12 * scale)
    assert len(found) == len(heads) == auxiliary
    for one, other in zip(found, heads, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12 * float(other.detach().abs().max()))


def test_what_factorizing_saves():
    """1 x 7 and 7 x 1 in place of 7 x 7: 14 weights in place of 49 for each pair of channels (section 3.2)."""
    branch = published().inception_b[3].branch7x7
    assert sum(unit.conv.weight.numel() for unit in branch[1:]) == 14 * 192**2
    thin = InceptionV3.Config(**THIN, in_channels=1, image_size=75).build().eval().inception_b[0].branch7x7[1:]
    for unit in thin:
        unit.conv.weight.data.abs_()
    x = torch.ones(1, 3, 7, 7, requires_grad=True)
    (seen,) = torch.autograd.grad(thin(x)[0, :, 3, 3].sum(), x)
    assert bool(seen.ne(0).all())  # one output sees 7 x 7


def test_surgery_cuts_it():
    torch.manual_seed(0)
    config = InceptionV3.Config(in_channels=1, image_size=75, num_classes=5).scaled(width=0.1, depth=0.5)
    model = config.build().double().eval()
    small, log = prune(model, torch.randn(2, 1, 75, 75, dtype=torch.float64), ratio=0.5, scope="local")
    assert log.proof[0]["error"] <= 1e-12
    assert sum(p.numel() for p in small.parameters()) < 0.35 * sum(p.numel() for p in model.parameters())
    assert small.inception_c[0].branch3x3[1].branch1x3.conv.out_channels == 19  # of 38


def test_it_is_scaled_row_by_row():
    config = InceptionV3.Config().scaled(width=0.5, depth=2)
    assert config.inception_b == ((96, 64),) * 2 + ((96, 80),) * 4 + ((96, 96),) * 2
    assert [len(config.inception_a), len(config.inception_c)] == [6, 4]
    assert (config.stem, config.auxiliary_channels) == ((16, 16, 32, 40, 96), (64, 384))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"image_size": 74}, "InceptionV3.Config.image_size: expected at least 75, got 74; use larger images"),
        ({"image_size": 106, "auxiliary": True}, "expected at least 107 with the auxiliary head, got 106"),
        ({"inception_b": ()}, "inception_b: .*at least 1 item"),
        ({"reduction_b": (192, 0)}, "reduction_b.1: .*greater than or equal to 1"),
    ],
)
def test_bad_forms_are_refused(fields, message):
    with pytest.raises(ConfigError, match=message):
        InceptionV3.Config(**FACTS | fields).build()


@pytest.mark.parametrize(("size", "auxiliary"), [(75, False), (107, True)])
def test_the_smallest_images_are_taken(size, auxiliary):
    model = InceptionV3.Config(**THIN, in_channels=1, image_size=size, auxiliary=auxiliary).build().eval()
    assert model.auxiliary_logits(torch.zeros(1, 1, size, size))[0].shape == (1, 5)
    with pytest.raises(RuntimeError, match=r"too small|Kernel size"):
        model.auxiliary_logits(torch.zeros(1, 1, size - 1, size - 1))


@pytest.mark.parametrize("auxiliary", [False, True])
def test_public_weights_are_taken_by_their_names(auxiliary):
    config = InceptionV3.Config(**THIN, in_channels=2, image_size=139 + auxiliary, auxiliary=auxiliary)
    source, target = config.build(), config.build()
    names = [name for name, _ in public_names(2, 3, 1, auxiliary=auxiliary)]
    weights = dict(zip(names, random_state(source).values(), strict=True))
    assert adopt_weights(target, config, weights) == "torchvision"
    for name, tensor in source.state_dict().items():
        assert torch.equal(target.state_dict()[name], tensor), name
