r"""Attributions for tokens and categories: gradients at the output of an embedding layer, one number per position.

A token has no gradient, its embedding :math:`e` has: :func:`embedding_saliency` is
:math:`\lVert \partial F / \partial e \rVert_2`, :func:`embedding_smooth_grad` the same of the mean gradient over noisy
embeddings (Smilkov et al. 2017, arXiv:1706.03825), :func:`embedding_gradients`
:math:`\sum_d e_d \, \partial F / \partial e_d`, and :func:`embedding_integrated_gradients` the integral of
Sundararajan, Taly & Yan 2017 (arXiv:1703.01365) from the baseline's embedding, whose attributions add up to the change
of the score. The norm takes the place of the largest absolute value over the channels of a pixel: the axes of an
embedding mean nothing, and a rotation of them leaves it as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from netsmith.core.errors import UnsupportedError, UserError
from netsmith.engine.batch import map_tensors
from netsmith.explain._forward import captured, evaluating, find_layer, pick, repeat, resolve_targets, size_of, slopes
from netsmith.explain.integrated_gradients import Integrated, integrate_gradients
from netsmith.explain.saliency import smooth_gradients

__all__ = ["embedding_gradients", "embedding_integrated_gradients", "embedding_saliency", "embedding_smooth_grad"]


def embedding_gradients(module: nn.Module, inputs: Any, targets: Tensor | int | None = None, *, layer: str) -> Tensor:
    """Return gradient x embedding per position: a fast, first-order look at which tokens matter.

    Args:
        module: Returns ``(B, K)`` scores or ``(B,)`` values; it is left as found.
        inputs: What the module takes: a tensor, or a tuple or dict of tensors.
        targets: The class explained, ``(B,)`` or one for all; None explains the predicted class.
        layer: The name of a submodule that runs once and returns ``(B, L, D)`` (or ``(B, D)``).

    Returns:
        ``(B, L)`` (or ``(B,)``), signed.

    Raises:
        UnknownNameError: No such layer.
        UnsupportedError: The layer runs more than once, does not return the batch first, is not on the way to the
            score, or the module returns no table of scores.
    """
    embedded, slope = _gradient(module, inputs, targets, layer)
    return (embedded * slope).sum(-1)


def embedding_saliency(module: nn.Module, inputs: Any, targets: Tensor | int | None = None, *, layer: str) -> Tensor:
    """Return the norm of the gradient at each position: how far the score moves with its embedding, for or against.

    Arguments and errors as :func:`embedding_gradients`.

    Returns:
        ``(B, L)`` (or ``(B,)``), not negative.
    """
    return _gradient(module, inputs, targets, layer)[1].norm(dim=-1)


def embedding_smooth_grad(
    module: nn.Module,
    inputs: Any,
    targets: Tensor | int | None = None,
    *,
    layer: str,
    generator: torch.Generator,
    samples: int = 32,
    noise: float = 0.15,
    rows: int = 512,
) -> Tensor:
    """Return the norm of the mean gradient over noisy embeddings, which removes the speckle of the plain one.

    Args:
        module: As in :func:`embedding_gradients`.
        inputs: As in :func:`embedding_gradients`.
        targets: As in :func:`embedding_gradients`.
        layer: As in :func:`embedding_gradients`.
        generator: Draws the noise, on its own device.
        samples: How many noisy copies.
        noise: The standard deviation as a share of max - min of the example's embeddings.
        rows: At most about this many rows in one forward pass.

    Returns:
        ``(B, L)`` (or ``(B,)``), not negative.
    """
    part = find_layer(module, layer)
    with evaluating(module):
        with torch.no_grad():
            copies = min(samples, rows // max(1, size_of(inputs))) > 1  # they are a batch of another size
            embedded, output = _run(module, part, inputs, layer, again=not copies)
            classes = resolve_targets(output, targets)
        score = _score(module, part, inputs, classes, layer)
        mean = smooth_gradients(
            score, embedded, generator=generator, samples=samples, noise=noise, rows=rows, what=f"layer {layer!r}"
        )
    return mean.norm(dim=-1)


def embedding_integrated_gradients(
    module: nn.Module,
    inputs: Any,
    targets: Tensor | int | None = None,
    *,
    layer: str,
    baselines: Any = None,
    nodes: int = 50,
    rows: int = 512,
) -> Integrated:
    """Attribute the score to positions by integrating the gradient at the embedding layer.

    Args:
        module: As in :func:`embedding_gradients`.
        inputs: As in :func:`embedding_gradients`.
        targets: As in :func:`embedding_gradients`.
        layer: As in :func:`embedding_gradients`.
        baselines: Inputs of the same form that mean "nothing there" (padding or unknown tokens); None is an embedding
            of zeros.
        nodes: Points of the Gauss-Legendre quadrature.
        rows: At most about this many rows in one forward pass.

    Returns:
        ``(B, L)`` attributions, and the completeness error ``(B,)``. With ``baselines`` the score at the start is that
        of ``inputs`` with only the embeddings exchanged, since a padding mask belongs to the example.
    """
    part = find_layer(module, layer)
    with evaluating(module):
        with torch.no_grad():
            stop, output = _run(module, part, inputs, layer)
            classes = resolve_targets(output, targets)
            start = torch.zeros_like(stop) if baselines is None else _run(module, part, baselines, layer)[0]
            if start.shape != stop.shape:
                raise UserError(f"baselines embed to {tuple(start.shape)}; expected {tuple(stop.shape)}, as the inputs")
            with captured(part, replace=lambda _: start):
                rise = pick(output, classes) - pick(module(inputs), classes)  # (B,)
        score = _score(module, part, inputs, classes, layer)

        def slope(points: Tensor, repeats: int) -> Tensor:
            points = points.detach().requires_grad_(True)
            return slopes(score(points, repeats), points, f"layer {layer!r}")

        mean = integrate_gradients(slope, start.detach(), stop.detach(), nodes=nodes, rows=rows)
    attributions = ((stop - start) * mean).sum(-1)
    return Integrated(attributions, attributions.reshape(size_of(inputs), -1).sum(1) - rise)


def _gradient(module: nn.Module, inputs: Any, targets: Tensor | int | None, layer: str) -> tuple[Tensor, Tensor]:
    """Return the embeddings and the gradient at them."""
    part = find_layer(module, layer)
    with evaluating(module):
        embedded, output = _run(module, part, inputs, layer)
        slope = slopes(pick(output, resolve_targets(output, targets)), embedded, f"layer {layer!r}")
    return embedded.detach(), slope


def _score(
    module: nn.Module, part: nn.Module, inputs: Any, classes: Tensor | None, layer: str
) -> Callable[[Tensor, int], Tensor]:
    """Return the score as a function of embeddings put in the place of those of ``inputs``."""

    def score(points: Tensor, repeats: int) -> Tensor:
        ran: list[Tensor] = []

        def instead(output: Tensor) -> Tensor:
            ran.append(output)
            _require_first(_one(ran, layer), len(points), layer)
            return points

        with captured(part, replace=instead):
            output = module(repeat(inputs, repeats))
        return pick(output, None if classes is None else repeat(classes, repeats))

    return score


def _run(module: nn.Module, part: nn.Module, inputs: Any, layer: str, *, again: bool = True) -> tuple[Tensor, Any]:
    """Return the embeddings, examples first, and what the module made of them; look at it ``again`` to be sure."""
    embedded, output = _pass(module, part, inputs)
    size = size_of(inputs)
    _require_first(_one(embedded, layer), size, layer)
    if again:
        # (L, B, D) is told from (B, L, D), where L = B too, by a batch of another size.
        other = map_tensors(inputs, lambda tensor: tensor[:1]) if size > 1 else repeat(inputs, 2)
        with torch.no_grad():
            _require_first(_one(_pass(module, part, other)[0], layer), size_of(other), layer)
    return embedded[0], output


def _pass(module: nn.Module, part: nn.Module, inputs: Any) -> tuple[list[Any], Any]:
    with captured(part) as outputs:
        output = module(inputs)
    return outputs, output


def _require_first(embedded: Tensor, count: int, layer: str) -> None:
    if embedded.shape[0] != count:
        got = tuple(embedded.shape)
        raise UnsupportedError(
            f"layer {layer!r} returns {got} for a batch of {count}; expected (B, L, D), the batch first"
        )


def _one(outputs: list[Any], layer: str) -> Tensor:
    """Return what a layer returned, embeddings, the one time it ran."""
    if len(outputs) != 1:
        raise UnsupportedError(f"layer {layer!r} runs {len(outputs)} times in one pass; expected one that runs once")
    (embedded,) = outputs
    if not isinstance(embedded, Tensor) or not embedded.is_floating_point() or embedded.dim() < 2:
        tensor = isinstance(embedded, Tensor)
        got = f"{tuple(embedded.shape)} {embedded.dtype}" if tensor else f"a {type(embedded).__name__}"
        raise UnsupportedError(f"layer {layer!r} returns {got}; expected embeddings (B, L, D)")
    return embedded
