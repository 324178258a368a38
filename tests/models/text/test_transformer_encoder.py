import math

import pytest
import torch

from models.text.padding import check_padding_learns_nothing
from netsmith.core.errors import ConfigError
from netsmith.models.text.transformer_encoder import TransformerEncoder


def build(**fields):
    torch.manual_seed(0)
    fields = {"size": 12, "num_heads": 3, "feedforward_size": 10, "vocab_size": 20, "num_classes": 3, **fields}
    model = TransformerEncoder.Config(**{"max_length": 9, **fields}).build().double().eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name or "bias" in name:
                parameter.uniform_(-1, 1)
    return model


def as_torch(model, norm):
    """PyTorch's encoder with the same weights."""
    first = norm == "pre"
    layer = torch.nn.TransformerEncoderLayer(12, 3, 10, dropout=0.0, batch_first=True, norm_first=first)
    last = torch.nn.LayerNorm(12) if first else None
    encoder = torch.nn.TransformerEncoder(layer, len(model.layers), norm=last, enable_nested_tensor=False).double()
    with torch.no_grad():
        for theirs, ours in zip(encoder.layers, model.layers, strict=True):
            own = ours.attention
            theirs.self_attn.in_proj_weight.copy_(torch.cat([own.query.weight, own.key.weight, own.value.weight]))
            moved = torch.rand(12).double()  # a bias of the keys, which ours has not, changes nothing
            theirs.self_attn.in_proj_bias.copy_(torch.cat([own.query.bias, moved, own.value.bias]))
            pairs = (
                (theirs.self_attn.out_proj, own.output),
                (theirs.linear1, ours.wide),
                (theirs.linear2, ours.narrow),
                (theirs.norm1, ours.attention_norm),
                (theirs.norm2, ours.feedforward_norm),
            )
            for to, of in pairs:
                to.weight.copy_(of.weight)
                to.bias.copy_(of.bias)
        if last is not None:
            encoder.norm.weight.copy_(model.norm.weight)
            encoder.norm.bias.copy_(model.norm.bias)
    return encoder.train()  # dropout is 0; in training PyTorch takes its plain path


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_it_equals_the_encoder_of_pytorch_with_any_padding(norm):
    model = build(norm=norm)
    waves = [[(math.sin, math.cos)[i % 2](p / 10_000 ** ((i - i % 2) / 12)) for i in range(12)] for p in range(9)]
    positions = torch.tensor(waves, dtype=torch.float64)
    torch.testing.assert_close(model.positions, positions, rtol=0, atol=1e-6)
    model.positions.copy_(positions)  # in double precision all through
    texts = [[3, 1, 4, 1, 5, 9], [2, 6], [7]]
    for length in (6, 9):
        tokens = torch.tensor([text + [0] * (length - len(text)) for text in texts])
        words = model.embedding.weight[tokens] * 12**0.5 + positions[:length]
        states = as_torch(model, norm)(words, src_key_padding_mask=tokens == 0)
        pooled = torch.stack([state[: len(text)].mean(0) for state, text in zip(states, texts, strict=True)])
        torch.testing.assert_close(model(tokens), model.head(pooled), rtol=0, atol=1e-10)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_padding_learns_nothing_and_all_else_does(norm):
    model = build(norm=norm)
    for name, gradient in check_padding_learns_nothing(model).items():
        assert gradient.abs().max() > 1e-6, name


def test_the_count_the_first_weights_and_what_is_refused():
    torch.manual_seed(0)
    model = TransformerEncoder.Config(vocab_size=2000, max_length=9, num_classes=2).build()
    attention, feedforward = 4 * 128 * 128 + 3 * 128, 2 * 128 * 256 + 256 + 128
    layers = 2 * (attention + feedforward + 4 * 128)
    assert sum(p.numel() for p in model.parameters()) == 2000 * 128 + layers + 2 * 128 + 2 * 128 + 2
    assert model.embedding.weight[0].abs().sum() == 0
    assert float(model.embedding.weight[1:].detach().var()) * 128 == pytest.approx(1, rel=0.02)
    assert "positions" not in model.state_dict()
    with pytest.raises(ConfigError, match="multiple of num_heads 5"):
        TransformerEncoder.Config(num_heads=5)


def test_dropout_falls_in_training_only():
    model = build(dropout=0.5)
    tokens = torch.tensor([[3, 1, 4, 1, 5]])
    assert torch.equal(model(tokens), model(tokens))
    model.train()
    assert not torch.equal(model(tokens), model(tokens))
