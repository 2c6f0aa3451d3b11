"""`lookgate client renew-templates`, `client accept-state` and `keys rotate-data`.

Not here: what becomes of the rows (server/people/renewal.py), how it is recorded (admin.py).
Source: docs/template-protection.md.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from server.commands.admin import Admin, AdminError
from server.parts import utc_now
from server.people.marks import keep_marks
from server.people.renewal import LATE, Carried, Renewal, Tell
from server.people.sealed_people import reseal_people
from server.store.port import NotFound
from server.tools.evaluation.work import Progress


def renewal_of(admin: Admin) -> Renewal:
    """That of the store that was opened; its master key was seen to be the right one."""
    return Renewal(admin.store, admin.protection())


@contextmanager
def bar(what: str) -> Iterator[Tell]:
    """Shows how far it is, on standard error."""
    shown: list[Progress] = []
    stood = [0, 0]

    def tell(done: int, of: int) -> None:
        if not shown or of != stood[1] or done < stood[0]:
            shown[:] = [Progress(of, what)]
            stood[:] = [0, of]
        for _ in range(done - stood[0]):
            shown[0].step()
        stood[0] = done

    yield tell
    if shown:
        shown[0].end()


async def renew_templates(admin: Admin, given: argparse.Namespace) -> None:
    """A new secret for a client. Raises AdminError."""
    audit, renewal = await admin.recorded(), renewal_of(admin)
    await _known(admin, given.client)
    async with audit.act("client", client_id=given.client, act="renew-templates"):
        with bar(given.client) as tell:
            carried = await renewal.renew(given.client, tell)
        print(f"{carried.rows} template(s) of {given.client} are rotated by a new secret.")
        if given.wait:
            until = utc_now() + LATE
            print(
                f"Waiting for enrolments that began before, until {until:%H:%M:%S} UTC.", flush=True
            )
            await asyncio.sleep(LATE.total_seconds())
        carried = await renewal.retire(given.client)
        _told(carried)
        if not carried.unknown:
            print("The old secret is gone: what was copied before matches nothing any more.")


async def accept_state(admin: Admin, given: argparse.Namespace) -> None:
    """Believe the templates of a client as they are. Raises AdminError, VaultError."""
    audit, renewal = await admin.recorded(), renewal_of(admin)
    await _known(admin, given.client)
    async with audit.act("client", client_id=given.client, act="accept-state"):
        believed, refused = await renewal.accept(given.client)
        client = await admin.sealed_clients(renewal.ledger).believe(given.client)
        keep_marks(admin.settings.data_dir, renewal.ledger.seen)
    origins = " ".join(client.origins) or "(no web origin)"
    print(f"{client.client_id}  {client.policy}  {origins}")
    print("Its row is believed, with the secret that is there: if in doubt, `client rotate` it.")
    print(f"{believed} template(s) of {given.client} count from now on.")
    if refused:
        print(f"{refused} do not open, and count for nobody.")


async def rotate_data(admin: Admin, given: argparse.Namespace) -> None:
    """Everything that is sealed, under the newest master key. Raises VaultError."""
    audit, renewal = await admin.recorded(), renewal_of(admin)
    newest = admin.vault.key_id
    async with audit.act("keys", act="rotate-data", key=newest):
        rows, left = 0, Carried()
        for client in await admin.clients():
            with bar(client.client_id) as tell:
                carried = await renewal.carry(client.client_id, tell)
            rows += carried.rows
            left.broken += carried.broken
            left.unknown |= carried.unknown
        keys, unknown = await renewal.rotate_keys()
        left.unknown |= unknown
        _, unknown = await admin.sealed_clients(renewal.ledger).reseal()
        left.unknown |= unknown
        beside, unknown = await reseal_people(admin.store, admin.vault)
        left.unknown |= unknown
        # They are short-lived, so they go in place of being sealed anew.
        await admin.store.fingerprints.forget_others(newest)
    print(f"{rows} template(s) and {keys} signing key(s) are sealed with master key {newest} now.")
    if beside:
        print(f"{beside} one-time password(s) and profile(s) are, too.")
    _told(left)
    needed = await renewal.needed()
    for key_id, kinds in sorted(needed.items()):
        if key_id != newest:
            what = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
            print(f"still needed: master key {key_id} for {what}")
    for key_id in admin.vault.key_ids:
        if key_id not in needed and key_id != newest:
            print(f"not needed any more by this database: master key {key_id}")


def _told(carried: Carried) -> None:
    if carried.broken:
        print(
            f"{carried.broken} template(s) do not open or do not count, and were left: see the log."
        )
    if carried.unknown:
        print(f"left because their master keys are not here: {', '.join(sorted(carried.unknown))}")


async def _known(admin: Admin, client_id: str) -> None:
    try:
        await admin.store.clients.get(client_id)
    except NotFound:
        raise AdminError("client_unknown", f"There is no client {client_id}.") from None
