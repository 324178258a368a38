"""Config, roles, spec, registry, cards, errors, keys: the language every room speaks; torch-free at import."""
