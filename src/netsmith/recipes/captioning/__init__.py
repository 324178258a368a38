"""Recipes of pictures described in words."""
