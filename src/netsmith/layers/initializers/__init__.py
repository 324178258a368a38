"""First weights of any network, by a rule of choice; the rule a model draws with itself stands in its file."""
