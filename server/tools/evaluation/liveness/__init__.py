"""What sessions about people and attacks came to: rates, on whom they rest, refits, tables.

Not here: playing films (server/tools/evaluation/play.py), what cues measured (cues.py beside it).
"""
