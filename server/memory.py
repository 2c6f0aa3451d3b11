"""The process's memory allocator: glibc's, told to hold on to less. Nothing anywhere else.

Every session brings decoder threads, and glibc gives new threads arenas of their own (up to eight a
core), each of which keeps what was freed in it. Source: mallopt(3), malloc_trim(3).
"""

from __future__ import annotations

import ctypes

M_ARENA_MAX = -8
"""mallopt's parameter, from malloc.h."""
ARENAS = 2


def _libc() -> ctypes.CDLL | None:
    try:
        libc = ctypes.CDLL(None)
    except OSError:
        return None
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None


def share_arenas() -> bool:
    """Let all threads share a few arenas. False where the C library is not glibc."""
    libc = _libc()
    return libc is not None and libc.mallopt(M_ARENA_MAX, ARENAS) == 1


def give_back() -> bool:
    """Return what was freed to the system; a few ms. False if there was nothing, or no glibc."""
    libc = _libc()
    return libc is not None and libc.malloc_trim(0) == 1
