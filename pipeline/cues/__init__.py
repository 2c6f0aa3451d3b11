"""One file per cue: observations in, one row of evidence out. Cues do not know each other.

Here: what is said of what was measured. Not here: which cues a window has and what they read
(session/measurements.py). How to add one: docs/adding-a-cue.md.
"""
