"""Recipes of dialogues."""
