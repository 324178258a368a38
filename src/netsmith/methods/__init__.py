"""How something is learned, and who plays against whom."""
