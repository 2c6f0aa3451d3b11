"""A server with clocks inside that gives memory back at every pace, so that it is at rest soon.

    python -m benchmarks.eager serve

For looks at what is never given back (soak.py): what is only kept for the next session would hide
it. Not here: the clocks (capacity/staged.py).
"""

from __future__ import annotations

import sys

from benchmarks.capacity.staged import Clocks, install
from server import memory
from server.commands.main import main

if __name__ == "__main__":
    memory.KEPT_S = memory.PACE_S
    install(Clocks())
    sys.exit(main())
