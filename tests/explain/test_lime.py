"""LIME and Kernel SHAP against captum, scikit-learn and closed forms."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from netsmith.core.errors import UserError
from netsmith.explain.lime import coalitions, kernel_shap, lime
from netsmith.explain.segments import grid_segments, token_segments
from netsmith.explain.shapley import exact_shapley_values

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    captum = pytest.importorskip("captum.attr")
    linear = pytest.importorskip("captum._utils.models.linear_model")

GRID = grid_segments(8, 8, cells=3)
TARGETS = torch.tensor([2, 0, 1])


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def kernel(present, width):
    distance = 1 - present.double().mean(1).sqrt()
    return (-(distance**2) / (2 * width**2)).exp()


def outputs(net, image, present, fill, target):
    with torch.no_grad():
        return net(torch.where(present[:, GRID[0, 0]][:, None], image, fill))[:, target]


def table_net():
    module = nn.Linear(6, 3).double()
    with torch.no_grad():
        module.weight.copy_(torch.randn(3, 6, generator=generator(4)))
        module.bias.copy_(torch.tensor([1.0, 2.0, 3.0]))
    return module


def test_a_linear_score_is_found_exactly():
    module, rows = table_net(), torch.randn(4, 6, dtype=torch.float64, generator=generator())
    fill = torch.full((1, 6), 0.3, dtype=torch.float64)
    found = lime(module, rows, 2, baselines=fill, samples=40, strength=0.0, generator=generator())
    wanted = module.weight[2].detach() * (rows - 0.3)
    assert (found.weights - wanted).abs().max() < 1e-13
    assert (found.intercept - module(fill)[0, 2].detach()).abs().max() < 1e-13
    assert (found.fidelity - 1).abs().max() < 1e-13
    shap = kernel_shap(module, rows, 2, baselines=fill, samples=40, generator=generator())
    assert (shap.weights - wanted).abs().max() < 1e-13


@pytest.mark.parametrize(("penalty", "strength"), [("ridge", 0.0), ("ridge", 1.0), ("lasso", 5e-4)])
def test_against_scikit_learn(net, images, penalty, strength):
    sklearn = pytest.importorskip("sklearn.linear_model")
    found = lime(
        net, images, TARGETS, segments=GRID, baselines=0.2, samples=60, kernel_width=0.3, penalty=penalty,
        strength=strength, generator=generator(), rows=50,
    )  # fmt: skip
    present = coalitions(9, 60, generator=generator())
    weight = kernel(present, 0.3).numpy()
    make = sklearn.Ridge(alpha=strength) if penalty == "ridge" else sklearn.Lasso(alpha=strength, tol=1e-10)
    for row, target in enumerate(TARGETS):
        scores = outputs(net, images[row], present, 0.2, target).numpy()
        fitted = make.fit(present.numpy().astype(float), scores, sample_weight=weight)
        assert np.abs(fitted.coef_ - found.weights[row].numpy()).max() < (1e-10 if penalty == "ridge" else 1e-7)
        assert abs(fitted.intercept_ - float(found.intercept[row])) < (1e-10 if penalty == "ridge" else 1e-7)
        assert fitted.score(present.numpy().astype(float), scores, weight) == pytest.approx(
            float(found.fidelity[row]), abs=1e-6
        )
    if penalty == "lasso":
        assert (found.weights == 0).sum() > 2
        assert (found.weights != 0).sum() > 5
    assert 0 < found.fidelity.min() < 0.999


@pytest.mark.filterwarnings("ignore")  # captum's own
@pytest.mark.parametrize(("penalty", "model"), [("ridge", "SkLearnRidge"), ("lasso", "SkLearnLasso")])
def test_against_captum_on_the_same_samples(net, images, penalty, model):
    present = coalitions(9, 50, generator=generator())
    rows = iter(present)
    reference = captum.Lime(
        net,
        interpretable_model=getattr(linear, model)(alpha=1e-3),
        similarity_func=lambda _x, _z, z, **_: float(kernel(z.double(), 0.25)),
        perturb_func=lambda _x, **_: next(rows)[None].long(),
    )
    image = images[:1]
    theirs = reference.attribute(image, 0.2, 2, feature_mask=GRID, n_samples=50, return_input_shape=False)
    ours = lime(
        net, image, 2, segments=GRID, baselines=0.2, samples=50, penalty=penalty, strength=1e-3, generator=generator()
    )
    assert theirs.abs().max() > 1e-3
    assert (ours.weights - theirs.double()).abs().max() < 1e-5  # captum fits in float32


def test_kernel_shap_is_exact_with_all_coalitions_and_close_with_some(net, images):
    exact = exact_shapley_values(net, images, TARGETS, segments=GRID, baselines=0.2)
    found = kernel_shap(net, images, TARGETS, segments=GRID, baselines=0.2, samples=510, generator=generator())
    assert (found.weights - exact.values).abs().max() < 1e-12
    drawn = kernel_shap(net, images, TARGETS, segments=GRID, baselines=0.2, samples=200, generator=generator())
    assert (drawn.weights.sum(1) - exact.values.sum(1)).abs().max() < 1e-12
    assert 1e-9 < (drawn.weights - exact.values).norm() < 0.15 * exact.values.norm()
    cells = GRID * 0
    one = kernel_shap(net, images, TARGETS, segments=cells, baselines=0.2, generator=generator())
    assert (one.weights[:, 0] - exact.values.sum(1)).abs().max() < 1e-12


def test_texts_of_different_lengths(token_net, token_batch):
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = token_net

        def forward(self, tokens):
            return self.net({"tokens": tokens, "mask": tokens != 0})

    tokens = token_batch["tokens"]
    exact = exact_shapley_values(Tokens(), tokens, 1, segments=token_segments(tokens), baselines=10)
    shap = kernel_shap(
        Tokens(), tokens, 1, segments=token_segments(tokens), baselines=10, samples=62, generator=generator()
    )
    assert (shap.weights - exact.values).abs().max() < 1e-12
    found = lime(
        Tokens(), tokens, 1, segments=token_segments(tokens), baselines=10, samples=64, strength=0.0,
        generator=generator(),
    )  # fmt: skip
    assert (found.weights[1, 4:] == 0).all()
    assert (found.weights[1, :4] != 0).all()
    same = (exact.values * found.weights).sum(1) / exact.values.norm(dim=1) / found.weights.norm(dim=1)
    assert same.min() > 0.9


def test_what_does_not_fit_is_refused(net, images):
    with pytest.raises(UserError, match=r"samples is 1, kernel_width 0\.25, penalty 'ridge' of strength 1"):
        lime(net, images, 0, segments=GRID, samples=1, generator=generator())
    with pytest.raises(UserError, match="penalty 'elastic'"):
        lime(net, images, 0, segments=GRID, penalty="elastic", generator=generator())
    with pytest.raises(UserError, match="samples is 17; expected at least 18"):
        kernel_shap(net, images, 0, segments=GRID, samples=17, generator=generator())
