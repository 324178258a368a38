import pytest
import torch

from netsmith.core.errors import ConfigError
from netsmith.models.text.text_cnn import TextCNN


def build(**fields):
    torch.manual_seed(0)
    config = TextCNN.Config(embedding_size=6, windows=(2, 3), filters=4, vocab_size=20, num_classes=3, **fields)
    return config.build().double().eval()


def by_loops(model, text):
    """Eqs. 2 and 4 for one text without padding, word by word."""
    words = [model.embedding.weight[token] for token in text]
    pooled = []
    for conv in model.convs:
        size = conv.kernel_size[0]
        for weight, bias in zip(conv.weight, conv.bias, strict=True):
            best = torch.zeros((), dtype=torch.float64)
            for start in range(len(text)):
                window = [(place, words[start + place]) for place in range(size) if start + place < len(text)]
                best = torch.maximum(best, bias + sum(weight[:, place] @ word for place, word in window))
            pooled.append(best)
    return model.head(torch.stack(pooled))


def test_it_computes_what_the_equations_say_with_any_padding():
    model = build()
    for conv in model.convs:
        conv.bias.data.uniform_(-0.5, 0.5)
    texts = [[3, 1, 4, 1, 5, 9], [2, 6], [7]]
    want = torch.stack([by_loops(model, text) for text in texts])
    for length in (6, 9):
        tokens = torch.tensor([text + [0] * (length - len(text)) for text in texts])
        torch.testing.assert_close(model(tokens), want, rtol=0, atol=1e-12)


def test_padding_learns_nothing_and_an_empty_text_has_an_answer():
    model = build(dropout=0.0)
    output = model(torch.tensor([[5, 6, 0, 0], [0, 0, 0, 0]]))
    (gradient,) = torch.autograd.grad(output.square().sum(), [model.embedding.weight])
    assert gradient.isfinite().all()
    assert gradient[0].abs().sum() == 0
    assert gradient[5].abs().sum() > 0
    assert torch.equal(output[1], model.head.bias)


def test_the_count_and_the_first_words():
    model = build()
    assert sum(p.numel() for p in model.parameters()) == 20 * 6 + (6 * 2 + 1) * 4 + (6 * 3 + 1) * 4 + 8 * 3 + 3
    assert model.embedding.weight[0].abs().sum() == 0
    assert 0.2 < model.embedding.weight.abs().max() <= 0.25
    with pytest.raises(ConfigError, match="at least one size"):
        TextCNN.Config(windows=())
