"""Explanations against captum: the same module, the same examples, the same settings, in turns in one process.

For every method that both have, each round runs one right after the other, in an order that alternates; the median of
the paired ratios (ours / captum's) is printed and, below 1, ours is faster. Before timing, both results are compared.
captum is used as fast as its options allow: perturbations are batched to the rows that ours are.

Run: python benchmarks/explain.py [--rounds 9] [--only occlusion] [--out benchmarks/explain.evidence.json]
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from _evidence import write
from torch import Tensor, nn

from netsmith.explain.embeddings import (
    embedding_gradients,
    embedding_integrated_gradients,
    embedding_saliency,
    embedding_smooth_grad,
)
from netsmith.explain.grad_cam import grad_cam
from netsmith.explain.guided import deconvolution, guided_backprop
from netsmith.explain.integrated_gradients import integrated_gradients
from netsmith.explain.lime import kernel_shap, lime
from netsmith.explain.occlusion import occlusion
from netsmith.explain.saliency import input_x_gradient, saliency, smooth_grad
from netsmith.explain.segments import grid_segments
from netsmith.explain.shapley import arrival_orders, exact_shapley_values, shapley_values

BATCH, CLASSES, CELLS, SAMPLES, ORDERS = 8, 10, 4, 128, 8
PLAYERS = CELLS * CELLS
Case = tuple[Callable[[], Tensor], Callable[[], Tensor], float | None]
"""Ours, captum's, and how far they may differ (None: both draw at random, so only their time is compared)."""


def small_cnn() -> nn.Module:
    """Return a network for 28 x 28 pictures with ReLU modules, which captum needs."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * 49, 64), nn.ReLU(), nn.Linear(64, CLASSES),
    )  # fmt: skip


class TextNet(nn.Module):
    """An embedding, a GRU, the mean, a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(500, 32)
        self.mix = nn.GRU(32, 32, batch_first=True)
        self.head = nn.Linear(32, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.mix(self.embedding(tokens))[0].mean(1))


def cases(captum: Any) -> dict[str, Case]:
    """Return the methods that both have."""
    net, text = small_cnn().eval(), TextNet().eval()
    layer = dict(net.named_modules())["3"]
    images, targets = torch.rand(BATCH, 1, 28, 28), torch.arange(BATCH) % CLASSES
    tokens, sides = torch.randint(1, 500, (BATCH, 20)), torch.arange(BATCH) % 2
    cells, grid = grid_segments(28, 28, cells=CELLS), grid_segments(28, 28, cells=3)

    def generator() -> torch.Generator:
        return torch.Generator().manual_seed(0)

    def tunnel() -> Tensor:
        return captum.NoiseTunnel(captum.Saliency(net)).attribute(
            images, nt_samples=32, nt_samples_batch_size=32, stdevs=0.15, target=targets, abs=False
        )

    def integrated() -> Tensor:
        return captum.IntegratedGradients(net).attribute(
            images, target=targets, n_steps=50, internal_batch_size=512, return_convergence_delta=True
        )[0]

    def sampling() -> Tensor:
        found = captum.ShapleyValueSampling(net)
        drawn = arrival_orders(PLAYERS, ORDERS, generator=generator()).tolist()
        found.permutation_generator = lambda *_: iter(drawn)
        return found.attribute(
            images, 0.0, targets, feature_mask=cells, n_samples=ORDERS, perturbations_per_eval=PLAYERS
        )

    def one_by_one(method: Any) -> Tensor:  # captum fits one linear model per call
        settings = {"feature_mask": cells, "n_samples": SAMPLES, "perturbations_per_eval": SAMPLES}
        return torch.cat([method.attribute(images[i : i + 1], 0.0, int(targets[i]), **settings) for i in range(BATCH)])

    def at_embedding(**settings: Any) -> Tensor:
        found = captum.LayerGradientXActivation(text, text.embedding, **settings)
        return found.attribute(tokens, sides)

    def after_embedding(words: Tensor) -> Tensor:
        return text.head(text.mix(words)[0].mean(1))

    def token_tunnel() -> Tensor:
        tunnel = captum.NoiseTunnel(captum.Saliency(after_embedding))
        words = text.embedding(tokens).detach()
        settings = {"nt_samples": 32, "nt_samples_batch_size": 32, "stdevs": 0.15, "target": sides, "abs": False}
        return tunnel.attribute(words, **settings).norm(dim=2)

    ridge = importlib.import_module("captum._utils.models.linear_model").SkLearnRidge
    return {
        "saliency": (
            lambda: saliency(net, images, targets),
            lambda: captum.Saliency(net).attribute(images, targets),
            1e-5,
        ),
        "input_x_gradient": (
            lambda: input_x_gradient(net, images, targets),
            lambda: captum.InputXGradient(net).attribute(images, targets),
            1e-5,
        ),
        "smooth_grad": (lambda: smooth_grad(net, images, targets, generator=generator()), tunnel, None),
        "integrated_gradients": (
            lambda: integrated_gradients(net, images, targets, nodes=50).attributions,
            integrated,
            1e-5,
        ),
        "embedding_integrated_gradients": (
            lambda: embedding_integrated_gradients(text, tokens, sides, layer="embedding", nodes=50).attributions,
            lambda: (
                captum.LayerIntegratedGradients(text, text.embedding)
                .attribute(tokens, 0 * tokens, sides, n_steps=50, internal_batch_size=512)
                .sum(2)
            ),
            None,  # captum's baseline is the embedding of token 0, ours is zero: the work is the same
        ),
        "embedding_gradients": (
            lambda: embedding_gradients(text, tokens, sides, layer="embedding"),
            lambda: at_embedding().sum(2),
            1e-5,
        ),
        "embedding_saliency": (
            lambda: embedding_saliency(text, tokens, sides, layer="embedding"),
            lambda: at_embedding(multiply_by_inputs=False).norm(dim=2),
            1e-5,
        ),
        "embedding_smooth_grad": (
            lambda: embedding_smooth_grad(text, tokens, sides, layer="embedding", generator=generator()),
            token_tunnel,
            None,
        ),
        "guided_backprop": (
            lambda: guided_backprop(net, images, targets),
            lambda: captum.GuidedBackprop(net).attribute(images, targets),
            1e-5,
        ),
        "deconvolution": (
            lambda: deconvolution(net, images, targets),
            lambda: captum.Deconvolution(net).attribute(images, targets),
            1e-5,
        ),
        "grad_cam": (
            lambda: grad_cam(net, images, targets, layer="3", upsample=False)[:, None],
            lambda: captum.LayerGradCam(net, layer).attribute(images, targets, relu_attributions=True),
            1e-5,
        ),
        "occlusion": (
            lambda: occlusion(net, images, targets, window=5, stride=2)[:, None],
            lambda: captum.Occlusion(net).attribute(
                images, (1, 5, 5), strides=(1, 2, 2), target=targets, perturbations_per_eval=64
            ),
            1e-5,
        ),
        "shapley": (
            lambda: (
                shapley_values(net, images, targets, segments=cells, orders=ORDERS, generator=generator()).attributions
            ),
            sampling,
            1e-5,
        ),
        "exact_shapley": (
            lambda: exact_shapley_values(net, images, targets, segments=grid % 5).attributions,
            lambda: captum.ShapleyValues(net).attribute(
                images, 0.0, targets, feature_mask=grid % 5, perturbations_per_eval=5
            ),
            1e-5,
        ),
        "lime": (
            lambda: lime(net, images, targets, segments=cells, samples=SAMPLES, generator=generator()).attributions,
            lambda: one_by_one(captum.Lime(net, interpretable_model=ridge(alpha=1.0))),
            None,
        ),
        "kernel_shap": (
            lambda: (
                kernel_shap(net, images, targets, segments=cells, samples=SAMPLES, generator=generator()).attributions
            ),
            lambda: one_by_one(captum.KernelShap(net)),
            None,
        ),
    }


def compare(name: str, case: Case, rounds: int) -> dict[str, Any]:
    """Run both in turns and return the figures."""
    ours, theirs, tolerance = case
    difference = None
    if tolerance is not None:
        difference = float((ours() - theirs().reshape(ours().shape)).abs().max())
        assert difference <= tolerance, f"{name} differs by {difference:.1e}"
    theirs()
    begin = time.perf_counter()
    ours()
    each = max(1, min(20, round(0.3 / (time.perf_counter() - begin))))  # pairs in a round: fast ones need many
    ratios, seconds = [], []
    for _ in range(rounds):
        spent = {ours: 0.0, theirs: 0.0}
        for pair in range(2 * each):
            for which in (ours, theirs) if pair % 2 else (theirs, ours):
                begin = time.perf_counter()
                which()
                spent[which] += time.perf_counter() - begin
        ratios.append(spent[ours] / spent[theirs])
        seconds.append(spent[ours] / (2 * each))
    told = f"{statistics.median(ratios):7.3f}   {min(ratios):.3f} to {max(ratios):.3f}"
    exact = "" if difference is None else f"   largest difference {difference:.0e}"
    print(f"{name:32}{told}   ours {statistics.median(seconds) * 1e3:.1f} ms{exact}", flush=True)
    return {
        "ratio": round(statistics.median(ratios), 4),
        "ratios": [round(ratio, 4) for ratio in ratios],
        "difference": difference,
    }


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9, help="paired rounds per method, at least 7")
    parser.add_argument("--only", default="", help="one method")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    asked = parser.parse_args()
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # captum's own
        captum = importlib.import_module("captum.attr")
        print(f"{'method':32}{'median':>7}   ratios ours / captum")
        figures = {
            name: compare(name, case, max(7, asked.rounds))
            for name, case in cases(captum).items()
            if asked.only in ("", name)
        }
    if asked.out is not None:
        told = {
            "captum": importlib.import_module("captum").__version__,
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "methods": figures,
        }
        write(asked.out, told)


if __name__ == "__main__":
    main()
