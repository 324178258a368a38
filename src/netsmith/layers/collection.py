"""What a network that matches texts knows of a collection before it learns: how rare words are, and their vectors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from netsmith.core.errors import ConfigError
from netsmith.layers.bm25 import bm25_idf

__all__ = ["CollectionCounts", "WordVectors"]


class CollectionCounts(nn.Module):
    """How many documents each word comes in, as inverse document frequency, and how long they are; buffers.

    Nothing is learned by a gradient: the counts are put in once (:meth:`count`) and go with the network's weights.

    Args:
        size: Of the vocabulary, V.

    Attributes:
        idf: ``(V,)``, of BM25: the logarithm of 1 plus the odds against a document with the word.
        mean_length: ``()``, words per document.
        documents: ``()``, how many were counted; 0 before.

    Example:
        >>> counts = CollectionCounts(5)
        >>> counts.count([torch.tensor([2, 3]), torch.tensor([2, 2, 2])])
        >>> [round(value, 3) for value in counts.idf.tolist()], float(counts.mean_length)
        ([0.0, 1.792, 0.182, 0.693, 1.792], 2.5)
    """

    idf: Tensor
    mean_length: Tensor
    documents: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("idf", torch.zeros(size))
        self.register_buffer("mean_length", torch.ones(()))
        self.register_buffer("documents", torch.zeros(()))

    def count(self, texts: Sequence[Tensor]) -> None:
        """Count the words of a collection's documents, ``(l,)`` int64 each."""
        number = torch.repeat_interleave(torch.arange(len(texts)), torch.tensor([len(text) for text in texts]))
        pairs = (number * len(self.idf) + torch.cat(tuple(texts))).unique()
        having = torch.bincount(pairs % len(self.idf), minlength=len(self.idf))  # documents by word
        of = {count: bm25_idf(count, size=len(texts)) for count in having.unique().tolist()}
        values = torch.tensor([of[count] for count in having.tolist()], dtype=torch.float64)
        values[0] = 0  # padding
        self.idf.copy_(values)
        self.mean_length.fill_(max(1.0, sum(map(len, texts)) / len(texts)))
        self.documents.fill_(len(texts))

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the inverse document frequency of each token, of the shape of ``tokens``.

        Raises:
            ConfigError: Nothing was counted.
        """
        graph = torch.jit.is_tracing() or torch.compiler.is_compiling() or tokens.is_meta
        if not graph and not bool(self.documents > 0):
            raise ConfigError("the words of the collection were not counted; set initialize to {'kind': 'collection'}")
        return self.idf[tokens]


class WordVectors(nn.Module):
    """A vector for each word, drawn at random until a collection gives better ones; that of padding is zeros.

    Args:
        size: Of the vocabulary, V.
        dim: Numbers of a vector.
        learned: Whether they are trained on; else they stay as they are.

    Attributes:
        weight: ``(V, dim)``, a parameter, or a buffer.
    """

    weight: Tensor

    def __init__(self, size: int, dim: int, *, learned: bool) -> None:
        super().__init__()
        drawn = torch.randn(size, dim) / dim**0.5
        drawn[0] = 0
        if learned:
            self.weight = nn.Parameter(drawn)
        else:
            self.register_buffer("weight", drawn)

    @torch.no_grad()
    def take(self, vectors: Tensor) -> None:
        """Take ``(V, dim)`` vectors in place of the drawn ones; rows of zeros leave a word what it has.

        They are scaled to a mean length of 1, as the drawn ones have.
        """
        lengths = vectors.norm(dim=1, keepdim=True)
        has = lengths > 1e-9
        has[0] = False
        scale = lengths[has].mean() if bool(has.any()) else lengths.new_ones(())
        self.weight.copy_(torch.where(has, (vectors / scale).to(self.weight.dtype), self.weight))

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the vectors of tokens ``(...)``, ``(..., dim)``; of padding zeros, whatever was learned."""
        return nn.functional.embedding(tokens, self._padded())

    def unit(self, *tokens: Tensor) -> tuple[Tensor, ...]:
        """Return vectors scaled to length 1, for each array of tokens: their products are cosines."""
        table = nn.functional.normalize(self._padded(), dim=1)
        return tuple(nn.functional.embedding(some, table) for some in tokens)

    def cosines(self, query: Tensor, documents: Tensor) -> Tensor:
        """Return the cosines of a query's words with those of its documents, in full precision under autocast too.

        In bfloat16 a vector's cosine with itself is off by up to 1/128: no exact match could be told.

        Args:
            query: Tokens ``(B, Q)``.
            documents: Tokens ``(B, C, D)``.

        Returns:
            ``(B, C, Q, D)``.
        """
        with torch.autocast(self.weight.device.type, enabled=False):
            return torch.einsum("bqe,bcde->bcqd", *self.unit(query, documents))

    def _padded(self) -> Tensor:
        if not isinstance(self.weight, nn.Parameter):
            return self.weight
        return torch.cat([torch.zeros_like(self.weight[:1]), self.weight[1:]])
