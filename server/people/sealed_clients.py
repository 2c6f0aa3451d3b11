"""The rows of relying apps, sealed: who writes the database without the master key changes none.

A row says whose secret opens which people, so somebody who could change it would log in as anybody.
The seal holds a turn, one more with each change, and the client's head (anchors.py) says which turn
the row has at least, so an older row that is put back is refused. Rows of versions that made no
seal, or counted no turns, are believed once in the life of a data folder, at its first start, which
leaves a mark there; afterwards they are refused.
Not here: the rows (server/store/), who asks (server/http/requests.py, server/commands/admin.py).
Source: THREAT_MODEL.md, "Who can write the database".
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from server.keys.vault import Vault, VaultError, sealed_by
from server.people.anchors import Ledger
from server.store.port import Client, Conflict, NotFound, Store
from server.store.relying import relying_json

MARK = "clients.counted"
"""A file of the data folder: from then on every row has a seal and a turn. Whoever writes the
database does not write here."""
OLD_MARK = "clients.sealed"
"""The same of a version that counted no turns: every row has a seal."""
_EPOCH, _MILLISECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)

_log = logging.getLogger("lookgate.clients")


def _owner(client: Client) -> tuple[str, ...]:
    """All of a row. Whole milliseconds, which every store keeps.

    A row without settings of OpenID Connect is sealed as it was before there were any.
    """
    made = (client.created_at - _EPOCH) // _MILLISECOND
    whole = (client.client_id, client.secret_hash.hex(), client.policy, str(made))
    relying = relying_json(client.relying)
    if relying is None:
        return ("client", *whole, *client.origins)
    return ("relying client", *whole, relying, *client.origins)


def sealed_client(vault: Vault, client: Client, turn: int) -> Client:
    """The row with its seal: the turn is in it, and all of the row is authenticated (NIST SP
    800-38D). Raises VaultError `vault_key_missing`."""
    return replace(client, seal=vault.seal(str(turn).encode(), owner=_owner(client)))


def turn_of(vault: Vault, client: Client) -> int:
    """How often the row was changed, 1 for a new one; 0: by a version that did not count.

    Raises VaultError: `client_changed`, `vault_key_unknown`.
    """
    try:
        if client.seal is None:
            raise VaultError("vault_format", "There is no seal.")
        return int(vault.open(client.seal, owner=_owner(client)) or b"0")
    except VaultError as error:
        if error.code == "vault_key_unknown":
            raise
        raise _changed(client) from error


def drop_mark(data_dir: Path) -> None:
    """After an older database was put in the place by the operator."""
    (data_dir / MARK).unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class SealedClients:
    """The rows of one store."""

    store: Store
    ledger: Ledger
    vault: Vault

    async def check(self, client: Client) -> Client:
        """The row as it is: the same, or the one that took its place meanwhile.

        Raises VaultError `client_changed`, `vault_key_unknown`, NotFound, Unavailable.
        """
        try:
            try:
                await self._hold(client)
            except VaultError:
                newer = await self.store.clients.get(client.client_id)
                if newer == client:
                    raise
                await self._hold(newer)
                client = newer
        except VaultError as error:
            told = {"client": client.client_id, "code": error.code}
            _log.error("the row of a relying app is not as it was sealed", extra=told)
            raise
        return client

    async def _hold(self, client: Client) -> None:
        """Raises VaultError, Unavailable."""
        turn = turn_of(self.vault, client)
        standing = await self.ledger.standing(client.client_id, [])
        least = standing.head.row if standing.head is not None else 0
        uncounted = not turn and not least and not self.ledger.rows_counted
        counts = 0 < least <= turn
        if standing.turned_back or not (uncounted or counts):
            raise _changed(client)

    async def get(self, client_id: str) -> Client:
        """Raises as `check`."""
        return await self.check(await self.store.clients.get(client_id))

    async def add(self, client: Client) -> None:
        """Raises Conflict, Unavailable, VaultError. One whose making was interrupted is refused:
        remove it and add it again."""
        await self.store.clients.add(sealed_client(self.vault, client, 1))
        await self.ledger.found(client.client_id, first=True)
        await self.ledger.raise_row(client.client_id, 1)

    async def change(self, was: Client, client: Client) -> None:
        """`was`: as `get` gave it. No older row counts then.

        Raises Conflict, NotFound, Unavailable, VaultError.
        """
        turn = turn_of(self.vault, was) + 1
        await self.store.clients.change(was, sealed_client(self.vault, client, turn))
        await self.ledger.found(client.client_id, first=await self._nobody(client.client_id))
        await self.ledger.raise_row(client.client_id, turn)

    async def believe(self, client_id: str) -> Client:
        """Seal the row as it is: the operator's word. No older one counts then.

        Raises NotFound, Conflict, Unavailable, VaultError: its anchors are not believed.
        """
        client = await self.store.clients.get(client_id)
        head = await self.ledger.found(client_id, first=await self._nobody(client_id))
        turn = head.row + 1
        await self.store.clients.change(client, sealed_client(self.vault, client, turn))
        await self.ledger.raise_row(client_id, turn)
        return client

    async def settle(self) -> None:
        """Let no row count that is older than the one that is there: a process died in between.

        Raises Unavailable.
        """
        for client in await self.store.clients.all():
            try:
                turn = turn_of(self.vault, client)
                standing = await self.ledger.standing(client.client_id, [])
                if standing.head is not None and 0 < standing.head.row < turn:
                    await self.ledger.raise_row(client.client_id, turn)
            except (VaultError, NotFound):
                continue  # who asks for it is told

    async def count_those_of_before(self, data_dir: Path) -> int:
        """Seal and count the rows of versions that did not, once in the life of a data folder; how
        many had no seal.

        Raises Unavailable, and OSError if the mark cannot be left.
        """
        mark, done, left = data_dir / MARK, 0, 0
        if mark.exists():
            self.ledger.rows_counted = True
            return 0
        sealed_before = (data_dir / OLD_MARK).exists()
        for client in await self.store.clients.all():
            if client.seal is None and sealed_before:
                continue
            try:
                turn = 0 if client.seal is None else turn_of(self.vault, client)
                if not turn:
                    turn = 1
                    await self.store.clients.change(client, sealed_client(self.vault, client, 1))
                    done += client.seal is None
                first = await self._nobody(client.client_id)
                if (await self.ledger.found(client.client_id, first=first)).row < turn:
                    await self.ledger.raise_row(client.client_id, turn)
            except (Conflict, NotFound):  # another process was first, or it was removed
                continue
            except VaultError as error:
                left += error.code == "vault_key_unknown"
        if left:  # the next time, with their key
            return done
        mark.touch(mode=0o600)
        self.ledger.rows_counted = True
        if done:
            _log.warning(
                "rows of relying apps are sealed as they were found", extra={"clients": done}
            )
        return done

    async def reseal(self) -> tuple[int, set[str]]:
        """Seal the rows anew under the newest master key; how many, and keys that are not here.

        A row that was changed stays as it is. Raises Unavailable.
        """
        done, unknown = 0, set[str]()
        for client in await self.store.clients.all():
            if client.seal is None or sealed_by(client.seal) == self.vault.key_id:
                continue
            try:
                turn = turn_of(self.vault, client)
                await self.store.clients.change(client, sealed_client(self.vault, client, turn))
            except VaultError as error:
                if error.code == "vault_key_unknown":
                    unknown.add(sealed_by(client.seal) or "unreadable")
                continue
            except (Conflict, NotFound):
                continue
            done += 1
        return done, unknown

    async def _nobody(self, client_id: str) -> bool:
        return not await self.store.templates.vectors(client_id, after="", most=1)


def _changed(client: Client) -> VaultError:
    return VaultError(
        "client_changed",
        f"The row of {client.client_id} in the database was changed by somebody without the"
        " master key, or is an older one. See docs/template-protection.md.",
    )
