"""What each layer of a network knows, drawn: linear probes, clouds of examples, and which layers are alike.

The functions are those of :mod:`netsmith.workflows.global_pictures`, which lists them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from netsmith.core.errors import UnsupportedError
from netsmith.explain.cka import cka_table
from netsmith.explain.dissimilarity import similarity_table
from netsmith.explain.layer_features import layer_features, learned_layers
from netsmith.explain.probes import Probe, probe_layers
from netsmith.explain.projections import principal_components, tsne
from netsmith.report.page import Picture
from netsmith.report.plots import bars_png, heat_map_png, scatter_png
from netsmith.report.run_page import PictureGroup
from netsmith.report.tables import percent_text
from netsmith.workflows.judging import Judged
from netsmith.workflows.representations import WIDEST, layer_answers, layer_matrices, spread

if TYPE_CHECKING:
    from netsmith.api.network import Network

__all__ = ["cka", "probes", "projections", "rsa"]


def probes(network: Network, judged: Judged | None, raw: Tensor) -> tuple[list[PictureGroup], list[str]]:
    """Chart how much of the answer a linear classifier reads off each layer."""
    del raw
    known = _labeled(judged, "linear probes")
    chosen = spread(known.targets, most=1500)
    labels = known.targets[chosen]
    if int((torch.bincount(labels) > 1).sum()) < 2:
        raise UnsupportedError("a probe needs two classes with two examples each")
    features, same = layer_answers(network, known.raw[chosen], widest=2048)
    small = known.raw[0].numel() <= WIDEST
    given = network.shipped.preprocess(known.raw[chosen]) if small else None
    pixels = {"input": given.flatten(1)} if isinstance(given, Tensor) and given.is_floating_point() else {}
    found = probe_layers(pixels | features, labels, generator=torch.Generator().manual_seed(0))
    chance = next(iter(found.values())).chance
    picture = bars_png(
        [probe.accuracy for probe in found.values()],
        list(found),
        title="What a linear classifier reads off each layer",
        texts=[percent_text(probe.accuracy) for probe in found.values()],
        seconds=[probe.fitted for probe in found.values()],
        keys=("on new examples", "on those it was fitted to"),
        line=chance,
        line_text="the commonest class",
    )
    text = (
        f"Logistic regression on the standardized answers of each layer with weights, fitted to three fifths of "
        f"{len(labels)} examples, tested on the rest: a probe says what is there to be read, not what the network uses."
    )
    best = max(found, key=lambda name: found[name].accuracy)
    notes = [
        f"probes: {best} is read best, {percent_text(found[best].accuracy)} (commonest class: {percent_text(chance)})"
    ]
    notes += _unchanged("probes", same)
    notes += [f"probes: WARNING: the probe of {name} stopped early; its figure may be low" for name in _early(found)]
    return [PictureGroup("Linear probes", text, [Picture(picture, "", _bars_alt(found), large=True)])], notes


def projections(network: Network, judged: Judged | None, raw: Tensor) -> tuple[list[PictureGroup], list[str]]:
    """Draw the examples as points of a plane: PCA and t-SNE of the last features."""
    del raw
    known = _labeled(judged, "a picture by class")
    chosen = spread(known.targets, most=600)
    if len(chosen) < 7:
        raise UnsupportedError(f"t-SNE needs at least 7 examples; there are {len(chosen)}")
    labels, names = known.targets[chosen], network.spec.outputs.names
    layer, features = _features(network, known.raw[chosen])
    linear, bent = principal_components(features), tsne(features)
    axes = (f"first component, {percent_text(linear.shares[0])}", f"second, {percent_text(linear.shares[1])}")
    pictures = []
    for name, found, scales in (("PCA", linear, axes), ("t-SNE", bent, ("", ""))):
        image = scatter_png(found.points, labels.tolist(), names, title=f"{name} at {layer}", axes_names=scales)
        caption = f"{name}: trustworthiness {found.trustworthiness:.3f} over {found.neighbors} neighbors."
        pictures.append(Picture(image, caption, f"{caption} {len(labels)} examples, colored by class.", large=True))
    text = (
        f"{len(labels)} examples by their features at {layer}. PCA is the plane of most variance; t-SNE keeps "
        "neighbors together, and its distances between clusters and their sizes mean nothing. Trustworthiness 1: every "
        "neighbor in the picture is one among the features."
    )
    note = (
        f"projections: PCA shows {percent_text(sum(linear.shares))} of the variance of {layer}, trustworthiness "
        f"{linear.trustworthiness:.3f}; t-SNE {bent.trustworthiness:.3f}"
    )
    return [PictureGroup("Examples in feature space", text, pictures)], [note]


def rsa(network: Network, judged: Judged | None, raw: Tensor) -> tuple[list[PictureGroup], list[str]]:
    """Draw dissimilarity matrices of layers, and how alike the layers' matrices are."""
    sample, starts, what = _conditions(judged, raw)
    features, same = layer_answers(network, sample)
    matrices, flat = layer_matrices(features, metric="correlation")
    names = list(matrices)
    pictures = []
    for name in [names[at] for at in sorted({0, len(names) // 2, len(names) - 1})]:
        image = heat_map_png(
            matrices[name], (), (), title=name, low=0.0, high=float(matrices[name].max()), legend="1 − r", marks=starts
        )
        pictures.append(Picture(image, "", f"dissimilarity of {what} at {name}", large=True))
    groups = [
        PictureGroup(
            "Dissimilarity matrices",
            f"How unlike the answers of a layer to {what} are (1 - Pearson correlation): dark squares along the "
            "diagonal are classes that the layer has gathered.",
            pictures,
        )
    ]
    notes = [f"rsa: {name} is left out, an example has features that are all equal there" for name in flat]
    notes += _unchanged("rsa", same)
    if len(names) > 1:
        table = similarity_table(matrices)
        image = _layers_compared(table, names, method="RSA", legend="Spearman")
        text = f"Spearman's correlation of the matrices of {what}: 1 where two layers take the same for alike."
        groups.append(PictureGroup("Layers compared", text, [Picture(image, "", text, large=True)]))
        notes.append(f"rsa: {names[0]} and {names[-1]} agree to {float(table[0, -1]):.2f} (Spearman)")
    return groups, notes


def cka(network: Network, judged: Judged | None, raw: Tensor) -> tuple[list[PictureGroup], list[str]]:
    """Draw how alike layers are up to a rotation and a scale."""
    known = judged is not None and judged.labeled is None and isinstance(judged.raw, Tensor)
    sample = judged.raw[spread(judged.targets, most=500)] if judged is not None and known else raw
    if len(sample) < 8:
        raise UnsupportedError(f"CKA of {len(sample)} examples says little; it needs at least 8")
    features, same = layer_answers(network, sample)
    if len(features) < 2:
        raise UnsupportedError("fewer than two layers say anything about the examples")
    names = list(features)
    table = cka_table(features, unbiased=True)
    image = _layers_compared(table, names, method="CKA", legend="CKA")
    text = (
        f"Linear CKA of {len(sample)} examples (unbiased): 1 where two layers hold the same up to a rotation and a "
        "scale. A bright block of layers is a stage that changes little."
    )
    notes = _unchanged("cka", same)
    steps = table.diagonal(1)
    at = int(steps.argmin())
    notes.append(f"cka: the largest change is from {names[at]} to {names[at + 1]} ({float(steps[at]):.2f})")
    return [PictureGroup("Layers up to a rotation", text, [Picture(image, "", text, large=True)])], notes


def _labeled(judged: Judged | None, what: str) -> Judged:
    if judged is None or judged.labeled is not None or not isinstance(judged.raw, Tensor):
        raise UnsupportedError(f"{what} needs examples with one known class each")
    return judged


def _conditions(judged: Judged | None, raw: Tensor) -> tuple[Tensor, list[int], str]:
    """Return examples sorted by class, where each class after the first begins, and what they are in words."""
    if judged is None or judged.labeled is not None or not isinstance(judged.raw, Tensor):
        if len(raw) < 5:
            raise UnsupportedError(f"a dissimilarity matrix of {len(raw)} examples says little; it needs at least 5")
        return raw, [], f"{len(raw)} examples"
    chosen = spread(judged.targets, most=100)
    labels = judged.targets[chosen]
    starts = (torch.nonzero(labels[1:] != labels[:-1]).flatten() + 1).tolist()
    return judged.raw[chosen], starts, f"{len(chosen)} examples sorted by class"


def _features(network: Network, raw: Tensor) -> tuple[str, Tensor]:
    """Return the layer whose answer stands for an example, and those answers: maps by their means."""
    named = network.landmarks().get("features")
    layer = f"network.{named}" if named else next(reversed(learned_layers(network.shipped, raw[:1])), "")
    if not layer:
        raise UnsupportedError("the network has no layer with weights that answers with one tensor")
    features = layer_features(network.shipped, raw, layers=[layer], widest=1)[layer]
    return layer.removeprefix("network."), features


def _layers_compared(table: Tensor, names: Sequence[str], *, method: str, legend: str) -> bytes:
    title, low = f"Similarity of layers ({method})", min(0.0, float(table.min()))
    return heat_map_png(table, names, names, title=title, low=low, high=1.0, legend=legend)


def _unchanged(method: str, names: Sequence[str]) -> list[str]:
    return [f"{method}: {name} is left out, it says the same of every example" for name in names]


def _early(found: Mapping[str, Probe]) -> list[str]:
    return [name for name, probe in found.items() if not probe.converged]


def _bars_alt(found: Mapping[str, Probe]) -> str:
    return ", ".join(f"{name} {percent_text(probe.accuracy)}" for name, probe in found.items())
