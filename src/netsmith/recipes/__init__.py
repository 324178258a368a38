"""One file, one experiment: the only place where models, methods, tasks and data meet."""
