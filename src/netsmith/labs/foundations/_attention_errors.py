"""Two errors of attention: scaled after the softmax, and heads cut out without a transpose."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from netsmith.core.findings import Bar, Bars, Lines, Series
from netsmith.labs.foundations._noted import RIGHT, WRONG, Row, Shown, drawn

__all__ = ["heads_error", "heads_of", "scaled_attention", "softmax_error"]


def scaled_attention(query: Tensor, keys: Tensor, *, after: bool) -> Tensor:
    """Return the shares of attention, ``(..., T, T)``.

    Args:
        query: ``(..., T, d)``.
        keys: ``(..., T, d)``.
        after: Make the error: divide by sqrt(d) after the softmax.
    """
    scores, root = query @ keys.transpose(-1, -2), query.shape[-1] ** 0.5
    return scores.softmax(-1) / root if after else (scores / root).softmax(-1)


def heads_of(x: Tensor, heads: int, *, transposed: bool) -> Tensor:
    """Return ``(B, T, H d)`` as ``(B, H, T, d)``.

    Args:
        x: All heads' numbers of a position beside each other.
        heads: H.
        transposed: False makes the error: one reshape, which takes other positions for other heads.
    """
    batch, tokens, width = x.shape
    if transposed:
        return x.reshape(batch, tokens, heads, width // heads).transpose(1, 2)
    return x.reshape(batch, heads, tokens, width // heads)


def softmax_error(*, tokens: int, width: int, seed: int) -> Shown:
    """Show what attention is when it is divided by sqrt(d) after the softmax."""
    widths = [2**at for at in range(1, 11)]
    peaks: dict[str, list[float]] = {WRONG: [], RIGHT: []}
    for size in widths:
        query, keys = (drawn(seed, name, 64, tokens, size) for name in ("query", "keys"))
        for name, after in ((WRONG, True), (RIGHT, False)):
            shares = scaled_attention(query, keys, after=after)
            peaks[name].append(float((shares.amax(-1) / shares.sum(-1)).mean()))
    query, keys = (drawn(seed, name, 64, tokens, width) for name in ("query", "keys"))
    wrong, right = (scaled_attention(query, keys, after=after) for after in (True, False))
    unit = torch.eye(tokens, dtype=query.dtype).expand(64, -1, -1)
    theirs = F.scaled_dot_product_attention(query, keys, unit)  # values that name their position: the shares themselves
    figure = Lines(
        "softmax",
        "The largest share of the attention",
        "width of a head, d",
        "largest share of the sum",
        tuple(
            Series(f"{name}: {text}", tuple(map(float, widths)), tuple(peaks[name]))
            for name, text in ((WRONG, "softmax(q k) / sqrt(d)"), (RIGHT, "softmax(q k / sqrt(d))"))
        ),
        log_x=True,
        caption=f"Queries and keys of standard normal numbers, mean of 64 sequences of {tokens} "
        f"positions. If all were alike, each would have {1 / tokens:.3g}.",
    )
    sums = [float(one.sum(-1).mean()) for one in (wrong, right, theirs)]
    apart = [float((one - theirs).abs().max()) for one in (wrong, right)]
    remark = (
        f"Divided after the softmax, the shares of d = {width} add up to {sums[0]:.4g}; divided before, to "
        f"{sums[1]:.4g}; they differ from torch's by up to {apart[0]:.2g} and {apart[1]:.2g}."
    )
    rows = (Row("sum of a row's shares", *sums), Row("largest difference from torch", *apart, 0.0))
    return Shown(rows, figure, remark)


def heads_error(*, tokens: int, heads: int, width: int, seed: int) -> Shown:
    """Show what heads see that are cut out by a reshape without a transpose."""
    total = heads * width
    place = torch.arange(tokens)[None, :, None].expand(1, -1, total)  # each number says whose position it is of
    own = torch.arange(tokens)[None, None, :, None]
    x = drawn(seed, "sequence", 1, tokens, total)
    q, k, v = (x @ drawn(seed, name, total, total) / total**0.5 for name in ("q", "k", "v"))
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        layer = nn.MultiheadAttention(total, heads, bias=False, batch_first=True, dtype=torch.float64)
        layer.in_proj_weight.copy_(torch.cat([drawn(seed, name, total, total).T for name in "qkv"]) / total**0.5)
        layer.out_proj.weight.copy_(torch.eye(total, dtype=torch.float64))
        theirs = layer(x, x, x, need_weights=False)[0]
    strange, apart, seen = [], [], []
    for transposed in (False, True):
        parts = heads_of(place, heads, transposed=transposed)
        strange.append(float((parts != own).double().mean()))
        seen.append([len(parts[0, head].unique()) for head in range(heads)])
        cut = [heads_of(one, heads, transposed=transposed) for one in (q, k, v)]
        answer = F.scaled_dot_product_attention(*cut)  # (1, H, T, d)
        whole = answer.transpose(1, 2) if transposed else answer  # the way back has the error too
        apart.append(float((whole.reshape(theirs.shape) - theirs).abs().max()))
    figure = Bars(
        "heads",
        "Positions that a head sees",
        f"positions of {tokens}",
        tuple(f"head {head}" for head in range(1, heads + 1)),
        tuple(
            Bar(name, tuple(map(float, counts)))
            for name, counts in ((f"{WRONG}: reshape", seen[0]), (f"{RIGHT}: and transpose", seen[1]))
        ),
    )
    remark = (
        f"Reshaped without a transpose, {100 * strange[0]:.3g} % of the numbers stand at another position's place and "
        f"a head sees {min(seen[0])} to {max(seen[0])} of {tokens} positions; with it, {100 * strange[1]:.3g} % and "
        f"{min(seen[1])} to {max(seen[1])}; the answers differ from torch's MultiheadAttention by up to {apart[0]:.2g} "
        f"and {apart[1]:.2g}."
    )
    rows = (
        Row("share of numbers at another position's place", *strange, 0.0),
        Row("fewest positions that a head sees", *(float(min(counts)) for counts in seen), float(tokens)),
        Row("largest difference from torch", *apart, 0.0),
    )
    return Shown(rows, figure, remark)
