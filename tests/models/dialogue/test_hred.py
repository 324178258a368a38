"""The hierarchical encoder-decoder: its equations turn by turn, stepping, cutting into turns, the emotion."""

import pytest
import torch

from netsmith.core.errors import ConfigError
from netsmith.models.dialogue.hred import Hred, turns_of

CONFIG = Hred.Config(
    turns=3, emotions=2, embedding_size=5, hidden_size=6, context_size=4, emotion_size=3, vocab_size=15, num_outputs=9
)
SOURCE = torch.tensor(
    [[5, 7, 8, 3, 9, 3, 10, 11, 0, 0], [4, 12, 3, 13, 14, 7, 3, 8, 3, 9], [6, 3, 3, 7, 0, 0, 0, 0, 0, 0]]
)
WRITTEN = torch.tensor([[2, 4, 5, 6], [2, 7, 0, 0], [2, 3, 3, 0]])


def world(config=CONFIG):
    torch.manual_seed(0)
    return config.build().double().eval()


def gru_step(gru, x, h):
    """One step of torch's GRU from its definition."""
    w, u, b, d = gru.weight_ih_l0, gru.weight_hh_l0, gru.bias_ih_l0, gru.bias_hh_l0
    (r, z, n), (s, y, m) = (w @ x + b).chunk(3), (u @ h + d).chunk(3)
    r, z = (r + s).sigmoid(), (z + y).sigmoid()
    n = (n + r * m).tanh()
    return (1 - z) * n + z * h


def test_it_is_its_equations_word_by_word():
    network = world()
    said = [
        (1, [[7, 8], [9], [10, 11]]),  # the emotion and the turns of each source, cut by hand
        (0, [[13, 14, 7], [8], [9]]),  # the oldest of four turns is not read
        (None, [[6], [], [7]]),
    ]
    for row, (emotion, turns) in enumerate(said):
        context = torch.zeros(4, dtype=torch.float64)
        for turn in turns:
            h = torch.zeros(6, dtype=torch.float64)
            for word in turn:
                h = gru_step(network.encoder, network.reading.weight[word], h)
            context = gru_step(network.context, h, context)
        d = torch.tanh(network.first.weight @ context + network.first.bias)
        mood = torch.zeros(3).double() if emotion is None else network.emotion.weight[emotion]
        for place, word in enumerate(WRITTEN[row]):
            vector = network.writing.weight[word]
            d = gru_step(network.decoder, torch.cat([vector, mood]), d)
            deep = network.from_state.weight @ d + network.from_state.bias + network.from_word.weight @ vector
            wanted = network.head.weight @ deep + network.head.bias
            found = network(SOURCE, WRITTEN)[row, place]
            torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("changes", [{}, {"emotions": 0}, {"turns": 1}])
def test_all_words_at_once_are_as_one_after_the_other(changes):
    network = world(CONFIG.derive(**changes))
    state, found = network.begin(SOURCE), []
    for tokens in WRITTEN.unbind(1):
        logits, state = network.step(tokens, state)
        found.append(logits)
    torch.testing.assert_close(torch.stack(found, 1), network(SOURCE, WRITTEN), rtol=0, atol=1e-10)


def test_padding_and_company_change_nothing():
    network = world()
    whole = network(SOURCE, WRITTEN)
    for row, length in enumerate((8, 10, 4)):
        alone = network(SOURCE[row : row + 1, :length], WRITTEN[row : row + 1])
        torch.testing.assert_close(alone[0], whole[row], rtol=1e-12, atol=1e-13)


def test_turns_are_cut_as_a_loop_would():
    draw = torch.Generator().manual_seed(3)
    tokens = torch.randint(1, 9, (200, 14), generator=draw)
    tokens[torch.arange(14) >= torch.randint(1, 15, (200, 1), generator=draw)] = 0
    found, count = turns_of(tokens, most=3, first_word=6)
    for row in range(200):
        turns = [[]]
        for number in tokens[row].tolist():
            if number == 3:
                turns.append([])
            elif number in (1, 2, 6, 7, 8):
                turns[-1].append(number)
        turns = turns[-3:]
        assert int(count[row]) == len(turns)
        assert [[n for n in turn if n] for turn in found[row].tolist()] == turns + [[]] * (3 - len(turns))


def test_the_emotion_alone_changes_the_answer():
    network = world()
    other = SOURCE.clone()
    other[0, 0] = 4
    assert not torch.allclose(network(SOURCE, WRITTEN)[0], network(other, WRITTEN)[0])
    deaf = world(CONFIG.derive(emotions=0))
    deaf.reading.weight.data[4:6] = 1.0  # without emotions their marks are words like others
    torch.testing.assert_close(deaf(SOURCE, WRITTEN)[0], deaf(other, WRITTEN)[0])
    with pytest.raises(ConfigError, match="emotions=12"):
        CONFIG.derive(emotions=12).build()
