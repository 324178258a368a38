"""Recipes on Chinese texts."""
