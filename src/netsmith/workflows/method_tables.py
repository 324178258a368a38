"""Tables of explanations: which methods apply to images, tables, tokens, nodes and sounds, and how each is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from netsmith.core.errors import UnsupportedError
from netsmith.explain.attention import attention_maps, attention_rollout
from netsmith.explain.embeddings import (
    embedding_gradients,
    embedding_integrated_gradients,
    embedding_saliency,
    embedding_smooth_grad,
)
from netsmith.explain.grad_cam import grad_cam, spatial_layers
from netsmith.explain.guided import deconvolution, guided_backprop
from netsmith.explain.integrated_gradients import Integrated, integrated_gradients
from netsmith.explain.lime import kernel_shap, lime
from netsmith.explain.occlusion import occlusion, segment_occlusion
from netsmith.explain.patches import patch_attention
from netsmith.explain.saliency import gradient, heat_maps, input_x_gradient, saliency, smooth_grad
from netsmith.explain.shapley import shapley_values
from netsmith.layers.spatial_transformer import SpatialTransformer
from netsmith.workflows.attributions import Asked, Found, Method

__all__ = ["IMAGES", "NODES", "SEGMENTED", "SOUNDS", "TABLES", "TOKENS"]

_SAMPLES = 512  # coalitions of LIME and Kernel SHAP
_ORDERS = 16
_UNSIGNED = "how much it matters, for or against"
_ANY_CLASS = "the same for every class"
_WEAK = 0.5  # a linear model that follows less of the score explains itself, not the network


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def _map(attributions: Tensor) -> Tensor:
    """Return what a picture shows: the largest absolute value of a pixel's channels."""
    return heat_maps(attributions.abs())


def _grad_cam(asked: Asked) -> Found:
    layers = spatial_layers(asked.module, asked.inputs[:1])
    layers = [layer for layer in layers if "preprocess" not in layer.split(".")]  # the picture is no feature map
    if not layers:
        raise UnsupportedError(f"Grad-CAM needs a feature map (B, K, h, w), and {asked.name} has none")
    layer = asked.layer if asked.layer in layers else layers[-1]
    moved = any(isinstance(module, SpatialTransformer) for module in asked.module.modules())
    doubt = "its map is of the image the spatial transformer made, not of the input it is laid over" if moved else ""
    return Found(grad_cam(asked.module, asked.inputs, asked.targets, layer=layer), doubt=doubt)


def _occlusion(asked: Asked) -> Found:
    windows = [max(1, size // 5) for size in asked.inputs.shape[2:]]
    drops = occlusion(
        asked.module, asked.inputs, asked.targets, window=windows, stride=[max(1, edge // 2) for edge in windows],
        fill=asked.fill, rows=asked.rows,
    )  # fmt: skip
    return Found(drops.clamp(min=0))


def _integrated(found: Integrated, scores: Tensor) -> Found:
    return Found(scores, error=found.completeness_error)


def _lime(asked: Asked) -> Found:
    found = lime(
        asked.module, asked.inputs, asked.targets, segments=asked.segments, baselines=asked.fill, samples=_SAMPLES,
        generator=_generator(), rows=asked.rows,
    )  # fmt: skip
    worst = float(found.fidelity.min())
    doubt = f"its linear model follows only {worst:.0%} of the score" if worst < _WEAK else ""
    return Found(found.attributions, remark=f"fidelity (R squared) at least {worst:.2f}", doubt=doubt)


def _kernel_shap(asked: Asked) -> Found:
    players = asked.inputs.shape[1] if asked.segments is None else int(asked.segments.max()) + 1
    found = kernel_shap(
        asked.module, asked.inputs, asked.targets, segments=asked.segments, baselines=asked.fill,
        samples=max(_SAMPLES, 4 * players), generator=_generator(), rows=asked.rows,
    )  # fmt: skip
    return Found(found.attributions)


def _shapley(asked: Asked) -> Found:
    found = shapley_values(
        asked.module, asked.inputs, asked.targets, segments=asked.segments, baselines=asked.fill, orders=_ORDERS,
        generator=_generator(), rows=asked.rows,
    )  # fmt: skip
    remark = f"standard error at most {float(found.standard_error.max()):.2g}"
    return Found(found.attributions, error=found.efficiency_error, remark=remark)


def _windows_covered(asked: Asked) -> Found:
    """Silence a tenth of the sound, window after window."""
    width = max(1, asked.inputs.shape[2] // 10)
    return Found(
        occlusion(asked.module, asked.inputs, asked.targets, window=width, stride=1, fill=asked.fill, rows=asked.rows)
    )


def _of_nodes(run: Callable[[Asked], Found]) -> Callable[[Asked], Found]:
    """Drop the axis of features from ``(B, 1, N)``."""

    def flat(asked: Asked) -> Found:
        found = run(asked)
        return replace(found, scores=found.scores[:, 0])

    return flat


def _of_pixels(run: Callable[[Asked], Found]) -> Callable[[Asked], Found]:
    """Show what speaks for the class alone, one number per pixel."""

    def positive(asked: Asked) -> Found:
        found = run(asked)
        return replace(found, scores=found.scores[:, 0].clamp(min=0))

    return positive


def _image_integrated(asked: Asked) -> Found:
    found = integrated_gradients(asked.module, asked.inputs, asked.targets, rows=asked.rows)
    return _integrated(found, _map(found.attributions))


def _table_integrated(asked: Asked) -> Found:
    found = integrated_gradients(asked.module, asked.inputs, asked.targets, baselines=asked.fill, rows=asked.rows)
    return _integrated(found, found.attributions)


def _summed_integrated(asked: Asked) -> Found:
    found = integrated_gradients(asked.module, asked.inputs, asked.targets, rows=asked.rows)
    return _integrated(found, found.attributions.sum(1))


def _token_integrated(asked: Asked) -> Found:
    found = embedding_integrated_gradients(
        asked.module, asked.inputs, asked.targets, layer=asked.layer, rows=asked.rows
    )
    return _integrated(found, _by_token(asked, found.attributions))


def _token_input_x_gradient(asked: Asked) -> Found:
    scores = embedding_gradients(asked.module, asked.inputs, asked.targets, layer=asked.layer)
    return Found(_by_token(asked, scores))


def _token_saliency(asked: Asked) -> Found:
    scores = embedding_saliency(asked.module, asked.inputs, asked.targets, layer=asked.layer)
    return Found(_by_token(asked, scores) * _given(asked).to(scores), remark=_UNSIGNED)


def _token_smooth_grad(asked: Asked) -> Found:
    scores = embedding_smooth_grad(
        asked.module, asked.inputs, asked.targets, layer=asked.layer, generator=_generator(), rows=asked.rows
    )
    return Found(_by_token(asked, scores) * _given(asked).to(scores), remark=_UNSIGNED)


def _by_token(asked: Asked, scores: Tensor) -> Tensor:
    """Refuse scores of other places than the tokens: ``(B, L)``."""
    if scores.shape != asked.inputs.shape:
        raise UnsupportedError(
            f"layer {asked.layer!r} embeds {tuple(scores.shape)} places; expected {tuple(asked.inputs.shape)}, the "
            "tokens given"
        )
    return scores


def _given(asked: Asked) -> Tensor:
    """Return which positions hold a token: ``(B, L)``."""
    return torch.ones_like(asked.inputs, dtype=torch.bool) if asked.segments is None else asked.segments >= 0


def _attention(asked: Asked) -> Found:
    """Return how much the positions of a text look at each word in the last layer that looks at words."""
    maps, length = attention_maps(asked.module, asked.inputs), asked.inputs.shape[1]
    fitting = {name: one for name, one in maps.items() if one.shape[3] == length}
    if not fitting:
        name, one = list(maps.items())[-1]
        raise UnsupportedError(
            f"attention over {length} tokens has maps of as many columns; layer {name!r} of {asked.name} attends to "
            f"{one.shape[3]} positions"
        )
    name, last = list(fitting.items())[-1]
    looked = last.mean(1)  # (B, Q, L)
    given = _given(asked).to(looked)
    scores = _mean_row(looked, given) if looked.shape[1] == length else looked.mean(1) * given
    return Found(scores, remark=f"of {name}, {_ANY_CLASS}", maps=fitting)


def _mean_row(weights: Tensor, given: Tensor) -> Tensor:
    """Return the mean of the rows that hold a token: ``(B, L, L)`` to ``(B, L)``."""
    return (weights * given[..., None]).sum(1) / given.sum(1, keepdim=True).clamp(min=1) * given


def _attention_rollout(asked: Asked) -> Found:
    """Return what the positions of a text are made of, on average: the same for every class."""
    maps = attention_maps(asked.module, asked.inputs)
    length = asked.inputs.shape[1]
    wrong = [(name, tuple(one.shape[2:])) for name, one in maps.items() if one.shape[2:] != (length, length)]
    if wrong:
        name, shape = wrong[0]
        raise UnsupportedError(
            f"attention rollout follows {length} tokens through maps {length} x {length}; layer {name!r} of "
            f"{asked.name} attends from {shape[0]} positions to {shape[1]}"
        )
    rolled = attention_rollout(maps)  # (B, L, L)
    return Found(_mean_row(rolled, _given(asked).to(rolled)), remark=_ANY_CLASS, maps={"rollout": rolled[:, None]})


def _patches(asked: Asked, *, rollout: bool) -> Found:
    """Return how much of each patch the positions take that the answer is read from."""
    found = patch_attention(asked.module, asked.inputs, asked.targets, rollout=rollout)
    count, places = int(found.read.sum(1).max()), found.read.shape[1]
    scores = F.interpolate(found.scores[:, None], size=asked.inputs.shape[2:], mode="nearest")[:, 0]
    layer = found.layer.removeprefix("shipped.network.")
    return Found(scores, remark=f"read from {count} of {places} positions of {layer}, {_ANY_CLASS}")


def _smooth_grad(asked: Asked) -> Tensor:
    return smooth_grad(asked.module, asked.inputs, asked.targets, generator=_generator(), rows=asked.rows)


def _leave_out(asked: Asked) -> Found:
    drops = segment_occlusion(
        asked.module, asked.inputs, asked.targets, segments=asked.segments, baselines=asked.fill, rows=asked.rows
    )
    return Found(drops)


def _plain(function: Callable[..., Tensor], show: Callable[[Tensor], Tensor] = _map) -> Callable[[Asked], Found]:
    return lambda asked: Found(show(function(asked.module, asked.inputs, asked.targets)))


def _same(scores: Tensor) -> Tensor:
    return scores


def _total(scores: Tensor) -> Tensor:
    return scores.sum(1)


def _sized(slopes: Tensor) -> Found:
    """Show how long the gradient of each node (window) is."""
    return Found(slopes.norm(dim=1), remark=_UNSIGNED)


IMAGES: Mapping[str, Method] = {
    "saliency": Method(_plain(saliency), gradient=True, default=True, stages=3),
    "input_x_gradient": Method(_plain(input_x_gradient), gradient=True, stages=3),
    "smooth_grad": Method(lambda asked: Found(_map(_smooth_grad(asked))), gradient=True, default=True),
    "integrated_gradients": Method(_image_integrated, gradient=True, default=True),
    "guided_backprop": Method(_plain(guided_backprop), gradient=True, stages=3),
    "deconvolution": Method(_plain(deconvolution), gradient=True, stages=3),
    "grad_cam": Method(_grad_cam, gradient=True, default=True, stages=3, soft=True),
    "occlusion": Method(_occlusion, gradient=False, default=True, soft=True),
    "attention": Method(partial(_patches, rollout=False), gradient=False, stages=3, soft=True),
    "attention_rollout": Method(partial(_patches, rollout=True), gradient=False, stages=3, soft=True),
    "lime": Method(_of_pixels(_lime), gradient=False, soft=True),
    "kernel_shap": Method(_of_pixels(_kernel_shap), gradient=False, soft=True),
    "shapley": Method(_of_pixels(_shapley), gradient=False, soft=True),
}

SEGMENTED = ("lime", "kernel_shap", "shapley")
"""Of images those that switch off parts, not pixels or windows."""

_PARTS: Mapping[str, Method] = {
    "occlusion": Method(_leave_out, gradient=False, stages=3),
    "lime": Method(_lime, gradient=False),
    "kernel_shap": Method(_kernel_shap, gradient=False),
    "shapley": Method(_shapley, gradient=False),
}

TABLES: Mapping[str, Method] = {
    "integrated_gradients": Method(_table_integrated, gradient=True, default=True),
    "gradient": Method(_plain(gradient, _same), gradient=True, stages=3),
    "input_x_gradient": Method(_plain(input_x_gradient, _same), gradient=True, stages=3),
    "smooth_grad": Method(lambda asked: Found(_smooth_grad(asked)), gradient=True),
    "guided_backprop": Method(_plain(guided_backprop, _same), gradient=True, stages=3),
    **_PARTS,
}

TOKENS: Mapping[str, Method] = {
    "integrated_gradients": Method(_token_integrated, gradient=True, default=True),
    "input_x_gradient": Method(_token_input_x_gradient, gradient=True, stages=3),
    "saliency": Method(_token_saliency, gradient=True, stages=3),
    "smooth_grad": Method(_token_smooth_grad, gradient=True),
    "attention": Method(_attention, gradient=False, stages=3),
    "attention_rollout": Method(_attention_rollout, gradient=False, stages=3),
    **_PARTS,
}

_SUMMED: Mapping[str, Method] = {
    "input_x_gradient": Method(_plain(input_x_gradient, _total), gradient=True, default=True, stages=2),
    "integrated_gradients": Method(_summed_integrated, gradient=True),
    "saliency": Method(
        lambda asked: _sized(gradient(asked.module, asked.inputs, asked.targets)), gradient=True, stages=2
    ),
    "smooth_grad": Method(lambda asked: _sized(_smooth_grad(asked)), gradient=True),
    **{name: replace(method, run=_of_nodes(method.run)) for name, method in _PARTS.items()},
}
"""For ``(B, C, L)``: what the channels of a place gave is added up."""

NODES: Mapping[str, Method] = _SUMMED

SOUNDS: Mapping[str, Method] = {
    **_SUMMED,
    "input_x_gradient": replace(_SUMMED["input_x_gradient"], default=False),
    "integrated_gradients": replace(_SUMMED["integrated_gradients"], default=True),
    "occlusion": Method(_windows_covered, gradient=False, default=True),
}
