"""Sound: networks that take it as samples."""
