"""Evidence written by machine: conformance of every recipe, golden curves on twins, claims on real data."""
