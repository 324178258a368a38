"""explain, from a network to its page: every method, its checks, words in color, the nodes of a graph."""

import io
import math
from unittest import mock

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import netsmith
from netsmith.api.network import Network
from netsmith.cli.output import colored
from netsmith.core.errors import ConfigError, UnsupportedError
from netsmith.core.spec import Inputs, Outputs, Spec
from netsmith.engine.source import Source
from netsmith.engine.task import UNLABELED
from netsmith.models.vision.deep_recurrent_attention import DeepRecurrentAttention
from netsmith.models.vision.spatial_transformer_net import SpatialTransformerNet
from netsmith.tasks.tag import Tag
from netsmith.workflows import explanation
from netsmith.workflows.attributions import Asked, Found, Method, attribute
from netsmith.workflows.checks import check
from netsmith.workflows.explanation import unexplained
from netsmith.workflows.judging import Judged
from netsmith.workflows.method_tables import IMAGES, NODES, SOUNDS, TABLES, TOKENS
from netsmith.workflows.pictures import mistakes_group


def seeded(make):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make().eval()


def read_png(data):
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("L"))[::14, ::14]  # 112 pixels for 8


def images():
    net = seeded(
        lambda: nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 6, 3, padding=1), nn.ReLU(),
            nn.Flatten(), nn.Linear(96, 3),
        )
    )  # fmt: skip
    return netsmith.from_module(net, torch.rand(1, 1, 8, 8), classes=("a", "b", "c"))


def test_every_method_for_images_is_shown_and_checked(tmp_path):
    found = images().explain(torch.rand(2, 1, 8, 8), tmp_path, method="all")
    page = found.page.read_text()
    assert found.groups[0].columns == len(IMAGES) - 1
    checked = [line.partition(":")[0] for line in found.notes if "deletion" in line]
    applies = [name for name in IMAGES if name not in ("attention", "attention_rollout")]
    assert checked == applies
    assert "attention: left out, _Unit runs no attention that can be seen" in "".join(found.notes)
    assert "Checks of the explanations" in page
    for name in applies:
        assert f"<td>{name.replace('_', ' ')}</td>" in page
        assert f"{name} of 1: " in page  # what a screen reader says of its picture
    adds = next(line for line in found.notes if line.startswith("shapley"))
    assert float(adds.partition("adds up within ")[2].partition(",")[0]) < 1e-5
    assert "standard error at most" in adds


def test_the_default_is_fast(tmp_path):
    found = images().explain(torch.rand(2, 1, 8, 8), tmp_path)
    told = [line.partition(":")[0] for line in found.notes if "deletion" in line]
    assert told == ["saliency", "smooth_grad", "integrated_gradients", "grad_cam", "occlusion"]


def test_superpixels_follow_the_picture(tmp_path):
    picture = torch.zeros(1, 1, 8, 8)
    picture[:, :, :, :1] = 1.0  # an edge that no line of the 7 x 7 grid follows
    seen = {}
    for segments in ("grid", "superpixels"):
        with mock.patch("netsmith.workflows.pictures.attribute", wraps=attribute) as spy:
            images().explain(picture, tmp_path, method="lime", segments=segments)
        cut = spy.call_args.args[1].segments[0, 0]
        seen[segments] = bool(set(cut[:, :1].flatten().tolist()) & set(cut[:, 1:].flatten().tolist()))
    assert seen == {"grid": True, "superpixels": False}
    for method in ("", "grad_cam,prototypes"):
        with pytest.raises(UnsupportedError, match="segments are for lime, kernel_shap and shapley; name one of them"):
            images().explain(picture, tmp_path, method=method, segments="superpixels")
    with pytest.raises(ConfigError, match=r"no segments named 'superpixel'; did you mean 'superpixels'\?"):
        images().explain(picture, tmp_path, method="lime", segments="superpixel")


class Bright(nn.Module):
    """Class k likes a bright pixel k; counts the pictures of each pass that may have a gradient."""

    def __init__(self, classes):
        super().__init__()
        self.classes = classes
        self.climbing = []

    def forward(self, pictures):
        if pictures.requires_grad:
            self.climbing.append(len(pictures))
        return pictures.flatten(1)[:, : self.classes]


def test_prototypes_are_of_the_answers_where_there_are_many_classes(tmp_path, monkeypatch):
    module = Bright(40)
    network = netsmith.from_module(module, torch.rand(1, 1, 8, 8), classes=[f"c{k}" for k in range(40)])
    given = torch.zeros(20, 1, 8, 8)
    given.flatten(1)[torch.arange(20), torch.arange(20) + 3] = 1.0
    monkeypatch.setattr("netsmith.workflows.pictures._NUMBERS", 3 * 64)  # three pictures in one pass
    (group,) = network.explain(given, tmp_path, method="prototypes", count=20).groups
    kinds = ("plain", "with priors")
    assert [one.caption for one in group.pictures] == [f"c{k}, {kind}" for k in range(3, 13) for kind in kinds]
    assert "Drawn for 10 of 40 classes, the first answered." in group.text
    assert max(module.climbing) == 3
    plain, held = (int(read_png(one.png)[0, 3]) for one in group.pictures[:2])
    assert plain == 255 > held  # the priors hold it back

    few = netsmith.from_module(Bright(3), torch.rand(1, 1, 8, 8), classes=("a", "b", "c"))
    (group,) = few.explain(given, tmp_path, method="prototypes").groups
    assert len(group.pictures) == 6
    assert "answered" not in group.text


def test_prototypes_of_large_pictures_wait_until_they_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr("netsmith.workflows.pictures._LARGE", 63)
    found = images().explain(torch.rand(1, 1, 8, 8), tmp_path)
    assert "prototypes: left out, drawing 1 x 8 x 8 numbers takes minutes; method prototypes draws them" in found.notes
    assert [group.title for group in found.groups] == ["Single decisions"]
    titles = [group.title for group in images().explain(torch.rand(1, 1, 8, 8), tmp_path, method="prototypes").groups]
    assert titles == ["Class prototypes"]


def test_what_does_not_fit_says_what_does(tmp_path):
    smooth = seeded(lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.Tanh(), nn.Linear(8, 3)))
    network = netsmith.from_module(smooth, torch.rand(1, 1, 8, 8), classes=("a", "b", "c"))
    raw = torch.rand(2, 1, 8, 8)
    with pytest.raises(UnsupportedError) as error:
        network.explain(raw, tmp_path / "why", method="grad_cam,guided_backprop")
    fitting = str(error.value).partition("these fit Sequential: ")[2].split(", ")
    others = ("grad_cam", "guided_backprop", "deconvolution", "attention", "attention_rollout")
    assert fitting == [name for name in IMAGES if name not in others]
    assert not (tmp_path / "why").exists()
    found = network.explain(raw, tmp_path / "why", method="grad_cam,lime")  # something fits
    assert found.notes[0].startswith("grad_cam: left out, Grad-CAM needs a feature map")
    assert found.groups[0].columns == 2
    many = torch.rand(9, 1, 8, 8)
    both = network.explain(many, tmp_path / "both", method="grad_cam,cka")  # what is said of the whole fits
    assert "Grad-CAM needs a feature map" in both.notes[0]
    assert both.groups
    with pytest.raises(UnsupportedError, match="CKA of 3 examples says little"):  # nothing fits
        network.explain(many[:3], tmp_path / "none", method="grad_cam,cka")


class Words(nn.Module):
    """The first class likes token 3, the second token 4."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(9, 2)
        with torch.no_grad():
            self.embedding.weight.zero_()
            self.embedding.weight[3, 0] = self.embedding.weight[4, 1] = 2.0

    def forward(self, tokens):
        return self.embedding(tokens).mean(1)


SIGNED = [name for name in TOKENS if name not in ("attention", "attention_rollout", "saliency", "smooth_grad")]


@pytest.mark.parametrize("method", SIGNED)
def test_words_carry_the_color_of_what_they_gave(tmp_path, method):
    network = netsmith.from_module(Words(), torch.zeros(1, 10, dtype=torch.int64), classes=("no", "yes"))
    found = network.explain([[1, 3, 2, 3, 5, 6, 7, 4, 1, 2]], tmp_path, method=method)
    (text,) = found.texts
    assert (text.heading, text.method) == ("1: no (55%)", method)
    assert [word for word, _ in text.words] == ["1", "3", "2", "3", "5", "6", "7", "4", "1", "2"]
    values = dict(enumerate(value for _, value in text.words))
    assert {at for at, value in values.items() if value > 0.1} == {1, 3}
    page = found.page.read_text()
    assert page.count('<span style="background:rgba(196,87,31,0.75)"') >= 1
    assert "WARNING" not in next(line for line in found.notes if line.startswith(method))


def test_why_words_have_no_gradient_is_told_as_it_is(tmp_path):
    class Twice(Words):
        def forward(self, tokens):
            return super().forward(tokens) + super().forward(tokens.flip(1))

    class TimeFirst(Words):
        def forward(self, tokens):
            return self.embedding(tokens.t()).mean(0)

    for module, reason in (
        (Twice(), "layer 'embedding' runs 2 times in one pass"),
        (TimeFirst(), r"layer 'embedding' returns \(4, 1, 2\) for a batch of 1"),
    ):
        network = netsmith.from_module(module, torch.zeros(1, 4, dtype=torch.int64), classes=("no", "yes"))
        with pytest.raises(UnsupportedError, match=f"^saliency needs a gradient, and {reason}; expected .*need none"):
            network.explain([[1, 3, 2, 3]], tmp_path, method="saliency")
        notes = network.explain([[1, 3, 2, 3]], tmp_path).notes
        assert notes[0].startswith(f"integrated_gradients: left out, {reason[:15]}")
        assert notes[1].startswith("occlusion: ")


@pytest.mark.parametrize("method", ["integrated_gradients", "input_x_gradient", "saliency", "smooth_grad"])
def test_a_token_the_module_adds_does_not_shift_the_scores_of_the_words(tmp_path, method):
    class Starts(Words):
        def forward(self, tokens):
            return super().forward(torch.cat([torch.full_like(tokens[:, :1], 8), tokens], 1))

    network = netsmith.from_module(Starts(), torch.zeros(1, 4, dtype=torch.int64), classes=("no", "yes"))
    with pytest.raises(UnsupportedError, match=r"'embedding' embeds \(1, 5\) places; expected \(1, 4\)"):
        network.explain([[1, 3, 2, 3]], tmp_path, method=method)


class Likes(Words):
    """Which tokens matter depends on what they are: the mean passes a bend."""

    def forward(self, tokens):
        return (self.embedding(tokens) ** 2).mean(1)


@pytest.mark.parametrize("method", ["saliency", "smooth_grad"])
def test_how_far_the_score_moves_with_each_word_says_no_sign(tmp_path, method):
    vocabulary = ("<pad>", "<unk>", *"abcdefg")
    spec = Spec(
        dataset="mine",
        inputs=Inputs(kind="text", shape=(10,), vocabulary=vocabulary),
        outputs=Outputs(kind="classes", names=("no", "yes"), size=2),
    )
    raw = torch.tensor([[3, 2, 3, 5, 6, 7, 8, 1, 2, 0]])
    found = Network(Likes(), spec, name="likes").explain(raw, tmp_path, method=method)
    (text,) = found.texts
    words = dict(enumerate(text.words))
    assert len(words) == 9  # the padding has none
    values = [value for _, value in text.words]
    assert values[0] == pytest.approx(0.4, abs=0.1 if method == "smooth_grad" else 1e-6)  # 2 e / 10
    assert {at for at, value in enumerate(values) if value > 0.2} == {0, 2}
    assert min(values) >= 0
    assert found.notes[0].startswith(f"{method}: deletion")
    assert "how much it matters, for or against" in found.notes[0]
    assert "<p>how much it matters, for or against</p>" in found.page.read_text()


class Attends(nn.Module):
    """Every word looks at every word; without ``everywhere`` one learned query does."""

    def __init__(self, everywhere=True):
        super().__init__()
        self.embedding = nn.Embedding(9, 4)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.query = nn.Parameter(torch.randn(1, 1, 4))
        self.head = nn.Linear(4, 2)
        self.everywhere = everywhere

    def look(self, tokens, **settings):
        words = self.embedding(tokens)
        query = words if self.everywhere else self.query.expand(len(words), -1, -1)
        return self.attention(query, words, words, key_padding_mask=tokens == 0, **settings)

    def forward(self, tokens):
        seen, given = self.look(tokens, need_weights=False)[0], (tokens > 0).float()[..., None]
        return self.head((seen * given).sum(1) / given.sum(1) if self.everywhere else seen[:, 0])


def attending(**settings):
    spec = Spec(
        dataset="mine",
        inputs=Inputs(kind="text", shape=(5,), vocabulary=("<pad>", "<unk>", *"abcdefg")),
        outputs=Outputs(kind="classes", names=("no", "yes"), size=2),
    )
    return Network(seeded(lambda: Attends(**settings)), spec, name="attends")


def test_attention_and_rollout_of_a_module_of_ones_own(tmp_path):
    network = attending()
    tokens = torch.tensor([[2, 3, 4, 0, 0]])
    weights = network.module.look(tokens, average_attn_weights=True)[1][0].detach()
    found = network.explain(tokens, tmp_path, method="attention,attention_rollout")
    looked, rolled = ([value for _, value in text.words] for text in found.texts)
    assert looked == pytest.approx(weights[:3, :3].mean(0).tolist(), abs=1e-6)
    assert rolled == pytest.approx((0.5 * weights[:3, :3].mean(0) + 0.5 / 3).tolist(), abs=1e-6)
    assert "of attention, the same for every class" in found.notes[0]
    assert "the same for every class" in found.notes[1]
    page = found.page.read_text()
    for row, first in enumerate("abc"):
        for column, second in enumerate("abc"):
            assert f"<title>{first} from {second}: {float(weights[row, column]):.2f}</title>" in page
    assert (
        "attention, the mean of its 2 heads: a row for each place, a column for each word it takes from; the darkest is"
        in page
    )
    assert page.count("attention, head") == 4  # two pictures: what is read of each, and what is said of it
    assert page.count("fill-opacity:1.000") == 2  # the darkest of each matrix


class Hides(Attends):
    """No word may look at the words before ``first``, and the first of all at no word."""

    def __init__(self, first):
        super().__init__()
        self.first = first

    def forward(self, tokens):
        words, places = self.embedding(tokens), torch.arange(tokens.shape[1])
        hidden = (places < self.first)[None] | (places[:, None] == 0)
        return self.head(torch.nan_to_num(self.attention(words, words, words, attn_mask=hidden)[0]).mean(1))


def test_attention_that_looks_nowhere_is_no_end_of_the_explanation(tmp_path):
    for first, shown in ((1, 1), (3, 0)):
        network = netsmith.from_module(
            seeded(lambda first=first: Hides(first)), torch.ones(1, 3, dtype=torch.int64), classes=("no", "yes")
        )
        found = network.explain([[2, 3, 4]], tmp_path, method="attention")
        values = [value for _, value in found.texts[0].words]
        assert values[0] == 0
        assert sum(values) == pytest.approx(2 / 3 if first == 1 else 0.0)  # two places of three look at a word
        page = found.page.read_text()
        assert page.count("a row for each place") == shown
        assert page.count("attention: its matrix is left out, no place looks at any of the words") == 1 - shown
        assert page.count("<title>2 from 3: 0.00</title>") == shown


def test_one_query_over_the_words_has_attention_and_no_rollout(tmp_path):
    network = attending(everywhere=False)
    tokens = torch.tensor([[2, 3, 4, 0, 0]])
    weights = network.module.look(tokens)[1][0, 0].detach()
    found = network.explain(tokens, tmp_path, method="attention,attention_rollout")
    assert found.notes[0].startswith("attention_rollout: left out")
    assert [value for _, value in found.texts[0].words] == pytest.approx(weights[:3].tolist(), abs=1e-6)
    assert "<title>place 1 from a:" in found.page.read_text()
    plain = netsmith.from_module(Words(), torch.zeros(1, 4, dtype=torch.int64), classes=("no", "yes"))
    with pytest.raises(UnsupportedError, match="runs no attention that can be seen"):
        plain.explain([[1, 3, 2, 4]], tmp_path, method="attention")
    with pytest.raises(ConfigError, match="did you mean 'attention_rollout'"):
        plain.explain([[1, 3, 2, 4]], tmp_path, method="rollout")


def test_colors_are_for_terminals(monkeypatch, capsys):
    words = [("go\x1b[2Jod", 1.0), ("bad", -0.4), ("so", 0.0)]
    colored("1: yes", words)
    assert capsys.readouterr().out == ""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    colored("1: yes", words)
    out = capsys.readouterr().out
    assert "48;2;196;87;31" in out
    assert "38;2;47;91;196" in out
    assert "go\\x1b[2Jod" in out  # nothing that a terminal would obey


@pytest.mark.parametrize("method", TABLES)
def test_every_method_for_tables(tmp_path, method):
    module = nn.Sequential(nn.Linear(3, 2, bias=False), nn.ReLU(), nn.Linear(2, 2, bias=False))
    module[0].weight.data = torch.tensor([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]])
    module[2].weight.data = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    network = netsmith.from_module(module, torch.zeros(1, 3), classes=("no", "yes"))
    found = network.explain([[2.0, 2.0, 2.0]], tmp_path, method=method)
    assert found.notes[-1].startswith("1: no (100%): column 3 +")
    assert found.texts == ()


def test_the_nodes_and_edges_of_a_graph(tmp_path):
    sets = {"data.twin": True, "epochs": 20}
    run = netsmith.train("gcn_cora", sets=sets, root=tmp_path, name="g", notice=lambda _: None)
    told = []
    run.network.notice = told.append
    found = run.explain(count=3)
    assert told == ["explaining 3 nodes, one after the other"]
    page = found.page.read_text()
    assert page.count("Nodes, by input x gradient") == 3
    assert page.count("Edges, by removal") == 3
    assert sum(line.startswith("test node ") for line in found.notes) == 6
    assert found.notes[0].startswith("input_x_gradient: deletion")
    every = run.explain(count=1, method=",".join(NODES))
    assert [line.partition(":")[0] for line in every.notes if "deletion" in line] == list(NODES)
    with pytest.raises(UnsupportedError, match="'grad_cam' does not apply to graph inputs; these do: input_x_gradient"):
        run.explain(method="grad_cam")
    nodes = torch.rand(4, run.network.spec.inputs.shape[-1])
    one = {"nodes": nodes.tolist(), "edges": [[0, 1], [1, 0], [1, 2], [2, 1]]}
    given = run.network.explain([one], tmp_path / "why", count=4)
    assert sum(line.startswith("node 3: ") for line in given.notes) == 2
    assert next(line for line in given.notes if line.startswith("node 3:") and "edges" in line).endswith("none matters")


def test_what_fails_its_checks_is_told():
    module = nn.Sequential(nn.Flatten(), nn.Linear(16, 2, bias=False))
    with torch.no_grad():
        module[1].weight.copy_(torch.stack([torch.arange(16.0), -torch.arange(16.0)]) / 20)
    asked = Asked(module, torch.ones(1, 16), torch.zeros(1, dtype=torch.int64), fill=0.0)

    def judged(scores, **more):
        found = Found(scores[None], **more)
        method = Method(
            lambda asked: Found(scores[None] if asked.module is module else scores[None] + 0), gradient=False
        )
        return check({"mine": method}, [(asked, {"mine": found})])[0]

    right = torch.arange(16.0)
    told = judged(right)
    assert told.faults == ("it stays alike when the weights are shuffled: it shows the input more than the network",)
    assert told.deletion[0] < told.deletion[1]
    assert told.insertion[0] > told.insertion[1]
    wrong = judged(-right, error=torch.tensor([5.0]), doubt="it says so itself")
    assert wrong.faults[0] == "what it calls important matters no more than random parts"
    assert wrong.faults[2:] == ("it does not add up (scores reach 6)", "it says so itself")
    assert "WARNING" in wrong.line()
    assert "warning" in wrong.row()[-1]


class Both(nn.Module):
    """The class needs the first and the second place."""

    def forward(self, rows):
        score = 8 * rows[:, 0] * rows[:, 1] - 4
        return torch.stack([score, -score], 1)


def test_curves_are_kept_and_drawn(tmp_path):
    scores = torch.arange(16, 0, -1.0)[None]
    asked = Asked(Both(), torch.ones(1, 16), torch.zeros(1, dtype=torch.int64), fill=0.0)
    (told,) = check({"mine": Method(lambda _: Found(scores), gradient=False)}, [(asked, {"mine": Found(scores)})])
    names = ["deletion", "deletion, random order", "insertion", "insertion, random order"]
    assert [curve.name for curve in told.curves] == names
    deletion, _, insertion, _ = told.curves
    assert deletion.xs == [round(16 * at / 10) / 16 for at in range(11)]
    high, low = 1 / (1 + math.exp(-8)), 1 / (1 + math.exp(8))
    assert deletion.ys == pytest.approx([high, *[low] * 10])  # both places are the first to go
    assert insertion.ys == pytest.approx([low, *[high] * 10])
    areas = [sum((b - a) * (y + z) / 2 for a, b, y, z in zip(c.xs, c.xs[1:], c.ys, c.ys[1:])) for c in told.curves]  # noqa: B905
    assert areas == pytest.approx([*told.deletion, *told.insertion])
    page = images().explain(torch.rand(1, 1, 8, 8), tmp_path, method="saliency").page.read_text()
    assert all(f">{name}<" in page for name in names)


def test_what_was_not_checked_is_told(tmp_path):
    buffers = images().module
    for part in list(buffers.modules()):
        for name, parameter in list(part.named_parameters(recurse=False)):
            delattr(part, name)
            part.register_buffer(name, parameter.detach())
    network = netsmith.from_module(buffers, torch.rand(1, 1, 8, 8), classes=("a", "b", "c"))
    found = network.explain(torch.rand(1, 1, 8, 8), tmp_path, method="occlusion")
    assert found.notes[0].endswith("; not checked: shuffled weights (the network has no parameters)")
    assert "not checked: shuffled weights" in found.page.read_text()
    network = netsmith.from_module(Words(), torch.zeros(1, 4, dtype=torch.int64), classes=("no", "yes"))
    found = network.explain([[1, 3, 2, 4]], tmp_path, method="occlusion")
    assert "; not checked: shuffled weights (the ranks of 4 parts are alike by chance)" in found.notes[0]
    assert "not checked" not in images().explain(torch.rand(1, 1, 8, 8), tmp_path, method="occlusion").notes[0]


@pytest.mark.parametrize(
    ("order", "fault"),
    [
        ([0, *range(2, 16), 1], "bringing in what it calls important raises the score no more than random parts do"),
        ([*range(2, 15), 0, 1, 15], "what it calls important matters no more than random parts"),
        ([*range(16)], ""),
    ],
)
def test_a_method_that_fails_at_insertion_alone_is_warned_of(order, fault):
    scores = torch.empty(1, 16)
    scores[0, order] = torch.arange(16, 0, -1.0)
    asked = Asked(Both(), torch.ones(1, 16), torch.zeros(1, dtype=torch.int64), fill=0.0)
    (told,) = check({"mine": Method(lambda _: Found(scores), gradient=False)}, [(asked, {"mine": Found(scores)})])
    assert told.faults == ((fault,) if fault else ())


def test_attention_that_cannot_be_laid_on_the_words_is_left_out_by_name(tmp_path):
    class OneMore(Attends):
        def look(self, tokens, **settings):
            words = torch.cat([self.query.expand(len(tokens), -1, -1), self.embedding(tokens)], 1)
            return self.attention(words, words, words, **settings)

        def forward(self, tokens):
            return self.head(self.look(tokens)[0][:, 0])

    network = netsmith.from_module(seeded(OneMore), torch.zeros(1, 5, dtype=torch.int64), classes=("no", "yes"))
    found = network.explain([[1, 2, 3, 4, 5]], tmp_path, method="attention,attention_rollout,occlusion")
    first, second = (
        next(note for note in found.notes if note.startswith(f"{name}:")) for name in ("attention", "attention_rollout")
    )
    assert "left out, attention over 5 tokens has maps of as many columns" in first
    assert "attends to 6 positions" in first
    assert "attends from 6 positions to 6" in second


def test_pictures_that_are_long_or_large(tmp_path):
    seen = []

    class Counts(nn.Module):
        def forward(self, pictures):
            seen.append(pictures.numel())
            return torch.stack([pictures.mean((1, 2, 3)), pictures.amax((1, 2, 3))], 1)

    network = netsmith.from_module(Counts(), torch.rand(1, 1, 4, 64), classes=("a", "b"))
    assert network.explain(torch.rand(1, 1, 4, 64), tmp_path, method="occlusion").groups
    network = netsmith.from_module(Counts(), torch.rand(1, 3, 160, 160), classes=("a", "b"))
    seen.clear()
    network.explain(torch.rand(1, 3, 160, 160), tmp_path, method="integrated_gradients,occlusion,smooth_grad")
    assert max(seen) <= 2_000_000


@pytest.mark.parametrize(
    ("kind", "answers", "reason"),
    [
        ("image", "classes", ""),
        ("table", "classes", ""),
        ("graph", "tags", ""),
        ("audio", "classes", ""),
        ("series", "classes", "explain works on images, texts, tables, graphs and sounds; one takes series inputs"),
        ("image", "tags", ""),
        ("text", "tags", "explain works on classes for now; one answers tags (several labels for one example: no"),
        ("table", "values", "explain works on classes for now; one answers values"),
    ],
)
def test_what_cannot_be_explained_says_why(tmp_path, kind, answers, reason):
    spec = Spec(dataset="mine", inputs=Inputs(kind=kind, shape=(1, 2, 2)), outputs=Outputs(kind=answers, size=2))
    network = Network(nn.Flatten(), spec, name="one")
    assert unexplained(network).startswith(reason)
    assert bool(unexplained(network)) == bool(reason)
    if reason:
        with pytest.raises(UnsupportedError) as error:
            network.explain(torch.zeros(1, 1, 2, 2), tmp_path)
        assert str(error.value) == unexplained(network)


class Loud(nn.Module):
    """The first class likes power in the first fifth of a sound, the second in the last."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, sounds):
        power = self.weight * sounds[:, 0] ** 2
        return torch.stack([power[:, :160].mean(1), power[:, -160:].mean(1)], 1) * 10


def sounds():
    inputs = Inputs(kind="audio", shape=(1, 800), rate=8000, low=-1.0, high=1.0)
    spec = Spec(dataset="mine", inputs=inputs, outputs=Outputs(kind="classes", names=("a", "b"), size=2))
    return Network(Loud(), spec, name="loud")


def test_every_method_for_sounds_finds_the_windows_that_spoke(tmp_path):
    wave = torch.rand(1, 1, 800, generator=torch.Generator().manual_seed(0)) * 2 - 1
    wave[:, :, -160:] *= 0.2
    found = sounds().explain(wave, tmp_path, method=",".join(SOUNDS))
    told = {line.partition(":")[0]: line for line in found.notes if "deletion" in line}
    assert list(told) == list(SOUNDS)
    assert float(told["integrated_gradients"].partition("adds up within ")[2].partition(":")[0]) < 1e-5
    for name in SOUNDS:
        (line,) = (line for line in found.notes if f", by {name}: " in line)
        assert line.startswith("1: a (")
        first = line.partition(f"by {name}: ")[2].partition("-")[0]
        assert 0 <= float(first) < 20  # ms
    assert found.page.read_text().count('class="figure"') == 2 * len(SOUNDS)  # a wave and curves of each
    fast = sounds().explain(wave, tmp_path)
    assert [line.partition(":")[0] for line in fast.notes if "deletion" in line] == [
        "integrated_gradients",
        "occlusion",
    ]
    with pytest.raises(UnsupportedError, match="'grad_cam' does not apply to audio inputs; these do: input_x_gradient"):
        sounds().explain(wave, tmp_path, method="grad_cam")


def test_a_sound_without_a_gradient_is_explained_by_silence(tmp_path):
    class Steps(Loud):
        def forward(self, sounds):
            return super().forward(torch.round(sounds * 100).long() / 100)

    network = Network(Steps(), sounds().spec, name="steps")
    found = network.explain(0.5 * torch.ones(1, 1, 800), tmp_path)
    assert found.notes[0].startswith(
        "integrated_gradients: left out, the score does not depend on the inputs by a diff"
    )
    assert found.notes[-1].startswith("1: a (50%): 0-2.5 ms ")


def test_what_a_window_gave_is_summed_over_the_channels(tmp_path):
    class Second(Loud):
        def forward(self, sounds):
            return super().forward(sounds[:, 1:])

    inputs = Inputs(kind="audio", shape=(2, 800), rate=8000, low=-1.0, high=1.0)
    network = Network(Second(), Spec(dataset="mine", inputs=inputs, outputs=sounds().spec.outputs), name="stereo")
    wave = torch.rand(1, 2, 800, generator=torch.Generator().manual_seed(0)) * 2 - 1
    wave[:, :, -160:] *= 0.2
    found = network.explain(wave, tmp_path, method="occlusion,integrated_gradients")
    alone = sounds().explain(wave[:, 1:], tmp_path / "one", method="occlusion,integrated_gradients")
    assert found.notes[-2:] == alone.notes[-2:]  # the windows, and what they gave
    told = "Drawn is the mean of its 2 channels; what a window gave is summed over them."
    assert told in found.page.read_text()
    assert told[:20] not in alone.page.read_text()


@pytest.mark.parametrize("shape", [(40,), (1, 1, 40)])
def test_sounds_without_an_axis_of_channels_are_refused_by_name(tmp_path, shape):
    module = nn.Sequential(nn.Flatten(), nn.LazyLinear(2))
    network = netsmith.from_module(module, torch.rand(3, *shape), kind="audio", classes=("a", "b"))
    told = ", ".join(map(str, shape))
    with pytest.raises(UnsupportedError, match=rf"channels of sound .* Sequential takes \(B, {told}\)$"):
        network.explain(torch.rand(3, *shape), tmp_path)


class Pooled(nn.Module):
    """The class of a graph by the mean of its nodes."""

    def forward(self, graphs):
        return graphs["nodes"].mean(1)


def test_a_graph_with_one_answer(tmp_path):
    nodes = {"nodes": [[9.0, 0.0], [0.0, 0.1], [1.0, 0.0]], "edges": [[0, 1], [1, 0]]}
    inputs, outputs = Inputs(kind="graph", shape=(-1, 2)), Outputs(kind="classes", names=("a", "b"), size=2)
    network = Network(Pooled(), Spec(dataset="mine", inputs=inputs, outputs=outputs), name="pooled")
    for method in ("", "occlusion"):
        found = network.explain([nodes], tmp_path, method=method)
        line = next(line for line in found.notes if line.startswith("graph 1: a"))
        assert line.partition("%): ")[2].startswith("node 0 +3.00, node 2 +0.33")
    assert "It has 3 nodes." in found.page.read_text()


def test_graphs_of_data_with_one_answer_each(tmp_path, monkeypatch):
    targets = torch.tensor([0, 1, 0])
    raw = {"nodes": torch.rand(3, 3, 2), "edges": torch.zeros(3, 1, 2, dtype=torch.int64)}
    monkeypatch.setattr(explanation, "judge", lambda *_: Judged(raw, targets, torch.eye(2)[targets]))
    source = mock.Mock(spec=Source)
    source.splits.return_value = ("test",)
    run = mock.Mock()
    run.engine.source = source
    examples = explanation._of_data(run, 2)
    assert examples.names == ["test graph 0"]
    assert torch.equal(examples.raw["nodes"], raw["nodes"][:1])


def test_global_methods_see_all_that_is_given_once(tmp_path):
    pytest.importorskip("matplotlib")
    module = seeded(lambda: nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)))
    network = netsmith.from_module(module, torch.zeros(1, 4), classes=("a", "b"))
    rows = torch.randn(12, 4, generator=torch.Generator().manual_seed(0))
    found = network.explain(rows, tmp_path, method="rsa,rsa", count=4)
    assert [group.title for group in found.groups] == ["Dissimilarity matrices", "Layers compared"]
    assert "12 examples" in found.groups[1].text
    found = network.explain(rows, tmp_path, method="gradient,probes", count=2)
    assert "probes: left out, linear probes needs examples with one known class each" in found.notes
    assert any(note.startswith("2: ") for note in found.notes)
    assert not any(note.startswith("3: ") for note in found.notes)
    with pytest.raises(UnsupportedError, match=r"'units' does not apply to table inputs; these do: (?!.*feature_maps)"):
        network.explain(rows, tmp_path, method="units")


def test_a_map_of_a_moved_image_is_told(tmp_path):
    torch.manual_seed(0)
    config = SpatialTransformerNet.Config(in_channels=1, image_size=42, num_classes=3)
    network = netsmith.from_module(config.build(), torch.rand(1, 1, 42, 42), classes=("a", "b", "c"))
    found = network.explain(torch.rand(2, 1, 42, 42), tmp_path / "why", method="grad_cam,saliency")
    by_method = {note.partition(":")[0]: note for note in found.notes}
    assert "its map is of the image the spatial transformer made" in by_method["grad_cam"]
    assert "spatial transformer" not in by_method["saliency"]


def reader(**fields):
    """A network that reads two of three classes off an image, one after the other."""
    fields = {"glimpses": 2, "size": 4, "channels": (2, 2, 2), "context_channels": (2, 2, 2), "hidden_size": 6} | fields
    config = DeepRecurrentAttention.Config(**fields, in_channels=1, image_size=20, num_classes=3)
    inputs = Inputs(kind="image", shape=(1, 20, 20), low=0.0, high=1.0)
    spec = Spec(dataset="mine", inputs=inputs, outputs=Outputs(kind="tags", names=("a", "b", "c"), size=3))
    return Network(seeded(config.build), spec, task=Tag.Config().build(), name="reader")


def test_each_label_that_is_read_has_its_own_pictures(tmp_path):
    network, pictures = reader(), torch.rand(2, 1, 20, 20, generator=torch.Generator().manual_seed(0))
    with mock.patch("netsmith.workflows.pictures.attribute", wraps=attribute) as spy:
        found = network.explain(pictures, tmp_path, method="saliency,occlusion")
    assert [group.title for group in found.groups] == ["Label 1 of 2", "Label 2 of 2"]
    logits = network(pictures)
    for number, call in enumerate(spy.call_args_list):
        asked = call.args[1]
        assert torch.equal(asked.targets, logits[:, number].argmax(1))
        variable = pictures.clone().requires_grad_(True)
        score = network.shipped(variable)[[0, 1], number, asked.targets].sum()
        (slope,) = torch.autograd.grad(score, variable)
        torch.testing.assert_close(IMAGES["saliency"].run(asked).scores, slope[:, 0].abs())
        name = network.spec.outputs.names[int(asked.targets[1])]
        assert found.groups[number].pictures[3].caption.startswith(f"2, label {number + 1}: {name} (")
    assert [line.partition(":")[0] for line in found.notes if "deletion" in line] == ["saliency", "occlusion"]
    (told,) = (note for note in found.notes if note.startswith("reader looks at whole pixels"))
    assert "integrated_gradients need not add up; occlusion, lime, kernel_shap, shapley tell also" in told


def test_what_does_not_fit_several_labels_is_named(tmp_path):
    network, pictures = reader(), torch.rand(1, 1, 20, 20)
    with pytest.raises(UnsupportedError, match=r"score does not depend on layer .*; these fit reader: saliency, "):
        network.explain(pictures, tmp_path, method="grad_cam")
    with pytest.raises(UnsupportedError, match=r"'prototypes' does not apply to images with several labels; these do"):
        network.explain(pictures, tmp_path, method="prototypes")
    with pytest.raises(UnsupportedError, match=r"up to 16 labels in a row, for an image; reader answers with 17 of"):
        reader(objects=17).explain(pictures, tmp_path)


def test_pictures_whose_labels_are_not_all_right_come_first(monkeypatch, tmp_path):
    raw, targets = torch.rand(4, 1, 20, 20), torch.tensor([[0, 1], [1, 1], [2, UNLABELED], [0, 0]])
    answers = torch.tensor([[0, 1], [1, 0], [2, 0], [0, 0]])
    labeled = targets != UNLABELED
    judged = Judged(raw, targets[labeled], torch.eye(3)[answers][labeled], labeled)
    monkeypatch.setattr(explanation, "judge", lambda *_: judged)
    source = mock.Mock(spec=Source)
    source.splits.return_value = ("test",)
    run = mock.Mock()
    run.engine.source = source
    examples = explanation._of_data(run, 3)
    assert examples.names == ["test 1", "test 0", "test 2"]
    assert torch.equal(examples.raw, raw[[1, 0, 2]])
    (picture,) = mistakes_group(reader(), judged).pictures
    assert picture.caption.startswith("label 2: b taken for a (")
