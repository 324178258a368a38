"""Graph convolutional network (Kipf & Welling 2017, arXiv:1609.02907)."""

from __future__ import annotations

import itertools
from typing import ClassVar

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.graphs import GraphConvolution, Graphs, normalized_links

__all__ = ["GCN"]


class GCN(nn.Module):
    r"""Classify the nodes of a graph by what they and their neighbors hold: the first network to try on a graph.

    .. math:: H^{(l+1)} = \mathrm{ReLU}\bigl( \hat A H^{(l)} W^{(l)} + b^{(l)} \bigr), \qquad Z = H^{(L)}

    without the ReLU in the last layer (Eq. 2 and 9, which have no bias), where :math:`\hat A` is the adjacency with
    every node linked to itself, symmetrically normalized; see :func:`~netsmith.layers.graphs.normalized_links`. A layer
    sees one step further, so the default of two sees neighbors of neighbors. Dropout stands before each layer; weights
    are drawn after Glorot & Bengio (2010), biases start at zero.

    On Cora (1,433 words, 7 classes, 16 hidden units) it has 23,063 parameters, as PyTorch Geometric's has.

    Shapes:
        A batch of :data:`~netsmith.layers.graphs.Graphs`, nodes ``(B, N, F)``, to ``(B, N, num_classes)``.
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            hidden_size: Hidden units of a node, in every layer but the last.
            num_layers: Layers, each one step along the edges.
            dropout: Share dropped in training before each layer.
            in_features: Numbers of a node.
            num_classes: Number of classes.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("graph",)
        widths: ClassVar[tuple[str, ...]] = ("hidden_size",)
        depths: ClassVar[tuple[str, ...]] = ("num_layers",)

        hidden_size: int = Field(default=16, ge=1)
        num_layers: int = Field(default=2, ge=1)
        dropout: float = Field(default=0.5, ge=0, lt=1)
        in_features: int | Auto = AUTO
        num_classes: int | Auto = AUTO

    def __init__(self, config: GCN.Config) -> None:
        super().__init__()
        sizes = [config.in_features, *[config.hidden_size] * (config.num_layers - 1), config.num_classes]
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(GraphConvolution(size, after) for size, after in itertools.pairwise(sizes))

    def forward(self, graphs: Graphs) -> Tensor:
        """Return the logits of every node."""
        states = graphs["nodes"]  # (B, N, F)
        links = normalized_links(states, graphs["edges"])
        for place, layer in enumerate(self.layers):
            states = layer(self.dropout(F.relu(states) if place else states), links)  # (B, N, H)
        return states

    def landmarks(self) -> dict[str, str]:
        """Return where the first and the last layer are."""
        last = len(self.layers) - 1
        return {"stem": "layers.0", "features": f"layers.{max(0, last - 1)}", "head": f"layers.{last}"}
