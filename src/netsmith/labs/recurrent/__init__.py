"""Recurrent networks: what reaches back through time, and what is kept."""
