"""Still pictures, and people who sit still: what freshness says of either, and what a turn does.

    python -m benchmarks.stillness.windows [--data ../shared/data] [--people 9] [--seconds 6]
    python -m benchmarks.stillness.turn [--data ../shared/data] [--people 9] [--films]

Here: what is made of one picture (pictures.py), windows of it (windows.py), whole sessions that ask
for a turn of the head (turn.py). Films belong to others and are no part of this project. Tables:
docs/freshness.md.
"""
