"""The support vector machine with kernels (Cortes & Vapnik 1995), fitted by scikit-learn and kept as arrays."""

from __future__ import annotations

import itertools
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.config import AUTO, Auto
from netsmith.core.errors import ConfigError
from netsmith.core.extras import require
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.fitted import Fitted, class_targets, row_numbers

__all__ = ["Svm"]


class Svm(Fitted):
    r"""The boundary of widest margin between each two classes, in the space of a kernel; examples near it carry it all.

    .. math:: f_{ij}(x) = \sum_{s} \alpha^{ij}_s\, k(x_s, x) + b_{ij}, \qquad
              k = x_s \cdot x, \quad e^{-\gamma |x_s - x|^2}, \quad (\gamma\, x_s \cdot x + r)^d

    Every pair of classes i < j has a machine, and each votes: for i where f is above 0, else for j. The logits are the
    votes; of equal ones the first class is the answer, as in scikit-learn's ``SVC``. With ``break_ties`` they are the
    votes and a third of the squashed sums of the decision values, its ``decision_function`` of one against rest.
    Logits of votes are no probabilities: their softmax only ranks.

    Attributes:
        support: ``(S, F)`` float64, the support vectors.
        coefficients: ``(S, P)`` float64, alpha with the sign of the class; 0 where s is of neither class of the pair.
        offset: ``(P,)`` float64, b.
        first: ``(P,)`` int64, class i of each pair.
        second: ``(P,)`` int64, class j.
        gamma: ``(1,)`` float64, gamma; empty before the fit.

    Shapes:
        ``(B, ...)`` with ``in_features`` numbers per example to ``(B, num_classes)`` float64.

    Raises:
        ConfigError: A field that the kernel does not have.
        DataError: In :meth:`fit`: numbers that are not finite, targets that are no classes, or examples of one class.
        MissingExtraError: In :meth:`fit`: scikit-learn is not installed.
    """

    support: Tensor
    coefficients: Tensor
    offset: Tensor
    first: Tensor
    second: Tensor
    gamma: Tensor

    class Config(ModelConfig):
        """The machine.

        Attributes:
            kernel: ``linear``, ``rbf`` (Gaussian) or ``poly``.
            strength: C, what an example on the wrong side of the margin costs.
            gamma: Of rbf and poly; 0 takes 1 / (features * variance of the inputs).
            degree: d, of poly.
            constant: r, of poly.
            break_ties: Let the decision values decide between classes of equal votes.
            in_features: Numbers per example.
            num_classes: Number of classes.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image", "table", "series", "audio", "state")
        scores: ClassVar[str] = "votes"
        uncounted: ClassVar[str] = "the fit decides how many support vectors there are"

        kernel: Literal["linear", "rbf", "poly"] = "rbf"
        strength: float = Field(default=1.0, gt=0)
        gamma: float = Field(default=0.0, ge=0)
        degree: int = Field(default=3, ge=1)
        constant: float = 0.0
        break_ties: bool = False
        in_features: int | Auto = AUTO
        num_classes: int | Auto = AUTO

    def __init__(self, config: Svm.Config) -> None:
        f, i = torch.float64, torch.int64
        super().__init__(support=(2, f), coefficients=(2, f), offset=(1, f), first=(1, i), second=(1, i), gamma=(1, f))
        unused = {"linear": ("gamma", "degree", "constant"), "rbf": ("degree", "constant"), "poly": ()}[config.kernel]
        for name in unused:
            if getattr(config, name) != type(config).model_fields[name].default:
                raise ConfigError(
                    f"{name}={getattr(config, name)}: the kernel {config.kernel!r} has none; leave it out"
                )
        self.config = config

    @torch.no_grad()
    def fit(self, inputs: Tensor, targets: Tensor, *, weights: Tensor | None = None) -> None:
        """Fit to the examples ``(N, ...)``, their classes ``(N,)`` and weights (each times C)."""
        rows, labels = row_numbers(inputs), class_targets(targets, int(self.config.num_classes))
        gamma = self.config.gamma or 1 / (rows.shape[1] * float(rows.var(correction=0)) or 1)
        machine = require("sklearn.svm", extra="classic").SVC(
            C=self.config.strength,
            kernel=self.config.kernel,
            gamma=gamma,
            degree=self.config.degree,
            coef0=self.config.constant,
            decision_function_shape="ovo",
        )
        machine.fit(rows.numpy(), labels.numpy(), None if weights is None else weights.cpu().double().numpy())
        classes = torch.from_numpy(machine.classes_)
        pairs = list(itertools.combinations(range(len(classes)), 2))
        dual = torch.from_numpy(
            machine.dual_coef_
        )  # (C - 1, S): of class i, row j - 1 is against j > i, row j against j < i
        owner = torch.arange(len(classes)).repeat_interleave(torch.from_numpy(machine.n_support_).long())
        coefficients = torch.zeros(dual.shape[1], len(pairs), dtype=torch.float64)
        sign = -1 if len(classes) == 2 else 1  # of two classes scikit-learn's value is positive for the second
        for column, (i, j) in enumerate(pairs):
            of_i, of_j = owner == i, owner == j
            coefficients[of_i, column] = sign * dual[j - 1, of_i]
            coefficients[of_j, column] = sign * dual[i, of_j]
        self.hold(
            support=machine.support_vectors_,
            coefficients=coefficients,
            offset=sign * torch.from_numpy(machine.intercept_),
            first=classes[[i for i, _ in pairs]],
            second=classes[[j for _, j in pairs]],
            gamma=[gamma],
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the votes of each class."""
        classes = int(self.config.num_classes)
        if not len(self.gamma):
            return self.unsure(inputs, classes)
        values = self.decision_values(inputs)
        to_first = torch.nn.functional.one_hot(self.first, classes).double()  # (P, C)
        to_second = torch.nn.functional.one_hot(self.second, classes).double()
        wins = (values > 0).double()
        votes = wins @ to_first + (1 - wins) @ to_second
        if not self.config.break_ties:
            return votes
        sums = values @ (to_first - to_second)
        return votes + sums / (3 * (sums.abs() + 1))

    def decision_values(self, inputs: Tensor) -> Tensor:
        """Return f of each pair of classes, (0, 1), (0, 2), ... (1, 2), ...: ``(B, P)``, positive for the first."""
        rows = inputs.flatten(1).double()
        kernel = rows @ self.support.T  # (B, S)
        if self.config.kernel == "rbf":
            squares = rows.square().sum(1, keepdim=True) - 2 * kernel + self.support.square().sum(1)
            kernel = (-self.gamma * squares.clamp(min=0)).exp()
        elif self.config.kernel == "poly":
            kernel = (self.gamma * kernel + self.config.constant) ** self.config.degree
        return kernel @ self.coefficients + self.offset

    def landmarks(self) -> dict[str, str]:
        """Return where the head is: the model itself."""
        return {"head": ""}
