"""Several calls at once, and what came of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Sequence
from typing import Any


async def outcomes(calls: Sequence[Awaitable[Any]]) -> Counter[str]:
    """Run all at once; how many returned ("ok") and how many raised what."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    return Counter(type(r).__name__ if isinstance(r, BaseException) else "ok" for r in results)
