"""For Triton's Python stub in nvidia-pytriton 0.7.0, whose interpreter is older than the library
that it finds: its RLock lacks a method that multiprocessing of Python 3.11.5 and later asks for.

Found by Python at its start, because the folder is on PYTHONPATH (kserve_servers.py).
"""

from __future__ import annotations

import threading
from multiprocessing import resource_tracker


class _Lock:
    """An RLock that says that nobody holds it twice."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> bool:
        return self._lock.__enter__()

    def __exit__(self, *raised: object) -> None:
        self._lock.release()

    def _recursion_count(self) -> int:
        return 1


resource_tracker._resource_tracker._lock = _Lock()  # type: ignore[attr-defined]
