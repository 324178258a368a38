"""Labs on pictures described in words."""
