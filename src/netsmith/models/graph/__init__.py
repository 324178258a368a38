"""Graphs: networks that take them."""
