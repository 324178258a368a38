import pytest
import torch
from torch.nn import functional as F

from netsmith.compress.prune import prune
from netsmith.core.errors import ConfigError, DataError, UnsupportedError
from netsmith.layers.mu_law import mu_law_decode
from netsmith.models.audio.wavenet import WaveNet

THIN = {"blocks": 2, "layers": 3, "channels": 4, "skip_channels": 6}
GENERATOR = {**THIN, "levels": 16, "output": "generate", "num_classes": 16}


def built(**fields):
    torch.manual_seed(0)
    model = WaveNet.Config(**fields).build().double().eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.4)  # no bias is zero
    for layer in (model.post, *(layer.skip for layer in model.layers)):
        layer.bias.data.abs_()  # few features are cut off
    return model


def sound(*shape):
    return torch.rand(*shape, dtype=torch.float64) * 2 - 1


def recomputed(state, samples, config):
    x = samples
    if config.encoding == "mu_law":
        centers = mu_law_decode(torch.arange(config.levels), levels=config.levels, dtype=torch.float64)
        mu = torch.tensor(config.levels - 1.0, dtype=torch.float64)

        def companded(x):
            return x.sign() * (1 + mu * x.abs()).log() / (1 + mu).log()

        nearest = (companded(samples)[:, 0, :, None] - companded(centers)).abs().argmin(-1)  # (B, T)
        x = (nearest[:, None] == torch.arange(config.levels)[:, None]).double()

    def tap(x, name, dilation):
        out = state[f"{name}.conv.bias"][:, None]
        for i in range(config.kernel):
            late = (config.kernel - 1 - i) * dilation
            moved = F.pad(x, (late, 0))[:, :, : x.shape[2]]
            out = out + torch.einsum("oi,bit->bot", state[f"{name}.conv.weight"][:, :, i], moved)
        return out

    def pointwise(x, name):
        return torch.einsum("oi,bit->bot", state[f"{name}.weight"][:, :, 0], x) + state[f"{name}.bias"][:, None]

    x, total, last = tap(x, "input", 1), 0, config.blocks * config.layers - 1
    for place in range(last + 1):
        joint = tap(x, f"layers.{place}.gated", 2 ** (place % config.layers))
        z = joint[:, : config.channels].tanh() * joint[:, config.channels :].sigmoid()
        skip = pointwise(z, f"layers.{place}.skip")
        whole = skip[:, :, : skip.shape[2] // config.frame * config.frame]
        total = total + whole.unflatten(2, (-1, config.frame)).mean(3)
        if place < last:
            x = x + pointwise(z, f"layers.{place}.residual")
    y = total.clamp(min=0)
    for place in range(config.frame_layers):
        weight, padded = state[f"frames.{place}.weight"], F.pad(y, (1, 1))
        y = sum(torch.einsum("oi,bit->bot", weight[:, :, k], padded[:, :, k : k + y.shape[2]]) for k in range(3))
        y = (y + state[f"frames.{place}.bias"][:, None]).clamp(min=0)
    y = pointwise(y, "post").clamp(min=0)
    if config.output == "generate":
        return pointwise(y, "head")
    return (torch.einsum("oi,bit->bot", state["head.weight"], y) + state["head.bias"][:, None]).mean(2)


@pytest.mark.parametrize(
    "fields",
    [
        {"num_classes": 5},
        {"num_classes": 5, "encoding": "raw", "kernel": 3},
        {"num_classes": 5, "frame": 8, "frame_layers": 2},
        {"num_classes": 16, "levels": 16, "output": "generate"},
        {"num_classes": 8, "levels": 8, "output": "generate", "encoding": "raw"},
    ],
)
def test_it_is_the_network_of_the_paper(fields):
    model = built(**THIN | fields)
    x = sound(2, 1, 37)
    wanted = recomputed(model.state_dict(), x, model.config)
    assert wanted.shape == ((2, 5) if fields["num_classes"] == 5 else (2, fields["num_classes"], 37))
    torch.testing.assert_close(model(x), wanted, rtol=0, atol=1e-12 * float(wanted.abs().max()))


@pytest.mark.parametrize("encoding", ["raw", "mu_law"])
@pytest.mark.parametrize("kernel", [2, 3])
def test_no_output_sees_the_future(encoding, kernel):
    model = built(**GENERATOR, encoding=encoding, kernel=kernel)
    x = sound(1, 1, 50)
    before = model(x)
    for t in (0, 17, 49):
        changed = x.clone()
        changed[0, 0, t] = -0.9 * x[0, 0, t].sign()
        after = model(changed)
        assert torch.equal(after[:, :, :t], before[:, :, :t])
        assert not torch.equal(after[:, :, t], before[:, :, t])


@pytest.mark.parametrize(
    ("fields", "field"),
    [({}, 16), ({"blocks": 1}, 9), ({"kernel": 3}, 31), ({"blocks": 3, "layers": 1}, 5), ({"layers": 5}, 64)],
)
def test_its_receptive_field_is_what_gradients_find(fields, field):
    model = built(**GENERATOR | {"encoding": "raw"} | fields)
    assert model.config.receptive_field == field
    x = sound(1, 1, field + 30).requires_grad_()
    (gradient,) = torch.autograd.grad(model(x)[0, :, -1].square().sum(), x)
    assert gradient[0, 0].nonzero()[:, 0].tolist() == list(range(30, field + 30))


def test_the_receptive_field_of_the_paper():
    assert WaveNet.Config(blocks=1, layers=10).receptive_field == 1024 + 1  # the first convolution adds one
    assert WaveNet.Config(blocks=3, layers=10).receptive_field == 3070 + 1


@pytest.mark.parametrize("encoding", ["raw", "mu_law"])
@pytest.mark.parametrize("kernel", [2, 3])
@pytest.mark.parametrize("greedy", [True, False])
def test_remembering_gives_what_reading_all_again_gives(encoding, kernel, greedy):
    model = built(**GENERATOR, encoding=encoding, kernel=kernel)
    start = sound(2, 1, 5)
    dice = None if greedy else torch.Generator().manual_seed(3)
    fast = model.generate(40, start=start, generator=dice)
    dice, slow = None if greedy else torch.Generator().manual_seed(3), start
    with torch.no_grad():
        for _ in range(40):
            logits = model(slow)[:, :, -1]
            level = (
                logits.argmax(1, keepdim=True) if greedy else torch.multinomial(logits.softmax(1), 1, generator=dice)
            )
            slow = torch.cat([slow, mu_law_decode(level[:, None], levels=16, dtype=slow.dtype)], 2)
        memory = model.memory(2)
        steps = [model.step(slow[:, :, t : t + 1], memory, t) for t in range(45)]
    assert torch.equal(fast, slow[:, :, 5:])
    assert greedy or len(fast.unique()) > 4
    torch.testing.assert_close(torch.cat(steps, 2), model(slow), rtol=0, atol=1e-12)


def test_it_begins_from_silence():
    model = built(**GENERATOR)
    assert torch.equal(model.generate(7), model.generate(7, start=torch.zeros(1, 1, 1, dtype=torch.float64)))
    assert model.generate(0).shape == (1, 1, 0)


@pytest.mark.parametrize("encoding", ["raw", "mu_law"])
@pytest.mark.parametrize("output", ["classify", "generate"])
def test_surgery_cuts_it(encoding, output):
    fields = THIN | {"channels": 8, "skip_channels": 12, "output": output, "encoding": encoding}
    model = built(**fields, num_classes=256 if output == "generate" else 5)
    x = sound(2, 1, 40)
    small, log = prune(model, x, ratio=0.5, scope="local")
    assert log.proof[0]["error"] <= 1e-12
    assert sum(p.numel() for p in small.parameters()) < 0.5 * sum(p.numel() for p in model.parameters())
    assert [tuple(layer.gated.conv.weight.shape) for layer in small.layers] == [(8, 4, 2)] * 6
    assert {layer.skip.out_channels for layer in small.layers} == {6}
    if output == "generate":
        memory = small.memory(2)
        steps = [small.step(x[:, :, t : t + 1], memory, t) for t in range(40)]
        torch.testing.assert_close(torch.cat(steps, 2), small(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"output": "generate", "num_classes": 10},
            "chooses among levels=256, so num_classes must be the same, got 10",
        ),
        ({"encoding": "raw", "levels": 16}, "levels=16 means nothing to a classifier of raw samples"),
        ({"kernel": 1}, "kernel: .*greater than or equal to 2"),
        ({"layers": 21}, "layers: .*less than or equal to 20"),
    ],
)
def test_bad_forms_are_refused(fields, message):
    with pytest.raises(ConfigError, match=message):
        WaveNet.Config(**fields)


def test_bad_sounds_are_refused():
    model = built(**GENERATOR)
    for shape in [(2, 40), (2, 2, 40)]:
        with pytest.raises(DataError, match=r"of shape \(B, 1, T\), got"):
            model(sound(*shape))
    with pytest.raises(DataError, match="with T >= 1, got"):
        model.generate(3, start=sound(1, 1, 0))
    with pytest.raises(UnsupportedError, match="only one with output='generate'"):
        built(**THIN, num_classes=5).generate(3)
