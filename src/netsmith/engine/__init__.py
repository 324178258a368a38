"""One engine for every kind of learner: it knows the contracts below and no method, model or data set by name."""
