"""Samples: generators, and the critics they are trained against."""
