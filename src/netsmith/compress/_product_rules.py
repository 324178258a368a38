"""Rules for products of tensors: matrix products, einsum, attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor, nn

from netsmith.compress._elementwise_rules import merged
from netsmith.compress._index_rules import axiswise
from netsmith.compress._labels import argument, freeze_all, make_constant, named_tensor, only_axis, read_axis, varying
from netsmith.compress._marks import WEIGHTS, Mark, Rows, along, frozen
from netsmith.compress._shape_rules import mixing
from netsmith.compress._state import State
from netsmith.compress.graph import FROZEN, Labels
from netsmith.measure.example import tensors

__all__ = ["addmm", "attention", "einsum", "matmul", "multihead_attention", "softmax", "transposed_matmul"]

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def matmul(state: State, args: Any, kwargs: Any, output: Tensor) -> None:
    """``a b``, batched and broadcast; a parameter of two axes on the right is the weight of a layer."""
    a, b = args[0], argument(args, kwargs, 1, "other", kwargs.get("mat2"))
    if any(WEIGHTS in state.sites(tensor) for tensor in (a, b)):  # weights of an attention times its values
        state.note_sites(a)
        state.note_sites(b)
    if a.dim() < 2 or b.dim() < 2:
        mixing(state, args, kwargs, output)
        return
    batch = _LETTERS[: output.dim() - 2]
    left = batch[len(batch) - (a.dim() - 2) :] + "mk"
    right = batch[len(batch) - (b.dim() - 2) :] + "kn"
    state.put(output, product(state, [a, b], [left, right], batch + "mn", output))


def addmm(state: State, args: Any, kwargs: Any, output: Tensor) -> None:
    """``bias + a b``: a layer whose weight lies the other way round."""
    bias, a, b = args[0], argument(args, kwargs, 1, "mat1"), argument(args, kwargs, 2, "mat2")
    if kwargs.get("beta", 1) != 1 or kwargs.get("alpha", 1) != 1 or kwargs.get("out") is not None:
        mixing(state, args, kwargs, output)
        return
    matmul(state, (a, b), {}, output)
    labels = state.mark(output).labels
    name = state.name(bias)
    if name is not None and bias.dim() == 1 and len(bias) > 1 and varying(labels) == [1]:
        state.slot(name, 0, labels.reshape(-1), makes=True)
    elif varying(labels) or state.cuttable(bias):
        freeze_all(state, (bias, output))
        make_constant(state, output)


def softmax(state: State, args: Any, kwargs: Any, output: Tensor) -> None:
    """Weights along an axis that cannot be cut: of an attention, as a rule."""
    state.note_sites(args[0])
    axiswise(state, args, kwargs, output)
    state.put(output, replace(state.mark(output), sites=frozenset([WEIGHTS])))


def transposed_matmul(state: State, args: Any, kwargs: Any, output: Tensor) -> None:
    """``b a``, as Python calls the right operand's method."""
    matmul(state, (args[1], args[0]), kwargs, output)


def einsum(state: State, args: Any, kwargs: Any, output: Tensor) -> None:
    """Sums of products by letters."""
    equation = args[0]
    operands = list(args[1]) if len(args) == 2 and isinstance(args[1], (list, tuple)) else list(args[1:])
    text = equation.replace(" ", "") if isinstance(equation, str) else ""
    inputs, arrow, result = text.partition("->")
    terms = inputs.split(",")
    repeated = any(len(set(term)) != len(term) for term in terms)
    if not arrow or "." in text or repeated or len(terms) != len(operands):
        mixing(state, tuple(operands), kwargs, output)
        return
    state.put(output, product(state, operands, terms, result, output))


def product(state: State, operands: Sequence[Tensor], terms: Sequence[str], result: str, output: Tensor) -> Mark:
    """Return what is known of a sum of products.

    Args:
        state: The trace so far.
        operands: The factors.
        terms: The letters of each factor's axes; a letter that several have runs along both.
        result: The letters of the result's axes; the others are summed over.
        output: The result.
    """
    for place, (tensor, term) in enumerate(zip(operands, terms, strict=True)):
        others = [(t, letters) for at, (t, letters) in enumerate(zip(operands, terms, strict=True)) if at != place]
        if isinstance(tensor, nn.Parameter) and tensor.dim() == 2 and len(others) == 1:
            mark = _layer(state, tensor, term, *others[0], result, output)
            if mark is not None:
                return mark
    found = [_by_letter(state, tensor, term) for tensor, term in zip(operands, terms, strict=True)]
    marks = [state.mark(tensor) for tensor in operands]
    lines: dict[str, Labels] = {}
    for letter in dict.fromkeys("".join(terms)):
        having = [
            (atoms.get(letter), marks[at].zero, tensor.shape[term.index(letter)])
            for at, (atoms, tensor, term) in enumerate(zip(found, operands, terms, strict=True))
            if letter in term and tensor.shape[term.index(letter)] > 1
        ]
        if not any(atoms is not None for atoms, _, _ in having):
            continue
        size = max(size for _, _, size in having)
        line = np.full(size, FROZEN, dtype=np.int64)
        first = next(atoms for atoms, _, _ in having if atoms is not None)
        for atoms, _, _ in having:
            state.atoms.unite(first, line if atoms is None else atoms)
        if letter not in result:
            made = next((mark.rows for mark in marks if mark.rows is not None), None)
            if not any(zero for atoms, zero, _ in having if atoms is not None):
                state.atoms.freeze(first)  # a sum may lose only what is zero
            elif made is not None and len(having) == 2:  # queries by keys
                state.scale(made, first, known=False)
        lines[letter] = first
    kept = [letter for letter in result if letter in lines]
    if len(kept) != 1:  # none, or units of two axes would meet in one position
        for letter in kept:
            state.atoms.freeze(lines[letter])
        return Mark(frozen(output), zero=False)
    (letter,) = kept
    zero = any(mark.zero for mark, atoms in zip(marks, found, strict=True) if letter in atoms)
    return Mark(along(lines[letter], result.index(letter), output.dim()), zero)


def _by_letter(state: State, tensor: Tensor, term: str) -> dict[str, Labels]:
    """Return the atoms of the one axis along which a factor's units change."""
    labels = state.mark(tensor).labels
    axes = varying(labels)
    if len(axes) != 1:
        state.atoms.freeze(labels)
        return {}
    return {term[axes[0]]: labels.reshape(-1)}


def _layer(
    state: State, weight: Tensor, term: str, x: Tensor, letters: str, result: str, output: Tensor
) -> Mark | None:
    """Return what is known of ``x`` times a parameter with one axis summed over and one new, None for another use."""
    summed = [axis for axis, letter in enumerate(term) if letter in letters and letter not in result]
    new = [axis for axis, letter in enumerate(term) if letter not in letters and letter in result]
    name = state.name(weight)
    if len(summed) != 1 or len(new) != 1 or name is None:
        return None
    before, bare = read_axis(state, x, letters.index(term[summed[0]]))
    state.slot(name, summed[0], before, makes=False, bare=bare)
    after = state.made(name, new[0], weight.shape[new[0]])
    return Mark(along(after, result.index(term[new[0]]), output.dim()))


def attention(state: State, args: Any, kwargs: Any, output: Tensor) -> None:
    """Scaled dot-product attention: its scale is taken from the length of a query, whose rows make up for a cut."""
    query, key, value = args[:3]
    mask = argument(args, kwargs, 3, "attn_mask")
    scale = argument(args, kwargs, 6, "scale")
    for tensor in (query, key, value):
        state.note_sites(tensor)
    mark = state.mark(query)
    if scale is None and varying(mark.labels) == [query.dim() - 1]:
        if mark.rows is None:
            state.atoms.freeze(mark.labels)
        else:
            state.scale(mark.rows, mark.labels.reshape(-1))
    if kwargs.get("enable_gqa"):  # several queries share a head of keys and values: they go with it
        key, value = (_repeated(state, tensor, query) for tensor in (key, value))
    batch = _LETTERS[: output.dim() - 2]
    weights = product(state, [query, key], [batch + "me", batch + "ne"], batch + "mn", output)
    scores = output.new_empty((*output.shape[:-1], key.shape[-2]))
    state.put(scores, Mark(weights.labels, zero=False))
    if mask is not None:  # it may be another one for each head
        state.put(scores, Mark(merged(state, [scores, mask], scores), zero=False))
    made = product(state, [scores, value], [batch + "mn", batch + "nv"], batch + "mv", output)
    shared = varying(made.labels) == [output.dim() - 3] and value.shape[-3] == 1
    state.put(output, replace(made, zero=None) if shared else made)  # without its queries a head gives their mean


def _repeated(state: State, tensor: Tensor, query: Tensor) -> Tensor:
    """Return keys or values in which every head stands as often as queries share it, with its labels."""
    mark, axis = state.mark(tensor), tensor.dim() - 3
    if tensor.shape[axis] == 1 and varying(state.mark(query).labels) == [axis]:  # shared by all: it stays whole
        state.atoms.freeze(mark.labels)
        found = tensor.clone()
        make_constant(state, found)
        return found
    times = query.shape[axis] // tensor.shape[axis]
    found = tensor.repeat_interleave(times, axis)
    labels = np.repeat(mark.labels, times, axis=axis) if axis in varying(mark.labels) else mark.labels
    state.put(found, replace(mark, labels=labels, rows=None))
    return found


def multihead_attention(state: State, module: nn.Module, given: Any, output: Any) -> None:
    """Torch's module: heads go, or the same part of each, and with them their share of the embedding."""
    assert isinstance(module, nn.MultiheadAttention)
    args, kwargs = given
    query, key, value = (argument(args, kwargs, place, name) for place, name in enumerate(("query", "key", "value")))
    masks = [argument(args, kwargs, place, name) for place, name in ((3, "key_padding_mask"), (5, "attn_mask"))]
    freeze_all(state, masks)
    width, heads = module.embed_dim, module.num_heads
    before = only_axis(state, query, -1, sums=True)
    rows = before.reshape(heads, -1)
    whole = state.heads == "whole"
    state.atoms.unite(rows[:, :1] if whole else rows[:1], rows)

    def name(tensor: Tensor) -> str:
        return named_tensor(state, tensor, "weight")

    if module.in_proj_weight is not None:
        for tensor in (key, value):
            state.atoms.unite(before, only_axis(state, tensor, -1, sums=True))
        state.slot(name(module.in_proj_weight), 1, before, makes=False)
        state.slot(name(module.in_proj_weight), 0, np.tile(before, 3), makes=True)
        state.count(nn.MultiheadAttention, kdim=before, vdim=before)
    else:
        weights = (module.q_proj_weight, module.k_proj_weight, module.v_proj_weight)
        for weight, tensor, size in zip(weights, (query, key, value), ("", "kdim", "vdim"), strict=True):
            read = only_axis(state, tensor, -1, sums=True)
            state.slot(name(weight), 1, read, makes=False)
            state.slot(name(weight), 0, before, makes=True)
            if size:
                state.count(nn.MultiheadAttention, **{size: read})
    if not whole:
        maker = module.q_proj_weight if module.in_proj_weight is None else module.in_proj_weight
        makers = tuple(name(tensor) for tensor in (maker, module.in_proj_bias) if tensor is not None)
        state.scale(Rows(makers, np.arange(width)), rows[0])
    if module.in_proj_bias is not None:
        state.slot(name(module.in_proj_bias), 0, np.tile(before, 3), makes=True)
    for extra in (module.bias_k, module.bias_v):
        if extra is not None:
            state.slot(name(extra), 2, before, makes=True)
    weight, bias = module.out_proj.weight, module.out_proj.bias
    state.slot(name(weight), 1, before, makes=False)
    after = state.made(name(weight), 0, width)
    if bias is not None:
        state.slot(name(bias), 0, after, makes=True)
    inner = f"{state.stack[-1]}.out_proj" if state.stack[-1] else "out_proj"
    state.count_of(inner, in_features=before, out_features=after)
    state.count(nn.MultiheadAttention, embed_dim=before)
    state.count(nn.MultiheadAttention, **({"num_heads": rows[:, 0]} if whole else {"head_dim": rows[0]}))
    found, *rest = tensors(output)
    state.put(found, Mark(along(after, found.dim() - 1, found.dim())))
    make_constant(state, rest)  # the mean over heads changes with them: what reads it is judged by the proof
