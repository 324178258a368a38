"""netsmith: train, explain, compress, ship and verify neural networks of every classic family."""

__version__ = "0.1.0"
