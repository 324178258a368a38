"""Recipes of the learners that came first."""
