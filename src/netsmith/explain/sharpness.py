r"""Flat or sharp: how much the loss rises at the worst place nearby.

.. math:: \max_{\lVert\epsilon\rVert_2 \le \rho} L(\theta + \epsilon) - L(\theta) \approx
          L(\theta + \rho \, \nabla L / \lVert \nabla L \rVert_2) - L(\theta)

to first order (Foret, Kleiner, Mobahi & Neyshabur 2021, arXiv:2010.01412, Eq. 2). The other common measure is the
largest eigenvalue of the Hessian (:func:`~netsmith.explain.hessian.top_eigenvalues`). Neither is the same for networks
that are the same function with rescaled layers (Dinh et al. 2017, arXiv:1703.04933): compare like with like.
"""

from __future__ import annotations

import torch
from torch import nn

from netsmith.core.errors import UserError
from netsmith.explain._weights import Examples, LossFunction, as_found, batch_loss, fixed, gradient, trained

__all__ = ["sharpness"]


def sharpness(module: nn.Module, loss: LossFunction, batches: Examples, *, rho: float = 0.05) -> float:
    """Return the loss at SAM's worst point minus the loss.

    Args:
        module: Run in evaluation mode and left as found; its parameters that require a gradient move.
        loss: ``loss(output, targets)``: the mean over a batch, or a task's ``loss``.
        batches: Pairs of inputs and targets; one gradient over all of them.
        rho: The distance, above 0, in the units of the weights.

    Returns:
        In units of the loss; 0 where the gradient is 0, from where this has no way up. Not finite where the loss at
        the worst point is not.

    Raises:
        UserError: No parameter requires a gradient, no batches, a loss that is not finite, or ``rho`` out of range.
        UnsupportedError: The loss has no gradient.
    """
    if not 0 < rho < float("inf"):
        raise UserError(f"rho is {rho}; expected a distance above 0")
    parameters = list(trained(module).values())
    examples = fixed(batches)
    with as_found(module):
        before, slopes = gradient(module, loss, examples, parameters)
        norm = float(nn.utils.get_total_norm(slopes))
        if norm == 0:
            return 0.0
        with torch.no_grad():
            torch._foreach_add_(parameters, slopes, alpha=rho / norm)  # Eq. 2
            found = [batch_loss(module, loss, batch) for batch in examples]
        after = sum(float(one.total) for one in found) / sum(float(one.weight) for one in found)
    return after - before
