"""Recipes on tables and flat features."""
