"""Keyed random changes of a batch of images: each a pure function of the example and its key, never of the batch."""
