"""Labs on texts."""
