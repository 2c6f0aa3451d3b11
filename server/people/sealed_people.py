"""What is kept of a person beside the template, sealed: the TOTP secret and the profile.

Each has its owner as associated data, so that no sealed bytes pass for another person's or for
something else. Not here: what a secret or a profile holds (server/factors, server/oidc), the
store's records (server/store/oidc). Source: docs/template-protection.md.
"""

from __future__ import annotations

from server.keys.vault import Vault
from server.store.oidc.invitations import Invitation
from server.store.oidc.otps import Totp
from server.store.oidc.profiles import Profile


def seal_secret(vault: Vault, people: str, subject: str, secret: bytes) -> bytes:
    """A TOTP secret for `Totp.sealed`; its `key_id` is that of the vault."""
    return vault.seal(secret, owner=_secret_owner(people, subject))


def open_secret(vault: Vault, totp: Totp) -> bytes:
    """Raises VaultError."""
    return vault.open(totp.sealed, owner=_secret_owner(totp.people, totp.subject))


def seal_profile(vault: Vault, people: str, subject: str, profile: bytes) -> bytes:
    """A profile, of a person or for one who is invited: the same bytes are good for
    `Invitation.profile` and `Profile.sealed`."""
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
