"""Labs of compression: what making networks smaller does, and what it does not."""
