"""The slot tagger: its equations step by step, sets of words ahead, windows, bags, Jordan, padding, the chain."""

import pytest
import torch

from netsmith.core.errors import ConfigError
from netsmith.core.spec import Inputs, Outputs, Spec, TokenFeature
from netsmith.layers.chain import surprisal
from netsmith.layers.linear_chain import pack
from netsmith.models.sequence.bilstm_crf import BiLSTMCRF
from netsmith.models.sequence.slot_tagger import SlotTagger

TEXTS = [[5, 2, 2, 3, 7], [4, 4], [6]]
KINDS = [
    {},
    {"window": 3, "bidirectional": True},
    {"lookahead": 2, "features": "request"},
    {"cell": "jordan", "features": "window", "feature_window": 1},
    {"cell": "jordan", "bidirectional": True, "window": 5},
    {"cell": "lstm", "lookahead": 1, "window": 3, "features": "window", "feature_window": 2},
    {"cell": "gru", "bidirectional": True, "crf": True, "features": "request"},
    {"cell": "lstm", "bidirectional": True, "frame": True},
]
COLUMNS = {"features": "columns", "feature_sizes": (3, 2)}
BESIDE = [[3, 1], [0, 2], [2, 0], [1, 1], [0, 0]]  # of each word of the first text; 0: a value never seen


def padded(rows, length):
    return torch.tensor([row + [0] * (length - len(row)) for row in rows])


def build(**fields):
    torch.manual_seed(0)
    sizes = {"embedding_size": 4, "hidden_size": 3, "vocab_size": 9, "num_classes": 5}
    model = SlotTagger.Config(**sizes | fields).build().double().eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.5)
        model.embedding.weight[0] = 0
    return model


def test_an_elman_network_is_the_papers_equations():
    """s = f(U x + W s' + F f), y = V s + G f with n-hot x, n-hot f: products of matrices and vectors of words."""
    model = build(lookahead=1, features="window", feature_window=1)
    cell = model.recurrent.passes[0]
    given = cell.weight_ih_l0
    embed, inner = model.embedding.weight, cell.weight_hh_l0
    u, f = given[:, :4] @ embed.T, given[:, 4:]  # (H, V) each
    bias = cell.bias_ih_l0 + cell.bias_hh_l0
    for text in TEXTS:
        found = model(torch.tensor([text]))[0]
        state = torch.zeros(3).double()
        for at in range(len(text)):
            x, bag = torch.zeros(9).double(), torch.zeros(9).double()
            x[text[at : at + 2]] = 1.0
            bag[text[max(0, at - 1) : at + 2]] = 1.0
            state = torch.tanh(u @ x + inner @ state + f @ bag + bias)
            wanted = model.head(state) + model.features.weight @ bag
            torch.testing.assert_close(found[at], wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("crf", [False, True])
def test_the_columns_of_each_word_are_one_hot_features_of_the_papers_equations(crf):
    """s = f(U x + W s' + sum_j F_j f_j), y = V s + sum_j G_j f_j, each vector of features written out."""
    model = build(crf=crf, **COLUMNS)
    cell = model.recurrent.passes[0]
    given = cell.weight_ih_l0
    u, f = given[:, :4], (given[:, 4:7], given[:, 7:])
    g = model.features.weight[:, :3], model.features.weight[:, 3:]
    bias = cell.bias_ih_l0 + cell.bias_hh_l0
    text = TEXTS[0]
    rows = [[word, *own] for word, own in zip(text, BESIDE, strict=True)] + [[0, 3, 2]]  # padding's say nothing
    found = model(torch.tensor([rows]))[0]
    state = torch.zeros(3).double()
    wanted = []
    for word, own in zip(text, BESIDE, strict=True):
        hots = [torch.zeros(size).double() for size in (3, 2)]
        for hot, value in zip(hots, own, strict=True):
            if value:
                hot[value - 1] = 1.0
        state = u @ model.embedding.weight[word] + cell.weight_hh_l0 @ state + bias
        state = torch.tanh(state + f[0] @ hots[0] + f[1] @ hots[1])
        wanted.append(model.head(state) + g[0] @ hots[0] + g[1] @ hots[1])
    scores = torch.stack(wanted)
    if crf:
        start, end = model.ends
        padded = torch.cat([scores, torch.zeros(1, 5).double()])[None]
        there = torch.tensor([[True] * 5 + [False]])
        torch.testing.assert_close(found, pack(padded, model.transitions, there, start=start, end=end)[0])
    else:
        torch.testing.assert_close(found[:5], scores, rtol=0, atol=1e-10)


def test_every_value_of_a_column_learns():
    model = build(**COLUMNS).train()
    rows = torch.tensor([[[word, *own] for word, own in zip(TEXTS[0], BESIDE, strict=True)]])
    model(rows).logsumexp(-1).sum().backward()
    assert model.features.weight.grad.any(0).tolist() == [True, True, True, True, True]
    assert model.recurrent.passes[0].weight_ih_l0.grad[:, 4:].any(0).all()


def test_data_and_features_must_be_of_one_kind():
    beside = TokenFeature(name="column 2", values=("NN", "VB"), column=2)
    inputs = Inputs(kind="text", shape=(4, 2), dtype="int64", features=(beside,))
    outputs = Outputs(kind="tags", names=("O", "B-x"))
    spec = Spec(dataset="mine", inputs=inputs, outputs=outputs)
    plain = spec.derive(inputs=inputs.derive(shape=(4,), features=()))
    assert spec.facts()["feature_sizes"] == (2,)
    assert not SlotTagger.Config(features="columns").misfit(spec)
    assert not SlotTagger.Config().misfit(plain)
    assert "set method.model.features=columns" in SlotTagger.Config(features="request").misfit(spec)
    assert "mine has nothing beside each word" in SlotTagger.Config(features="columns").misfit(plain)
    assert "bilstm_crf takes tokens alone, and mine has 'column 2'" in BiLSTMCRF.Config().misfit(spec)


def test_a_jordan_network_feeds_its_own_answer_back():
    model = build(cell="jordan", window=3)
    cell = model.recurrent.passes[0]
    text = TEXTS[0]
    zero = torch.zeros(4).double()
    vectors = [zero, *model.embedding(torch.tensor(text)), zero]
    answer = torch.zeros(5).double()
    for at, logits in enumerate(model(torch.tensor([text]))[0]):
        x = torch.cat(vectors[at : at + 3])
        hidden = torch.sigmoid(cell.inputs(x) + cell.recurrent(answer))
        torch.testing.assert_close(logits, cell.answer(hidden), rtol=0, atol=1e-12)
        answer = logits.softmax(0)


def test_the_requests_bag_is_the_same_at_every_place_and_only_its_own():
    model = build(features="request")
    bag = model._bag(padded(TEXTS, 6))
    assert bag.shape == (3, 6, 9)
    for row, text in enumerate(TEXTS):
        wanted = torch.zeros(9).double()
        wanted[text] = 1.0
        assert (bag[row] == wanted).all()


@pytest.mark.parametrize("fields", KINDS)
def test_answers_do_not_depend_on_padding(fields):
    model = build(**fields)
    for length in (5, 8):
        found = model(padded(TEXTS, length))
        first, last = int(model.config.frame), 5 * int(model.config.crf)  # for the whole request; transitions
        assert found.shape[:2] == (3, first + length + last)
        for row, text in enumerate(TEXTS):
            alone = model(torch.tensor([text]))[0]
            own = torch.cat([found[row, : first + len(text)], found[row, first + length :]])
            torch.testing.assert_close(own, alone, rtol=0, atol=1e-12)


@pytest.mark.parametrize("fields", KINDS)
def test_every_part_learns_and_padding_does_not(fields):
    model = build(**fields).train()
    output = model(padded(TEXTS, 6))
    loss = surprisal(output, torch.ones(3, 6, dtype=torch.int64)) if fields.get("crf") else output.logsumexp(-1)
    loss.sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name
    assert not model.embedding.weight.grad[0].any()


def test_the_chain_stands_on_the_same_scores():
    chain, plain = build(crf=True), build()
    missing = plain.load_state_dict(chain.state_dict(), strict=False)
    assert set(missing.unexpected_keys) == {"transitions", "ends"}
    tokens = padded(TEXTS, 6)
    start, end = chain.ends
    wanted = pack(plain(tokens), chain.transitions, tokens != 0, start=start, end=end)
    torch.testing.assert_close(chain(tokens), wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"window": 4}, "window=4: expected an odd number"),
        ({"features": "window"}, "feature_window=0"),
        ({"feature_window": 2}, "feature_window=2"),
        ({"cell": "jordan", "dropout": 0.5}, "a jordan cell answers itself"),
        ({"cell": "jordan", "frame": True}, "a jordan cell shows no states"),
        ({"crf": True, "frame": True}, "no chain of an intent"),
        ({"feature_sizes": (3,)}, "are for features='columns'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(fields, text):
    with pytest.raises(ConfigError, match=text):
        SlotTagger.Config(**fields)


def test_the_intent_is_told_from_the_largest_states():
    model = build(frame=True)
    for text in TEXTS:
        tokens = torch.tensor([text])
        states = model.recurrent(model.embedding(tokens))
        torch.testing.assert_close(model(tokens)[0, 0], model.intent(states[0].amax(0)), rtol=0, atol=1e-12)
        torch.testing.assert_close(model(tokens)[0, 1:], model.head(states[0]), rtol=0, atol=1e-12)
