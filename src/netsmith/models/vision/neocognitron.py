"""The neocognitron (Fukushima 1980, Biological Cybernetics 36, 193-202), the ancestor of convolutional networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from netsmith.core.config import AUTO, Auto
from netsmith.core.errors import DataError, UnsupportedError
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind

__all__ = ["CLayer", "Neocognitron", "SLayer", "seed_cells"]

_GRID = 16
_Positive = Annotated[float, Field(gt=0)]
_Width = Annotated[int, Field(ge=1)]

_S_PADDINGS = (2, 1, 0)
_C_FORMS = ({"area": 5, "stride": 2, "padding": 4}, {"area": 5, "stride": 2, "padding": 4}, {"area": 2})
_COLUMNS = (5, 5, 2)


class SLayer(nn.Module):
    r"""S-cells: each plane looks for one feature, everywhere, and more strictly the larger r is (Eq. 1 to 3).

    .. math::
        u_S(k, n) &= r\, \varphi\Big[\frac{1 + \sum_{\kappa, \nu} a(\kappa, \nu, k)\, u_C(\kappa, n + \nu)}
                     {1 + \frac{2r}{1 + r}\, b(k)\, v_C(n)} - 1\Big], \quad \varphi[x] = \max(x, 0) \\
        v_C(n) &= \sqrt{\textstyle\sum_{\kappa, \nu} c(\nu)\, u_C^2(\kappa, n + \nu)}

    A plane that has learned one pattern well answers to another by phi[(1 + r) s - r], where s is their cosine under
    the weights c: nothing below s = r / (1 + r).

    Args:
        in_planes: Planes of C-cells (or of the photoreceptors) that it looks at.
        planes: Planes of its own.
        selectivity: r.
        decay: c falls by this factor with each unit of distance from the middle of the 5 x 5 area; it sums to 1.
        padding: Rows and columns of silent cells around the C-planes.

    Shapes:
        ``(B, in_planes, H, W)``, not negative, to ``(B, planes, H + 2 padding - 4, W + 2 padding - 4)``.
    """

    a: Tensor
    b: Tensor
    c: Tensor

    def __init__(self, in_planes: int, planes: int, *, selectivity: float, decay: float, padding: int) -> None:
        super().__init__()
        self.selectivity, self.padding = selectivity, padding
        c = _bump(5, decay).expand(1, in_planes, 5, 5)
        self.register_buffer("c", c / c.sum(), persistent=False)
        self.register_buffer("a", 1e-3 * torch.rand(planes, in_planes, 5, 5) * self.c)  # small, and planes differ
        self.register_buffer("b", torch.zeros(planes))

    def forward(self, maps: Tensor) -> Tensor:
        """Return the responses of the S-cells."""
        r = self.selectivity
        excitation = F.conv2d(maps, self.a, padding=self.padding)
        inhibition = 2 * r / (1 + r) * self.b[:, None, None] * self.inhibition(maps)
        return r * ((1 + excitation) / (1 + inhibition) - 1).relu()  # Eq. 1

    def inhibition(self, maps: Tensor) -> Tensor:
        """Return v_C, ``(B, 1, H', W')``."""
        power = F.conv2d(maps.square(), self.c, padding=self.padding)
        return power.clamp(min=torch.finfo(power.dtype).tiny).sqrt()  # Eq. 3; the root of 0 has no gradient

    def reinforce(self, maps: Tensor, *, column: int, amount: float) -> None:
        r"""Let the seed cells of one pattern learn it, and with each all cells of its plane (Eq. 8).

        .. math:: \Delta a(\kappa, \nu, k) = q\, c(\nu)\, u_C(\kappa, n + \nu), \quad \Delta b(k) = \tfrac q2\, v_C(n)

        Args:
            maps: ``(1, in_planes, H, W)``, one pattern.
            column: Side of an S-column.
            amount: q.
        """
        planes, places = seed_cells(self(maps)[0], column=column)
        seen = F.unfold(maps, 5, padding=self.padding)[0][:, places]  # (in_planes * 25, seeds)
        self.a[planes] += amount * self.c * seen.T.view(-1, *self.a.shape[1:])
        self.b[planes] += amount / 2 * self.inhibition(maps).flatten()[places]


class CLayer(nn.Module):
    r"""C-cells: each answers if its plane's feature is anywhere near; planes inhibit each other (Eq. 5 to 7).

    .. math::
        u_C(k, n) &= \psi\Big[\frac{1 + \sum_\nu d(\nu)\, u_S(k, n + \nu)}{1 + v_S(n)} - 1\Big], \quad
                     \psi[x] = \varphi[x / (\alpha + x)] \\
        v_S(n) &= \tfrac1K \textstyle\sum_{k, \nu} d(\nu)\, u_S(k, n + \nu)

    Args:
        planes: K.
        area: Side of the area that a cell looks at.
        decay: d is 1 at the middle of the area and falls by this factor with each unit of distance.
        alpha: The saturation.
        stride: Steps between two cells.
        padding: Rows and columns of silent cells around the S-planes.

    Shapes:
        ``(B, K, H, W)`` to ``(B, K, H', W')``, in 0..1.
    """

    d: Tensor

    def __init__(
        self, planes: int, *, area: int, decay: float, alpha: float, stride: int = 1, padding: int = 0
    ) -> None:
        super().__init__()
        self.stride, self.padding, self.alpha = stride, padding, alpha
        self.register_buffer("d", _bump(area, decay).expand(planes, 1, area, area).clone(), persistent=False)

    def forward(self, maps: Tensor) -> Tensor:
        """Return the responses of the C-cells."""
        excitation = F.conv2d(maps, self.d, stride=self.stride, padding=self.padding, groups=len(self.d))
        x = ((1 + excitation) / (1 + excitation.mean(1, keepdim=True)) - 1).relu()  # Eq. 5
        return x / (self.alpha + x)  # Eq. 6


def seed_cells(responses: Tensor, *, column: int) -> tuple[Tensor, Tensor]:
    """Choose the cells that learn: winners of an S-column, and of those at most one in each plane.

    An S-column holds the cells of all planes in a square of positions; columns overlap, one at each position. The
    strongest cell of each, if it answers at all, is a candidate; of several in one plane the strongest is the seed.

    Args:
        responses: ``(planes, H, W)`` of one pattern.
        column: Side of an S-column.

    Returns:
        Planes that have a seed, and its position ``row * W + column`` in each: two ``(seeds,)`` int64 tensors.
    """
    strongest, plane = responses.max(0)  # (H, W)
    _, winners = F.max_pool2d(strongest[None, None], column, stride=1, return_indices=True)
    places = winners.unique()
    candidates = torch.zeros_like(responses).flatten(1)  # (planes, H * W)
    candidates[plane.flatten()[places], places] = strongest.flatten()[places]
    strength, place = candidates.max(1)
    planes = strength.nonzero()[:, 0]
    return planes, place[planes]


class Neocognitron(nn.Module):
    """Learn shapes without a teacher, layer by layer, and recognize them where they have moved or been deformed.

    A retina of 16 x 16 photoreceptors and three pairs of S- and C-layers: 16, 10, 8, 6, 2 and 1 cells wide, 24 planes
    each. There are no parameters and no gradients; what is learned lies in buffers. :meth:`learn` shows the images to
    the first S-layer until it has learned, then to the next; :meth:`label` then asks, with labels, to which class
    each plane of the last layer answers most on average. The logit of a class is the strongest response among its
    planes, 0 where it has none.

    With the method ``closed_form``, :meth:`absorb` does both for each batch. Let one hold the whole training split:
    with smaller ones, earlier votes are those of the weights of that time.

    Deviations: the paper lets all layers learn at the same time, has r = 4, 1.5, 1.5 (with the c and d here three
    planes would share its five digits) and reads no class from the planes. Its sizes of layers are kept; paddings, c, d
    and first weights are ours. Images of other sizes are resized.

    Attributes:
        votes: ``(planes, num_classes)``, responses of the last planes to each class, summed.
        class_count: ``(num_classes,)``, images of each class.

    Shapes:
        ``(B, in_channels, H, W)``, not negative, to ``(B, num_classes)``.

    Raises:
        DataError: In :meth:`learn`, :meth:`label` and :meth:`absorb`: negative or non-finite images, or wrong classes.
        UnsupportedError: In :meth:`absorb`: weights other than 0 and 1, or more than one process.

    Example:
        >>> model = Neocognitron.Config(in_channels=1, num_classes=2, presentations=1).build()
        >>> model.learn(torch.eye(16)[None, None])
        >>> model.responses(torch.eye(16)[None, None]).shape
        torch.Size([1, 24])
    """

    votes: Tensor
    class_count: Tensor

    class Config(ModelConfig):
        """The network's form and how it learns.

        Attributes:
            planes: Planes of each pair of layers, K_l.
            selectivity: r_l of each S-layer.
            reinforcement: q_l of each S-layer.
            presentations: How often each image is shown to each S-layer.
            alpha: Saturation of the C-cells.
            c_decay: See :class:`SLayer`.
            d_decay: See :class:`CLayer`.
            in_channels: Channels of an image, each a plane of photoreceptors.
            num_classes: Number of classes.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image",)
        scores: ClassVar[str] = "responses of cells"
        widths: ClassVar[tuple[str, ...]] = ("planes",)

        planes: tuple[_Width, _Width, _Width] = (24, 24, 24)
        selectivity: tuple[_Positive, _Positive, _Positive] = (5.0, 3.0, 3.0)
        reinforcement: tuple[_Positive, _Positive, _Positive] = (1.0, 16.0, 16.0)
        presentations: int = Field(default=20, ge=1)
        alpha: float = Field(default=0.5, gt=0)
        c_decay: float = Field(default=0.9, gt=0, le=1)
        d_decay: float = Field(default=0.6, gt=0, le=1)
        in_channels: int | Auto = AUTO
        num_classes: int | Auto = AUTO

    def __init__(self, config: Neocognitron.Config) -> None:
        super().__init__()
        self.config = config
        self.stages = nn.ModuleList()
        width = int(config.in_channels)
        for at, (planes, selectivity) in enumerate(zip(config.planes, config.selectivity, strict=True)):
            s = SLayer(width, planes, selectivity=selectivity, decay=config.c_decay, padding=_S_PADDINGS[at])
            c = CLayer(planes, decay=config.d_decay, alpha=config.alpha, **_C_FORMS[at])
            self.stages.append(nn.ModuleDict({"s": s, "c": c}))
            width = planes
        self.register_buffer("votes", torch.zeros(width, int(config.num_classes)))
        self.register_buffer("class_count", torch.zeros(int(config.num_classes)))

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        means = self.votes / self.class_count.clamp(min=1)  # (K, C)
        owns = F.one_hot(means.argmax(1), means.shape[1]) * (means.amax(1, keepdim=True) > 0)
        return (self.responses(images)[:, :, None] * owns).amax(1)

    def responses(self, images: Tensor) -> Tensor:
        """Return what the last C-cells answer, ``(B, planes)``."""
        maps = self._retina(images)
        for stage in self.stages:
            maps = stage["c"](stage["s"](maps))
        return maps.flatten(1)

    @torch.no_grad()
    def learn(self, images: Tensor) -> None:
        """Let each S-layer in turn learn from the images, one after the other, in the order given."""
        if not bool(((images >= 0) & images.isfinite()).all()):
            raise DataError("photoreceptors take light: finite images that are not negative; leave normalization out")
        maps = self._retina(images)
        for stage, column, amount in zip(self.stages, _COLUMNS, self.config.reinforcement, strict=True):
            for _ in range(self.config.presentations):
                for one in maps.split(1):
                    stage["s"].reinforce(one, column=column, amount=amount)
            maps = stage["c"](stage["s"](maps))

    @torch.no_grad()
    def label(self, images: Tensor, targets: Tensor) -> None:
        """Add what the last planes answer to images of known classes, ``(B,)`` int64, to the votes."""
        classes = len(self.class_count)
        if targets.dim() != 1 or targets.is_floating_point() or not bool(((targets >= 0) & (targets < classes)).all()):
            raise DataError(f"expected one class in 0..{classes - 1} per image, got {tuple(targets.shape)} targets")
        chosen = F.one_hot(targets, classes).to(self.votes.dtype)  # (B, C)
        self.votes += self.responses(images).T @ chosen
        self.class_count += chosen.sum(0)

    def absorb(
        self,
        inputs: Tensor,
        targets: Tensor,
        *,
        weights: Tensor | None = None,
        sum_ranks: Callable[[list[Tensor]], None] | None = None,
    ) -> None:
        """Learn a batch without its classes, then :meth:`label` the planes; images of weight 0 are left out."""
        ranks = torch.ones(1, device=inputs.device)
        if sum_ranks is not None:
            sum_ranks([ranks])
        if ranks != 1:
            raise UnsupportedError("a neocognitron learns from one image after the other: run it in one process")
        if weights is not None:
            if not bool(((weights == 0) | (weights == 1)).all()):
                raise UnsupportedError("a neocognitron sees an image or does not: weights must be 0 or 1")
            inputs, targets = inputs[weights == 1], targets[weights == 1]
        self.learn(inputs)
        self.label(inputs, targets)

    def landmarks(self) -> dict[str, str]:
        """Return where the first S-layer, the last C-layer and the head are: the model itself answers."""
        return {"stem": "stages.0.s", "features": "stages.2.c", "head": ""}

    def _retina(self, images: Tensor) -> Tensor:
        if images.shape[-2:] == (_GRID, _GRID):
            return images
        return F.interpolate(images, size=(_GRID, _GRID), mode="bilinear", antialias=True)


def _bump(side: int, decay: float) -> Tensor:
    """Return ``decay ** distance`` from the middle of a square, 1 at its largest."""
    away = torch.arange(side) - (side - 1) / 2
    distance = (away[:, None].square() + away.square()).sqrt()
    return decay ** (distance - distance.min())
