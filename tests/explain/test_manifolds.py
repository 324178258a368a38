"""Projections against scikit-learn and against each other, up to the sign of an axis."""

import numpy as np
import pytest
import torch

from netsmith.core.errors import UserError
from netsmith.explain.eigen_projections import classical_scaling, discriminants, principal_axes
from netsmith.explain.manifolds import isomap, locally_linear, metric_scaling, stress

GENERATOR = torch.Generator().manual_seed(0)
LABELS = torch.arange(90) % 4
FEATURES = torch.randn(90, 6, generator=GENERATOR).double() + 2 * torch.randn(4, 6, generator=GENERATOR)[LABELS]
DISTANCES = torch.cdist(FEATURES, FEATURES)


def same(ours, theirs, *, abs):  # noqa: A002
    theirs = torch.as_tensor(theirs)
    assert (ours * (ours * theirs).sum(0).sign()).numpy() == pytest.approx(theirs.numpy(), abs=abs)


@pytest.mark.parametrize("wide", [False, True])
def test_principal_axes_are_scikit_learns(wide):
    features = torch.randn(20, 50, generator=GENERATOR).double() if wide else FEATURES
    theirs = pytest.importorskip("sklearn.decomposition").PCA(5, svd_solver="full").fit(features.numpy())
    ours = principal_axes(features, count=5)
    same(ours.points, theirs.transform(features.numpy()), abs=1e-9)
    same(ours.directions, theirs.components_.T, abs=1e-9)
    assert ours.strengths.tolist() == pytest.approx(theirs.explained_variance_.tolist())
    assert ours.shares.tolist() == pytest.approx(theirs.explained_variance_ratio_.tolist())
    assert (ours.directions.gather(0, ours.directions.abs().argmax(0)[None]) > 0).all()


def test_discriminants_are_scikit_learns():
    module = pytest.importorskip("sklearn.discriminant_analysis")
    theirs = module.LinearDiscriminantAnalysis(n_components=3).fit(FEATURES.numpy(), LABELS.numpy())
    ours = discriminants(FEATURES, LABELS, count=3)
    wanted = theirs.transform(FEATURES.numpy())  # of another scale: releases differ
    same(ours.points / ours.points.std(0, correction=0), wanted / wanted.std(0), abs=1e-9)
    assert ours.shares.tolist() == pytest.approx(theirs.explained_variance_ratio_.tolist())
    constant = torch.cat([FEATURES, torch.ones(90, 1)], 1)  # nothing spreads along it
    same(discriminants(constant, LABELS, count=3).points, ours.points, abs=1e-9)


def test_discriminants_solve_the_generalized_eigenproblem():
    linalg = pytest.importorskip("scipy.linalg")
    means = torch.stack([FEATURES[label == LABELS].mean(0) for label in range(4)])
    within = FEATURES - means[LABELS]
    between = means[LABELS] - FEATURES.mean(0)
    wanted = linalg.eigh((between.T @ between).numpy(), (within.T @ within).numpy(), eigvals_only=True)[::-1]
    ours = discriminants(FEATURES, LABELS, count=3)
    assert ours.strengths.tolist() == pytest.approx(wanted[:3].tolist())
    assert (ours.directions.T @ (within.T @ within) @ ours.directions / 86).numpy() == pytest.approx(
        np.eye(3), abs=1e-9
    )


def test_classical_scaling_of_distances_is_principal_components():
    found = classical_scaling(DISTANCES, count=4)
    same(found.points, principal_axes(FEATURES, count=4).points, abs=1e-6)
    assert found.eigenvalues[6:].abs().max() < 1e-6  # six features hold all
    assert stress(DISTANCES, classical_scaling(DISTANCES, count=6).points) < 1e-8
    triangle = torch.tensor(
        [[0.0, 1, 1, 1], [1, 0, 2, 2], [1, 2, 0, 2], [1, 2, 2, 0]]
    )  # a hub nearer than flat space has
    assert classical_scaling(triangle, count=2).eigenvalues[-1] < -0.1


def test_metric_scaling_has_scikit_learns_stress_and_less_than_the_classical():
    manifold = pytest.importorskip("sklearn.manifold")
    start = classical_scaling(DISTANCES, count=2).points
    points, _ = manifold.smacof(
        DISTANCES.numpy(),
        n_components=2,
        init=start.numpy(),
        n_init=1,
        max_iter=2000,
        eps=1e-12,
        normalized_stress=False,
    )
    ours = metric_scaling(FEATURES, iterations=2000, tolerance=1e-13).points
    assert stress(DISTANCES, ours) == pytest.approx(stress(DISTANCES, torch.as_tensor(points)), rel=1e-6)
    assert stress(DISTANCES, ours) < 0.95 * stress(DISTANCES, start)


def test_isomap_and_local_weights_unroll_a_bent_strip():
    along = torch.linspace(0, 5.6, 300).double()
    across = torch.rand(300, generator=GENERATOR).double()
    strip = torch.stack([along.cos() * 3, along.sin() * 3, across], 1)
    for found, least in ((isomap(strip, around=10), 0.995), (locally_linear(strip, around=10), 0.9)):
        order = abs(np.corrcoef(found.points[:, 0], along)[0, 1])
        assert order > least
        assert found.trustworthiness > 0.98
    flat = principal_axes(strip, count=2).points[:, 0]
    assert abs(np.corrcoef(flat, along)[0, 1]) < 0.9


def test_what_has_no_projection():
    with pytest.raises(UserError, match=r"count is 4; expected 1\.\.3"):
        discriminants(FEATURES, LABELS, count=4)
    with pytest.raises(UserError, match="expected two classes"):
        discriminants(FEATURES, 0 * LABELS, count=1)
    with pytest.raises(UserError, match="a class for each of 90"):
        discriminants(FEATURES, LABELS[1:], count=1)
    with pytest.raises(UserError, match="not symmetric"):
        classical_scaling(DISTANCES + torch.arange(90), count=1)
    with pytest.raises(UserError, match=r"expected \(N, N\)"):
        classical_scaling(FEATURES, count=1)
    with pytest.raises(UserError, match="around 90; expected 1 <= count <= around < 90"):
        isomap(FEATURES, around=90)
    apart = torch.cat([FEATURES[:20], FEATURES[:20] + 1000])
    with pytest.raises(UserError, match="no way joins all examples over 5 neighbors"):
        isomap(apart, around=5)
