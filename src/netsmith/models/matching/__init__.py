"""Matching a query with texts: rankings by counts, free of torch, and networks."""
