"""`lookgate client`, `keys`, `subject` and `gc`: what they print.

Not here: what they do (admin.py), what they are given (arguments.py).
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from server.commands import people_verbs, protect_verbs, relying_verbs
from server.commands.admin import Admin, AdminError
from server.commands.arguments import SAME
from server.keys.keyring import JWKS_MAX_AGE_S, SETTLE_S, signs_from
from server.parts import utc_now
from server.people.consent import MAX_FILE_BYTES
from server.settings.load import Settings


def run(given: argparse.Namespace, settings: Settings) -> int:
    """Do one of them on the opened store. Raises AdminError, ConfigError, Unavailable."""

    async def opened() -> None:
        async with Admin.of(settings) as admin:
            await _VERBS[given.command, getattr(given, "verb", "")](admin, given)

    asyncio.run(opened())
    return 0


async def _client_add(admin: Admin, given: argparse.Namespace) -> None:
    relying = await relying_verbs.relying_of(given, None)
    told = relying_verbs.told(relying)
    secret = await admin.add_client(given.client, given.origin, given.policy, relying, told)
    print(f"client  {given.client}\nsecret  {secret}\nIt is not shown again.")


async def _client_list(admin: Admin, given: argparse.Namespace) -> None:
    for client in await admin.clients():
        origins = " ".join(client.origins) or "(no web origin)"
        print(f"{client.client_id}  {client.policy}  {client.created_at:%Y-%m-%d}  {origins}")


async def _client_rotate(admin: Admin, given: argparse.Namespace) -> None:
    print(f"secret  {await admin.rotate_client(given.client)}\nIt is not shown again.")


async def _client_set(admin: Admin, given: argparse.Namespace) -> None:
    was = await admin.client(given.client)
    relying = None if given.no_redirect_uri else await relying_verbs.relying_of(given, was.relying)
    new_origins = given.origin or given.no_origin
    if relying == was.relying and not new_origins:
        raise AdminError("nothing_to_set", "Say what is to be another: `client set --help`.")
    if relying != was.relying:
        told = relying_verbs.told(relying) or {"relying": None}
        await admin.set_relying(given.client, relying, told)
    stored = was.origins
    if new_origins:
        stored = await admin.set_origins(given.client, given.origin)
    print(f"{given.client}  {' '.join(stored) or '(no web origin)'}")


async def _client_consent(admin: Admin, given: argparse.Namespace) -> None:
    if given.file is None:
        asked, *others = await admin.consents(given.client)
        for state, text in (("asked", asked), *(("kept", other) for other in others)):
            for one in text:
                print(f"{state:<6}{one.name}  {one.sha256}")
                if given.text:
                    print(f"\n{one.purpose}\n\n{one.body}\n")
        return
    raw = await asyncio.to_thread(_read, given.file)
    for one in await admin.add_consent(given.client, raw):
        print(f"set   {one.name}  {one.sha256}")


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        raw = file.read(MAX_FILE_BYTES + 1)
    if len(raw) > MAX_FILE_BYTES:
        raise AdminError("consent_invalid", f"The text has more than {MAX_FILE_BYTES} bytes.")
    return raw


async def _client_remove(admin: Admin, given: argparse.Namespace) -> None:
    await admin.remove_client(given.client)
    print(f"removed {given.client}")


async def _keys_rotate(admin: Admin, given: argparse.Namespace) -> None:
    for alg, kid in (await admin.rotate_keys(given.overlap_s)).items():
        print(f"new key {kid}  {alg}")
    if given.overlap_s:
        print(f"They sign in {SETTLE_S:.0f} s, when no cache holds the keys without them any more.")
    else:
        print(
            f"They sign now. Caches may believe the old keys for {JWKS_MAX_AGE_S} s more, and"
            " refuse the new ones: restart the relying apps (docs/operations.md)."
        )


async def _keys_list(admin: Admin, given: argparse.Namespace) -> None:
    keys, now = await admin.keys(), utc_now()
    for key in keys:
        later = signs_from(key.created_at)
        if key.retire_at is not None:
            state = f"published until {key.retire_at:%F %T}"
        elif later > now and sum(one.alg == key.alg for one in keys) > 1:
            state = f"signs from {later:%F %T}"
        else:
            state = "signs"
        print(f"{key.kid}  {key.alg}  {key.created_at:%F %T}  {state}")


async def _subject_remove(admin: Admin, given: argparse.Namespace) -> None:
    erased, receipt = await admin.remove_subject(given.client, given.subject)
    print(f"removed {erased['templates']} template(s)")
    print("  ".join(f"{noun} {count}" for noun, count in erased.items()))
    print(f"receipt  {receipt}")


async def _subject_unlock(admin: Admin, given: argparse.Namespace) -> None:
    unlocked = await admin.unlock_subject(
        given.client, given.subject, forget_devices=given.forget_devices
    )
    print(f"unlocked {unlocked} counter(s)")


async def _subject_reset_key(admin: Admin, given: argparse.Namespace) -> None:
    gone = await admin.reset_subject(given.client, given.subject, "keys")
    print(f"took {gone} key(s) away")


async def _subject_reset_otp(admin: Admin, given: argparse.Namespace) -> None:
    gone = await admin.reset_subject(given.client, given.subject, "codes")
    print(f"took {gone} code(s) away")


async def _subject_export(admin: Admin, given: argparse.Namespace) -> None:
    print(json.dumps(await admin.export_subject(given.client, given.subject), indent=2))


async def _client_retention(admin: Admin, given: argparse.Namespace) -> None:
    asked = {noun: getattr(given, noun) for noun in ("templates", "sessions", "tapes")}
    days = {noun: period for noun, period in asked.items() if period != SAME}
    kept = await admin.retention(given.client, **days)
    for noun in asked:
        period = getattr(kept, noun)
        print(f"{noun:11}{'as the server has it' if period is None else f'{period} days'}")


async def _gc(admin: Admin, given: argparse.Namespace) -> None:
    gone = await admin.erase_due(dry_run=given.dry_run, clock_is_right=given.clock_is_right)
    says = "would go" if given.dry_run else "erased"
    for one in gone:
        print(
            f"{one.client_id}  {says}: {len(one.subjects)} people whose template nobody used,"
            f" {one.sessions} sessions, {len(one.tapes)} recordings"
        )
    if not gone:
        print("nothing is over its time")


_VERBS: Mapping[tuple[str, str], Callable[[Admin, argparse.Namespace], Awaitable[None]]] = {
    ("client", "add"): _client_add,
    ("client", "list"): _client_list,
    ("client", "show"): relying_verbs.show,
    ("client", "retention"): _client_retention,
    ("client", "rotate"): _client_rotate,
    ("client", "set"): _client_set,
    ("client", "consent"): _client_consent,
    ("client", "remove"): _client_remove,
    ("client", "renew-templates"): protect_verbs.renew_templates,
    ("client", "accept-state"): protect_verbs.accept_state,
    ("keys", "rotate"): _keys_rotate,
    ("keys", "rotate-data"): protect_verbs.rotate_data,
    ("keys", "list"): _keys_list,
    ("gc", ""): _gc,
    ("invite", ""): people_verbs.make_invitation,
    ("subject", "show"): people_verbs.show,
    ("subject", "set"): people_verbs.change,
    ("subject", "export"): _subject_export,
    ("subject", "remove"): _subject_remove,
    ("subject", "unlock"): _subject_unlock,
    ("subject", "reset-key"): _subject_reset_key,
    ("subject", "reset-otp"): _subject_reset_otp,
}
