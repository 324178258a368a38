"""Sequences: networks that read or continue them."""
