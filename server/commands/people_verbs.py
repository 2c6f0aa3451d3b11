"""`lookgate invite`, and `lookgate subject show` and `set`: invitations and profiles.

Not here: who may be invited and for how long (server/oidc/inviting.py), what may stand in a profile
(server/oidc/profile.py). Source: docs/oidc.md, "Invitations", "Profiles".
"""

from __future__ import annotations

import argparse
from datetime import timedelta
from typing import Any

from server.commands.admin import Admin, AdminError
from server.http.fields import is_subject
from server.oidc.inviting import LONGEST, invite
from server.oidc.profile import MEMBERS, profile_bytes, profile_of
from server.parts import utc_now
from server.people.sealed_people import open_profile, seal_profile
from server.store.oidc.profiles import Profile
from server.store.port import NotFound
from server.store.relying import people_of


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """Those of a profile."""
    verb.add_argument("--name", metavar="TEXT", help="what the apps are told")
    verb.add_argument("--email", metavar="ADDRESS")
    verb.add_argument(
        "--email-verified",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="whether somebody saw that the address is theirs; without it: no",
    )


def add_invite(verb: argparse.ArgumentParser) -> None:
    """Those of an invitation."""
    verb.add_argument("client")
    verb.add_argument("subject")
    verb.add_argument("--return-url", metavar="URL", help="one of those the client registered")
    verb.add_argument("--days", type=int, default=LONGEST.days, help="1 to 7; default: 7")
    add_arguments(verb)


def _given(given: argparse.Namespace) -> dict[str, Any]:
    return {name: getattr(given, name) for name in MEMBERS if getattr(given, name) is not None}


async def make_invitation(admin: Admin, given: argparse.Namespace) -> None:
    """Print the link of an invitation, once."""
    client = await admin.client(given.client)
    if not is_subject(given.subject):
        raise AdminError("subject_invalid", "A subject is 1 to 128 of A-Z a-z 0-9 . _ @ + : -")
    profile = _given(given)
    told = {"client_id": given.client, "subject": given.subject, "by": "operator", "of": "face"}
    async with (await admin.recorded()).act("invitation", **told):
        made = await invite(
            admin.store,
            admin.vault,
            client,
            given.subject,
            profile=profile or None,
            return_url=given.return_url,
            lasts=timedelta(days=given.days),
            now=utc_now(),
        )
    print(f"link   {made.url(admin.settings.public_url)}")
    print(f"until  {made.invitation.expires_at:%F %T} UTC")
    print("It is good once and not shown again. Send it to nobody but this person.")


async def show(admin: Admin, given: argparse.Namespace) -> None:
    """Print what there is of a person, without anything that opens something."""
    client = await admin.client(given.client)
    people, subject, store = people_of(client), given.subject, admin.store
    try:
        template = await store.templates.get(people, subject)
        lines = [("enrolled", f"{template.created_at:%F %T} UTC")]
    except NotFound:
        lines = [("enrolled", "no")]
    for key in await store.authenticators.of_subject(people, subject):
        used = "never" if key.used_at is None else f"{key.used_at:%F %T} UTC"
        lines.append((key.kind, f"{key.created_at:%F %T} UTC  used {used}  {key.name}"))
    try:
        otp = await store.otps.get(people, subject)
        lines.append(("code app", f"{otp.created_at:%F %T} UTC"))
    except NotFound:
        lines.append(("code app", "no"))
    lines.append(("recovery codes", str(await store.recovery.left(people, subject))))
    for invitation in await store.invitations.of_subject(people, subject):
        if invitation.expires_at > utc_now():
            until = f"{invitation.expires_at:%F %T} UTC"
            lines.append(("invited", f"{invitation.kind}  until {until}"))
    for name, value in (await _profile(admin, people, subject) or {}).items():
        lines.append((name, str(value).lower() if isinstance(value, bool) else value))
    for name, value in lines:
        print(f"{name:<16}{value}".rstrip())


async def change(admin: Admin, given: argparse.Namespace) -> None:
    """Members of a profile that are others now, or none of it."""
    client = await admin.client(given.client)
    people, subject, changes = people_of(client), given.subject, _given(given)
    if not changes and not given.no_profile:
        raise AdminError("nothing_to_set", "Say what is to be another: `subject set --help`.")
    if changes and given.no_profile:
        raise AdminError("profile_invalid", "Give --no-profile or what is in it, not both.")
    unknown = AdminError("subject_unknown", "Nobody of this name is enrolled.")
    audit = await admin.recorded()
    told = {"client_id": given.client, "subject": subject, "by": "operator"}
    if given.no_profile:
        async with audit.act("profile", **told, act="remove"):
            try:
                await admin.store.profiles.remove(people, subject)
            except NotFound:
                raise AdminError("profile_unknown", "There is no profile.") from None
        return
    was = await _profile(admin, people, subject) or {}
    if "email" in changes:  # another address was not looked at
        was.pop("email_verified", None)
    raw = profile_bytes({**was, **changes})
    sealed = seal_profile(admin.vault, people, subject, raw)
    async with audit.act("profile", **told, act="set"):
        try:
            await admin.store.profiles.put(Profile(people, subject, sealed, admin.vault.key_id))
        except NotFound:
            raise unknown from None
    for name, value in profile_of(raw).items():
        print(f"{name:<16}{value}")


async def _profile(admin: Admin, people: str, subject: str) -> dict[str, Any] | None:
    """Raises VaultError, Unavailable."""
    try:
        return profile_of(
            open_profile(admin.vault, await admin.store.profiles.get(people, subject))
        )
    except NotFound:
        return None
