"""A person's keys and codes: registered after a face was seen, and taken away.

Who may register is the caller's to know (an invitation, or an enrolled device after key and face).
Not here: what a key or a code is (server/factors/), where it is kept (server/store/oidc/), the
pages. Source: WebAuthn Level 3 section 7.1; RFC 6238; docs/assurance.md.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

from server.audit.chain import Audit
from server.factors import otp, passkey, recovery, webcrypto
from server.factors.enrolling import Stage
from server.factors.refused import FactorRefused, bytes_of
from server.factors.steps import ENDS, State
from server.keys.vault import Vault
from server.people.sealed_people import seal_secret
from server.store.oidc.authenticators import PASSKEY, WEBCRYPTO, Authenticator, Authenticators
from server.store.oidc.invitations import DEVICE, Invitations
from server.store.oidc.logins import Login, Logins
from server.store.oidc.otps import Otps, Totp
from server.store.oidc.recovery import RecoveryCodes
from server.store.port import Conflict, NotFound

MOST_NAME = 64
"""Characters of what a person calls a key."""

_ENDS = frozenset({*ENDS, Stage.DONE})

logger = logging.getLogger(__name__)


class _Store(Protocol):
    @property
    def authenticators(self) -> Authenticators: ...

    @property
    def otps(self) -> Otps: ...

    @property
    def recovery(self) -> RecoveryCodes: ...


class _Begun(Protocol):
    """What was begun with a key, beside the keys."""

    @property
    def authenticators(self) -> Authenticators: ...

    @property
    def logins(self) -> Logins: ...

    @property
    def invitations(self) -> Invitations: ...


async def user_handle_of(
    store: _Store,
    people: str,
    subject: str,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> bytes:
    """The one that a person's keys have, else a new one: 32 random bytes. Raises Unavailable.

    The caller keeps it between options and answer.
    """
    held = await store.authenticators.of_subject(people, subject)
    return held[0].user_handle if held else random_bytes(passkey.HANDLE_BYTES)


def register_options(
    *, rp_id: str, rp_name: str, subject: str, user_handle: bytes, challenge: bytes
) -> dict[str, Any]:
    """What a page gives to navigator.credentials.create; bytes are base64url."""
    return passkey.creation_options(
        rp_id=rp_id,
        rp_name=rp_name,
        subject=subject,
        user_handle=user_handle,
        challenge=challenge,
    )


async def register(
    store: _Store,
    answer: Mapping[str, Any],
    *,
    people: str,
    subject: str,
    user_handle: bytes,
    name: str,
    expected_challenge: bytes,
    expected_origin: str,
    expected_rp_id: str,
    now: datetime,
) -> Authenticator:
    """Keep a new key. `answer`: `kind` passkey with `id`, `client_data`, `attestation`; or kind
    webcrypto with `public_key` (SPKI) and `signature`, by which it shows that it is there.

    Raises FactorRefused `key_malformed`, `key_refused`; Conflict (this key is somebody's), NotFound
    (no such person); Unavailable.
    """
    count = 0
    if answer.get("kind") == PASSKEY:
        made = passkey.verify_registration(
            answer,
            expected_challenge=expected_challenge,
            expected_origin=expected_origin,
            expected_rp_id=expected_rp_id,
        )
        kind, key_id, public_key, count = PASSKEY, made.key_id, made.public_key, made.sign_count
    elif answer.get("kind") == WEBCRYPTO:
        public_key = bytes_of(answer.get("public_key"), most=webcrypto.MOST_SPKI_BYTES)
        webcrypto.verify_signature(
            public_key,
            bytes_of(answer.get("signature"), most=webcrypto.SIGNATURE_BYTES),
            expected_origin=expected_origin,
            expected_challenge=expected_challenge,
        )
        kind, key_id = WEBCRYPTO, webcrypto.key_id_of(public_key)
    else:
        raise FactorRefused("key_malformed", "A key is a passkey or one of WebCrypto.")
    key = Authenticator(
        key_id=key_id,
        people=people,
        subject=subject,
        user_handle=user_handle,
        public_key=public_key,
        kind=kind,
        sign_count=count,
        created_at=now,
        used_at=None,
        name=name[:MOST_NAME],
    )
    await store.authenticators.add(key)
    return key


async def register_otp(
    store: _Store,
    vault: Vault,
    *,
    people: str,
    subject: str,
    secret: bytes,
    code: str,
    now: datetime,
) -> bool:
    """Keep the secret of an app that shows the right code; whether it does. The code is used up.

    Raises NotFound (no such person), VaultError, Unavailable.
    """
    step = otp.step_of(code, secret, now=now, last_step=-1)
    if step is None:
        return False
    sealed = seal_secret(vault, people, subject, secret)
    await store.otps.put(Totp(people, subject, sealed, vault.key_id, step, now, now))
    return True


async def new_recovery_codes(
    store: _Store,
    people: str,
    subject: str,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> tuple[str, ...]:
    """Ten codes to show once, in place of those before. Raises NotFound, Unavailable."""
    codes = recovery.new_codes(random_bytes)
    hashes = [recovery.hash_of(code, people=people, subject=subject) for code in codes]
    await store.recovery.put(people, subject, [one for one in hashes if one is not None])
    return codes


async def reset_keys(
    audit: Audit, store: _Begun, *, client_id: str, people: str, subject: str, by: str
) -> int:
    """Take all keys of a person away, as after a theft; how many. `by`: client or operator.

    What was begun with one of them goes no further: logins at this client, and links to devices.

    Raises Unavailable, VaultError: then nothing is done, or not all, and again does the rest.
    """
    gone = 0
    async with audit.act("reset", client_id=client_id, subject=subject, of="keys", by=by):
        for key in await store.authenticators.of_subject(people, subject):
            try:
                await store.authenticators.remove(people, subject, key.key_id)
            except NotFound:
                continue
            gone += 1
        for link in await store.invitations.of_subject(people, subject):
            if link.kind == DEVICE:
                with contextlib.suppress(NotFound):  # as of then: whether it is over matters not
                    await store.invitations.use(link.token_hash, link.created_at)
        for login in await store.logins.of_subject(client_id, subject):
            await _end(store.logins, login)
    logger.info("keys of a subject are reset", extra={"client": client_id, "keys": gone})
    return gone


async def _end(logins: Logins, login: Login) -> None:
    """A login, or the visit of an invitation, goes no further. Raises Unavailable."""
    while login.state not in _ENDS:
        over = Stage.DONE if login.state in set(Stage) else State.REFUSED
        try:
            login = await logins.move(login, replace(login, state=over))
        except Conflict:  # it went on meanwhile, which it can some 200 times
            with contextlib.suppress(NotFound):
                login = await logins.get(login.login_id, login.created_at)
        except NotFound:
            return


async def reset_codes(
    audit: Audit, store: _Store, *, client_id: str, people: str, subject: str, by: str
) -> int:
    """Take the secret of a person's app and all recovery codes away; how many. As `reset_keys`."""
    async with audit.act("reset", client_id=client_id, subject=subject, of="codes", by=by):
        gone = await store.recovery.left(people, subject)
        if gone:
            await store.recovery.put(people, subject, [])
        try:
            await store.otps.remove(people, subject)
            gone += 1
        except NotFound:
            pass
    logger.info("codes of a subject are reset", extra={"client": client_id, "codes": gone})
    return gone
