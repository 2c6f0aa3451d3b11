"""The rows of relying apps, sealed: who writes the database without the master key changes none.

A row says whose secret opens which people, so somebody who could change it would log in as anybody.
A row without a seal is of a version that made none. It gets one at the first start of a data
folder, which believes what it finds, and leaves a mark there; afterwards such a row is refused. An
older row of the same client, which was sealed, is not told from the newest.
Not here: the rows (server/store/), who asks (server/http/requests.py, server/commands/admin.py).
Source: THREAT_MODEL.md, "steals the database".
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from server.keys.vault import Vault, VaultError, sealed_by
from server.store.port import Client, Clients, Conflict, NotFound
from server.store.relying import relying_json

MARK = "clients.sealed"
"""A file of the data folder: from then on every row has a seal. Whoever writes the database does
not write here."""
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


def sealed_client(vault: Vault, client: Client) -> Client:
    """The row with its seal: nothing encrypted, and all of the row authenticated (GMAC, NIST SP
    800-38D). Raises VaultError `vault_key_missing`."""
    return replace(client, seal=vault.seal(b"", owner=_owner(client)))


def check_client(vault: Vault, client: Client) -> None:
    """Raises VaultError: `client_changed`, `vault_key_unknown`."""
    try:
        if client.seal is None:
            raise VaultError("vault_format", "There is no seal.")
        vault.open(client.seal, owner=_owner(client))
    except VaultError as error:
        told = {"client": client.client_id, "code": error.code}
        _log.error("the row of a relying app is not as it was sealed", extra=told)
        if error.code == "vault_key_unknown":
            raise
        raise VaultError(
            "client_changed",
            f"The row of {client.client_id} in the database was changed by somebody without the"
            " master key. See docs/template-protection.md.",
        ) from error


async def checked_client(clients: Clients, vault: Vault, client_id: str) -> Client:
    """The row, if it is as it was sealed. Raises NotFound, Unavailable, and as `check_client`."""
    client = await clients.get(client_id)
    check_client(vault, client)
    return client


async def believe_client(clients: Clients, vault: Vault, client_id: str) -> Client:
    """Seal the row as it is: the operator's word. Raises NotFound, Conflict, Unavailable."""
    client = await clients.get(client_id)
    await clients.change(client, sealed_client(vault, client))
    return client


async def seal_those_of_before(clients: Clients, vault: Vault, data_dir: Path) -> int:
    """Seal the rows that have no seal, once in the life of a data folder; how many.

    Raises Unavailable, and OSError if the mark cannot be left.
    """
    mark = data_dir / MARK
    if mark.exists():
        return 0
    done = 0
    for client in await clients.all():
        if client.seal is None:
            try:
                await clients.change(client, sealed_client(vault, client))
            except (Conflict, NotFound):  # another process was first, or it was removed
                continue
            done += 1
    mark.touch(mode=0o600)
    if done:
        _log.warning("rows of relying apps are sealed as they were found", extra={"clients": done})
    return done


async def reseal_clients(clients: Clients, vault: Vault) -> tuple[int, set[str]]:
    """Seal the rows anew under the newest master key; how many, and keys that are not here.

    A row that was changed stays as it is. Raises Unavailable.
    """
    done, unknown = 0, set[str]()
    for client in await clients.all():
        if client.seal is None or sealed_by(client.seal) == vault.key_id:
            continue
        try:
            check_client(vault, client)
            await clients.change(client, sealed_client(vault, client))
        except VaultError as error:
            if error.code == "vault_key_unknown":
                unknown.add(sealed_by(client.seal) or "unreadable")
            continue
        except (Conflict, NotFound):
            continue
        done += 1
    return done, unknown
