"""The attention of vision transformers on their pictures, against the weights that they return when asked."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import netsmith
from netsmith.core.errors import UnsupportedError
from netsmith.explain.attention import attention_rollout
from netsmith.explain.patches import patch_attention

SIZE = 8


def seeded(make):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = make().double().eval()
        for parameter in module.parameters():
            parameter.data.add_(torch.randn_like(parameter) * 0.3)
        return module


def images(height=12, width=20, batch=2):
    generator = torch.Generator().manual_seed(1)
    return torch.rand(batch, 3, height, width, dtype=torch.float64, generator=generator)


class Patches(nn.Module):
    """nn.MultiheadAttention over patches of 4 x 4; ``form`` says what else is among the positions."""

    def __init__(self, form, *, first=True, layers=2):
        super().__init__()
        self.form, self.first = form, first
        self.embedding = nn.Conv2d(3, SIZE, 4, stride=4)
        self.extra = nn.Parameter(torch.randn(1, 2, SIZE))
        self.norms = nn.ModuleList([nn.LayerNorm(SIZE) for _ in range(layers)])
        self.attentions = nn.ModuleList([nn.MultiheadAttention(SIZE, 2, batch_first=first) for _ in range(layers)])
        self.head = nn.Linear(SIZE, 3)
        self.need, self.got = False, []

    def forward(self, pictures):
        x = self.embedding(pictures).flatten(2).mT
        extra = self.extra.expand(len(x), -1, -1)
        if self.form == "mixed":
            x = x.flip(1)
        elif self.form == "inner":  # the corners stay where they are
            x = torch.cat([x[:, :5], x[:, 5:10].flip(1), x[:, 10:]], 1)
        elif self.form != "mean":
            x = torch.cat([extra, x] if self.form == "before" else [x, extra], 1)
        self.got = []
        for norm, attention in zip(self.norms, self.attentions, strict=True):
            given = norm(x) if self.first else norm(x).transpose(0, 1)
            more, weights = attention(given, given, given, need_weights=self.need, average_attn_weights=False)
            self.got.append(weights)
            x = x + (more if self.first else more.transpose(0, 1))
        return self.head(
            {"mean": x.mean(1), "before": x[:, 0], "after": x[:, -1], "mixed": x.mean(1), "inner": x.mean(1)}[self.form]
        )


@pytest.mark.parametrize(("form", "first"), [("mean", True), ("before", True), ("after", True), ("before", False)])
def test_multihead_attention_over_patches(form, first):
    module, pictures = seeded(lambda: Patches(form, first=first)), images()
    found, rolled = (patch_attention(module, pictures, rollout=rollout) for rollout in (False, True))
    module.need = True
    module(pictures)
    patches = slice(2, 17) if form == "before" else slice(0, 15)
    for one, weights in ((found, module.got[-1].mean(1)), (rolled, attention_rollout(module.got))):
        row = {"mean": weights.mean(1), "before": weights[:, 0], "after": weights[:, -1]}[form]
        assert one.scores.shape == (2, 3, 5)
        assert one.layer == "attentions.1"
        assert int(one.read[1].sum()) == (15 if form == "mean" else 1)
        assert (one.scores.flatten(1) - row[:, patches]).abs().max() < 1e-14
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())


def test_as_many_pictures_as_positions():
    module, pictures = seeded(lambda: Patches("mean", first=False)), images(batch=15)
    found = patch_attention(module, pictures).scores
    assert (found[:2] - patch_attention(module, pictures[:2]).scores).abs().max() < 1e-14


def test_more_patches_than_one_pass_changes():
    module, pictures = seeded(lambda: Patches("before")), images(24, 24)
    found = patch_attention(module, pictures)
    module.need = True
    module(pictures)
    assert (found.scores.flatten(1) - module.got[-1].mean(1)[:, 0, 2:]).abs().max() < 1e-14


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kernel", ["eager", "sdpa"])
def test_the_vit_of_transformers(kernel):
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        hidden_size=SIZE, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12, image_size=12, patch_size=4,
        num_labels=3, attn_implementation=kernel,
    )  # fmt: skip
    module, pictures = seeded(lambda: transformers.ViTForImageClassification(config)), images(12, 12)

    class Answers(nn.Module):
        def __init__(self):
            super().__init__()
            self.vit = module

        def forward(self, given):
            return self.vit(given).logits

    found = patch_attention(Answers(), pictures)
    rolled = patch_attention(Answers(), pictures, rollout=True).scores
    module.set_attn_implementation("eager")
    weights = module(pictures, output_attentions=True).attentions
    assert found.read.tolist() == [[True] + [False] * 9] * 2
    assert (found.scores.flatten(1) - weights[-1].mean(1)[:, 0, 1:]).abs().max() < 1e-7  # softmax in float32
    assert (rolled.flatten(1) - attention_rollout(weights)[:, 0, 1:]).abs().max() < 1e-7


class Written(nn.Module):
    """Softmax as a layer of its own, as many write it."""

    def __init__(self):
        super().__init__()
        self.projections, self.softmax = nn.Linear(SIZE, 3 * SIZE), nn.Softmax(-1)

    def forward(self, x):
        query, key, value = (part.unflatten(-1, (2, 4)).transpose(1, 2) for part in self.projections(x).chunk(3, -1))
        self.weights = self.softmax(query @ key.mT)
        return (self.weights @ value).transpose(1, 2).flatten(2)


def test_a_softmax_within_a_layer():
    module, pictures = seeded(lambda: Patches("before", layers=1)), images()
    written = seeded(Written)
    module.attentions[0].forward = lambda x, *_, **__: (module.attentions[0].written(x), None)
    module.attentions[0].written = written
    found = patch_attention(module, pictures)
    assert found.layer == "attentions.0.written.softmax"
    assert (found.scores.flatten(1) - written.weights.mean(1)[:2, 0, 2:]).abs().max() < 1e-14


class Windows(nn.Module):
    """Attends within windows of 2 x 2 patches, as Swin does."""

    def __init__(self):
        super().__init__()
        self.embedding, self.attention = nn.Conv2d(3, SIZE, 4, stride=4), nn.MultiheadAttention(SIZE, 2)

    def forward(self, pictures):
        x = F.unfold(self.embedding(pictures), 2, stride=2).unflatten(1, (SIZE, 4))  # (B, D, 4, W)
        x = x.permute(2, 0, 3, 1).flatten(1, 2)
        return self.attention(x, x, x)[0].mean(0).unflatten(0, (len(pictures), -1)).mean(1)


class Sure(nn.Module):
    def forward(self, scores):
        return (1e5 * scores).softmax(-1)


def test_what_cannot_be_laid_on_a_picture_says_why():
    class Bare(nn.Module):
        def forward(self, pictures):
            x = pictures.flatten(2)[:, None]
            return F.scaled_dot_product_attention(x, x, x).mean(3)[:, 0]

    for module, size, why in (
        (seeded(Windows), (16, 16), r"maps \(2, heads, 4, 4\); layer 'attention' has \(8, 2, 4, 4\)"),
        (seeded(lambda: Patches("mixed")), (12, 20), "the 15 positions of the first attention are no row of square"),
        (seeded(lambda: Patches("inner")), (12, 20), "the 15 positions of the first attention are no row of square"),
        (nn.Sequential(seeded(lambda: Patches("mean")), Sure()), (12, 20), "nothing behind the last attention"),
        (nn.Conv2d(3, 3, 3).double(), (12, 20), "Conv2d runs no attention that can be seen"),
        (Bare(), (12, 20), "Bare computes attention in its own forward"),
    ):
        with pytest.raises(UnsupportedError, match=why):
            patch_attention(module, images(*size))


def test_a_picture_of_it(tmp_path):
    module = seeded(lambda: Patches("before")).float()
    network = netsmith.from_module(module, images().float(), classes=("a", "b", "c"))
    found = network.explain(images().float(), tmp_path, method="attention,attention_rollout")
    assert [note.partition(":")[0] for note in found.notes] == ["attention", "attention_rollout"]
    assert "read from 1 of 17 positions of attentions.1, the same for every class" in found.notes[0]
    assert found.groups[0].columns == 3
