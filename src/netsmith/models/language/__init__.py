"""Language models: networks and counts that say which token comes next."""
