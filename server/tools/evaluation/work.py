"""Many files through one function, in threads, with progress and time left.

Threads, as the nets and the codecs release the GIL and share one set of nets; a few files are in
flight at a time, so memory does not grow with the folder. Not here: what is done with a file.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TextIO, TypeVar

In = TypeVar("In")
Out = TypeVar("Out")

SAY_S = 0.2
"""How often a terminal is told."""
SAY_LOG_S = 15.0
"""How often a file is told that gets the same lines."""


class Progress:
    """`[ 12/400] 3 % 2:05 left`, on one line of a terminal or a line now and then."""

    def __init__(
        self,
        total: int,
        what: str,
        out: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total, self._what = total, what
        self._out = sys.stderr if out is None else out
        self._clock = clock
        self._began_s = self._said_s = clock()
        self._done = self._known = 0
        self._live = self._out.isatty()

    def step(self, *, known: bool = False) -> None:
        """One more is done; `known` ones took no time and say nothing of the others."""
        self._done += 1
        self._known += known
        now_s = self._clock()
        period_s = SAY_S if self._live else SAY_LOG_S
        if now_s - self._said_s >= period_s:
            self._said_s = now_s
            self._say(self.line(now_s))

    def line(self, now_s: float) -> str:
        """What is said at a time."""
        share = self._done / self._total if self._total else 1.0
        text = f"[{self._done}/{self._total}] {self._what} {100 * share:.0f} %"
        fresh = self._done - self._known
        if fresh:
            left = (now_s - self._began_s) / fresh * (self._total - self._done)
            text += f", {int(left) // 60}:{int(left) % 60:02d} left"
        return text

    def end(self) -> None:
        """The last line."""
        took_s = self._clock() - self._began_s
        text = f"[{self._done}/{self._total}] {self._what}: {took_s:.1f} s"
        text += f", {self._known} known before" if self._known else ""
        self._say(text, last=True)

    def _say(self, text: str, *, last: bool = False) -> None:
        begin, end = ("\r\x1b[K", "\n" if last else "") if self._live else ("", "\n")
        print(f"{begin}{text}", end=end, file=self._out, flush=True)


def each(do: Callable[[In], Out], items: Sequence[In], jobs: int) -> Iterator[tuple[In, Out]]:
    """(item, what came of it), as they are done. What `do` raises goes through."""
    with ThreadPoolExecutor(jobs, thread_name_prefix="evaluate") as pool:
        waiting: dict[Future[Out], In] = {}
        rest = iter(items)
        try:
            for item in _take(rest, 2 * jobs):
                waiting[pool.submit(do, item)] = item
            while waiting:
                done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield waiting.pop(future), future.result()
                for item in _take(rest, len(done)):
                    waiting[pool.submit(do, item)] = item
        finally:
            for future in waiting:
                future.cancel()


def _take(items: Iterable[In], count: int) -> Iterator[In]:
    for _, item in zip(range(count), items, strict=False):
        yield item
