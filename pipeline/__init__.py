"""Frames in, events out. Pure: numpy and dataclasses; no clock, no sockets, no environment.

Only `see` and `nets` touch pixels and nets; everything else works on observations.
"""
