"""Models that translate, and others that write a text for a text."""
