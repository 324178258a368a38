"""The verbs from Python: train, load, and the methods of a run; the command line only calls these."""
