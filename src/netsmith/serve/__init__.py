"""A network over HTTP: strict requests, readable answers, one page to try it."""
