"""Benchmarks of still pictures."""
