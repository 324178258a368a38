"""How first weights decide what a network can learn."""
