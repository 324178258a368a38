"""The mathematics behind neural networks: short experiments whose exact facts are checked."""
