"""The memory of the process: what sessions no longer hold goes back to the system.

Every session brings a decoder's thread, and glibc gives new threads arenas of their own (up to
eight a core), each of which keeps what was freed in it, so all threads share one. Connections are
rings, which only the collector frees. Source: mallopt(3), malloc_trim(3), the library reference of
gc.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable

M_ARENA_MAX = -8
"""mallopt's parameter, from malloc.h."""
ARENAS = 1
"""With two, what one thread freed could not be used by the next: at rest some 20 MB more after 170
visits (benchmarks/soak.py). Threads wait for each other seldom, as they keep small pieces."""
PACE_S = 2.0
"""Between two times at which what is free is given back while a crowd is live. It takes 3 to 7 ms
with four sessions live."""
CROWD = 4
"""Live sessions from which on their memory counts for more than the CPU of giving back."""
KEPT_S = 30.0
"""Where there is no crowd: so long what is free waits for the next session, who has 8,000 page
faults without it, a tenth of a login's CPU (docs/benchmarks.md)."""


def _libc() -> ctypes.CDLL | None:
    try:
        libc = ctypes.CDLL(None)
    except OSError:
        return None
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None


def share_arenas() -> bool:
    """Let all threads share one arena. False where the C library is not glibc."""
    libc = _libc()
    return libc is not None and libc.mallopt(M_ARENA_MAX, ARENAS) == 1


def keep_started() -> None:
    """Take what the start has made out of the collector's rounds: it stays until the end, and a
    collection then costs what the sessions left, not what the libraries hold."""
    gc.collect()
    gc.freeze()
    # A full collection waits until a quarter of what the last one left has come (gc.set_threshold
    # in the library reference): after this one, of nothing.
    gc.collect()


def give_back() -> bool:
    """Return what ended sessions held to the system; a few ms. False if there was nothing, or no
    glibc.

    Connections are rings of objects (aiortc's transports and their callbacks), so their decoders
    and queues stay until the collector comes by, which in a process this large is seldom.
    """
    gc.collect()
    libc = _libc()
    return libc is not None and libc.malloc_trim(0) == 1


class GivingBack:
    """Gives back while sessions are live, and after they ended: soon in a crowd, seldom else.

    While they are live, because pictures of many sizes come and go, and what lies free between them
    is a fifth of what eight sessions hold (benchmarks/session_memory.py). Not at once, because what
    is given back costs page faults when the next picture wants it.
    """

    def __init__(
        self,
        call_later: Callable[[float, Callable[[], None]], object],
        give: Callable[[], object] = give_back,
    ) -> None:
        """`call_later` as an event loop's."""
        self._call_later = call_later
        self._give = give
        self._due = False
        self._waited_s = 0.0
        self._live = 0
        self._most = 0
        """Live at once since the last look."""
        self._ended = False
        """Whether a session has ended since the last look: its threads may not be gone yet."""

    def session_began(self) -> None:
        """A session is live from now on."""
        self._live += 1
        self._most = max(self._most, self._live)
        self._begin()

    def session_ended(self) -> None:
        """A session has ended; others may go on."""
        self._live -= 1
        self._ended = True
        self._begin()

    def _begin(self) -> None:
        if not self._due:
            self._due, self._waited_s = True, 0.0
            self._call_later(PACE_S, self._look)

    def _look(self) -> None:
        most, self._most = self._most, self._live
        ended, self._ended = self._ended, False
        self._waited_s += PACE_S
        if most >= CROWD or self._waited_s >= KEPT_S:
            self._give()
            self._waited_s = 0.0
            # Else the last one's memory would stay until somebody comes and leaves again.
            self._due = ended or self._live > 0
        if self._due:
            self._call_later(PACE_S, self._look)
