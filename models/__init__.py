"""Nets as files: which ones, from which package, converted how, and whether they are the right
bytes.

Here: the manifest, fetch, convert, verify. Not here: running a net on a picture (pipeline/nets),
settings. Source: docs/models.md. Weights are never in the repository.
"""
