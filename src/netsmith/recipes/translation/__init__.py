"""Translation: a text in one language, written in another."""
