"""Self-attention that can express any convolution (Cordonnier, Loukas & Jaggi 2020, arXiv:1911.03584)."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from netsmith.core.errors import UnsupportedError

__all__ = ["ConvAttention"]


class ConvAttention(nn.Module):
    r"""Multi-head self-attention over pixels whose heads look at a place relative to the query.

    With W_qry = W_key = 0 only the relative position counts. The quadratic encoding (Eq. 9) has three dimensions:

    .. math::
        v^{(h)} = -\alpha^{(h)} (1, -2 \Delta_1^{(h)}, -2 \Delta_2^{(h)}), \qquad
        r_\delta = (\lVert \delta \rVert^2, \delta_1, \delta_2)

    so that the score of a key at the shift :math:`\delta` from its query is, up to a constant of the softmax,

    .. math:: v^{(h)\top} r_\delta = -\alpha^{(h)} \lVert \delta - \Delta^{(h)} \rVert^2 + c

    and the layer is

    .. math:: Y_q = b + \sum_h \sum_k \mathrm{softmax}_k(v^{(h)\top} r_{k - q})\, X_k W_{val}^{(h)} W_{out}^{(h)}

    Theorem 1: with :math:`K^2` heads this is any K x K convolution, the limit of large :math:`\alpha`, where each head
    looks at one pixel. Next to that pixel a key has :math:`e^{-\alpha}` of its weight, so that 46 is enough for float32
    and float64: 1e-20.

    A softmax cannot look outside the image. As in section 3.1, keys are the pixels of the image padded with zeros,
    queries those of the image alone; without padding, a head whose place lies outside sees the nearest pixel inside.

    The score is a sum over rows and columns, so the softmax is a product of one over rows and one over columns:
    the attention of a head is applied as two matrices, ``(H, H')`` and ``(W, W')``, never one of ``(H W, H' W')``.

    Args:
        in_channels: D_in.
        out_channels: D_out.
        heads: N_h.
        head_channels: D_h.
        padding: Zeros around the keys: rows above and below, columns left and right.
        bias: Add b.

    Attributes:
        centers: ``(heads, 2)``, each head's Delta: rows down, columns to the right; drawn with variance 2.
        alpha: ``(heads,)``, how sharply each head looks; 1 at first.
        value: ``(heads, in_channels, head_channels)``, W_val.
        output: ``(heads, head_channels, out_channels)``, W_out by heads.
        bias: ``(out_channels,)`` or None.

    Shapes:
        ``(B, in_channels, H, W)`` to ``(B, out_channels, H, W)``.

    Example:
        >>> convolution = nn.Conv2d(3, 8, 3, padding=1)
        >>> attention, x = ConvAttention.from_convolution(convolution), torch.randn(1, 3, 5, 7)
        >>> torch.allclose(attention(x), convolution(x), atol=1e-6)
        True
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        heads: int,
        head_channels: int,
        padding: tuple[int, int] = (0, 0),
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.padding = padding
        self.centers = nn.Parameter(torch.randn(heads, 2) * 2**0.5)
        self.alpha = nn.Parameter(torch.ones(heads))
        self.value = nn.Parameter(torch.randn(heads, in_channels, head_channels) * in_channels**-0.5)
        self.output = nn.Parameter(torch.randn(heads, head_channels, out_channels) * (heads * head_channels) ** -0.5)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    @classmethod
    def from_convolution(cls, convolution: nn.Conv2d, *, alpha: float = 46.0) -> Self:
        """Return the layer that computes what a convolution does, borders included (the proof of Theorem 1).

        Head h looks where the h-th weight of the kernel stands. D_h is the smaller of D_in and D_out: one of W_val and
        W_out holds the kernel, the other is the identity.

        Args:
            convolution: Stride 1, no groups, zero padding that keeps the size of the image; any dilation.
            alpha: Sharpness of all heads; smaller ones blur the kernel.

        Raises:
            UnsupportedError: Another stride or padding, or groups.
        """
        kernel, dilation = convolution.kernel_size, convolution.dilation
        reach = [step * (size - 1) / 2 for size, step in zip(kernel, dilation, strict=True)]
        padding = convolution.padding
        keeps = padding == "same" or [float(size) for size in padding] == reach
        zeros = convolution.padding_mode == "zeros" or reach == [0, 0]
        whole = all(size.is_integer() for size in reach)
        if not (keeps and zeros and whole) or convolution.groups != 1 or set(convolution.stride) != {1}:
            raise UnsupportedError(
                "expected a convolution of stride 1 without groups, and zero padding on all sides that keeps the "
                f"size, got {convolution}"
            )
        rows, columns = int(reach[0]), int(reach[1])
        weight = convolution.weight.detach()
        in_channels, out_channels = convolution.in_channels, convolution.out_channels
        layer = cls(
            in_channels,
            out_channels,
            heads=kernel[0] * kernel[1],
            head_channels=min(in_channels, out_channels),
            padding=(rows, columns),
            bias=convolution.bias is not None,
        ).to(weight)
        down = torch.arange(-rows, rows + 1, dilation[0])
        right = torch.arange(-columns, columns + 1, dilation[1])
        kernels = weight.flatten(2).permute(2, 1, 0)  # (heads, in, out)
        identity = torch.eye(layer.value.shape[2]).expand(len(kernels), -1, -1)
        narrow = in_channels <= out_channels
        with torch.no_grad():
            layer.centers.copy_(torch.cartesian_prod(down, right))
            layer.alpha.fill_(alpha)
            layer.value.copy_(identity if narrow else kernels)
            layer.output.copy_(kernels if narrow else identity)
            if layer.bias is not None:
                layer.bias.copy_(convolution.bias)
        return layer

    def attention(self, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Return each head's weights over rows and over columns; those over pixels are their products.

        Args:
            size: Height H and width W of the image.

        Returns:
            ``(heads, H, H + 2 p)`` and ``(heads, W, W + 2 p)`` with p the padding of each.
        """
        found = []
        for axis, (length, pad) in enumerate(zip(size, self.padding, strict=True)):
            query = torch.arange(length, dtype=self.centers.dtype, device=self.centers.device)
            key = torch.arange(-pad, length + pad, dtype=self.centers.dtype, device=self.centers.device)
            shift = key - query[:, None]  # (L, L + 2 p), delta along this axis
            distance = shift - self.centers[:, axis, None, None]  # (heads, L, L + 2 p)
            found.append((-self.alpha[:, None, None] * distance.square()).softmax(-1))  # Eq. 9, the square completed
        return found[0], found[1]

    def forward(self, images: Tensor) -> Tensor:
        """Return Y."""
        rows, columns = self.attention((images.shape[2], images.shape[3]))
        down, right = self.padding
        x = F.pad(images, (right, right, down, down))  # (B, C, H', W')
        values = torch.einsum("bcij,hcd->bhdij", x, self.value)
        seen = torch.einsum("hyi,bhdij,hxj->bhdyx", rows, values, columns)
        y = torch.einsum("bhdyx,hdo->boyx", seen, self.output)
        return y if self.bias is None else y + self.bias[:, None, None]

    def extra_repr(self) -> str:
        """Return its form, for printing."""
        heads, in_channels, head_channels = self.value.shape
        return (
            f"{in_channels}, {self.output.shape[2]}, heads={heads}, head_channels={head_channels}, "
            f"padding={self.padding}"
        )
