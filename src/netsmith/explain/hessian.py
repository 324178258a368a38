r"""The curvature of the loss at trained weights: Hessian-vector products, and what they tell without the Hessian.

With :math:`H = \nabla^2 L(\theta)` of the mean loss over fixed batches, one product costs two backward passes
(Pearlmutter 1994, Neural Computation 6:147; here by differentiating :math:`g^\top v`):

.. math:: H v = \nabla_\theta (\nabla_\theta L^\top v)

From products alone come the largest or smallest eigenvalues (Lanczos with full reorthogonalization), the trace
(Hutchinson 1990: :math:`E[v^\top H v] = \mathrm{tr}\, H` for random signs :math:`v`) and the spectral density
(stochastic Lanczos quadrature: Ghorbani, Krishnan & Xiao 2019, arXiv:1901.10159).

The module runs in evaluation mode and is left as found; frozen parameters are held fixed. The basis of Lanczos takes as
much memory as one copy of the parameters for each iteration.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from netsmith.core.errors import UnknownNameError, UserError
from netsmith.explain._lanczos import lanczos, lanczos_top
from netsmith.explain._weights import Examples, LossFunction, as_found, fixed, trained, with_gradient

__all__ = [
    "Eigenpairs",
    "Spectrum",
    "Trace",
    "hessian_trace",
    "hessian_vector_product",
    "spectral_density",
    "top_eigenvalues",
]


class Eigenpairs(NamedTuple):
    """Eigenvalues at one end of the spectrum.

    Attributes:
        values: ``(K,)`` float64, the outermost first.
        vectors: For each the unit eigenvector by parameter name, which is a direction for a loss surface.
        residuals: ``(K,)`` float64: at most so far from each value lies an eigenvalue (in exact arithmetic).
        converged: Whether all residuals are within the tolerance.
    """

    values: Tensor
    vectors: list[dict[str, Tensor]]
    residuals: Tensor
    converged: bool


class Trace(NamedTuple):
    """An estimate of the trace.

    Attributes:
        value: Mean over the samples.
        standard_error: Of that mean.
    """

    value: float
    standard_error: float


class Spectrum(NamedTuple):
    """The distribution of the eigenvalues as weighted points.

    Attributes:
        values: ``(N,)`` float64, ascending.
        weights: ``(N,)`` float64, the share of the eigenvalues each stands for; they sum to 1.
    """

    values: Tensor
    weights: Tensor

    def moment(self, order: int) -> float:
        """Return the mean of the eigenvalues to the power ``order``: ``tr(H^order) / P``."""
        return float(self.weights @ self.values**order)

    def density(self, grid: Tensor, *, width: float) -> Tensor:
        """Return the density at each place of ``grid`` ``(G,)``, every point a Gaussian of this standard deviation."""
        if not width > 0:
            raise UserError(f"width is {width}; expected a standard deviation above 0, in units of the eigenvalues")
        distance = (grid.double()[:, None] - self.values) / width
        return torch.exp(-0.5 * distance.square()) @ self.weights / (width * (2 * torch.pi) ** 0.5)


def hessian_vector_product(
    module: nn.Module, loss: LossFunction, batches: Examples, vector: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return the Hessian of the mean loss times a vector.

    Args:
        module: Its parameters that require a gradient are the variables.
        loss: ``loss(output, targets)``: the mean over a batch, or a task's ``loss``; twice differentiable.
        batches: Pairs of inputs and targets.
        vector: By parameter name; a parameter it does not name counts as 0.

    Raises:
        UserError: No parameter requires a gradient, no batches, a loss that is not finite, or shapes that do not fit.
        UnknownNameError: The vector names what is no such parameter.
        UnsupportedError: The loss has no gradient.
    """
    parameters = trained(module)
    for name, tensor in vector.items():
        if name not in parameters:
            raise UnknownNameError("parameter that requires a gradient", name, parameters)
        if tensor.shape != parameters[name].shape:
            shapes = f"{tuple(tensor.shape)}; expected {tuple(parameters[name].shape)}"
            raise UserError(f"the vector's {name} has shape {shapes}")
    with _product(module, loss, batches) as (apply, size, like):
        parts = [
            vector[name].to(p).flatten() if name in vector else torch.zeros_like(p).flatten()
            for name, p in parameters.items()
        ]
        assert sum(part.numel() for part in parts) == size
        return _named(apply(torch.cat(parts).to(like)), parameters)


def top_eigenvalues(
    module: nn.Module,
    loss: LossFunction,
    batches: Examples,
    *,
    generator: torch.Generator,
    count: int = 1,
    which: Literal["largest", "smallest"] = "largest",
    iterations: int = 100,
    tolerance: float = 1e-4,
) -> Eigenpairs:
    """Return the largest (or the most negative) eigenvalues of the Hessian and their vectors.

    An eigenvalue that occurs twice shows one vector to any start; a further search among what is orthogonal to the
    vectors found finds the others, so multiplicities are counted.

    Args:
        module: As in :func:`hessian_vector_product`.
        loss: As there.
        batches: As there.
        generator: Draws the starts.
        count: How many.
        which: Which end of the spectrum.
        iterations: Products of one search at most.
        tolerance: Stop when the residuals are below this share of the largest eigenvalue seen in size.

    Raises:
        UserError: As there, or numbers out of range.
    """
    parameters = trained(module)
    size = sum(parameter.numel() for parameter in parameters.values())
    if not 1 <= count <= size or iterations < 1 or which not in ("largest", "smallest"):
        raise UserError(
            f"count is {count}, iterations is {iterations}, which is {which!r}; expected 1 to {size} (the parameters), "
            "at least 1, and 'largest' or 'smallest'"
        )
    sign = 1.0 if which == "largest" else -1.0
    found: list[tuple[float, float, Tensor]] = []  # (value, residual, vector)
    settled = True
    with _product(module, loss, batches) as (apply, _, like):
        while True:
            more = count - len(found) if len(found) < count else 1
            locked = torch.stack([vector for _, _, vector in found]) if found else like.new_zeros(0, size)
            start = torch.randn(size, generator=generator, device=generator.device, dtype=like.dtype).to(like)
            pairs, good = lanczos_top(
                lambda v: sign * apply(v), start, locked, more, min(iterations, size - len(locked)), tolerance
            )
            margin = 10 * tolerance * max(abs(value) for value, _, _ in [*found, *pairs])
            fresh = [pair for pair in pairs if len(found) < count or pair[0] > found[-1][0] + margin]
            settled &= good
            # What is left over of those found before may lie along these: the bound holds with it.
            left = sum(residual**2 for _, residual, _ in found)
            fresh = [(value, (residual**2 + left) ** 0.5, vector) for value, residual, vector in fresh]
            found = sorted([*found, *fresh], key=lambda pair: -pair[0])[:count]
            # One eigenvalue cannot hide a copy of itself; after several, look once more beside them.
            if count == 1 or not fresh or (count == size and len(found) == size):
                break
    return Eigenpairs(
        sign * torch.tensor([value for value, _, _ in found], dtype=torch.float64),
        [_named(vector, parameters) for _, _, vector in found],
        torch.tensor([residual for _, residual, _ in found], dtype=torch.float64),
        settled,
    )


def hessian_trace(
    module: nn.Module, loss: LossFunction, batches: Examples, *, generator: torch.Generator, samples: int = 30
) -> Trace:
    """Estimate the trace of the Hessian from random signs.

    Args:
        module: As in :func:`hessian_vector_product`.
        loss: As there.
        batches: As there.
        generator: Draws the signs.
        samples: Products, at least 2.

    Raises:
        UserError: As there, or fewer than 2 samples.
    """
    if samples < 2:
        raise UserError(f"samples is {samples}; expected at least 2: the error is estimated from their spread")
    with _product(module, loss, batches) as (apply, size, like):
        values = []
        for _ in range(samples):
            signs = _signs(size, generator, like)
            values.append((signs.double() @ apply(signs).double()).cpu())
    drawn = torch.stack(values)
    return Trace(float(drawn.mean()), float(drawn.std()) / samples**0.5)


def spectral_density(
    module: nn.Module,
    loss: LossFunction,
    batches: Examples,
    *,
    generator: torch.Generator,
    probes: int = 10,
    iterations: int = 80,
) -> Spectrum:
    """Estimate the distribution of all eigenvalues of the Hessian by stochastic Lanczos quadrature.

    Each probe's tridiagonal matrix gives points and weights that are exact for its moments up to
    ``2 iterations - 1``; the probes are averaged. Deviation: probes are random signs (the paper: Gaussian), whose
    first moment scatters less.

    Args:
        module: As in :func:`hessian_vector_product`.
        loss: As there.
        batches: As there.
        generator: Draws the probes.
        probes: How many.
        iterations: Products for each.

    Raises:
        UserError: As there, or numbers out of range.
    """
    if probes < 1 or iterations < 1:
        raise UserError(f"probes is {probes}, iterations is {iterations}; expected at least 1 each")
    nodes, weights = [], []
    with _product(module, loss, batches) as (apply, size, like):
        for _ in range(probes):
            start = _signs(size, generator, like)
            *_, (tridiagonal, _, _, _) = lanczos(apply, start, like.new_zeros(0, size), min(iterations, size))
            values, vectors = torch.linalg.eigh(tridiagonal)
            nodes.append(values)
            weights.append(vectors[0].square() / probes)  # Gauss quadrature: the squared first components
    values, order = torch.cat(nodes).sort()
    return Spectrum(values, torch.cat(weights)[order])


@contextlib.contextmanager
def _product(
    module: nn.Module, loss: LossFunction, batches: Examples
) -> Iterator[tuple[Callable[[Tensor], Tensor], int, Tensor]]:
    """Yield ``apply(v) = H v`` on flat vectors, their size, and an empty tensor of their type and device."""
    parameters = list(trained(module).values())
    examples = fixed(batches)
    sizes = [parameter.numel() for parameter in parameters]
    like = torch.cat([parameter.detach().flatten()[:0] for parameter in parameters])  # the widest of their types
    like = like.to(torch.promote_types(like.dtype, torch.float32))  # Lanczos is lost in half precision

    def apply(vector: Tensor) -> Tensor:
        parts = [part.reshape(p.shape).to(p) for part, p in zip(vector.split(sizes), parameters, strict=True)]
        total = [torch.zeros_like(parameter) for parameter in parameters]
        weight = 0.0
        for batch in examples:
            found = with_gradient(module, loss, batch)
            slopes = torch.autograd.grad(
                found.total, parameters, create_graph=True, allow_unused=True, materialize_grads=True
            )
            along = torch.stack([(slope * part).sum() for slope, part in zip(slopes, parts, strict=True)]).sum()
            if along.requires_grad:  # else the loss is linear in the parameters
                torch._foreach_add_(total, _curved(along, parameters))
            weight += float(found.weight)
        return torch.cat([(part.detach() / weight).flatten() for part in total]).to(like)

    # Only the plain kernel of attention can be differentiated twice.
    with as_found(module), sdpa_kernel(SDPBackend.MATH):
        yield apply, sum(sizes), like


def _curved(along: Tensor, parameters: list[nn.Parameter]) -> tuple[Tensor, ...]:
    return torch.autograd.grad(along, parameters, allow_unused=True, materialize_grads=True)


def _signs(size: int, generator: torch.Generator, like: Tensor) -> Tensor:
    drawn = torch.randint(0, 2, (size,), generator=generator, device=generator.device)
    return drawn.to(like) * 2 - 1


def _named(flat: Tensor, parameters: Mapping[str, nn.Parameter]) -> dict[str, Tensor]:
    parts = flat.split([parameter.numel() for parameter in parameters.values()])
    return {
        name: part.reshape(parameter.shape).to(parameter.dtype)
        for (name, parameter), part in zip(parameters.items(), parts, strict=True)
    }
