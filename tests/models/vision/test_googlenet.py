import pytest
import torch
from torch.nn import functional as F

from models.drawn import random_state
from netsmith.compress.prune import prune
from netsmith.core.errors import ConfigError
from netsmith.measure.parameters import layer_table
from netsmith.models.vision.googlenet import GoogLeNet, Inception, NaiveInception

FACTS = {"in_channels": 3, "image_size": 224, "num_classes": 1000}
ALEXNET = 60_965_224  # of two columns
TABLE_1 = {  # depth and side of what each layer gives
    "stem.conv1": (64, 112),
    "stem.pool1": (64, 56),
    "stem.conv2": (192, 56),
    "stem.pool2": (192, 28),
    "stage3.inception1": (256, 28),
    "stage3.inception2": (480, 28),
    "stage3.pool": (480, 14),
    "stage4.inception1": (512, 14),
    "stage4.inception2": (512, 14),
    "stage4.inception3": (512, 14),
    "stage4.inception4": (528, 14),
    "stage4.inception5": (832, 14),
    "stage4.pool": (832, 7),
    "stage5.inception1": (832, 7),
    "stage5.inception2": (1024, 7),
    "pool": (1024, 1),
}
THIN = {
    "stem_channels": (4, 5, 6),
    "stage3": ((2, 3, 4, 1, 3, 2), (3, 2, 3, 2, 2, 1)),
    "stage4": ((2, 2, 3, 1, 2, 2), (1, 2, 2, 3, 3, 1), (2, 3, 2, 2, 1, 3)),
    "stage5": ((3, 2, 4, 2, 2, 3),),
    "auxiliary_channels": (3, 8),
    "num_classes": 5,
}


def published(**fields):
    with torch.device("meta"):
        return GoogLeNet.Config(**FACTS | fields).build()


def counted(model, *shape):
    rows = layer_table(model, torch.zeros(1, *shape))
    assert sum(row.parameters for row in rows) == sum(p.numel() for p in model.parameters())
    return sum(row.parameters for row in rows), sum(row.macs for row in rows)


def test_the_counts():
    assert counted(published(), 3, 224, 224) == (6_998_552, 1_582_671_872)
    assert counted(published(auxiliary=True), 3, 224, 224) == (13_378_280, 1_582_671_872)
    assert round(ALEXNET / 6_998_552, 2) == 8.71


def test_normalizing_trades_a_bias_for_two_numbers():
    plain, normed = published(), published(batch_norm=True)
    biases = sum(p.numel() for name, p in plain.named_parameters() if name.endswith("conv.bias"))
    assert counted(normed, 3, 224, 224) == (6_998_552 + biases, 1_582_671_872)
    assert not any(isinstance(layer, torch.nn.LocalResponseNorm) for layer in normed.modules())


@pytest.mark.parametrize(("stem", "size"), [("imagenet", 224), ("small", 28)])
def test_the_maps_of_table_1(stem, size):
    model, seen = published(stem=stem, image_size=size), {}
    for name, module in model.named_modules():
        module.register_forward_hook(lambda _, __, out, name=name: seen.update({name: tuple(out.shape[1:])}))
    model(torch.zeros(1, 3, size, size, device="meta"))
    wanted = {name: (depth, side, side) for name, (depth, side) in TABLE_1.items()}
    if stem == "small":
        wanted = {name: shape for name, shape in wanted.items() if not name.startswith("stem")}
        assert seen["stem"] == (192, 28, 28)
    assert {name: seen[name] for name in wanted} == wanted


def test_what_bottlenecks_save():
    with torch.device("meta"):
        naive = NaiveInception(256, one=128, three=192, five=96)
        narrow = Inception(256, one=128, reduce3=64, three=192, reduce5=64, five=96, pool=64)
        x = torch.zeros(1, 256, 28, 28)
        assert naive(x).shape == (1, 672, 28, 28)
        assert narrow(x).shape == (1, 480, 28, 28)
    assert counted(naive, 256, 28, 28)[1] == 28 * 28 * 256 * (128 + 9 * 192 + 25 * 96) == 854_196_224
    by_hand = 28 * 28 * (256 * (128 + 64 + 64 + 64) + 64 * (9 * 192 + 25 * 96))
    assert counted(narrow, 256, 28, 28)[1] == by_hand == 271_351_808


def test_the_naive_module_is_its_four_branches():
    torch.manual_seed(0)
    module = NaiveInception(3, one=2, three=4, five=5).double()
    state = module.state_dict()
    x = torch.randn(2, 3, 6, 7, dtype=torch.float64)
    maps = []
    for name, padding in (("branch1x1", 0), ("branch3x3", 1), ("branch5x5", 2)):
        weight, bias = state[f"{name}.conv.weight"], torch.randn(len(state[f"{name}.conv.bias"])).double()
        state[f"{name}.conv.bias"].copy_(bias)
        maps.append(F.conv2d(x, weight, bias, padding=padding).clamp(min=0))
    windows = F.pad(x, (1, 1, 1, 1), value=-torch.inf).unfold(2, 3, 1).unfold(3, 3, 1)
    torch.testing.assert_close(module(x), torch.cat([*maps, windows.amax((4, 5))], 1), rtol=0, atol=1e-12)


def halved(x):
    """A 3 x 3 max-pool of stride 2 whose last window may reach over the edge."""
    return F.max_pool2d(F.pad(x, (0, 2 - x.shape[3] % 2, 0, 2 - x.shape[2] % 2), value=-torch.inf), 3, 2)


def response_norm(x):
    squares = F.pad(x.square(), (0, 0, 0, 0, 2, 2))
    around = sum(squares[:, at : at + x.shape[1]] for at in range(5))
    return x / (1 + 1e-4 / 5 * around) ** 0.75


def recomputed(state, x, *, small, modules):
    def unit(x, name, padding=0, stride=1):
        x = F.conv2d(x, state[f"{name}.conv.weight"], state.get(f"{name}.conv.bias"), stride, padding)
        if f"{name}.norm.weight" in state:
            mean, var, scale, shift = (
                state[f"{name}.norm.{role}"][:, None, None]
                for role in ("running_mean", "running_var", "weight", "bias")
            )
            x = (x - mean) / (var + 1e-3).sqrt() * scale + shift
        return x.clamp(min=0)

    def module(x, name):
        three = unit(unit(x, f"{name}.branch3x3.0"), f"{name}.branch3x3.1", 1)
        five = unit(unit(x, f"{name}.branch5x5.0"), f"{name}.branch5x5.1", 2)
        pool = unit(F.max_pool2d(x, 3, 1, 1), f"{name}.branch_pool.1")
        return torch.cat([unit(x, f"{name}.branch1x1"), three, five, pool], 1)

    def linear(x, name):
        return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    normed = "stem.conv1.norm.weight" in state
    x = unit(x, "stem.conv1", 1) if small else halved(unit(x, "stem.conv1", 3, 2))
    x = x if normed else response_norm(x)
    x = unit(unit(x, "stem.reduce2"), "stem.conv2", 1)
    x = x if normed else response_norm(x)
    x = x if small else halved(x)
    heads = []
    for stage, count in zip((3, 4, 5), modules, strict=True):
        for at in range(1, count + 1):
            x = module(x, f"stage{stage}.inception{at}")
            name = f"auxiliary.inception{at}"
            if stage == 4 and f"{name}.head.weight" in state:
                y = unit(F.avg_pool2d(x, 5, 3), f"{name}.conv").flatten(1)
                heads.append(linear(linear(y, f"{name}.linear").clamp(min=0), f"{name}.head"))
        x = x if stage == 5 else halved(x)
    return linear(x.mean((2, 3)), "head"), heads


@pytest.mark.parametrize(
    "fields",
    [
        {"image_size": 101, "in_channels": 3, "auxiliary": True},
        {"image_size": 31, "in_channels": 1, "batch_norm": True},
        {"image_size": 17, "in_channels": 1, "stem": "small", "auxiliary": True},
        {"image_size": 12, "in_channels": 2, "stem": "small", "auxiliary": True, "batch_norm": True},
    ],
)
def test_it_is_the_network_of_the_paper(fields):
    model = GoogLeNet.Config(**THIN | fields).build().double().eval()
    state = random_state(model)
    x = torch.randn(2, fields["in_channels"], fields["image_size"], fields["image_size"], dtype=torch.float64)
    logits, heads = recomputed(state, x, small="stem" in fields, modules=(2, 3, 1))
    scale = float(logits.detach().abs().max())
    torch.testing.assert_close(model(x), logits, rtol=0, atol=1e-12 * scale)
    ours, found = model.auxiliary_logits(x)
    torch.testing.assert_close(ours, logits, rtol=0, atol=1e-12 * scale)
    assert len(found) == len(heads) == (2 if "auxiliary" in fields else 0)
    for one, other in zip(found, heads, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12 * float(other.detach().abs().max()))


def test_the_auxiliary_heads_stand_behind_4a_and_4d_and_teach_what_is_below_them():
    model = published(auxiliary=True)
    assert list(model.auxiliary) == ["inception1", "inception4"]
    assert [p.shape[1] for name, p in model.auxiliary.named_parameters() if "conv.weight" in name] == [512, 528]
    thin = GoogLeNet.Config(**THIN, in_channels=1, image_size=12, stem="small", auxiliary=True).build().eval()
    _, (first, second) = thin.auxiliary_logits(torch.randn(2, 1, 12, 12))
    last = dict(thin.stage4.inception2.named_parameters())
    assert all(g is None for g in torch.autograd.grad(first.sum(), last.values(), allow_unused=True, retain_graph=True))
    assert all(g is not None for g in torch.autograd.grad(second.sum(), last.values(), allow_unused=True))


@pytest.mark.parametrize("batch_norm", [False, True])
def test_surgery_cuts_it(batch_norm):
    torch.manual_seed(0)
    config = GoogLeNet.Config(in_channels=1, image_size=16, num_classes=5, stem="small", batch_norm=batch_norm)
    model = config.scaled(width=0.125).build().double().eval()
    small, log = prune(model, torch.randn(2, 1, 16, 16, dtype=torch.float64), ratio=0.5, scope="local")
    assert log.proof[0]["error"] <= 1e-12
    assert sum(p.numel() for p in small.parameters()) < 0.4 * sum(p.numel() for p in model.parameters())
    # channels that a local response normalization mixes must stay
    assert small.stem.conv1.conv.out_channels == (4 if batch_norm else 8)
    assert small.stage3.inception1.branch3x3[1].conv.out_channels == 8


def test_it_is_scaled_row_by_row():
    config = GoogLeNet.Config(**{**THIN, "stage5": ((8, 4, 6, 2, 1, 10),)}).scaled(width=0.5, depth=2)
    assert config.stage5 == ((4, 2, 3, 1, 1, 5),) * 2
    assert [len(stage) for stage in (config.stage3, config.stage4)] == [4, 6]
    assert config.stem_channels == (2, 2, 3)
    assert config.auxiliary_channels == (2, 4)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"image_size": 30}, "expected at least 31 with the imagenet stem, got 30; stem='small' takes smaller ones"),
        ({"image_size": 78, "auxiliary": True}, "at least 79 with the imagenet stem and auxiliary heads, got 78"),
        ({"image_size": 3, "stem": "small"}, "expected at least 4 with the small stem, got 3$"),
        ({"image_size": 9, "stem": "small", "auxiliary": True}, "at least 10 with the small stem and auxiliary"),
        ({"stage4": THIN["stage4"][:2], "auxiliary": True}, "it needs at least 3, got 2; leave auxiliary off"),
        ({"stage3": ()}, "stage3: .*at least 1 item"),
        ({"stage3": ((1, 2, 3, 4, 5, 0),)}, "stage3.0.5: .*greater than or equal to 1"),
        ({"stage3": ((1, 2, 3, 4, 5),)}, "stage3.0.5 is required"),
    ],
)
def test_bad_forms_are_refused(fields, message):
    with pytest.raises(ConfigError, match=message):
        GoogLeNet.Config(**FACTS | fields).build()


@pytest.mark.parametrize(("stem", "sizes"), [("imagenet", (31, 79)), ("small", (4, 10))])
def test_the_smallest_images_are_taken(stem, sizes):
    for size, auxiliary in zip(sizes, (False, True), strict=True):
        model = GoogLeNet.Config(**THIN, in_channels=1, image_size=size, stem=stem, auxiliary=auxiliary).build().eval()
        assert model.auxiliary_logits(torch.zeros(1, 1, size, size))[0].shape == (1, 5)
        with pytest.raises(RuntimeError, match=r"too small|at least"):
            model.auxiliary_logits(torch.zeros(1, 1, size - 1, size - 1))
