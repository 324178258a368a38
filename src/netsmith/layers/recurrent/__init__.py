"""Recurrent cells, the loop that runs them over a sequence, and stacks of them in one or both directions."""
