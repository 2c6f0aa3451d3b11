"""Who follows a client's gallery as a server does: reads all once, then what changed."""

from __future__ import annotations

from server.store.gallery import GalleryVersion
from server.store.port import Store


class Follower:
    """What one process believes about the gallery of `shop`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._version: GalleryVersion | None = None
        self.has: dict[str, str] = {}
        """Template ids by subject."""
        self.whole = 0
        """How often all was read."""
        self.told = 0
        """Rows that were told as changed."""

    async def follow(self) -> dict[str, str]:
        """What it believes now."""
        changes = None
        if self._version is not None:
            changes = await self._store.templates.changes("shop", self._version)
        if changes is None:
            self.whole += 1
            self._version = await self._store.templates.gallery_version("shop")
            self.has = await all_of(self._store)
            return dict(self.has)
        self._version = changes.version
        self.told += len(changes.rows)
        for subject, template_id in list(self.has.items()):
            if template_id in changes.removed or subject in changes.looked_up:
                del self.has[subject]
        self.has |= {row.subject: row.template_id for row in changes.rows}
        return dict(self.has)


async def all_of(store: Store) -> dict[str, str]:
    """What is in the store."""
    rows = await store.templates.vectors("shop", after="", most=1_000_000)
    return {row.subject: row.template_id for row in rows}
