"""Measurements that print tables; docs/benchmarks.md says what is measured how. Never imported by
the server."""
