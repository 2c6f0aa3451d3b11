"""What the operator does from the command line, on the store itself, beside a running server.

Not here: printing (admin_verbs.py).
A client's secret exists in clear only in what these verbs return.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from pipeline.policy import POLICIES
from pipeline.refusal import Refusal
from server.audit.chain import Audit
from server.audit.witness import Witness
from server.keys.keyring import LEAST_OVERLAP_S, Keyring
from server.keys.master_key import fit, open_vault
from server.keys.vault import Vault
from server.oidc.sharing import check_people, check_unused
from server.origins import origin_of
from server.parts import utc_now
from server.people import consent
from server.people.anchors import Ledger
from server.people.export import export_subject
from server.people.forgetting import forget_client, withdraw_subject
from server.people.marks import read_marks
from server.people.protection import Protection, protection_of
from server.people.registering import reset_codes, reset_keys
from server.people.retention import Due, believe_clock, due, erase
from server.people.sealed_clients import MARK, SealedClients
from server.people.shelf import Shelf
from server.people.unlocking import unlock_subject
from server.private_folder import PrivateFolderError, private_folder
from server.settings.load import ConfigError, Settings
from server.store.consents import ConsentText
from server.store.keys import KeyRecord
from server.store.opening import open_store
from server.store.port import Client, Conflict, NotFound, Store, Unavailable
from server.store.relying import RelyingParty, people_of
from server.store.retention import Periods

TRIES = 10
"""Of a change of a client that meets another one's."""

_CLIENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class AdminError(Refusal):
    """A verb that cannot be done; `code` is stable, `text` for people."""


def _origins(texts: Sequence[str]) -> tuple[str, ...]:
    """Each once, as browsers send it. Raises AdminError."""
    try:
        return tuple(dict.fromkeys(map(origin_of, texts)))
    except ValueError as error:
        raise AdminError("origin_invalid", str(error)) from None


@dataclass(slots=True)
class Admin:
    """An opened store and the verbs on it."""

    settings: Settings
    store: Store
    vault: Vault
    audit: Audit
    """Use it through `recorded`, because the vault may be locked before."""

    @classmethod
    @asynccontextmanager
    async def of(cls, settings: Settings) -> AsyncIterator[Admin]:
        """Open the store of these settings, and close it again. Raises Unavailable, ConfigError."""
        try:
            private_folder(settings.data_dir)
        except PrivateFolderError as error:
            raise ConfigError([f"LOOKGATE_DATA_DIR {error}"]) from None
        try:
            store = open_store(settings.store, settings.data_dir)
        except ValueError as error:
            raise ConfigError([f"LOOKGATE_STORE: {error}"]) from None
        vault = open_vault(settings.data_dir, key=settings.master_key)
        witness = Witness(settings.data_dir)
        audit = Audit(store.audit, vault, now=utc_now, by="command", witness=witness)
        try:
            await store.open()
            yield cls(settings, store, vault, audit)
        finally:
            with suppress(Unavailable):
                await audit.close()
            await store.close()

    async def recorded(self) -> Audit:
        """The audit, once the master key was seen to be that of this database: every verb that
        changes something is recorded before it does. Raises VaultError, Unavailable."""
        store, folder = self.store, self.settings.data_dir
        await fit(
            self.vault,
            folder,
            templates=store.templates,
            keys=store.keys,
            clients=store.clients,
            now=utc_now(),
        )
        await self.sealed_clients().count_those_of_before(folder)
        return self.audit

    async def add_client(
        self,
        client_id: str,
        origins: Sequence[str] = (),
        policy: str = "standard",
        relying: RelyingParty | None = None,
        told: Mapping[str, Any] = {},
    ) -> str:
        """Make a relying app; its secret. Raises AdminError."""
        if not _CLIENT.fullmatch(client_id):
            raise AdminError(
                "client_invalid", "A client id is 1 to 64 characters of A-Z a-z 0-9 . _ -"
            )
        if policy not in POLICIES:
            raise AdminError("policy_unknown", f"Policies are {', '.join(POLICIES)}.")
        await check_people(self.store, self.sealed_clients(), client_id, relying)
        secret = secrets.token_urlsafe(32)
        client = Client(
            client_id=client_id,
            secret_hash=hashlib.sha256(secret.encode()).digest(),
            origins=_origins(origins),
            policy=policy,
            created_at=utc_now(),
            relying=relying,
        )
        told = {"act": "add", "origins": client.origins, "policy": policy, **told}
        async with (await self.recorded()).act("client", client_id=client_id, **told):
            try:
                await self.sealed_clients().add(client)
            except Conflict:
                text = f"There is a client {client_id} already."
                raise AdminError("client_exists", text) from None
        return secret

    async def clients(self) -> Sequence[Client]:
        """All, by id."""
        return await self.store.clients.all()

    async def rotate_client(self, client_id: str) -> str:
        """A new secret; the old one stops at once. Raises AdminError."""
        secret = secrets.token_urlsafe(32)
        digest = hashlib.sha256(secret.encode()).digest()
        async with (await self.recorded()).act("client", client_id=client_id, act="rotate"):
            await self._change(client_id, secret_hash=digest)
        return secret

    async def set_origins(self, client_id: str, origins: Sequence[str]) -> tuple[str, ...]:
        """The web origins of a client instead of those that it had; as stored. Raises AdminError.

        Secret, people and sessions stay: to remove a client and add it again would lose them all.
        """
        stored = _origins(origins)
        told: dict[str, Any] = {"act": "set", "origins": stored}
        async with (await self.recorded()).act("client", client_id=client_id, **told):
            await self._change(client_id, origins=stored)
        return stored

    async def client(self, client_id: str) -> Client:
        """As it was sealed. Raises AdminError, VaultError."""
        await self.recorded()
        try:
            return await self.sealed_clients().get(client_id)
        except NotFound:
            raise _unknown(client_id) from None

    async def set_relying(
        self, client_id: str, relying: RelyingParty | None, told: Mapping[str, Any]
    ) -> None:
        """Its settings of OpenID Connect instead of those that it had. Raises AdminError."""
        await check_people(self.store, self.sealed_clients(), client_id, relying)
        async with (await self.recorded()).act("client", client_id=client_id, act="set", **told):
            await self._change(client_id, relying=relying)

    async def _change(self, client_id: str, **changes: Any) -> None:
        """Fields of a client that are others now; again if somebody else changed it meanwhile."""
        clients = self.sealed_clients()
        for _ in range(TRIES):
            try:
                was = await clients.get(client_id)
                await clients.change(was, replace(was, **changes))
                return
            except NotFound:
                raise _unknown(client_id) from None
            except Conflict:
                continue
        raise Unavailable(f"a change met others {TRIES} times")

    async def add_consent(self, client_id: str, raw: bytes) -> Sequence[consent.Wording]:
        """The text that a client asks its people to agree to from now on. Raises AdminError,
        ConsentError.

        The same text again changes nothing; other words need another version.
        """
        try:
            wordings = consent.read_text(raw.decode("utf-8"))
        except UnicodeDecodeError:
            raise AdminError("consent_invalid", "The text is not UTF-8.") from None
        record = consent.text_record(client_id, wordings, utc_now())
        told: dict[str, Any] = {
            "act": "consent",
            "text": {one.name: one.sha256 for one in wordings},
        }
        async with (await self.recorded()).act("client", client_id=client_id, **told):
            try:
                await self.store.consents.add(record)
            except NotFound:
                raise _unknown(client_id) from None
            except Conflict:
                if not await self._same(record):
                    raise AdminError(
                        "consent_exists",
                        f"People agreed to other words as {record.text_id}/{record.version}: give"
                        " these another version.",
                    ) from None
        return wordings

    async def _same(self, record: ConsentText) -> bool:
        """Whether the client has this text with these words."""
        for known in await self.store.consents.of_client(record.client_id):
            if (known.text_id, known.version) == (record.text_id, record.version):
                return known.content == record.content
        return False

    async def consents(self, client_id: str) -> Sequence[Sequence[consent.Wording]]:
        """A client's texts, the one that it asks for first. Raises AdminError."""
        try:
            await self.store.clients.get(client_id)
        except NotFound:
            raise _unknown(client_id) from None
        own = await self.store.consents.of_client(client_id)
        return [*map(consent.of_record, own), *consent.shipped()]

    async def remove_client(self, client_id: str) -> None:
        """With its sessions, templates and recordings. Raises AdminError."""
        await check_unused(self.store, client_id)
        async with (await self.recorded()).act("erasure", client_id=client_id, by="operator"):
            try:
                await forget_client(self.store, self._shelf(), client_id)
            except NotFound:
                raise _unknown(client_id) from None

    async def remove_subject(
        self, client_id: str, subject: str, *, by: str = "operator"
    ) -> tuple[Mapping[str, int], str]:
        """How much of each noun was removed, recordings included; the signed receipt. Raises
        AdminError."""
        try:
            people = people_of(await self.store.clients.get(client_id))
        except NotFound:
            raise _unknown(client_id) from None
        return await withdraw_subject(
            await self.recorded(),
            Keyring(self.store.keys, self.vault, issuer=self.settings.public_url),
            self.vault,
            self.store,
            self._shelf(),
            client_id=people,
            subject=subject,
            by=by,
            now=utc_now,
            ledger=self.protection().ledger,
        )

    async def unlock_subject(self, client_id: str, subject: str, *, forget_devices: bool) -> int:
        """How many counters had counted something. Raises AdminError."""
        try:
            people = people_of(await self.store.clients.get(client_id))
        except NotFound:
            raise _unknown(client_id) from None
        return await unlock_subject(
            await self.recorded(),
            self.store,
            client_id=people,
            subject=subject,
            by="operator",
            forget_devices=forget_devices,
        )

    async def reset_subject(self, client_id: str, subject: str, what: str) -> int:
        """Take a person's `keys` or `codes` away; how many there were. Raises AdminError."""
        try:
            client = await self.store.clients.get(client_id)
        except NotFound:
            raise _unknown(client_id) from None
        return await (reset_keys if what == "keys" else reset_codes)(
            await self.recorded(),
            self.store,
            client_id=client_id,
            people=people_of(client),
            subject=subject,
            by="operator",
        )

    async def export_subject(self, client_id: str, subject: str) -> dict[str, Any]:
        """Everything that is held of a person, for JSON. Raises AdminError."""
        try:
            people = people_of(await self.store.clients.get(client_id))
        except NotFound:
            raise _unknown(client_id) from None
        return await export_subject(
            self.store,
            self._shelf(),
            self.vault,
            client_id=people,
            subject=subject,
            now=utc_now(),
        )

    async def retention(self, client_id: str, **days: int | None) -> Periods:
        """A client's periods, once those of `days` (`templates`, `sessions`, `tapes`) were set
        anew, if any. Raises AdminError."""
        try:
            await self.store.clients.get(client_id)
        except NotFound:
            raise _unknown(client_id) from None
        periods = (await self.store.retention.all()).get(client_id, Periods())
        if days:
            since = utc_now() if "templates" in days else periods.since
            periods = replace(periods, since=since, **days)
            told: dict[str, Any] = {"act": "retention", **days}
            async with (await self.recorded()).act("client", client_id=client_id, **told):
                await self.store.retention.set(client_id, periods)
        return periods

    async def erase_due(self, *, dry_run: bool, clock_is_right: bool) -> Sequence[Due]:
        """Erase what is over its time, or only say what is; what went, or would go.

        Raises ClockDoubted.
        """
        if dry_run:
            return await due(self.store, self._shelf(), utc_now())
        await believe_clock(self.store, utc_now(), is_right=clock_is_right)
        await self.store.sweep(utc_now())

        async def forget(client_id: str, subject: str) -> None:
            await self.remove_subject(client_id, subject, by="retention")

        return await erase(self.store, self._shelf(), utc_now(), forget)

    def protection(self) -> Protection:
        """That of this store, which knows how far the anchors were."""
        folder = self.settings.data_dir
        protection = protection_of(self.store, self.vault, utc_now, read_marks(folder))
        protection.ledger.rows_counted = (folder / MARK).exists()
        return protection

    def sealed_clients(self, ledger: Ledger | None = None) -> SealedClients:
        """The rows of relying apps, which are changed there alone."""
        return SealedClients(self.store, ledger or self.protection().ledger, self.vault)

    def _shelf(self) -> Shelf | None:
        folder = self.settings.record
        there = folder is not None and folder.is_dir()
        return Shelf(folder, self.settings.record_days) if folder and there else None

    async def keys(self) -> Sequence[KeyRecord]:
        """Those that sign or are still published."""
        return await self.store.keys.published(utc_now())

    async def rotate_keys(self, overlap_s: float) -> Mapping[str, str]:
        """The new key's id of each algorithm. Running servers publish these within seconds, and
        sign with them later.

        Raises AdminError, and VaultError if the master key is not the one of this database.
        """
        if overlap_s != 0 and not LEAST_OVERLAP_S <= overlap_s <= 30 * 86400:
            least = f"{LEAST_OVERLAP_S:.0f} s"
            raise AdminError(
                "overlap_invalid",
                f"The overlap is {least} to 30 days, so that nobody notices; or 0, at once.",
            )
        # Before anything is stored: a key of a foreign master key would stop every login.
        audit = await self.recorded()
        ring = Keyring(self.store.keys, self.vault, issuer=self.settings.public_url)
        async with audit.act("keys", act="rotate", overlap_s=overlap_s):
            return await ring.rotate(utc_now(), timedelta(seconds=overlap_s))


def _unknown(client_id: str) -> AdminError:
    return AdminError("client_unknown", f"There is no client {client_id}.")
