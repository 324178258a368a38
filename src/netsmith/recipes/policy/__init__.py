"""Recipes that act."""
