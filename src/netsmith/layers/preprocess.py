"""From the raw array a user hands in to what the network sees, in plain torch operations that export to ONNX."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from netsmith.core.errors import ConfigError, DataError
from netsmith.core.spec import Inputs, Step
from netsmith.layers.graphs import Graphs, unit_sum

__all__ = ["Preprocess", "normalize", "resize_window", "scale", "table_width"]

_STEPS = {
    "image": ("scale", "normalize", "resize", "gray"),
    "table": ("scale", "normalize"),
    "graph": ("unit_sum",),
}
"""Which steps apply to which kind of inputs."""

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, what Pillow's "L" uses


def scale(raw: Tensor, step: Step) -> Tensor:
    """Return ``(x - low) / (high - low)`` as float32."""
    return (raw.to(torch.float32) - step.low) / (step.high - step.low)


def normalize(x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Return ``(x - mean) / std`` per channel, the second axis."""
    shape = (1, -1) + (1,) * (x.dim() - 2)
    return (x - mean.view(shape)) / std.view(shape)


def table_width(inputs: Inputs) -> int:
    """Return how many numbers a row becomes: one per column of numbers, one per category of a column of text."""
    if not inputs.categories:
        return len(inputs.columns) or inputs.shape[0]
    return sum(len(values) or 1 for values in inputs.categories)


def resize_window(have: tuple[int, int], size: tuple[int, ...], *, shorter: int) -> tuple[tuple[int, int], int, int]:
    """Return how large an image is made, and where the window that stays begins: ``((H, W), top, left)``.

    To the pixel as torchvision's ``Resize`` and ``CenterCrop``, which public weights were measured with.

    Args:
        have: Height and width of the image.
        size: Height and width of the window.
        shorter: What the shorter side becomes, the other in proportion; 0 makes the whole image the window.

    Example:
        >>> resize_window((300, 600), (224, 224), shorter=256)
        ((256, 512), 16, 144)
    """
    if not shorter:
        return (size[0], size[1]), 0, 0
    height, width = (shorter * side // min(have) for side in have)
    return (height, width), round((height - size[0]) / 2), round((width - size[1]) / 2)


class Preprocess(nn.Module):
    """Apply ``inputs.preprocessing``; stands in front of a model in an exported graph.

    Images come as ``(B, C, H, W)``, uint8 or floating point in the raw range, and pass through the steps in order. The
    step ``resize`` squashes to its size (bilinear, antialiased), or with ``shorter`` cuts the middle out of the image
    resized in proportion, unless the image has its size already; ``gray`` takes three channels to one.

    Tables come as ``(B, F)`` numbers, one per column: the number itself, or the position of the text in
    ``inputs.categories`` (-1 for one that training never saw). Each column of text is first replaced, in its place, by
    one column per category (1 for the row's own, else 0: all 0 for an unknown one); ``normalize`` then holds one mean
    and one deviation per column *after* that. A number that is NaN (missing) becomes the mean.

    Graphs come as :data:`~netsmith.layers.graphs.Graphs`; ``unit_sum`` divides the numbers of each node by their sum.

    Everything else (tokens, states, ...) passes unchanged: texts are tokenized before, by
    :func:`netsmith.layers.tokenize.encode`.

    Args:
        inputs: The schema's inputs.

    Shapes:
        ``(B, C, H, W)`` to ``(B, *inputs.shape)`` float32; ``(B, F)`` to ``(B, *inputs.shape)`` float32.

    Raises:
        ConfigError: The steps do not fit the kind or the shape.
        DataError: In ``forward``: the array has another number of axes, channels or columns.
    """

    def __init__(self, inputs: Inputs) -> None:
        super().__init__()
        self.inputs = inputs
        self.steps = inputs.preprocessing if inputs.kind in _STEPS else ()
        for index, step in enumerate(self.steps):
            if step.name not in _STEPS[inputs.kind]:
                raise ConfigError(
                    f"the preprocessing step {step.name!r} does not apply to inputs of kind {inputs.kind!r}"
                )
            if step.name == "normalize":
                if len(step.mean) != inputs.shape[0]:
                    raise ConfigError(f"normalize has {len(step.mean)} means; the inputs' shape is {inputs.shape}")
                self.register_buffer(f"mean_{index}", torch.tensor(step.mean, dtype=torch.float32), persistent=False)
                self.register_buffer(f"std_{index}", torch.tensor(step.std, dtype=torch.float32), persistent=False)
        if inputs.kind == "table" and table_width(inputs) != inputs.shape[0]:
            raise ConfigError(f"columns and categories make {table_width(inputs)} numbers; the shape is {inputs.shape}")

    def forward(self, raw: Any) -> Any:
        """Return what the network sees."""
        if self.inputs.kind == "graph":
            return self._graphs(raw)
        if self.inputs.kind == "table":
            return self._table(raw)
        if self.inputs.kind == "set":  # what is given has no padding
            return torch.cat([raw, torch.ones_like(raw[..., :1])], -1)
        return self._image(raw) if self.inputs.kind == "image" else raw

    def _graphs(self, raw: Graphs) -> Graphs:
        if not isinstance(raw, dict) or not {"nodes", "edges"} <= set(raw):
            raise DataError("expected graphs as a dict of 'nodes' and 'edges'")
        nodes, edges = raw["nodes"], raw["edges"]
        width = self.inputs.shape[-1]
        if nodes.dim() != 3 or int(nodes.shape[2]) != width or edges.dim() != 3 or int(edges.shape[2]) != 2:
            raise DataError(
                f"expected graphs of nodes (batch, nodes, {width}) and edges (batch, edges, 2), got "
                f"{tuple(nodes.shape)} and {tuple(edges.shape)}"
            )
        for _ in self.steps:  # there is one kind of them
            nodes = unit_sum(nodes)
        return {"nodes": nodes, "edges": edges}

    def _image(self, raw: Tensor) -> Tensor:
        channels = self.inputs.shape[0]
        gray = any(step.name == "gray" for step in self.steps)
        # A tracing exporter gives sizes as tensors; what it traces is proven against this module afterwards.
        if raw.dim() != 4 or int(raw.shape[1]) not in ({1, 3} if gray else {channels}):
            raise DataError(f"expected images of shape (batch, {channels}, height, width), got {tuple(raw.shape)}")
        x = raw.to(torch.float32)  # (B, C, H, W)
        for index, step in enumerate(self.steps):
            if step.name == "scale":
                x = scale(x, step)
            elif step.name == "normalize":
                x = normalize(x, getattr(self, f"mean_{index}"), getattr(self, f"std_{index}"))
            elif step.name == "gray" and int(x.shape[1]) == 3:
                x = _LUMA[0] * x[:, 0:1] + _LUMA[1] * x[:, 1:2] + _LUMA[2] * x[:, 2:3]
            elif step.name == "resize" and tuple(map(int, x.shape[2:])) != step.size:
                full, top, left = resize_window(tuple(map(int, x.shape[2:])), step.size, shorter=step.shorter)
                x = F.interpolate(x, size=full, mode="bilinear", align_corners=False, antialias=True)
                x = x[:, :, top : top + step.size[0], left : left + step.size[1]]
        pixels = tuple(map(int, x.shape[2:]))
        if pixels != self.inputs.shape[1:] and -1 not in self.inputs.shape:
            raise DataError(f"expected images of {self.inputs.shape[1:]} pixels, got {pixels}; resize them")
        return x

    def _table(self, raw: Tensor) -> Tensor:
        columns = len(self.inputs.columns) or self.inputs.shape[0]
        if raw.dim() != 2 or int(raw.shape[1]) != columns:
            raise DataError(f"expected rows of shape (batch, {columns}), got {tuple(raw.shape)}")
        x = raw.to(torch.float32)  # (B, F)
        if any(self.inputs.categories):
            parts = []
            for column, values in enumerate(self.inputs.categories):
                part = x[:, column : column + 1]
                if values:
                    part = (part == torch.arange(len(values), dtype=torch.float32, device=x.device)).to(torch.float32)
                parts.append(part)
            x = torch.cat(parts, dim=1)
        for index, step in enumerate(self.steps):
            if step.name == "scale":
                x = scale(x, step)
            elif step.name == "normalize":
                mean = getattr(self, f"mean_{index}")
                x = normalize(torch.where(torch.isnan(x), mean, x), mean, getattr(self, f"std_{index}"))
        return x
