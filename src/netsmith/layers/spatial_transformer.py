"""A spatial transformer: look at an image again, moved (Jaderberg et al. 2015, arXiv:1506.02025)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["SpatialTransformer", "Transformation", "sampling_grid", "spatial_transform", "transformation_matrix"]

Transformation = Literal["affine", "attention"]

_IDENTITY = {"affine": (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), "attention": (1.0, 0.0, 0.0)}


def transformation_matrix(theta: Tensor, transformation: Transformation) -> Tensor:
    r"""Return the matrix A of a pointwise transformation from its parameters.

    .. math::
        A = \begin{pmatrix} \theta_{11} & \theta_{12} & \theta_{13} \\
                            \theta_{21} & \theta_{22} & \theta_{23} \end{pmatrix} \text{ (affine, Eq. 1)}, \qquad
        A = \begin{pmatrix} s & 0 & t_x \\ 0 & s & t_y \end{pmatrix} \text{ (attention, Eq. 2)}

    Args:
        theta: ``(B, 6)``, row by row, for ``affine``; ``(B, 3)``, the scale s and the translation, for ``attention``.
        transformation: Which of the two.

    Returns:
        ``(B, 2, 3)``.

    Example:
        >>> transformation_matrix(torch.tensor([[0.5, 0.1, 0.2]]), "attention")
        tensor([[[0.5000, 0.0000, 0.1000],
                 [0.0000, 0.5000, 0.2000]]])
    """
    if transformation == "affine":
        return theta.unflatten(1, (2, 3))
    s, x, y = theta[:, 0], theta[:, 1], theta[:, 2]
    zero = torch.zeros_like(s)
    return torch.stack([torch.stack([s, zero, x], 1), torch.stack([zero, s, y], 1)], 1)


def sampling_grid(matrix: Tensor, size: tuple[int, int]) -> Tensor:
    r"""Return where each pixel of the output takes its value from.

    .. math:: \begin{pmatrix} x^s \\ y^s \end{pmatrix} = A \begin{pmatrix} x^t \\ y^t \\ 1 \end{pmatrix} \qquad
              \text{(Eq. 1)}

    In both images -1 and 1 are the outer edges of the first and the last pixel (torch's ``align_corners=False``), so
    that pixel i of n lies at ``(2 i + 1 - n) / n`` and a shift by k pixels is ``2 k / n``. The same numbers as
    :func:`torch.nn.functional.affine_grid`, whose matrix product would run in bfloat16 under autocast: coarser than the
    pixels of a large image.

    Args:
        matrix: ``(B, 2, 3)``, A.
        size: Height and width of the output.

    Returns:
        ``(B, height, width, 2)``, x before y.

    Example:
        >>> sampling_grid(torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]), (1, 2)).tolist()
        [[[[-0.5, 0.0], [0.5, 0.0]]]]
    """
    height, width = size
    x = (2 * torch.arange(width, dtype=matrix.dtype, device=matrix.device) + 1 - width) / width  # (W,)
    y = (2 * torch.arange(height, dtype=matrix.dtype, device=matrix.device) + 1 - height) / height  # (H,)
    a = matrix[:, :, :, None, None]  # (B, 2, 3, 1, 1)
    return (a[:, :, 0] * x + a[:, :, 1] * y[:, None] + a[:, :, 2]).permute(0, 2, 3, 1)  # Eq. 1


def spatial_transform(images: Tensor, matrix: Tensor, size: tuple[int, int] | None = None) -> Tensor:
    r"""Return images sampled bilinearly at the places of :func:`sampling_grid`; what lies outside is 0.

    .. math:: V_i^c = \sum_n \sum_m U_{nm}^c \max(0, 1 - |x_i^s - m|) \max(0, 1 - |y_i^s - n|) \qquad \text{(Eq. 5)}

    with the places in pixels. The output has gradients with respect to the images and to the matrix (Eq. 6 and 7).

    Args:
        images: ``(B, C, H, W)``, the paper's U.
        matrix: ``(B, 2, 3)``, from places in the output to places in the images.
        size: Height and width of the output; that of the images where it is not given.

    Returns:
        ``(B, C, *size)``, the paper's V.

    Example:
        >>> left = torch.tensor([[[1.0, 0.0, 0.5], [0.0, 1.0, 0.0]]])  # of four pixels, one takes the next one's value
        >>> spatial_transform(torch.arange(4.0).view(1, 1, 1, 4), left)
        tensor([[[[1., 2., 3., 0.]]]])
    """
    height, width = size or images.shape[2:]
    grid = sampling_grid(matrix.to(images.dtype), (height, width))
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


class SpatialTransformer(nn.Module):
    """Let a small network say how to move each image, and hand on the image so moved (Fig. 2).

    A localization network sees the image; a linear layer regresses theta, the parameters of the transformation. Its
    weights start at zero and its bias at the identity, so that training starts from the image as it is (the appendix on
    MNIST); the localization network learns from the second step on. No label says what theta should be.

    The paper's thin plate splines (16 control points) and projective transformations are left out.

    Args:
        localization: From images ``(B, C, H, W)`` to features ``(B, features)``.
        features: Numbers that it gives for each image.
        transformation: ``affine`` with six parameters, or ``attention`` with three: an isotropic scale and a
            translation.
        size: Height and width of the output; that of the images where it is not given.
        rate: Factor on the gradient of theta: below 1, what says how to move learns more slowly than what reads.

    Attributes:
        regressor: The linear layer that gives theta.

    Shapes:
        ``(B, C, H, W)`` to ``(B, C, *size)``.

    Example:
        >>> transformer = SpatialTransformer(nn.Flatten(), 4)
        >>> transformer(torch.arange(4.0).view(1, 1, 2, 2))
        tensor([[[[0., 1.],
                  [2., 3.]]]], grad_fn=<GridSampler2DBackward0>)
    """

    def __init__(
        self,
        localization: nn.Module,
        features: int,
        *,
        transformation: Transformation = "affine",
        size: tuple[int, int] | None = None,
        rate: float = 1.0,
    ) -> None:
        super().__init__()
        self.rate = rate
        identity = _IDENTITY[transformation]
        self.localization = localization
        self.regressor = nn.Linear(features, len(identity))
        self.transformation: Transformation = transformation
        self.size = size
        nn.init.zeros_(self.regressor.weight)
        with torch.no_grad():
            self.regressor.bias.copy_(torch.tensor(identity))

    def theta(self, images: Tensor) -> Tensor:
        """Return the parameters of each image's transformation: ``(B, 6)`` or ``(B, 3)``."""
        theta = self.regressor(self.localization(images))
        if self.rate != 1 and self.training and theta.requires_grad:
            theta.register_hook(lambda slope: slope * self.rate)
        return theta

    def forward(self, images: Tensor) -> Tensor:
        """Return the images as they are seen through their transformations."""
        matrix = transformation_matrix(self.theta(images), self.transformation)
        return spatial_transform(images, matrix, self.size)

    def extra_repr(self) -> str:
        """Return its form, for printing."""
        return f"transformation={self.transformation}, size={self.size}"
