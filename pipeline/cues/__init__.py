"""One file per cue: observations in, one row of evidence out. Cues do not know each other.

`add` takes an observation; of most cues it says whether there was anything in it to take.
"""
