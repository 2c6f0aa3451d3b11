"""The shell: asyncio, sockets, time, storage, keys. Decides nothing about faces."""

import os

# Before NumPy is loaded: OpenBLAS starts a thread per core and lets them spin between calls, which
# cost 65 % of a login's CPU (benchmarks/login.py: 2.3 against 0.8 CPU-s). Our products are small,
# and frames of different sessions run side by side anyway.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
