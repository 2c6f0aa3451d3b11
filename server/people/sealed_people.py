"""What is kept of a person beside the template, sealed: the TOTP secret and the profile.

Each has its owner as associated data, so that no sealed bytes pass for another person's or for
something else. Here too: all of it sealed anew with another master key. Not here: what a secret or
a profile holds (server/factors, server/oidc), the store's records (server/store/oidc).
Source: docs/template-protection.md.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from server.keys.vault import Vault, VaultError, sealed_by
from server.store.oidc.invitations import Invitation
from server.store.oidc.otps import Totp
from server.store.oidc.profiles import Profile
from server.store.port import Store

PAGE = 250
"""Rows that are read at once."""


def seal_secret(vault: Vault, people: str, subject: str, secret: bytes) -> bytes:
    """A TOTP secret for `Totp.sealed`; its `key_id` is that of the vault."""
    return vault.seal(secret, owner=_secret_owner(people, subject))


def open_secret(vault: Vault, totp: Totp) -> bytes:
    """Raises VaultError."""
    return vault.open(totp.sealed, owner=_secret_owner(totp.people, totp.subject))


def seal_profile(vault: Vault, people: str, subject: str, profile: bytes) -> bytes:
    """A profile (a JSON object), of a person or for one who is invited: the same bytes are good
    for `Invitation.profile` and `Profile.sealed`."""
    return vault.seal(profile, owner=_profile_owner(people, subject))


def open_profile(vault: Vault, profile: Profile) -> bytes:
    """Raises VaultError."""
    return vault.open(profile.sealed, owner=_profile_owner(profile.people, profile.subject))


def open_invited(vault: Vault, invitation: Invitation) -> bytes | None:
    """The profile that comes with an invitation. Raises VaultError."""
    if invitation.profile is None:
        return None
    owner = _profile_owner(invitation.people, invitation.subject)
    return vault.open(invitation.profile, owner=owner)


def _secret_owner(people: str, subject: str) -> tuple[str, ...]:
    return ("one-time password", people, subject)


def _profile_owner(people: str, subject: str) -> tuple[str, ...]:
    return ("profile", people, subject)


@dataclass(frozen=True, slots=True)
class Sealed:
    """One row of a store that holds something sealed of a person."""

    kind: str
    """What it is, in the plural and for the operator."""
    sealed: bytes
    owner: tuple[str, ...]
    reseal: Callable[[bytes, str], Awaitable[bool]]
    """Takes the new bytes and the id of their master key; whether the row was still as it was."""


async def all_sealed(store: Store, people: str) -> AsyncIterator[Sealed]:
    """Of a client's people. Raises Unavailable."""
    after = ""
    while totps := await store.otps.of_people(people, after=after, most=PAGE):
        for totp in totps:
            yield _sealed_secret(store, totp)
        after = totps[-1].subject
    after = ""
    while profiles := await store.profiles.of_people(people, after=after, most=PAGE):
        for profile in profiles:
            yield _sealed_profile(store, profile)
        after = profiles[-1].subject
    behind = b""
    while invitations := await store.invitations.of_people(people, after=behind, most=PAGE):
        for invitation in invitations:
            if invitation.profile is not None:
                yield _sealed_invited(store, invitation, invitation.profile)
        behind = invitations[-1].token_hash


def _sealed_secret(store: Store, was: Totp) -> Sealed:
    return Sealed(
        "one-time passwords",
        was.sealed,
        _secret_owner(was.people, was.subject),
        lambda sealed, key_id: store.otps.reseal(was, sealed, key_id),
    )


def _sealed_profile(store: Store, was: Profile) -> Sealed:
    return Sealed(
        "profiles",
        was.sealed,
        _profile_owner(was.people, was.subject),
        lambda sealed, key_id: store.profiles.reseal(was, sealed, key_id),
    )


def _sealed_invited(store: Store, was: Invitation, profile: bytes) -> Sealed:
    return Sealed(
        "invitations",
        profile,
        _profile_owner(was.people, was.subject),
        lambda sealed, key_id: store.invitations.reseal(was, sealed, key_id),
    )


async def reseal_people(store: Store, vault: Vault) -> tuple[int, set[str]]:
    """Seal everything anew under the newest master key; how many rows, and master keys that are not
    here, whose rows are left. Again does what is left. Raises Unavailable."""
    done, unknown = 0, set[str]()
    for client in await store.clients.all():
        async for row in all_sealed(store, client.client_id):
            if sealed_by(row.sealed) == vault.key_id:
                continue
            try:
                sealed = vault.seal(vault.open(row.sealed, owner=row.owner), owner=row.owner)
            except VaultError:
                unknown.add(sealed_by(row.sealed) or "unreadable")
                continue
            done += await row.reseal(sealed, vault.key_id)
    return done, unknown
