"""Building blocks that torch lacks and several architectures share."""
