"""Factors on the learning rate; each is a pure function of the global step."""
