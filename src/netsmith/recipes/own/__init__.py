"""Generic recipes for the user's own data."""
