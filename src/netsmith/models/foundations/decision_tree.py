"""The decision tree for classes (Breiman et al. 1984, CART), grown by scikit-learn and kept as arrays."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.config import AUTO, Auto
from netsmith.core.extras import require
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.fitted import Fitted, class_targets, log_shares, row_numbers

__all__ = ["DecisionTree"]


class DecisionTree(Fitted):
    r"""Twenty questions: at each node one feature is compared with one number, and a leaf answers by its examples.

    A node t is split where the impurity falls most,

    .. math:: n_t\, H(t) - n_L\, H(L) - n_R\, H(R), \qquad
              H_{\text{gini}} = 1 - \sum_c p_c^2, \quad H_{\text{entropy}} = -\sum_c p_c \log_2 p_c

    Node 0 is the root; an example goes left where its feature, in single precision as in scikit-learn, is at most the
    threshold. All examples walk at once, one level per step, and those at a leaf stay; so the walk is a fixed number of
    look-ups, which ONNX can hold. Leaf and shares are scikit-learn's, exactly.

    Attributes:
        feature: ``(N,)`` int64, what each node compares; 0 at a leaf.
        threshold: ``(N,)`` float64, with what; 0 at a leaf.
        left: ``(N,)`` int64, where an example goes that is at most the threshold; a leaf itself.
        right: ``(N,)`` int64, where the others go.
        shares: ``(N, num_classes)`` float64, of the training examples of each node.
        level_sizes: ``(levels,)`` int64, how many nodes there are at each depth, the root's first.

    Shapes:
        ``(B, ...)`` with ``in_features`` numbers per example to ``(B, num_classes)`` float64: the logarithm of the
        leaf's shares, of 0 that of 1.2e-38.

    Raises:
        DataError: In :meth:`fit`: numbers that are not finite, or targets that are no classes.
        MissingExtraError: In :meth:`fit`: scikit-learn is not installed.
    """

    feature: Tensor
    threshold: Tensor
    left: Tensor
    right: Tensor
    shares: Tensor
    level_sizes: Tensor

    class Config(ModelConfig):
        """How the tree is grown.

        Attributes:
            impurity: H.
            max_depth: Questions on the longest way, at most; 0 for no limit.
            min_leaf: The fewest examples of a leaf.
            pruning: Minimal cost-complexity pruning: branches that lower the impurity by less per leaf are cut.
            seed: Of the order in which features are looked at; of equally good splits the first is taken.
            in_features: Numbers per example.
            num_classes: Number of classes.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image", "table", "series", "audio", "state")
        uncounted: ClassVar[str] = "the fit decides how many questions there are; it compares, and multiplies nothing"

        impurity: Literal["gini", "entropy"] = "gini"
        max_depth: int = Field(default=0, ge=0)
        min_leaf: int = Field(default=1, ge=1)
        pruning: float = Field(default=0.0, ge=0)
        seed: int = Field(default=0, ge=0, lt=2**32)
        in_features: int | Auto = AUTO
        num_classes: int | Auto = AUTO

    def __init__(self, config: DecisionTree.Config) -> None:
        f, i = torch.float64, torch.int64
        super().__init__(feature=(1, i), threshold=(1, f), left=(1, i), right=(1, i), shares=(2, f), level_sizes=(1, i))
        self.config = config

    @torch.no_grad()
    def fit(self, inputs: Tensor, targets: Tensor, *, weights: Tensor | None = None) -> None:
        """Grow the tree on the examples ``(N, ...)``, their classes ``(N,)`` and weights."""
        rows, labels = row_numbers(inputs), class_targets(targets, int(self.config.num_classes), least=1)
        grower = require("sklearn.tree", extra="classic").DecisionTreeClassifier(
            criterion=self.config.impurity,
            max_depth=self.config.max_depth or None,
            min_samples_leaf=self.config.min_leaf,
            ccp_alpha=self.config.pruning,
            random_state=self.config.seed,
        )
        grower.fit(rows.numpy(), labels.numpy(), None if weights is None else weights.cpu().double().numpy())
        tree = grower.tree_
        nodes = torch.arange(tree.node_count)
        left, right = torch.from_numpy(tree.children_left), torch.from_numpy(tree.children_right)
        leaf = left < 0
        shares = torch.zeros(tree.node_count, int(self.config.num_classes), dtype=torch.float64)
        shares[:, torch.from_numpy(grower.classes_)] = torch.from_numpy(grower.tree_.value[:, 0])
        depth = torch.zeros_like(nodes)
        for node in nodes[~leaf].tolist():  # a parent comes before its children
            depth[left[node]] = depth[right[node]] = depth[node] + 1
        self.hold(
            feature=torch.from_numpy(tree.feature).clamp(min=0),
            threshold=torch.from_numpy(tree.threshold).masked_fill(leaf, 0.0),
            left=torch.where(leaf, nodes, left),
            right=torch.where(leaf, nodes, right),
            shares=shares / shares.sum(1, keepdim=True),
            level_sizes=torch.bincount(depth),
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the logarithm of each class's share of the leaf."""
        if not len(self.level_sizes):
            return self.unsure(inputs, int(self.config.num_classes))
        return log_shares(self.shares[self.apply_tree(inputs)])

    def apply_tree(self, inputs: Tensor) -> Tensor:
        """Return the leaf that each example comes to, ``(B,)`` int64."""
        rows = inputs.flatten(1).float().double()
        node = torch.zeros_like(rows[:, 0], dtype=torch.int64)
        for _ in range(len(self.level_sizes) - 1):
            value = rows.gather(1, self.feature[node][:, None])[:, 0]
            node = torch.where(value <= self.threshold[node], self.left[node], self.right[node])
        return node

    def landmarks(self) -> dict[str, str]:
        """Return where the head is: the model itself."""
        return {"head": ""}
