"""Recipes on texts."""
