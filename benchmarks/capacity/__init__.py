"""How many people one server carries at once, and what happens when more come.

    python -m benchmarks.capacity [--levels 1,2,4,8,16,32] [--seconds 30] [--runs 3] [--burn 0.5]

Here: callers who replay encoded films (films.py, cast.py, callers.py), what else the machine does
(machine.py), a server with clocks inside (staged.py), one run of levels (run.py), and the figures
(figures.py, tables.py: pure). check.py is the short form that asserts. Not here: the stages of one
login (benchmarks/login.py).
Method: docs/benchmarks.md.
"""
