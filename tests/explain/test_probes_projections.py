"""Probes against scikit-learn on classes whose separability is known; projections against a decomposition by hand."""

import sys

import pytest
import torch

from netsmith.core.errors import MissingExtraError, UserError
from netsmith.explain.probes import linear_probe, probe_layers, stratified_halves
from netsmith.explain.projections import principal_components, tsne


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def rings(count=300):
    """Two classes that no line parts in the plane, and any does by the radius."""
    draws = torch.randn(count, 2, generator=generator(), dtype=torch.float64)
    labels = torch.arange(count) % 2
    plane = draws / draws.norm(dim=1, keepdim=True) * (1 + labels)[:, None]
    return plane, plane.norm(dim=1, keepdim=True), labels


def test_probes_tell_what_is_linearly_there():
    plane, radius, labels = rings()
    wide = torch.cat([radius.expand(-1, 2), torch.ones(300, 1)], dim=1)  # a feature without variance
    found = probe_layers({"plane": plane, "radius": radius, "wide": wide}, labels, generator=generator())
    assert found["plane"].accuracy < 0.65
    assert found["radius"].accuracy == found["radius"].fitted == found["wide"].accuracy == 1
    assert found["plane"].chance == 0.5
    assert [probe.width for probe in found.values()] == [2, 1, 3]
    assert all(probe.converged for probe in found.values())


def test_equal_to_scikit_learn_by_hand():
    pipeline, linear = pytest.importorskip("sklearn.pipeline"), pytest.importorskip("sklearn.linear_model")
    scaler = pytest.importorskip("sklearn.preprocessing").StandardScaler
    features = torch.randn(200, 6, generator=generator(), dtype=torch.float64)
    labels = (features[:, 0] + 0.8 * torch.randn(200, generator=generator(1)) > 0).long() + (features[:, 1] > 1)
    fit, test = stratified_halves(labels, test_share=0.4, generator=generator())
    model = pipeline.make_pipeline(scaler(), linear.LogisticRegression(max_iter=300))
    model.fit(features[fit].numpy(), labels[fit].numpy())
    found = linear_probe(features, labels, fit=fit, test=test)
    assert found.accuracy == model.score(features[test].numpy(), labels[test].numpy())
    assert 0.6 < found.accuracy < 1
    cut = linear_probe(features, labels, fit=fit, test=test, iterations=1)
    assert not cut.converged


def test_halves_keep_the_shares_of_the_classes():
    labels = torch.tensor([0] * 10 + [1] * 20 + [2])
    fit, test = stratified_halves(labels, test_share=0.4, generator=generator())
    assert sorted([*fit.tolist(), *test.tolist()]) == list(range(31))
    assert torch.bincount(labels[test], minlength=3).tolist() == [4, 8, 0]
    with pytest.raises(UserError, match="2 examples, 0 classes with two at least"):
        stratified_halves(torch.tensor([0, 1]), test_share=0.5, generator=generator())


def test_what_a_probe_refuses(monkeypatch):
    features, labels = torch.randn(8, 3, generator=generator()), torch.arange(8) % 2
    first = torch.arange(4)
    with pytest.raises(UserError, match="none in both"):
        linear_probe(features, labels, fit=first, test=first + 3)
    with pytest.raises(UserError, match="one class only"):
        linear_probe(features, labels * 0, fit=first, test=first + 4)
    with pytest.raises(UserError, match=r"labels \(7,\)"):
        linear_probe(features, labels[:7], fit=first, test=first + 4)
    with pytest.raises(UserError, match="24 values that are not finite"):
        linear_probe(features * torch.nan, labels, fit=first, test=first + 4)
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    with pytest.raises(MissingExtraError, match=r"netsmith\[classic\]"):
        linear_probe(features, labels, fit=first, test=first + 4)


def clouds():
    """Three far clouds in twenty dimensions."""
    labels = torch.arange(90) % 3
    centers = 12 * torch.eye(20, dtype=torch.float64)[:3]
    return centers[labels] + torch.randn(90, 20, generator=generator(), dtype=torch.float64), labels


def test_principal_components_against_a_decomposition():
    features, _ = clouds()
    found = principal_components(features + 100, count=3)
    centered = features - features.mean(0)
    _, values, directions = torch.linalg.svd(centered, full_matrices=False)
    wanted = centered @ directions[:3].T
    signs = torch.stack([row[row.abs().argmax()].sign() for row in directions[:3]])
    assert torch.allclose(found.points, wanted * signs, atol=1e-9)
    assert list(found.shares) == pytest.approx((values[:3] ** 2 / (values**2).sum()).tolist())
    whole = principal_components(features, count=20)
    assert whole.trustworthiness == pytest.approx(1)
    assert 0.5 < principal_components(features, count=1).trustworthiness < 0.95


def test_tsne_keeps_clouds_together_and_says_how_well():
    features, labels = clouds()
    found = tsne(features)
    away = torch.cdist(found.points, found.points).fill_diagonal_(torch.inf)
    assert torch.equal(labels[away.argmin(1)], labels)
    assert found.trustworthiness > 0.75
    assert found.shares == ()
    assert torch.equal(found.points, tsne(features).points)
    few = tsne(features[:8])
    assert (tuple(few.points.shape), few.neighbors) == ((8, 2), 3)


def test_what_has_no_projection():
    features, _ = clouds()
    with pytest.raises(UserError, match="the same for all"):
        principal_components(torch.ones(9, 3))
    with pytest.raises(UserError, match=r"count is 21; expected 1\.\.20"):
        principal_components(features, count=21)
    with pytest.raises(UserError, match="at least 7 examples"):
        tsne(features[:6])
    with pytest.raises(UserError, match="one number per example"):
        tsne(features[:, :1])
