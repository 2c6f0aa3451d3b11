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
"""Between two times at which what is free is given back while anybody is live, and from the end of
a session until what it held is. Who ends meanwhile waits for the next time, so nobody's memory is
kept for more than twice as long. It takes 3 to 7 ms with four sessions live."""


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
    """Gives back while sessions are live, and soon after they ended; once in `PACE_S`.

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
        self._live = 0
        self._ended = False
        """Whether a session has ended since it became due: its threads may not be gone then."""

    def session_began(self) -> None:
        """A session is live from now on."""
        self._live += 1
        if not self._due:
            self._begin()

    def session_ended(self) -> None:
        """A session has ended; others may go on."""
        self._live -= 1
        if self._due:
            self._ended = True
        else:
            self._begin()

    def _begin(self) -> None:
        self._due, self._ended = True, False
        self._call_later(PACE_S, self._now)

    def _now(self) -> None:
        self._due = False
        self._give()
        # Else the last one's memory would stay until somebody comes and leaves again.
        if self._ended or self._live > 0:
            self._begin()
