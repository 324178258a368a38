"""Linear probes: how much of the answer can be read off each layer by a linear classifier.

Alain & Bengio 2016 (arXiv:1610.01644): freeze the network and fit softmax(W h + b) to what a layer says. The probe's
accuracy says what is linearly there, not what the network uses; a layer far below the others is worth a look (their
"pathological" skip connection, section 5). The classifier is scikit-learn's logistic regression, on features
standardized by the training part.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from netsmith.core.errors import UserError
from netsmith.core.extras import require

__all__ = ["Probe", "linear_probe", "probe_layers", "stratified_halves"]


class Probe(NamedTuple):
    """What a linear classifier reads off a layer.

    Attributes:
        accuracy: On examples the probe was not fitted to, 0..1.
        fitted: On those it was fitted to: far above ``accuracy``, it has learned them by heart.
        chance: The accuracy of always answering the class most common in the fitting part.
        width: Features per example.
        converged: False where the solver stopped before its tolerance: the figure may be too low.
    """

    accuracy: float
    fitted: float
    chance: float
    width: int
    converged: bool


def probe_layers(
    features: Mapping[str, Tensor],
    labels: Tensor,
    *,
    generator: torch.Generator,
    test_share: float = 0.4,
    strength: float = 1.0,
    iterations: int = 300,
) -> dict[str, Probe]:
    """Fit one probe per layer, all with the same division of the examples.

    Args:
        features: Layers with ``(N, D)`` features each, as :func:`netsmith.explain.layer_features.layer_features`
            returns them.
        labels: ``(N,)`` int64.
        generator: Draws the division.
        test_share: The share of each class that is kept for the test.
        strength: As in :func:`linear_probe`.
        iterations: As in :func:`linear_probe`.

    Raises:
        UserError: Shapes that do not fit, or fewer than two classes with two examples each.
    """
    fit, test = stratified_halves(labels, test_share=test_share, generator=generator)
    return {
        name: linear_probe(values, labels, fit=fit, test=test, strength=strength, iterations=iterations)
        for name, values in features.items()
    }


def linear_probe(
    features: Tensor, labels: Tensor, *, fit: Tensor, test: Tensor, strength: float = 1.0, iterations: int = 300
) -> Probe:
    """Fit a linear classifier to a part of the examples and test it on another.

    Args:
        features: ``(N, ...)``; flattened.
        labels: ``(N,)`` int64.
        fit: Indices of the examples it is fitted to.
        test: Indices of those it is tested on; none may be in ``fit``.
        strength: scikit-learn's ``C``, the inverse of the L2 penalty.
        iterations: Of the solver (L-BFGS) at most.

    Raises:
        UserError: Shapes that do not fit, a part that is empty or shared, features that are not finite.
        MissingExtraError: scikit-learn is not installed.
    """
    if features.dim() < 2 or labels.shape != features.shape[:1] or labels.is_floating_point():
        raise UserError(
            f"features {tuple(features.shape)}, labels {tuple(labels.shape)} {labels.dtype}; expected (N, ...) and "
            "(N,) int64"
        )
    if not len(fit) or not len(test) or bool(torch.isin(fit, test).any()):
        raise UserError(f"{len(fit)} examples to fit and {len(test)} to test; expected some each, and none in both")
    if not strength > 0 or iterations < 1:
        raise UserError(f"strength is {strength}, iterations {iterations}; expected both positive")
    linear, preprocessing = (
        require("sklearn.linear_model", extra="classic"),
        require("sklearn.preprocessing", extra="classic"),
    )
    exceptions = require("sklearn.exceptions", extra="classic")
    values, answers = _array(features), labels.cpu().numpy()
    if not np.isfinite(values).all():
        raise UserError(f"features hold {int((~np.isfinite(values)).sum())} values that are not finite")
    known, asked = fit.cpu().numpy(), test.cpu().numpy()
    classes, counts = np.unique(answers[known], return_counts=True)
    if len(classes) < 2:
        raise UserError(f"the part to fit has one class only ({classes.tolist()}); expected at least two")
    scale = preprocessing.StandardScaler().fit(values[known])  # a dead feature stays 0
    model = linear.LogisticRegression(C=strength, max_iter=iterations)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", exceptions.ConvergenceWarning)  # reported in the answer instead
        model.fit(scale.transform(values[known]), answers[known])
    return Probe(
        accuracy=float(model.score(scale.transform(values[asked]), answers[asked])),
        fitted=float(model.score(scale.transform(values[known]), answers[known])),
        chance=float((answers[asked] == classes[counts.argmax()]).mean()),
        width=values.shape[1],
        converged=bool(model.n_iter_.max() < iterations),
    )


def stratified_halves(labels: Tensor, *, test_share: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Divide examples into (fit, test) indices with the same share of every class; a class of one is only fitted to.

    Raises:
        UserError: A share out of range, or fewer than two classes with at least two examples.
    """
    if not 0 < test_share < 1 or labels.dim() != 1:
        raise UserError(f"test_share is {test_share}, labels {tuple(labels.shape)}; expected 0..1 and (N,)")
    fit, test, divided = [], [], 0
    for label in labels.unique():
        members = torch.nonzero(labels == label).flatten()
        order = torch.randperm(len(members), generator=generator, device=generator.device).to(members.device)
        kept = min(len(members) - 1, max(1, round(test_share * len(members))))
        divided += kept > 0
        test.append(members[order[:kept]])
        fit.append(members[order[kept:]])
    if divided < 2:
        raise UserError(f"{len(labels)} examples, {divided} classes with two at least; a probe needs two such classes")
    return torch.cat(fit).sort().values, torch.cat(test).sort().values


def _array(features: Tensor) -> np.ndarray:
    return features.detach().cpu().flatten(1).double().numpy()
