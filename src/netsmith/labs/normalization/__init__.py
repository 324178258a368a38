"""What putting numbers on one scale does: inside a network, and before it."""
