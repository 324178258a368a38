"""Recipes on graphs."""
