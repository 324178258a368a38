"""Chains of experiments: the demo, compression, explanation and report pages."""
