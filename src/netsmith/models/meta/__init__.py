"""Learning to learn: networks that are adapted from a few examples."""
