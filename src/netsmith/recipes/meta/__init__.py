"""Recipes that learn to learn."""
