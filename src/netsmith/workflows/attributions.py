"""Explaining single decisions by any method: what is asked, what is found, and what does not fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from torch import Tensor, nn

from netsmith.core.errors import UnsupportedError
from netsmith.explain.embeddings import embedding_gradients
from netsmith.explain.saliency import gradient

__all__ = ["Asked", "Found", "Method", "attribute", "no_gradient"]


@dataclass(frozen=True)
class Asked:
    """What is explained.

    Attributes:
        module: Returns ``(B, K)`` scores.
        inputs: What it takes: images in 0..1, prepared rows, or tokens.
        targets: ``(B,)`` the class explained.
        fill: What an absent part shows; broadcasts to the inputs.
        segments: The parts that are switched off together, -1 for what always stays; None: every column.
        layer: Grad-CAM's feature map, or the embedding of tokens; empty: there is none.
        name: The network's.
        rows: At most about so many rows in one forward pass.
    """

    module: nn.Module
    inputs: Tensor
    targets: Tensor
    fill: Tensor | float
    segments: Tensor | None = None
    layer: str = ""
    name: str = "the network"
    rows: int = 512

    def first(self, count: int) -> Asked:
        """Return the same for the first examples."""
        segments, fill = self.segments, self.fill
        if segments is not None and len(segments) > 1:
            segments = segments[:count]
        if isinstance(fill, Tensor) and fill.dim() and len(fill) > 1:
            fill = fill[:count]
        return replace(self, inputs=self.inputs[:count], targets=self.targets[:count], segments=segments, fill=fill)


@dataclass(frozen=True)
class Found:
    """What a method found.

    Attributes:
        scores: One number per place: ``(B, H, W)`` not negative, or ``(B, P)`` signed; larger speaks for the class.
        error: ``(B,)`` how far the parts are from adding up, where they should.
        remark: What the method says of itself (a standard error, a fidelity).
        doubt: Why it should not be trusted, by its own figures; empty where it may.
        maps: Of attention, by name of the layer: ``(B, heads, Q, L)``, where each position looks.
    """

    scores: Tensor
    error: Tensor | None = None
    remark: str = ""
    doubt: str = ""
    maps: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Method:
    """One way to explain.

    Attributes:
        run: Computes it.
        gradient: Whether it needs a gradient.
        default: Whether it is among those computed when none is named: these are fast.
        stages: At how many depths of destruction it is computed again (see
            :func:`~netsmith.explain.sanity.randomization_check`).
        soft: Its picture is a few large spots: laid over the input.
    """

    run: Callable[[Asked], Found]
    gradient: bool
    default: bool = False
    stages: int = 1
    soft: bool = False


def attribute(
    methods: Mapping[str, Method], asked: Asked, wanted: Sequence[str], *, named: bool
) -> tuple[dict[str, Found], list[str]]:
    """Compute some methods; one that does not fit the network is left out with a note.

    Args:
        methods: The table.
        asked: What is explained.
        wanted: Names in the table.
        named: The user asked for these: if none of them fits, that is an error.

    Raises:
        UnsupportedError: None of the methods named fits; those that do are told.
    """
    found: dict[str, Found] = {}
    notes: list[str] = []
    why = no_gradient(asked)
    blind = [name for name in wanted if methods[name].gradient and why]
    if blind:
        notes.append(f"{', '.join(blind)}: left out, {why}")
    reasons = []
    for name in wanted:
        if name in blind:
            continue
        try:
            found[name] = methods[name].run(asked)
        except UnsupportedError as error:
            reasons.append(f"{name}: {error}")
            notes.append(f"{name}: left out, {error}")
    if wanted and not found and named:
        if blind and not reasons:
            free = ", ".join(name for name, method in methods.items() if not method.gradient)
            raise UnsupportedError(f"{', '.join(blind)} needs a gradient, and {why}; {free} need none")
        fitting = ", ".join(name for name, method in methods.items() if _fits(method, asked, blind=bool(why)))
        raise UnsupportedError(f"{'; '.join(reasons)}; these fit {asked.name}: {fitting}")
    return found, notes


def no_gradient(asked: Asked) -> str:
    """Return why the scores have no gradient by the inputs (of tokens: by their embedding); empty where they have."""
    one = asked.first(1)
    if not one.inputs.is_floating_point() and not one.layer:
        return "there is no embedding layer, at which tokens have a gradient"
    try:
        if one.inputs.is_floating_point():
            gradient(one.module, one.inputs, one.targets)
        else:
            embedding_gradients(one.module, one.inputs, one.targets, layer=one.layer)
    except UnsupportedError as error:
        return str(error)
    return ""


def _fits(method: Method, asked: Asked, *, blind: bool) -> bool:
    if method.gradient and blind:
        return False
    try:
        method.run(asked.first(1))
    except UnsupportedError:
        return False
    return True
