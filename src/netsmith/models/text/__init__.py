"""Texts: networks that take them."""
