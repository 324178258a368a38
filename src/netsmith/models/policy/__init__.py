"""Decisions: networks that choose actions and value states."""
