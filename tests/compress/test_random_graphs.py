from compress.judge import draw, judge
from compress.random_graphs import random_graph

SEEDS = range(100)


def test_random_graphs_are_cut_right_or_refused():
    found = {}
    for seed in SEEDS:
        net, example = random_graph(seed)
        found[seed] = judge(net, example, [draw(example, seed), draw(example, seed + 1, 3)])
    wrong = {seed: verdict.reason for seed, verdict in found.items() if verdict.outcome == "wrong"}
    refused = {seed: verdict.reason for seed, verdict in found.items() if verdict.outcome == "refused"}
    assert wrong == {}
    assert len(refused) <= len(SEEDS) // 20, refused


def test_a_seed_makes_the_same_network():
    (a, x), (b, y) = random_graph(7), random_graph(7)
    assert str(a) == str(b)
    assert (x == y).all()
    assert all((p == q).all() for p, q in zip(a.parameters(), b.parameters(), strict=True))
