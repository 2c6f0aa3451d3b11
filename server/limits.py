"""How often something may be asked, or is told: token buckets.

Pure: time is an argument. Not here: who is asked (routes, peer), and the lockout after failed
logins (server/store/tries.py). Source: token bucket as in RFC 2697 section 3.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol


class Bucket:
    """A token bucket: `rate_per_s` on average, `burst` at once."""

    __slots__ = ("_at_s", "_burst", "_rate", "_tokens")

    def __init__(self, rate_per_s: float, burst: float, now_s: float) -> None:
        self._rate = rate_per_s
        self._burst = burst
        self._tokens = burst
        self._at_s = now_s

    def take(self, now_s: float, count: float = 1.0) -> float:
        """Take `count` tokens: 0.0, or how many seconds until there are so many."""
        self._tokens = min(self._burst, self._tokens + max(0.0, now_s - self._at_s) * self._rate)
        self._at_s = max(self._at_s, now_s)
        if self._tokens >= count:
            self._tokens -= count
            return 0.0
        return (count - self._tokens) / self._rate


class Buckets:
    """One bucket per key, for at most `most` keys; the key unused for longest is forgotten first.

    Forgetting gives a full bucket back, so an attacker with `most` addresses can reset one; with so
    many addresses no per-address limit holds anyway, and memory must.
    """

    def __init__(self, rate_per_s: float, burst: float, most: int = 10_000) -> None:
        self._rate = rate_per_s
        self._burst = burst
        self._most = most
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, key: str, now_s: float) -> float:
        """Take one token of `key`: 0.0, or how many seconds until there is one."""
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(self._rate, self._burst, now_s)
            if len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        return bucket.take(now_s)


class Expected:
    """Who was told when to ask again, and so pays nothing for it, once; at most `most` of them."""

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._from_s: OrderedDict[str, float] = OrderedDict()

    def tell(self, key: str, from_s: float) -> None:
        """It may come again from then on."""
        self._from_s[key] = from_s
        self._from_s.move_to_end(key)
        if len(self._from_s) > self._most:
            self._from_s.popitem(last=False)

    def came(self, key: str, now_s: float) -> bool:
        """Whether it was expected, and not before this."""
        from_s = self._from_s.get(key)
        if from_s is None or now_s < from_s:
            return False
        del self._from_s[key]
        return True


class Rates(Protocol):
    """How often callers may ask, by relying app, by person and by address."""

    async def take(self, *keys: tuple[str, str], expected: str | None = None) -> float:
        """Take one token of each limit and key, up to the first that has none.

        0.0, or seconds until there is one. Free for `expected`, a session that was told to come.
        """

    def expect(self, session_id: str, in_s: float) -> None:
        """A session that waits in line may come again, in so many seconds or later."""


class OwnRates:
    """Rates counted here."""

    def __init__(
        self, *, client_rate: float, offer_rate: float, clock: Callable[[], float]
    ) -> None:
        """Rates per second; `clock`: monotonic seconds."""
        self.buckets = {
            "client": Buckets(client_rate, max(1.0, 6 * client_rate)),
            "subject": Buckets(client_rate / 5, max(1.0, 6 * client_rate / 5)),
            "address": Buckets(offer_rate, max(1.0, 40 * offer_rate)),
        }
        """Per relying app; per relying app and person, a fifth of the app's; per address, offers
        and wrong secrets."""
        self._expected = Expected()
        self._clock = clock

    async def take(self, *keys: tuple[str, str], expected: str | None = None) -> float:
        """As Rates says."""
        now_s = self._clock()
        if expected is not None and self._expected.came(expected, now_s):
            return 0.0
        for limit, key in keys:
            wait_s = self.buckets[limit].take(key, now_s)
            if wait_s:
                return wait_s
        return 0.0

    def expect(self, session_id: str, in_s: float) -> None:
        """As Rates says."""
        self._expected.tell(session_id, self._clock() + in_s)


class Once:
    """What was told before, so that strangers who repeat themselves do not fill the log."""

    def __init__(self, most: int = 100) -> None:
        """After `most` different things nothing is new any more."""
        self._most = most
        self._told: set[str] = set()

    def first(self, what: str) -> bool:
        """Whether this is new, and there is room for it."""
        if what in self._told or len(self._told) >= self._most:
            return False
        self._told.add(what)
        return True
