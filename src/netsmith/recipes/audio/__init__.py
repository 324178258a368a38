"""Recipes on sounds."""
