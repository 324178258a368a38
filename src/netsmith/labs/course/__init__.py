"""The experiments of a course: one command each, a table over several seeds."""
