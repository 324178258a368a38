"""What a whole network has learned, drawn: its kernels and maps, what each layer knows, and which layers are alike.

Each function takes a network, a judged split (None where there is none) and the raw examples to show, and returns
groups of pictures with notes; one that does not apply refuses by name. :data:`GLOBAL_METHODS` lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from netsmith.core.errors import MissingExtraError, UnsupportedError, UserError, did_you_mean
from netsmith.explain.gallery import activated_layers, filters_of, strongest_maps, view_filters
from netsmith.explain.grad_cam import spatial_layers
from netsmith.explain.layer_features import layer_features, learned_layers
from netsmith.explain.units import maximize_units
from netsmith.report.page import Picture
from netsmith.report.pictures import heat_pixels, png, to_pixels, visible
from netsmith.report.run_page import PictureGroup
from netsmith.workflows.judging import Judged
from netsmith.workflows.layer_pictures import cka, probes, projections, rsa
from netsmith.workflows.pictures import value_range
from netsmith.workflows.representations import spread

if TYPE_CHECKING:
    from netsmith.api.network import Network

__all__ = ["GLOBAL_METHODS", "IMAGE_METHODS", "Drawer", "global_groups"]

Drawer = Callable[["Network", "Judged | None", Tensor], tuple[list[PictureGroup], list[str]]]

_SIDE = 112  # pixels of a small picture on the page
_KERNELS = 64
_SHOWN = 8  # maps, and units, per row


def global_groups(
    network: Network, judged: Judged | None, raw: Tensor, *, wanted: Sequence[str] = (), alone: bool = True
) -> tuple[list[PictureGroup], list[str]]:
    """Return the groups of several methods and their notes.

    Args:
        network: Whose.
        judged: A split with answers.
        raw: Examples to show maps of.
        wanted: Names in :data:`GLOBAL_METHODS`; none takes all that apply, and says which do not.
        alone: Nothing else was found: if none of the methods wanted applies, that is an error.

    Raises:
        UnsupportedError: An unknown name, or none of the methods asked for applies.
        MissingExtraError: The first asked for needs a library that is not installed, and no other applies.
    """
    groups: list[PictureGroup] = []
    notes: list[str] = []
    problems: list[UserError | MissingExtraError] = []
    for name in wanted or GLOBAL_METHODS:
        if name not in GLOBAL_METHODS:
            raise UnsupportedError(f"no global explanation named {name!r}{did_you_mean(name, GLOBAL_METHODS)}")
        try:
            found, said = GLOBAL_METHODS[name](network, judged, raw)
        except (UserError, MissingExtraError) as error:
            problems.append(error)
            notes.append(f"{name}: left out, {error}")
            continue
        groups += found
        notes += said
    if wanted and alone and problems and not groups:
        raise problems[0]
    return groups, notes


def filters(network: Network, judged: Judged | None, raw: Tensor) -> tuple[list[PictureGroup], list[str]]:
    """Draw the kernels of the first convolution."""
    del judged, raw
    kernels = filters_of(network.module)
    shown = view_filters(kernels.weights)[:_KERNELS]
    pictures = [Picture(_png(to_pixels(kernel, low=0.0, high=1.0)), str(k)) for k, kernel in enumerate(shown)]
    total, channels, height, width = kernels.weights.shape
    text = (
        f"The {height} x {width} kernels of {kernels.layer}, {_of(len(shown), total)}: what the network looks for in "
        "the pixels. Gray is no weight, white is positive, black negative; each is as strong as it can be shown."
    )
    if channels == 3:
        text = text.replace("white is positive, black negative", "its color is the one it answers to")
    elif channels > 1:
        text += f" The mean over {channels} channels is shown."
    return [PictureGroup("First-layer filters", text, pictures)], []


def feature_maps(network: Network, judged: Judged | None, raw: Tensor) -> tuple[list[PictureGroup], list[str]]:
    """Draw the maps that the first example lights up most, layer by layer."""
    del judged
    _require_images(network)
    example = network.shipped.preprocess(raw[:1])
    layers = activated_layers(network.module, example)
    if not layers:
        raise UnsupportedError("the network has no layer with maps")
    layers = _thinned(layers, 6)
    low, high = value_range(network, raw)
    photo = _png(to_pixels(visible(raw[0]), low=low, high=high))
    pictures = []
    for found in strongest_maps(network.module, example, layers=layers, count=_SHOWN):
        caption = f"{found.layer} of {found.total}"
        pictures.append(Picture(photo, caption, f"the input; beside it maps of {found.layer}, which has {found.total}"))
        for channel, values in zip(found.channels.tolist(), found.maps, strict=True):
            pictures.append(Picture(_png(heat_pixels(values, signed=True)), f"channel {channel}"))
        missing = _SHOWN - len(found.channels)
        pictures += [Picture(_BLANK)] * missing
    text = (
        "One row per layer, from input to output: the maps this example lights up most. White is zero, orange "
        "positive, blue negative (where there is no activation after the convolution); each map has a scale of its own."
    )
    return [PictureGroup("Feature maps", text, pictures, columns=1 + _SHOWN)], []


def units(network: Network, judged: Judged | None, raw: Tensor) -> tuple[list[PictureGroup], list[str]]:
    """Draw what single channels of the last layer with maps look for: plain, and held back by priors."""
    _require_images(network)
    low, high = value_range(network, raw)
    sample = raw
    if judged is not None and judged.labeled is None:
        sample = judged.raw[spread(judged.targets, most=200)]
    spatial = spatial_layers(network.shipped, sample[:1])
    path = next((name for name in reversed(learned_layers(network.shipped, sample[:1])) if name in spatial), "")
    if not path:
        raise UnsupportedError("the network has no layer with maps")
    layer = path.removeprefix("network.")
    shape = tuple(raw.shape[1:])
    values = layer_features(network.shipped, sample, layers=[path], widest=1)[path]  # (N, K): means of maps
    scatter = values.std(dim=0, correction=0)
    channels = scatter.argsort(descending=True, stable=True)[:_SHOWN].tolist()
    size = float(scatter[channels].mean().clamp_min(1e-6))  # the priors in units of the score
    mean = sample.float().mean(0)
    draws = []
    for priors in ({}, {"l2": 4 * size, "variation": 0.5 * size, "blur_every": 4}):
        drawn = maximize_units(
            network.shipped,
            channels,
            layer=path,
            shape=shape,
            generator=torch.Generator().manual_seed(0),
            start=mean,
            steps=64,
            low=low,
            high=high,
            **priors,  # type: ignore[arg-type]
        )
        draws.append(drawn.images)
    pictures = [
        Picture(_png(to_pixels(visible(images[at]), low=low, high=high)), f"channel {channel}{kind}")
        for images, kind in zip(draws, (", plain", ", with priors"), strict=True)
        for at, channel in enumerate(channels)
    ]
    text = (
        f"Pictures that drive the mean of a channel of {layer} as high as they can, for the channels that differ most "
        "between examples: without priors, then held back by L2, smoothness and blur. What only the plain ones show is "
        "what the network answers to and no data ever holds."
    )
    return [PictureGroup("What single channels look for", text, pictures, columns=len(channels))], []


IMAGE_METHODS = ("filters", "feature_maps", "units")
"""Those of pictures alone."""

GLOBAL_METHODS: Mapping[str, Drawer] = MappingProxyType(
    {
        "filters": filters,
        "feature_maps": feature_maps,
        "units": units,
        "probes": probes,
        "projections": projections,
        "rsa": rsa,
        "cka": cka,
    }
)


def _thinned(names: list[str], most: int) -> list[str]:
    if len(names) <= most:
        return names
    return [names[round(at * (len(names) - 1) / (most - 1))] for at in range(most)]


def _require_images(network: Network) -> None:
    if network.spec.inputs.kind != "image":
        raise UnsupportedError(f"{network.name} takes {network.spec.inputs.kind} inputs; maps are drawn of images")


def _of(shown: int, total: int) -> str:
    return f"{total}" if shown == total else f"the first {shown} of {total}"


def _png(pixels: object) -> bytes:
    side = max(pixels.shape[:2])  # type: ignore[attr-defined]
    return png(pixels, scale=max(1, _SIDE // side))


_BLANK = png(heat_pixels([[0.0]], signed=True))
