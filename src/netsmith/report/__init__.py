"""One self-contained page per run: tables, figures and pictures; no request leaves it."""
