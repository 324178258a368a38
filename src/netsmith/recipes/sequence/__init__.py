"""Recipes on sequences: time series, and texts read step by step."""
