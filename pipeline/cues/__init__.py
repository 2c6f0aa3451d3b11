"""One file per cue: observations in, one row of evidence out. Cues do not know each other."""
