"""Fake quantization beyond convolutions and linear layers: attention, transposed convolutions, tables, graphs."""

import copy

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from compress.probes import PROBES, build
from netsmith.compress._open_attention import opened
from netsmith.compress._quantized_graph import fold_norms, traced
from netsmith.compress.fake_quantize import FakeQuantizeWeight, fake_quantized, frozen, observe
from netsmith.compress.folded import fold_int8
from netsmith.core.errors import UnsupportedError
from netsmith.export.onnx import export_onnx
from netsmith.measure.example import arguments, random_like
from netsmith.measure.session import open_session, run_session
from netsmith.models.text.transformer_encoder import TransformerEncoder


def randn(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def hidden(*shape):
    """A mask of booleans that hides something, never all."""
    found = torch.zeros(shape, dtype=torch.bool)
    found[..., -1] = True
    found[0, ..., 1] = True
    return found


CAUSAL = nn.Transformer.generate_square_subsequent_mask(5, dtype=torch.float64)


# -- torch's attention in traceable form ------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize(
    "named",
    [{}, {"bias": False}, {"add_bias_kv": True}, {"add_zero_attn": True}, {"kdim": 10, "vdim": 6}],
    ids=lambda named: next(iter(named), "plain"),
)
def test_the_opened_attention_is_torchs(named, batch_first):
    whole = build(lambda: nn.MultiheadAttention(12, 3, batch_first=batch_first, **named)).double().eval()
    own = opened(copy.deepcopy(whole))
    assert type(own) is not nn.MultiheadAttention
    kdim, vdim = named.get("kdim", 12), named.get("vdim", 12)
    for batch in (2, 3, 0):  # 0: without one
        query, key, value = (
            randn(*((batch,) if batch else ()), length, width, seed=seed)
            for seed, (length, width) in enumerate(((5, 12), (7, kdim), (7, vdim)))
        )
        given = (query, key, value)
        if batch and not batch_first:
            given = tuple(part.transpose(0, 1) for part in given)
        heads = 3 * max(batch, 1)
        for masks in (
            {},
            {"key_padding_mask": hidden(batch, 7) if batch else hidden(1, 7)[0]},
            {"attn_mask": hidden(5, 7)},
            {"attn_mask": randn(heads, 5, 7)},
            {
                "attn_mask": hidden(heads, 5, 7),
                "key_padding_mask": torch.zeros((batch, 7)[not batch :], dtype=torch.bool),
            },
            {"average_attn_weights": False},
            {"need_weights": False},
        ):
            for expected, got in zip(whole(*given, **masks), own(*given, **masks), strict=True):
                torch.testing.assert_close(got, expected, rtol=0, atol=1e-12)
    if not named:
        with pytest.raises(RuntimeError, match="is_causal only says what attn_mask is"):
            own(*given, is_causal=True)


def layer(kind, **named):
    return kind(12, 2, 20, batch_first=True, dropout=0.0, **named)


def test_an_attention_in_two_places_stays_one():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = self.second = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x):
            x = self.first(x, x, x)[0]
            return self.second(x, x, x)[0]

    net = build(Twice).double().eval()
    quantized = fake_quantized(net)
    assert sum(isinstance(part, FakeQuantizeWeight) for part in quantized.modules()) == 4
    x = randn(3, 5, 8)
    observe(quantized, [x])
    with torch.no_grad():
        assert 0 < (quantized(x) - net(x)).norm() < 0.02 * net(x).norm()


class Chain(nn.Module):
    """Two attentions, and a layer after them."""

    def __init__(self):
        super().__init__()
        self.first, self.second = (nn.MultiheadAttention(8, 2, batch_first=True) for _ in range(2))
        self.last = nn.Linear(8, 8)

    def forward(self, x):
        for attention in (self.first, self.second):
            x = attention(x, x, x)[0]
        return self.last(x)


@pytest.mark.parametrize("shared", [("in_proj_weight",), ("in_proj_weight", "in_proj_bias", "out_proj.weight")])
def test_weights_that_two_attentions_share_stay_shared(shared):
    net = build(Chain).double().eval()
    for path in shared:
        holder, _, name = path.rpartition(".")
        setattr(net.second.get_submodule(holder), name, net.first.get_parameter(path))
    net.last.weight = net.first.out_proj.weight
    count = sum(p.numel() for p in net.parameters())
    assert count < sum(p.numel() for p in Chain().parameters())
    quantized, x = fake_quantized(net), randn(3, 5, 8)
    assert sum(p.numel() for p in quantized.parameters()) == count
    torch.testing.assert_close(opened(copy.deepcopy(net))(x), net(x), rtol=0, atol=1e-12)
    observe(quantized, [x])
    quantized(x).sum().backward()
    assert all(p.grad is not None for p in quantized.parameters())


def test_projections_that_cannot_be_taken_apart_are_refused():
    net = build(Chain)
    net.last = nn.Linear(8, 24)
    net.last.weight = net.second.in_proj_weight
    with pytest.raises(
        UnsupportedError, match=r"second\.in_proj_weight is shared with last\.weight.*give each its own"
    ):
        fake_quantized(net)


TRANSFORMERS = {
    "encoder": lambda: nn.TransformerEncoder(layer(nn.TransformerEncoderLayer), 2, nn.LayerNorm(12)),
    "encoder_pre": lambda: nn.TransformerEncoder(
        layer(nn.TransformerEncoderLayer, norm_first=True, activation="gelu"), 2, enable_nested_tensor=False
    ),
    "decoder": lambda: nn.TransformerDecoder(layer(nn.TransformerDecoderLayer), 2, nn.LayerNorm(12)),
    "decoder_pre": lambda: nn.TransformerDecoder(layer(nn.TransformerDecoderLayer, norm_first=True), 1),
    "both": lambda: nn.Transformer(12, 2, 1, 2, 20, dropout=0.0, batch_first=True),
}


@pytest.mark.parametrize("name", list(TRANSFORMERS))
def test_a_traced_transformer_is_torchs(name):
    net = build(TRANSFORMERS[name]).double()
    graph = traced(net)
    layers = sum(isinstance(part, nn.Linear) for part in graph.modules())
    expected = sum(isinstance(part, nn.Linear) and "out_proj" not in path for path, part in net.named_modules())
    assert layers == expected + 4 * sum(isinstance(part, nn.MultiheadAttention) for part in net.modules())
    for batch in (2, 3):
        words, memory, padding = randn(batch, 5, 12), randn(batch, 7, 12, seed=1), hidden(batch, 7)
        calls = {
            "encoder": [(words,), {"mask": CAUSAL < 0, "src_key_padding_mask": hidden(batch, 5)}],
            "decoder": [(words, memory), {"tgt_mask": CAUSAL, "memory_key_padding_mask": padding}],
            "both": [(memory, words), {"tgt_mask": CAUSAL, "src_key_padding_mask": padding}],
        }
        given, masks = calls[name.partition("_")[0]]
        torch.testing.assert_close(graph(*given), net(*given), rtol=0, atol=1e-12)
        torch.testing.assert_close(graph(*given, **masks), net(*given, **masks), rtol=0, atol=1e-12)


class Pooled(nn.Module):
    """Texts through torch's encoder, which packs them; the mean is over all positions, padding too."""

    def __init__(self, **named):
        super().__init__()
        self.table = nn.Embedding(20, 12)
        self.encoder = nn.TransformerEncoder(layer(nn.TransformerEncoderLayer), 2, nn.LayerNorm(12), **named)
        self.last = nn.Linear(12, 4)

    def forward(self, tokens, mask=None):
        return self.last(self.encoder(self.table(tokens), mask=mask, src_key_padding_mask=tokens == 0).mean(1))


def texts(*lengths):
    tokens = torch.randint(1, 20, (len(lengths), 6), generator=torch.Generator().manual_seed(0))
    return tokens.masked_fill(torch.arange(6) >= torch.tensor(lengths)[:, None], 0)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("named", [{}, {"enable_nested_tensor": False}, {"mask_check": False}], ids=str)
def test_the_opened_encoder_answers_zeros_for_padding_where_torchs_does(named):
    net = build(lambda: Pooled(**named)).double().eval()
    graph = traced(net)
    at_end, between, whole = texts(6, 4, 1), texts(6, 4, 3), texts(6, 6)
    between[1, 1] = 0
    for tokens in (at_end, whole, texts(4, 2)) + (() if "mask_check" in named else (between,)):
        for mask in (None, torch.eye(6).roll(1, 1).triu().bool()):
            for gradient in (False, True):
                with torch.set_grad_enabled(gradient):
                    torch.testing.assert_close(graph(tokens, mask), net(tokens, mask), rtol=0, atol=1e-12)
            torch.testing.assert_close(graph.train()(tokens, mask), net.train()(tokens, mask), rtol=0, atol=1e-12)
            graph.eval(), net.eval()
    with torch.no_grad():
        found = graph(at_end)
    assert ((found - graph(at_end)).norm() > 0.1 * found.norm()) == ("enable_nested_tensor" not in named)


# -- layers whose weights alone are stored in int8 --------------------------------------------------------------------


@pytest.mark.parametrize("groups", [1, 2, 6])
def test_a_transposed_convolution_has_a_grid_for_each_output_of_a_group(groups):
    conv = build(lambda: nn.ConvTranspose2d(6, 12, 3, groups=groups)).double()
    with torch.no_grad():
        conv.weight *= torch.logspace(-2, 2, 12 // groups, dtype=torch.float64)[:, None, None]
    net = fake_quantized(nn.Sequential(conv, nn.Conv2d(12, 2, 1).double()))
    weight = conv.weight.detach()
    scale = weight.abs().amax((0, 2, 3), keepdim=True) / 127
    got = net.get_submodule("0").weight
    torch.testing.assert_close(got, (weight / scale).round() * scale, rtol=0, atol=1e-4)
    assert (got - weight).abs().max() > 1e-5


def test_a_normalization_is_folded_into_a_transposed_convolution_unless_it_has_groups():
    net = build(
        lambda: nn.Sequential(
            nn.ConvTranspose2d(3, 8, 3, 2),
            nn.BatchNorm2d(8),
            nn.ConvTranspose2d(8, 4, 2, groups=2),
            nn.BatchNorm2d(4),
            nn.Conv2d(4, 2, 1),
        )
    )
    net = net.double().eval()
    graph = traced(net)
    fold_norms(graph)
    assert [name for name, part in graph.named_modules() if isinstance(part, nn.BatchNorm2d)] == ["3"]
    for batch in (2, 3):
        x = randn(batch, 3, 5, 4)
        torch.testing.assert_close(graph(x), net(x), rtol=0, atol=1e-12)


def test_a_table_has_one_grid_on_which_padding_stays_zero_and_learns():
    net = nn.Sequential(nn.Embedding(9, 4, padding_idx=0), nn.Flatten(), nn.Linear(12, 2))
    quantized = fake_quantized(net)
    weight, tokens = net[0].weight.detach(), torch.tensor([[0, 3, 8], [1, 1, 0]])
    scale = weight.abs().max() / 127
    got = quantized.get_submodule("0")(tokens)
    torch.testing.assert_close(got, ((weight / scale).round() * scale)[tokens], rtol=0, atol=1e-6)
    assert (got[0, 0] == 0).all()
    got.sum().backward()
    gradient = dict(quantized.named_parameters())["0.parametrizations.weight.original"].grad
    assert gradient.sum(1).tolist() == [0, 8, 0, 4, 0, 0, 0, 0, 4]  # how often each row was read, padding left out


def test_tables_that_change_when_read_or_have_sparse_gradients_stay_as_they_are():
    for named in ({"max_norm": 1.0}, {"sparse": True}):
        quantized = fake_quantized(nn.Sequential(nn.Embedding(9, 4, **named), nn.Linear(4, 2)))
        changed = [name for name, part in quantized.named_modules() if isinstance(part, FakeQuantizeWeight)]
        assert changed == ["1.parametrizations.weight.0"]


# -- the file ---------------------------------------------------------------------------------------------------------


def made(name, tmp_path, count=64):
    """A probe in int8: the fake-quantized network, its file, the file's report and examples."""
    probe = PROBES[name]
    quantized = fake_quantized(build(probe.make).eval())
    given = random_like(arguments(probe.example), count, generator=torch.Generator().manual_seed(0))
    observe(quantized, [given])
    free = {"inputs": (1,)} if name in ("mha_self", "encoder_stack", "hand_einsum") else None
    export_onnx(
        frozen(quantized), probe.example, tmp_path / "wide.onnx", exporter="torchscript", tolerance=0.05, free=free
    )
    report = fold_int8(tmp_path / "wide.onnx", tmp_path / "q.onnx", [[part.numpy() for part in given]])
    return quantized, report, given


@pytest.mark.parametrize(
    ("name", "integer"),
    [
        ("decoder", {"Conv": 2, "ConvTranspose": 1}),
        ("grouped_transposed", {"Conv": 2, "ConvTranspose": 2}),
        ("mha_self", {"MatMul": 5, "Gemm": 2}),
        ("mha_cross", {"MatMul": 7}),
        ("encoder_stack", {"MatMul": 12, "Gemm": 1, "Gather": 1}),
        ("decoder_layer", {"MatMul": 13}),
        ("hand_separate", {"MatMul": 5, "Gemm": 2}),
        ("hand_sdpa", {"MatMul": 4, "Gemm": 2}),
        ("hand_einsum", {"MatMul": 3, "Gemm": 2}),
        ("position_buffer", {"MatMul": 4, "Gather": 1, "Add": 1}),
        ("gpt", {"MatMul": 9, "Gather": 2}),
        ("vit", {"Conv": 1, "MatMul": 12, "Gemm": 1}),
        ("kim_cnn", {"Conv": 2, "MatMul": 1, "Gather": 1, "Gemm": 1}),
        ("gcn_batch", {"MatMul": 3, "Gemm": 1}),
    ],
)
def test_the_file_computes_in_int8_as_the_network_does(tmp_path, name, integer):
    quantized, report, given = made(name, tmp_path)
    assert report.quantized == integer
    with torch.no_grad():
        expected = quantized(*given).numpy()
    got = run_session(open_session(tmp_path / "q.onnx"), [part.numpy() for part in given])[0]
    # a sum that falls between two steps may be rounded to either, and what follows moves with it
    assert np.linalg.norm(got - expected) < 0.005 * np.linalg.norm(expected)
    assert (got.argmax(-1) == expected.argmax(-1)).mean() >= 0.99
    graph = onnx.load(str(tmp_path / "q.onnx")).graph
    stored = {t.name: t for t in graph.initializer if t.data_type == onnx.TensorProto.INT8 and len(t.dims) > 1}
    source = {name: node for node in graph.node for name in node.output}
    layers = [part for part in quantized.modules() if isinstance(part, FakeQuantizeWeight)]
    assert len(stored) == len(layers)
    for node in graph.node:
        reads = [source[name] for name in node.input if name in source]
        weights = [one for one in reads if one.op_type == "DequantizeLinear" and one.input[0] in stored]
        if node.op_type in ("Conv", "Gemm", "MatMul") and weights:  # a product of int8 reads two dequantizations
            assert [one.op_type for one in reads[:2]] == ["DequantizeLinear"] * 2
        assert node.op_type != "Transpose" or not weights
        if node.op_type == "Gather" and node.input[0] in stored:  # rows are read in int8, then restored
            assert [one.op_type for one in graph.node if node.output[0] in one.input] == ["DequantizeLinear"]
        if node.op_type == "ConvTranspose":
            assert len(weights) == 1
            assert next(a.i for a in weights[0].attribute if a.name == "axis") == 1


def test_our_transformer_is_computed_in_int8_for_texts_of_any_length(tmp_path):
    config = TransformerEncoder.Config(size=16, feedforward_size=24, vocab_size=40, max_length=12, num_classes=3)
    quantized = fake_quantized(build(config.build).eval())
    tokens = torch.randint(1, 40, (64, 9), generator=torch.Generator().manual_seed(0))
    tokens[::3, 5:] = 0
    observe(quantized, [tokens])
    report = export_onnx(
        frozen(quantized),
        tokens[:2],
        tmp_path / "w.onnx",
        exporter="torchscript",
        tolerance=0.05,
        free={"inputs": (1,)},
    )
    assert report.free == {"inputs": (1,)}
    folded = fold_int8(tmp_path / "w.onnx", tmp_path / "q.onnx", [tokens.numpy()])
    assert folded.quantized == {"Gather": 1, "MatMul": 12, "Gemm": 1}
    assert folded.bytes < 0.5 * folded.bytes_before
    for given in (tokens, tokens[:7, :4]):
        with torch.no_grad():
            expected = quantized(given).numpy()
        got = run_session(open_session(tmp_path / "q.onnx"), given.numpy())[0]
        assert np.linalg.norm(got - expected) < 0.005 * np.linalg.norm(expected)
        assert (got.argmax(-1) == expected.argmax(-1)).mean() >= 0.98


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_the_file_packs_texts_as_torchs_encoder_does_wherever_their_padding_is(tmp_path):
    net = build(Pooled).eval()
    quantized, at_end, between = fake_quantized(net), texts(6, 4, 1), texts(6, 5, 3)
    between[1, 1] = 0
    batches = at_end, between, texts(4, 2), at_end[:, :1]
    observe(quantized, batches)
    export_onnx(
        frozen(quantized), at_end, tmp_path / "w.onnx", exporter="torchscript", tolerance=0.05, free={"inputs": (1,)}
    )
    assert fold_int8(tmp_path / "w.onnx", tmp_path / "q.onnx", [at_end.numpy()]).error < 0.01
    session = open_session(tmp_path / "q.onnx")
    for tokens in batches:
        with torch.no_grad():
            expected = net(tokens).numpy()
        got = run_session(session, tokens.numpy())[0]
        assert np.linalg.norm(got - expected) < 0.05 * np.linalg.norm(expected)


def test_a_table_that_a_last_layer_shares_is_stored_once(tmp_path):
    quantized, _, given = made("tied_functional", tmp_path)
    with torch.no_grad():
        expected = quantized(*given).numpy()
    got = run_session(open_session(tmp_path / "q.onnx"), [part.numpy() for part in given])[0]
    assert np.linalg.norm(got - expected) < 0.005 * np.linalg.norm(expected)
    weights = sum(p.numel() for p in build(PROBES["tied_functional"].make).parameters() if p.ndim > 1)
    stored = [t for t in onnx.load(str(tmp_path / "q.onnx")).graph.initializer if t.data_type == onnx.TensorProto.INT8]
    assert sum(int(np.prod(t.dims)) for t in stored if len(t.dims) > 1) == weights


def test_a_layer_that_is_called_twice_is_stored_once(tmp_path):
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(8, 8)

        def forward(self, x):
            return self.layer(self.layer(x).relu()).mean(1)

    quantized, x = fake_quantized(build(Twice)), randn(4, 5, 8).float()
    observe(quantized, [x])
    export_onnx(frozen(quantized), x, tmp_path / "w.onnx", exporter="torchscript", tolerance=0.05)
    report = fold_int8(tmp_path / "w.onnx", tmp_path / "q.onnx", [x.numpy()])
    assert report.quantized == {"MatMul": 2}
    assert report.error < 0.005
    stored = [t for t in onnx.load(str(tmp_path / "q.onnx")).graph.initializer if t.data_type == onnx.TensorProto.INT8]
    assert [list(t.dims) for t in stored if len(t.dims) > 1] == [[8, 8]]


def test_what_only_the_body_of_a_loop_reads_is_kept(tmp_path):
    net = build(lambda: nn.Sequential(nn.EmbeddingBag(20, 16), nn.Linear(16, 4))).eval()
    quantized, tokens = fake_quantized(net), texts(6, 5, 4)
    observe(quantized, [tokens])
    export_onnx(frozen(quantized), tokens, tmp_path / "w.onnx", exporter="torchscript", tolerance=0.05)
    kinds = {node.op_type for node in onnx.load(str(tmp_path / "w.onnx")).graph.node}
    assert kinds & {"Loop", "If"}  # else this proves nothing
    report = fold_int8(tmp_path / "w.onnx", tmp_path / "q.onnx", [tokens.numpy()])
    assert report.error < 0.005
    with torch.no_grad():
        expected = quantized(tokens).numpy()
    got = run_session(open_session(tmp_path / "q.onnx"), tokens.numpy())[0]
    assert np.linalg.norm(got - expected) < 0.005 * np.linalg.norm(expected)


def test_a_restored_weight_that_a_branch_reads_stays(tmp_path):
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    value = helper.make_tensor_value_info
    branches = {
        f"{kind}_branch": helper.make_graph([helper.make_node(op, ["w"], ["b"])], kind, [], [value("b", floats, None)])
        for kind, op in (("then", "Identity"), ("else", "Neg"))
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["raw", "step", "zero"], ["whole"]),
        helper.make_node("DequantizeLinear", ["whole", "step", "zero"], ["w"]),
        helper.make_node("Transpose", ["w"], ["turned"], perm=[1, 0]),
        helper.make_node("MatMul", ["x", "turned"], ["y"]),
        helper.make_node("Gather", ["x", "first"], ["element"], axis=0),
        helper.make_node("ReduceSum", ["element"], ["total"], keepdims=0),
        helper.make_node("Cast", ["total"], ["which"], to=onnx.TensorProto.BOOL),
        helper.make_node("If", ["which"], ["taken"], **branches),
        helper.make_node("MatMul", ["y", "taken"], ["z"]),
    ]
    raw = randn(4, 3).float().numpy()
    arrays = {"raw": raw, "step": np.float32(abs(raw).max() / 127), "zero": np.int8(0), "first": np.int64(0)}
    tensors = [onnx.numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()]
    shapes = [value("x", floats, ["n", 3])], [value("z", floats, ["n", 3])]
    graph = helper.make_graph(nodes, "branch", *shapes, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(tmp_path / "w.onnx"))
    x = randn(5, 3, seed=1).float().numpy()
    assert fold_int8(tmp_path / "w.onnx", tmp_path / "q.onnx", [x]).error < 1e-5


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn_tanh", "lstm_cell", "crnn"])
def test_recurrent_layers_are_refused_by_name(kind):
    named = {"crnn": r"gru: GRU", "lstm_cell": r"cell: LSTMCell", "rnn_tanh": r"rnn: RNN"}
    expected = named.get(kind, rf"rnn: {kind.upper()}")
    with pytest.raises(UnsupportedError, match=rf"is recurrent \({expected}\): .*take dynamic int8 .*quantize_dynamic"):
        fake_quantized(build(PROBES[kind].make))


def test_an_attention_of_another_class_is_refused():
    class Own(nn.MultiheadAttention):
        def forward(self, x):
            return super().forward(x, x, x)[0].relu()

    with pytest.raises(UnsupportedError, match="cannot be traced for fake quantization"):
        fake_quantized(nn.Sequential(nn.Linear(8, 8), Own(8, 2, batch_first=True)))


def test_a_loop_over_fewer_chunks_than_were_asked_for_is_refused():
    class Chunked(nn.Module):
        def __init__(self, size):
            super().__init__()
            self.first, self.last = nn.Linear(5, size), nn.Linear(size, 3)

        def forward(self, x):
            return self.last(torch.cat([part.relu() for part in self.first(x).chunk(4, -1)], -1))

    x = randn(2, 5).float()
    with pytest.raises(
        UnsupportedError, match=r"chunk was asked for 4 pieces and made 3, \[\(2, 2\), .*; ask for 3, or"
    ):
        observe(fake_quantized(build(lambda: Chunked(5))), [x])
    net = build(lambda: Chunked(7))  # the last piece is smaller
    torch.testing.assert_close(traced(net)(x), net(x))
