"""What a network has learned, drawn: every method on a small network, what it says, and what it refuses."""

import numpy as np
import pytest
import torch
from torch import nn

import netsmith
from netsmith.core.errors import UnsupportedError
from netsmith.explain.cka import cka_table
from netsmith.workflows.global_pictures import GLOBAL_METHODS, global_groups
from netsmith.workflows.judging import Judged
from netsmith.workflows.representations import layer_answers, layer_matrices, spread

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(), nn.Flatten()
        )
        module.append(nn.Linear(8 * 64, 3))
    return netsmith.from_module(module, torch.zeros(2, 3, 8, 8), classes=("red", "green", "<b>"), name="mine")


@pytest.fixture(scope="module")
def judged(network):
    """Pictures of three colors, with noise."""
    targets = torch.arange(45) % 3
    raw = 0.5 * torch.rand(45, 3, 8, 8, generator=generator())
    raw[torch.arange(45), targets] += 0.3
    return Judged(raw, targets, network(raw))


def test_all_methods_draw(network, judged):
    groups, notes = global_groups(network, judged, judged.raw[:2])
    titles = {group.title: group for group in groups}
    assert len(titles) == len(groups) == 8
    assert len(titles["First-layer filters"].pictures) == 6
    assert "its color is the one" in titles["First-layer filters"].text
    maps = titles["Feature maps"]
    assert maps.columns == 9
    assert len(maps.pictures) == 2 * 9  # two convolutions, each after its activation; the first has six channels only
    assert [picture.caption for picture in maps.pictures[::9]] == ["1 of 6", "3 of 8"]
    assert len(titles["What single channels look for"].pictures) == 16
    assert "input " in titles["Linear probes"].pictures[0].alt
    assert [picture.large for picture in titles["Examples in feature space"].pictures] == [True, True]
    assert len(titles["Dissimilarity matrices"].pictures) == 3
    assert any(note.startswith("probes: ") and "(commonest class: 33.3 %)" in note for note in notes)
    assert any(note.startswith("projections: PCA shows") for note in notes)
    features, _ = layer_answers(network, judged.raw[spread(judged.targets, most=500)])
    steps, layers = cka_table(features, unbiased=True).diagonal(1).tolist(), list(features)
    at = min(range(len(steps)), key=steps.__getitem__)
    change = f"cka: the largest change is from {layers[at]} to {layers[at + 1]} ({steps[at]:.2f})"
    assert layers == ["0", "2", "5"]
    assert change in notes
    assert all(picture.png[:4] == b"\x89PNG" for group in groups for picture in group.pictures)


def test_without_known_classes_what_needs_them_is_left_out_by_name(network, judged):
    groups, notes = global_groups(network, None, judged.raw[:12])
    titles = [group.title for group in groups]
    assert "Linear probes" not in titles
    assert "Layers up to a rotation" in titles
    assert "probes: left out, linear probes needs examples with one known class each" in notes
    with pytest.raises(UnsupportedError, match="needs examples with one known class"):
        global_groups(network, None, judged.raw[:12], wanted=["probes"])
    with pytest.raises(UnsupportedError, match="no global explanation named 'probe'; did you mean 'probes'"):
        global_groups(network, judged, judged.raw, wanted=["probe"])
    assert set(GLOBAL_METHODS) == {"filters", "feature_maps", "units", "probes", "projections", "rsa", "cka"}


def test_a_table_has_probes_but_no_filters():
    network = netsmith.from_module(
        nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)), torch.zeros(1, 4), classes=("a", "b")
    )
    raw = torch.randn(60, 4, generator=generator())
    judged = Judged(raw, (raw[:, 0] > 0).long(), network(raw))
    groups, notes = global_groups(network, judged, raw[:3])
    assert [group.title for group in groups] == [
        "Linear probes",
        "Examples in feature space",
        "Dissimilarity matrices",
        "Layers compared",
        "Layers up to a rotation",
    ]
    assert sum("left out" in note for note in notes) == 3


def test_a_dead_layer_is_named_and_left_out(judged):
    module = nn.Sequential(nn.Flatten(), nn.Linear(192, 5), nn.Linear(5, 5), nn.Linear(5, 3))
    with torch.no_grad():
        module[2].weight.zero_()
    network = netsmith.from_module(module, torch.zeros(2, 3, 8, 8), classes=("a", "b", "c"))
    features, same = layer_answers(network, judged.raw)
    assert (list(features), same) == (["1"], ["2", "3"])
    _, notes = global_groups(network, judged, judged.raw[:2], wanted=["probes"])
    assert "probes: 2 is left out, it says the same of every example" in notes
    with pytest.raises(UnsupportedError, match="fewer than two layers"):
        global_groups(network, judged, judged.raw[:2], wanted=["cka"])
    with torch.no_grad():
        module[1].weight.zero_()
    with pytest.raises(UnsupportedError, match="says the same of all 45 examples"):
        layer_answers(network, judged.raw)


def test_layers_without_a_correlation_are_left_out():
    features = {"flat": torch.tensor([[1.0, 2.0], [3.0, 3.0], [0.0, 1.0]]), "good": torch.randn(3, 4)}
    matrices, left_out = layer_matrices(features, metric="correlation")
    assert (list(matrices), left_out) == (["good"], ["flat"])
    assert list(layer_matrices(features, metric="euclidean")[0]) == ["flat", "good"]
    with pytest.raises(UnsupportedError, match="no layer gives every example features that differ"):
        layer_matrices({"flat": features["flat"]}, metric="correlation")


def test_spread_takes_as_many_of_each_class():
    labels = torch.tensor([0] * 50 + [1] * 10 + [2] * 3)
    chosen = spread(labels, most=15)
    assert labels[chosen].tolist() == [0] * 5 + [1] * 5 + [2] * 3
    assert len(set(chosen.tolist())) == 13
    assert np.ptp(chosen[:5].numpy()) == 40


def test_spread_over_more_classes_than_examples_cuts_none_of_the_last():
    chosen = spread(torch.arange(10), most=4)
    assert chosen.tolist() == [0, 2, 5, 7]
