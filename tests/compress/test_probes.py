import copy
import json

import pytest
import torch
from torch import nn

from compress.judge import Masked, difference, draw, kept_of, parameters, run, same_network
from compress.probes import PROBES, build
from netsmith.compress.prune import prune
from netsmith.compress.surgery import SurgeryLog, apply_surgery
from netsmith.core.errors import ProofError

NAMED_KINDS = """
conv plain|grouped|depthwise|multiplier|transposed|grouped transposed|1-D|3-D|BatchNorm|LayerNorm|NHWC|GroupNorm
InstanceNorm|RMSNorm|residual|DenseNet|chunk|split|reshape|flatten|pixel-shuffle|pixel-unshuffle|GLU|channel shuffle
squeeze-excite|embedding|tied embedding|RNN|LSTM|GRU|stacked|bidirectional|projected|LSTM cell|GRU cell|h0
nn.MultiheadAttention|kdim|nn.TransformerEncoderLayer|norm_first|attention by hand|fused|sdpa|width|Inception|U-Net
inverted residual|ConvNeXt|bottleneck|WaveNet|neighbour sum|MLP-mixer|TDNN|text CNN|highway
"""


def test_every_named_kind_has_a_probe():
    kinds = " / ".join(probe.kind for probe in PROBES.values())
    assert [kind for line in NAMED_KINDS.split("\n") for kind in line.split("|") if kind not in kinds] == []
    assert len(PROBES) >= 45


def marked(net):
    """Leave traces that surgery must not touch: modes, hooks and parameters that are frozen."""
    net.train()
    leaves = [m for m in net.modules() if next(m.children(), None) is None]
    leaves[0].eval()
    leaves[-1].register_forward_hook(lambda *_: None)
    next(net.parameters()).requires_grad_(False)
    return net


def signs(net):
    return (
        [(type(m), m.training, len(m._forward_hooks), len(m._forward_pre_hooks)) for m in net.modules()],
        [(name, p.requires_grad) for name, p in net.named_parameters(remove_duplicate=False)],
        [name for name, _ in net.named_buffers()],
    )


@pytest.fixture(scope="module")
def cut():
    """Prune each probe once; the two tests share what came out."""
    done = {}

    def of(name):
        if name not in done:
            probe = PROBES[name]
            net = marked(build(probe.make))
            before = copy.deepcopy(net)
            found = prune(net, probe.example, ratio=0.5, scope="local")
            assert signs(net) == signs(before)
            assert all(
                torch.equal(a, b) for a, b in zip(net.state_dict().values(), before.state_dict().values(), strict=True)
            )
            done[name] = (net, *found)
        return done[name]

    return of


@pytest.mark.parametrize("name", PROBES)
def test_a_probe_is_cut_and_answers_like_the_masked_one(name, cut):
    probe = PROBES[name]
    net, small, log = cut(name)
    assert parameters(small) < parameters(net)
    assert signs(small) == signs(net)
    masked, wide = Masked(net, kept_of(log)), copy.deepcopy(small).double().eval()
    inputs = [draw(probe.example, 1), *([] if probe.one_batch else [draw(probe.example, 2, 7)])]
    if probe.longer is not None:
        inputs.append(draw(probe.longer, 3, 4))
    for given in inputs:
        expected = masked(*given)
        assert all(float(t.abs().max()) > 1e-6 for t in expected), "the masked network says nothing: a bad probe"
        assert difference(expected, run(wide, given)) <= 1e-9
    # the log, through JSON, rebuilds the network exactly in its original class
    again = SurgeryLog.from_json(json.loads(json.dumps(log.to_json())))
    rebuilt = apply_surgery(build(probe.make, seed=1), again)
    rebuilt.load_state_dict(small.state_dict())
    assert same_network(rebuilt, small, inputs[0])


@pytest.mark.parametrize("name", PROBES)
def test_what_the_probe_is_about_is_cut(name, cut):
    _, _, log = cut(name)
    reached = {step.module for step in log.steps if step.tensors or step.attributes}

    def touched(wanted):
        return any(module == wanted or (wanted and module.startswith(f"{wanted}.")) for module in reached)

    assert [wanted for wanted in PROBES[name].cuts if not touched(wanted)] == []


WITHIN_HEADS = [
    "mha_self",
    "mha_time_first",
    "mha_bias_kv",
    "mha_masked",
    "mha_cross",
    "mha_kdim_vdim",
    "encoder_post",
    "encoder_pre",
    "encoder_stack",
    "decoder_layer",
    "hand_timm",
    "hand_vit_timm",
    "hand_sdpa",
    "hand_einsum",
    "hand_separate",
    "single_head",
    "gpt",
    "llama",
    "vit",
    "perceiver",
]


@pytest.mark.parametrize("name", WITHIN_HEADS)
def test_attention_is_cut_within_heads(name):
    """The same width goes from every head; where the scale follows from it, rows of the queries make up for that."""
    probe = PROBES[name]
    net = build(probe.make)
    small, log = prune(net, probe.example, ratio=0.5, scope="local", heads="width")
    assert parameters(small) < 0.5 * parameters(net)
    given = draw(probe.example, 1)
    got = run(copy.deepcopy(small).double().eval(), given)
    assert difference(Masked(net, kept_of(log))(*given), got) <= 1e-8  # queries are scaled in single precision
    scaled = [cut.factor for step in log.steps for cut in step.tensors.values() if cut.scaled]
    assert set(scaled) <= {0.5**0.5}
    assert bool(scaled) == (name not in ("hand_timm", "hand_vit_timm", "hand_einsum", "single_head", "llama"))
    again = SurgeryLog.from_json(json.loads(json.dumps(log.to_json())))
    rebuilt = apply_surgery(build(probe.make), again)
    rebuilt.load_state_dict(small.state_dict())
    assert same_network(rebuilt, small, given)
    once_more = apply_surgery(copy.deepcopy(net), again)
    assert same_network(once_more, small, given)


def test_code_that_divides_the_width_by_the_heads_is_refused_within_heads():
    """``view(b, t, heads, c // heads)`` leaves a head's width no way to change alone."""
    probe = PROBES["gpt"]
    net = build(probe.make)
    before = copy.deepcopy(net.state_dict())
    with pytest.raises(ProofError, match="the original is untouched"):
        prune(net, probe.example, ratio={"blocks.0.c_attn": 0.5}, heads="width")
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


@pytest.mark.parametrize("name", ["vgg", "multiplier", "unet", "tdnn", "text_cnn", "bag"])
def test_the_judge_sees_a_wrong_cut(name):
    """A reference that agrees with everything proves nothing: it must part from a network with other channels gone."""
    probe = PROBES[name]
    net = build(probe.make)
    small, log = prune(net, probe.example, ratio=0.5, scope="local")
    kept, given = kept_of(log), draw(probe.example, 1)
    tensor = next(iter(kept))
    axis, positions = next(iter(kept[tensor].items()))
    length = dict(net.named_parameters())[tensor].shape[axis]
    kept[tensor] = kept[tensor] | {axis: tuple((place + 1) % length for place in positions)}
    assert difference(Masked(net, kept)(*given), run(copy.deepcopy(small).double().eval(), given)) > 1e-3


def halves(length):
    """Return positions that stay: the odd ones."""
    return tuple(range(1, length, 2))


def blocks(length, count, kept):
    """Return positions that stay when each of ``count`` blocks of an axis loses the same ones."""
    return tuple(block * (length // count) + place for block in range(count) for place in kept)


LAST = tuple(range(8, 16))
BY_HAND = {  # big and small network, and what of the big one stays: an answer for the judge that no tracer made
    "layer_norm": (
        lambda c: nn.Sequential(nn.Linear(4, c), nn.LayerNorm(c), nn.Linear(c, 2)),
        {"0.weight": {0: LAST}, "0.bias": {0: LAST}, "1.weight": {0: LAST}, "1.bias": {0: LAST}, "2.weight": {1: LAST}},
    ),
    "layer_norm_bare": (
        lambda c: nn.Sequential(nn.Linear(4, c), nn.LayerNorm(c, elementwise_affine=False), nn.Linear(c, 2)),
        {"0.weight": {0: LAST}, "0.bias": {0: LAST}, "2.weight": {1: LAST}},
    ),
    "rms_norm": (
        lambda c: nn.Sequential(nn.Linear(4, c), nn.RMSNorm(c), nn.Linear(c, 2)),
        {"0.weight": {0: LAST}, "0.bias": {0: LAST}, "1.weight": {0: LAST}, "2.weight": {1: LAST}},
    ),
    "group_norm": (
        lambda c: nn.Sequential(nn.Conv1d(4, c, 1), nn.GroupNorm(4, c), nn.Conv1d(c, 2, 1)),
        {
            "0.weight": {0: halves(16)},
            "0.bias": {0: halves(16)},
            "1.weight": {0: halves(16)},
            "1.bias": {0: halves(16)},
            "2.weight": {1: halves(16)},
        },
    ),
    "group_norm_whole_groups": (
        lambda c: nn.Sequential(nn.Conv1d(4, c, 1), nn.GroupNorm(c // 4, c), nn.Conv1d(c, 2, 1)),
        {"0.weight": {0: LAST}, "0.bias": {0: LAST}, "1.weight": {0: LAST}, "1.bias": {0: LAST}, "2.weight": {1: LAST}},
    ),
    "grouped_transposed": (
        lambda c: nn.Sequential(nn.ConvTranspose1d(4, c, 2, 2, groups=2), nn.Conv1d(c, 2, 1)),
        {"0.weight": {1: halves(8)}, "0.bias": {0: halves(16)}, "1.weight": {1: halves(16)}},
    ),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_the_judge_agrees_with_cuts_made_by_hand(name):
    make, kept = BY_HAND[name]
    big, small = build(lambda: make(16)), build(lambda: make(8))
    given = (torch.randn(3, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)),)
    agree(big, small, kept, given)


def agree(big, small, kept, given):
    state = big.state_dict()
    for tensor, axes in kept.items():
        for axis, positions in axes.items():
            state[tensor] = state[tensor].index_select(axis, torch.tensor(positions))
    small.load_state_dict(state)
    assert difference(Masked(big, kept)(*given), run(small.double().eval(), given)) <= 1e-12


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM", "projected"])
def test_the_judge_agrees_with_recurrent_layers_cut_by_hand(kind):
    projected, gates = kind == "projected", {"RNN": 1, "GRU": 3, "LSTM": 4, "projected": 4}[kind]

    class Net(nn.Module):
        def __init__(self, h, p):
            super().__init__()
            named = {"num_layers": 2, "bidirectional": True, "batch_first": True} | (
                {"proj_size": p} if projected else {}
            )
            self.rnn = getattr(nn, "LSTM" if projected else kind)(4, h, **named)
            self.out = nn.Linear(2 * (p if projected else h), 3)

        def forward(self, x):
            return self.out(self.rnn(x)[0])

    big, small, kept = Net(12, 6), Net(6, 3), {}
    said, length = (halves(6), 6) if projected else (halves(12), 12)
    for name, tensor in big.rnn.named_parameters():
        if "weight_hr" in name:
            kept[f"rnn.{name}"] = {0: said, 1: halves(12)}
            continue
        kept[f"rnn.{name}"] = {0: blocks(gates * 12, gates, halves(12))}
        if "weight_hh" in name:
            kept[f"rnn.{name}"][1] = said
        elif "weight_ih_l1" in name:
            kept[f"rnn.{name}"][1] = blocks(2 * length, 2, said)
        assert tensor.shape[0] == gates * 12
    kept["out.weight"] = {1: blocks(2 * length, 2, said)}
    agree(big, small, kept, (torch.randn(3, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)),))


def test_the_judge_agrees_with_heads_cut_by_hand():
    """Heads 1 and 3 of 4 stay, and with them the channels that the layer names alike."""

    class Net(nn.Module):
        def __init__(self, heads):
            super().__init__()
            self.inp, self.out = nn.Linear(5, 4 * heads), nn.Linear(4 * heads, 3)
            self.mha = nn.MultiheadAttention(4 * heads, heads, batch_first=True)

        def forward(self, x):
            x = self.inp(x)
            return self.out(x + self.mha(x, x, x)[0])

    stays = (4, 5, 6, 7, 12, 13, 14, 15)
    three = blocks(48, 3, stays)
    kept = {
        "inp.weight": {0: stays},
        "inp.bias": {0: stays},
        "mha.in_proj_weight": {0: three, 1: stays},
        "mha.in_proj_bias": {0: three},
        "mha.out_proj.weight": {0: stays, 1: stays},
        "mha.out_proj.bias": {0: stays},
        "out.weight": {1: stays},
    }
    given = (torch.randn(3, 6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)),)
    agree(build(lambda: Net(4)), build(lambda: Net(2)), kept, given)
