r"""What single units look for: pictures climbed for any channel of any layer, plain or with priors.

Erhan, Bengio, Courville & Vincent 2009 (Visualizing higher-layer features of a deep network, section 3.2) ask for

.. math:: x^* = \arg\max_{\lVert x \rVert = \rho} h_{ij}(\theta, x)

which for a linear unit is :math:`\rho \, w / \lVert w \rVert`: :func:`maximize_on_sphere`. :func:`maximize_units`
climbs within the range of pictures instead; without priors (the default) what comes out of a deep network is mostly
high frequencies, itself worth seeing, and the priors of :mod:`netsmith.explain.prototypes` may be switched on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from netsmith.core.errors import UnsupportedError, UserError
from netsmith.explain._climb import Drawn, climb, draw
from netsmith.explain._forward import captured, evaluating, find_layer

__all__ = ["Place", "maximize_on_sphere", "maximize_units", "unit_scores"]

Place = Literal["mean", "center"]


def unit_scores(
    module: nn.Module, channels: Sequence[int], *, layer: str = "", place: Place = "mean"
) -> Callable[[Tensor], Tensor]:
    """Return a function from K inputs to ``(K,)``: how much the k-th channel named answers to the k-th input.

    Args:
        module: Run as it is.
        channels: One per input.
        layer: A submodule that runs once and returns ``(K, channels, ...)``; ``""`` is the module's own output.
        place: Of a map: its mean, or its value in the center.

    Raises:
        UnknownNameError: No such layer.
        UserError: No channels, or an unknown place; on running, a channel that is not there.
        UnsupportedError: On running: the layer gives no tensor of channels.
    """
    if place not in ("mean", "center") or not channels:
        raise UserError(f"place is {place!r}, with {len(channels)} channels; expected 'mean' or 'center', and channels")
    part = find_layer(module, layer) if layer else None
    wanted = torch.tensor(list(channels))

    def scores(inputs: Tensor) -> Tensor:
        if part is None:
            outputs = [module(inputs)]
        else:
            with captured(part) as outputs:
                module(inputs)
        values = outputs[0] if len(outputs) == 1 else None
        if not isinstance(values, Tensor) or values.dim() < 2 or len(values) != len(inputs):
            got = tuple(values.shape) if isinstance(values, Tensor) else f"{len(outputs)} outputs"
            raise UnsupportedError(f"layer {layer!r} gave {got}; expected one tensor ({len(inputs)}, channels, ...)")
        if int(wanted.min()) < 0 or int(wanted.max()) >= values.shape[1]:
            raise UserError(f"channels {wanted.tolist()}; layer {layer!r} has 0..{values.shape[1] - 1}")
        own = values[torch.arange(len(values), device=values.device), wanted.to(values.device)]  # (K, ...)
        if own.dim() == 1:
            return own
        if place == "mean":
            return own.flatten(1).mean(1)
        return own[(slice(None), *(size // 2 for size in own.shape[1:]))]

    return scores


def maximize_units(
    module: nn.Module,
    channels: Sequence[int],
    *,
    layer: str = "",
    place: Place = "mean",
    shape: Sequence[int],
    generator: torch.Generator,
    start: Tensor | float = 0.5,
    steps: int = 200,
    rate: float = 0.05,
    noise: float = 0.05,
    l2: float = 0.0,
    variation: float = 0.0,
    blur_every: int = 0,
    blur: float = 0.5,
    low: Tensor | float = 0.0,
    high: Tensor | float = 1.0,
) -> Drawn:
    """Draw the picture that each channel of a layer answers to most, within the range of pictures.

    Args:
        module: Left as found.
        channels: Which; all climb in one batch.
        layer: As in :func:`unit_scores`.
        place: As in :func:`unit_scores`.
        shape: ``(C, H, W)`` of one input.
        generator: Draws the noise of the start.
        start: Where the climb starts: a number, or a picture.
        steps: Steps of the climb.
        rate: As in :func:`netsmith.explain.prototypes.activation_maximization`, like the rest.
        noise: See there.
        l2: See there; 0 leaves the prior out.
        variation: See there; 0 leaves the prior out.
        blur_every: See there; 0 never blurs.
        blur: See there.
        low: See there.
        high: See there.

    Returns:
        A unit that is dead at the start has no gradient: its score does not rise.

    Raises:
        UnknownNameError: No such layer.
        UnsupportedError: The layer gives no channels, or does not depend on the input by a differentiable path.
        UserError: Settings out of range.
    """
    return draw(
        module,
        unit_scores(module, channels, layer=layer, place=place),
        len(channels),
        start=start,
        shape=shape,
        generator=generator,
        steps=steps,
        rate=rate,
        noise=noise,
        l2=l2,
        variation=variation,
        blur_every=blur_every,
        blur=blur,
        low=low,
        high=high,
    )


def maximize_on_sphere(
    module: nn.Module,
    channels: Sequence[int],
    *,
    layer: str = "",
    place: Place = "mean",
    shape: Sequence[int],
    generator: torch.Generator,
    norm: float = 1.0,
    steps: int = 100,
    rate: float = 0.5,
) -> Drawn:
    """Find the input of a given length that each channel answers to most, as Erhan et al. pose it.

    Args:
        module: Left as found.
        channels: Which.
        layer: As in :func:`unit_scores`.
        place: As in :func:`unit_scores`.
        shape: Of one input, any number of axes.
        generator: Draws the start, a random direction.
        norm: Rho, the Euclidean length of the input.
        steps: Steps of the climb.
        rate: The length of a step as a share of ``norm``; it falls linearly to a tenth.

    Raises:
        UnknownNameError: No such layer.
        UserError: Settings out of range.
    """
    if not norm > 0 or steps < 1 or not rate > 0 or not shape:
        raise UserError(f"norm is {norm}, steps {steps}, rate {rate}, shape {tuple(shape)}; expected all positive")
    score = unit_scores(module, channels, layer=layer, place=place)
    example = next((p for p in module.parameters() if p.is_floating_point()), torch.zeros(()))

    def settle(values: Tensor, _step: int = 0) -> Tensor:
        length = values.flatten(1).norm(dim=1).clamp_min(1e-30)
        return values * (norm / length).view(-1, *[1] * (values.dim() - 1))

    draws = torch.randn(len(channels), *shape, generator=generator, device=generator.device).to(example)
    start = settle(draws)
    extent = norm / start[0].numel() ** 0.5  # the root mean square of the values on the sphere
    with evaluating(module):
        first = score(start).detach()
        found = climb(score, start, steps=steps, rate=rate, extent=extent, settle=settle)
        with torch.no_grad():
            last = score(found)
    return Drawn(found, last, first)
