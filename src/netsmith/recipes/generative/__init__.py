"""Recipes that make samples."""
