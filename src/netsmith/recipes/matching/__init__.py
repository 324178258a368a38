"""Recipes that match queries with texts."""
