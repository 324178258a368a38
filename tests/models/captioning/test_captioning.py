"""Show and tell; show, attend and tell: their equations written out, stepping, the penalty, beams, other encoders."""

import pytest
import torch
from torch.nn import functional as F

from netsmith.core.errors import ConfigError
from netsmith.core.spec import Inputs, Outputs, Spec
from netsmith.engine.batch import Batch
from netsmith.layers.writing import Writing
from netsmith.methods.teacher_forcing import TeacherForcing
from netsmith.models.captioning.show_and_tell import ShowAndTell
from netsmith.models.captioning.show_attend_and_tell import ShowAttendAndTell
from netsmith.models.tabular.mlp import MLP
from netsmith.models.vision.cifar_resnet import CifarResNet
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.tasks.caption import Caption

ENCODER = SmallCNN.Config(channels=(4, 6), num_classes=1, normalization="none", in_channels=3)
SIZES = {"embedding_size": 5, "hidden_size": 7, "num_outputs": 11, "in_channels": 3, "image_size": 8}
TELL = ShowAndTell.Config(encoder=ENCODER, **SIZES)
ATTEND = ShowAttendAndTell.Config(encoder=ENCODER, attention_size=4, penalty=0.5, **SIZES)


def world(config):
    torch.manual_seed(0)
    network = config.build().double().eval()
    written = torch.tensor([[2, 4, 5, 6], [2, 7, 0, 0], [2, 3, 3, 0]])
    return network, torch.rand(3, 3, 8, 8, dtype=torch.float64), written


def lstm_step(weights, x, h, c):
    """One step of an LSTM from its definition, gates in the order i, f, g, o."""
    w, u, b, d = weights
    i, f, g, o = (x @ w.T + b + h @ u.T + d).chunk(4, 1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


@pytest.mark.parametrize("config", [TELL, TELL.derive(pool="all"), ATTEND, ATTEND.derive(gate=False, places=True)])
def test_all_words_at_once_are_as_one_after_the_other(config):
    network, images, written = world(config)
    whole = network(images, written)
    state, found = network.begin(images), []
    for tokens in written.unbind(1):
        logits, state = network.step(tokens, state)
        found.append(logits)
    torch.testing.assert_close(torch.stack(found, 1), whole, rtol=0, atol=1e-10)
    assert whole.shape == (3, 4, 11)


@pytest.mark.parametrize("pool", ["mean", "all"])
def test_show_and_tell_reads_the_picture_as_its_first_word(pool):
    network, images, written = world(TELL.derive(pool=pool))
    maps = network.features.network.stages(images)  # (B, 6, 4, 4)
    seen = maps.mean((2, 3)) if pool == "mean" else maps.permute(0, 2, 3, 1).flatten(1)
    weights = [getattr(network.lstm, f"{name}_l0") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    h = c = images.new_zeros(3, 7)
    h, c = lstm_step(weights, seen @ network.picture.weight.T + network.picture.bias, h, c)
    for place in range(4):
        h, c = lstm_step(weights, network.embedding.weight[written[:, place]], h, c)
        wanted = h @ network.head.weight.T + network.head.bias
        torch.testing.assert_close(network(images, written)[:, place], wanted, rtol=1e-9, atol=1e-11)


def test_show_attend_and_tell_is_its_equations_place_by_place():
    network, images, written = world(ATTEND.derive(places=True))
    a = network.features.network.stages(images).flatten(2).transpose(1, 2) + network.places  # (B, 16, 6)
    cell = network.cell
    weights = [cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh]
    inside = written != 0
    looked = torch.zeros(3, 16, dtype=torch.float64)
    h, c = network.first_hidden(a.mean(1)).tanh(), network.first_cell(a.mean(1)).tanh()
    logits, cost = network.costly(images, written, inside)
    state = network.begin(images)
    for place in range(4):
        energy = torch.empty(3, 16, dtype=torch.float64)
        for row in range(3):
            for at in range(16):
                hidden = network.key.weight @ a[row, at] + network.key.bias + network.query.weight @ h[row]
                energy[row, at] = network.energy.weight[0] @ hidden.tanh()
        alpha = energy.exp() / energy.exp().sum(1, keepdim=True)
        z = torch.stack([sum(alpha[row, at] * a[row, at] for at in range(16)) for row in range(3)])
        z = (h @ network.gate.weight.T + network.gate.bias).sigmoid() * z
        y = network.embedding.weight[written[:, place]]
        h, c = lstm_step(weights, torch.cat([y, z], 1), h, c)
        deep = y + h @ network.from_hidden.weight.T + network.from_hidden.bias + z @ network.from_seen.weight.T
        wanted = deep @ network.head.weight.T + network.head.bias
        torch.testing.assert_close(logits[:, place], wanted, rtol=1e-9, atol=1e-11)
        _, state = network.step(written[:, place], state)
        torch.testing.assert_close(network.attention(state), alpha, rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(alpha.sum(1), torch.ones(3, dtype=torch.float64))
        looked += alpha * inside[:, place, None]
    torch.testing.assert_close(cost, 0.5 * ((1 - looked) ** 2).sum(1), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("sampling", [{}, {"sampling": "constant", "sampling_k": 0.5}])
def test_the_penalty_is_in_the_loss_of_each_text_with_its_weight(sampling):
    spec = Spec(dataset="x", inputs=Inputs(kind="image", shape=(3, 8, 8)), outputs=Outputs(kind="tokens", size=11))
    _, images, written = world(ATTEND)
    targets = F.pad(written[:, 1:], (0, 1), value=2).masked_fill(written == 0, -100)
    weights = torch.tensor([1.0, 3.0, 0.5]).double()
    losses = []
    for penalty in (0.0, 0.5):
        torch.manual_seed(0)
        config = TeacherForcing.Config(model=ATTEND.derive(penalty=penalty), task=Caption.Config(), **sampling)
        method = config.build(spec=spec).double().eval()
        batch = Batch({"source": images, "written": written}, targets, torch.arange(3), None, weights)
        with torch.no_grad():
            losses.append(method._loss(batch, method.own_share(1)))
            _, cost = method.model.writer.costly(images, written, targets != -100)
    if not sampling:
        assert float(losses[1].total - losses[0].total) == pytest.approx(float((cost * weights).sum()), rel=1e-9)
    assert losses[1].total > losses[0].total
    assert losses[1].weight == losses[0].weight


@pytest.mark.parametrize("config", [TELL, ATTEND])
def test_a_search_finds_the_likeliest_of_all_short_texts(config):
    network, images, _ = world(config.derive(num_outputs=5))
    with torch.no_grad():
        network.head.weight.mul_(8)
    found = Writing(network, beams=30, penalty=0.0, longest=3).search(images)
    three = [[a, b, c] for a in (3, 4) for b in (3, 4) for c in (2, 3, 4)]
    texts = torch.tensor([[2, 0, 0], [3, 2, 0], [4, 2, 0], *three])
    for row in range(3):
        written = F.pad(texts[:, :-1], (1, 0), value=2)
        logits = network(images[row : row + 1].expand(len(texts), -1, -1, -1), written).detach()
        logits[..., :2] = -torch.inf
        nats = -logits.log_softmax(2).gather(2, texts[..., None])[..., 0].where(texts != 0, 0).sum(1)
        assert torch.equal(found.tokens[row, 0], texts[nats.argmin()])
        assert float(found.scores[row, 0]) == pytest.approx(-float(nats.min()), rel=1e-9)


def test_any_network_of_the_catalogue_may_be_the_encoder():
    encoder = CifarResNet.Config(depth=8, width=4, num_classes=2, in_channels=3)
    network = ATTEND.derive(encoder=encoder, image_size=32).build()
    assert (network.features.width, network.features.grid) == (16, (8, 8))
    assert network(torch.zeros(2, 3, 32, 32), torch.tensor([[2, 3], [2, 4]])).shape == (2, 2, 11)


def test_what_cannot_see_is_refused_by_name():
    with pytest.raises(ConfigError, match="mlp"):
        ATTEND.derive(encoder=MLP.Config(in_features=192, num_outputs=2)).build()
    with pytest.raises(ConfigError, match="cannot read pictures of 3 x 2 x 2"):
        ATTEND.derive(encoder=ENCODER.derive(channels=(4, 6, 6, 6)), image_size=2).build()
