"""Measurements on the pixels around one face that need no net: edges, glow, tint, motion.

Here: geometry and numbers of one frame, or of a frame and its reference. Not here: when they are
wanted (session.py), what they mean (cues/). Source: docs/see.md; each module names its own.
"""
