"""Linear and polynomial regression by normal equations, with or without a ridge penalty (Hoerl & Kennard 1970)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.errors import ConfigError, DataError
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind

__all__ = ["LinearRegression", "monomials"]

_MOST_TERMS = 10_000


class LinearRegression(nn.Module):
    r"""The straight line (or polynomial) of least squares: the first learner of all, solved and not searched for.

    .. math:: \min_{W, b} \sum_n |y_n - W^T \phi(x_n) - b|^2 + \lambda |W|^2
              \;\Rightarrow\; (C_{\phi\phi} + \lambda I) W = C_{\phi y}, \quad b = \bar y - W^T \bar\phi

    with C the sums of products of centered terms and :math:`\phi` all monomials of the features from degree 1 up to
    ``degree``. The offset b is not penalized. Where columns depend on each other and lambda is 0, W is the smallest
    solution. The same answers as scikit-learn's ``LinearRegression`` and ``Ridge``.

    Only sums over examples are kept, in float64, so batches and processes add up. The normal equations square the
    condition number: of high degrees bring the features to the same scale, about -1..1, first.

    Attributes:
        count: ``()``, (weighted) examples.
        totals: ``(P + V,)``, sums of the terms and of the values.
        products: ``(P + V, P + V)``, sums of their products.
        weight: ``(P, V)``, W.
        bias: ``(V,)``, b.

    Shapes:
        ``(B, ...)`` with ``in_features`` numbers per example to ``(B, num_outputs)`` float64.

    Raises:
        ConfigError: More than 10,000 monomials.
        DataError: In :meth:`absorb`: numbers that are not finite, or another number of values.

    Example:
        >>> model = LinearRegression.Config(degree=2, in_features=1, num_outputs=1).build()
        >>> x = torch.arange(4.0)[:, None]
        >>> model.absorb(x, 3 * x**2 - x + 5)
        >>> [round(value, 9) for value in (*model.weight[:, 0].tolist(), *model.bias.tolist())]
        [-1.0, 3.0, 5.0]
    """

    count: Tensor
    totals: Tensor
    products: Tensor
    weight: Tensor
    bias: Tensor
    _places: Tensor

    class Config(ModelConfig):
        """The model's form.

        Attributes:
            degree: Of the polynomial; 1 is the straight line.
            ridge: lambda, in squared units of the features; 0 for ordinary least squares.
            in_features: Numbers per example.
            num_outputs: Values per example.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image", "table", "series", "audio", "state")

        degree: int = Field(default=1, ge=1, le=30)
        ridge: float = Field(default=0.0, ge=0)
        in_features: int | Auto = AUTO
        num_outputs: int | Auto = AUTO

    def __init__(self, config: LinearRegression.Config) -> None:
        super().__init__()
        self.config = config
        self.terms = monomials(int(config.in_features), degree=config.degree)
        wide, values = len(self.terms), int(config.num_outputs)
        every = wide + values
        for name, shape in {
            "count": (),
            "totals": (every,),
            "products": (every, every),
            "weight": (wide, values),
            "bias": (values,),
        }.items():
            self.register_buffer(name, torch.zeros(shape, dtype=torch.float64))
        # Each term as a product of `degree` columns of (1, x), 1 in the places left over.
        places = [[at + 1 for at in term] + [0] * (config.degree - len(term)) for term in self.terms]
        self.register_buffer("_places", torch.tensor(places), persistent=False)

    @torch.no_grad()
    def absorb(
        self,
        inputs: Tensor,
        targets: Tensor,
        *,
        weights: Tensor | None = None,
        sum_ranks: Callable[[list[Tensor]], None] | None = None,
    ) -> None:
        """Add a batch to the sums, and solve.

        Args:
            inputs: ``(B, ...)`` features.
            targets: ``(B,)`` or ``(B, V)`` values.
            weights: ``(B,)`` weights of the examples, or None for all ones.
            sum_ranks: Adds a list of tensors over all processes in place.
        """
        wanted = targets.reshape(len(targets), -1).double()  # (B, V)
        if wanted.shape[1] != len(self.bias):
            raise DataError(f"expected {len(self.bias)} values per example, got {wanted.shape[1]}")
        rows = torch.cat([self.features(inputs), wanted], 1)  # (B, P + V)
        if not bool(rows.isfinite().all()):
            raise DataError("features (or their powers) and values must be finite numbers")
        each = torch.ones(len(rows)) if weights is None else weights
        weighted = rows * each.to(rows)[:, None]
        sums = [each.to(rows).sum(), weighted.sum(0), weighted.T @ rows]
        if sum_ranks is not None:
            sum_ranks(sums)
        for held, more in zip((self.count, self.totals, self.products), sums, strict=True):
            held += more
        self._solve()

    def _solve(self) -> None:
        wide = len(self.terms)
        means = self.totals / self.count
        centered = self.products - self.count * means[:, None] * means  # C
        system = centered[:wide, :wide] + self.config.ridge * torch.eye(wide).to(means)
        self.weight.copy_(torch.linalg.pinv(system, hermitian=True) @ centered[:wide, wide:])
        self.bias.copy_(means[wide:] - means[:wide] @ self.weight)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the values."""
        return self.features(inputs) @ self.weight + self.bias

    def features(self, inputs: Tensor) -> Tensor:
        """Return the monomials of each example, ``(B, P)`` float64."""
        rows = inputs.flatten(1).double()
        if self.config.degree == 1:
            return rows
        with_one = torch.cat([torch.ones_like(rows[:, :1]), rows], 1)
        return with_one[:, self._places].prod(2)

    def landmarks(self) -> dict[str, str]:
        """Return where the head is: the model itself."""
        return {"head": ""}


def monomials(features: int, *, degree: int) -> tuple[tuple[int, ...], ...]:
    """Return every product of 1 to ``degree`` features, each as the ascending positions of its factors.

    Raises:
        ConfigError: There would be more than 10,000.

    Example:
        >>> monomials(2, degree=2)
        ((0,), (1,), (0, 0), (0, 1), (1, 1))
    """
    count = math.comb(features + degree, degree) - 1
    if count > _MOST_TERMS:
        raise ConfigError(
            f"{features} features to degree {degree} are {count} monomials; lower degree to have at most {_MOST_TERMS}"
        )
    each = (itertools.combinations_with_replacement(range(features), size) for size in range(1, degree + 1))
    return tuple(itertools.chain.from_iterable(each))
