"""What must be kept, noun by noun, in domain verbs, and the ways it can fail. No query language.

Here: the records, the errors, a Protocol for each noun and the Store that holds them. Not here: a
database. Two backends obey it: server/store/sqlite (one machine, the default) and
server/store/mongo; one suite (tests/server/conformance) says what they must do. Times are aware UTC
datetimes and always arguments: a store never reads a clock, and an expired row is absent before it
is cleaned up, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from pipeline.refusal import Refusal
from server.store.anchors import Anchors
from server.store.audit import AuditTrail, Chain, Note
from server.store.consents import Consents
from server.store.fingerprints import Fingerprints
from server.store.gallery import Changes, GalleryVersion, VectorRecord
from server.store.keys import Keys
from server.store.oidc.nouns import OidcNouns
from server.store.relying import RelyingParty
from server.store.retention import Retention
from server.store.tries import Refused, Tries

KEPT_AFTER_EXPIRY = timedelta(days=1)
"""How long a session (but see retention.py) or a published key stays after its time."""


class NotFound(Exception):
    """No such thing, or not any more, or not for this caller: the three are one answer."""


class Conflict(Exception):
    """It exists already, or it is not in the state that the caller says it was in."""


class Enrolled(Conflict):
    """The subject has a template, and the session may not replace it."""


class Used(Conflict):
    """The code was redeemed before: what the first one was given is to be revoked."""


class Unavailable(Refusal):
    """The database cannot be reached or did not answer in time; trying again may help.

    `place` says which, as in "the database file /data/lookgate.sqlite3".
    """

    def __init__(self, cause: str = "", *, place: str = "the database") -> None:
        text = f"{place[0].upper()}{place[1:]} cannot be reached."
        super().__init__("store_unavailable", text, cause)


class Broken(Unavailable):
    """The database is damaged, or not ours, or refuses us: trying again does not help.

    Where the two need not be told apart, it is one that cannot be reached.
    """

    def __init__(self, place: str, cause: str) -> None:
        Refusal.__init__(
            self,
            "store_broken",
            f"{place[0].upper()}{place[1:]} cannot be used ({cause}), and no waiting mends it. See"
            ' docs/backups.md, "When the database is broken".',
            cause,
        )


class WrongSchema(Refusal):
    """A newer version wrote this database; opening it with this one is refused."""

    def __init__(self, cause: str = "") -> None:
        super().__init__("store_schema", "A newer version of Lookgate wrote this database.", cause)


@dataclass(frozen=True, slots=True)
class Client:
    """A relying app."""

    client_id: str
    secret_hash: bytes
    """SHA-256 of a 256-bit random secret: high entropy, so no slow hash is needed."""
    origins: tuple[str, ...]
    """Web origins that may show the widget, exact ASCII serialisation (RFC 6454 section 6.2)."""
    policy: str
    """Name of the policy its sessions are judged by."""
    created_at: datetime
    seal: bytes | None = None
    """Shows that who has the master key wrote the row. None: of a
    version that made none."""
    relying: RelyingParty | None = None
    """How it speaks OpenID Connect; None: it does not."""


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """One attempt."""

    session_id: str
    client_id: str
    purpose: str
    subject: str | None
    """Whom it is for (enroll, login); None for identify until someone was found."""
    nonce: str
    ticket_hash: bytes
    """SHA-256 of the ticket."""
    state: str
    """new, live, then accepted, rejected or expired."""
    created_at: datetime
    expires_at: datetime
    """After this a new session cannot be claimed any more."""
    claimed_at: datetime | None = None
    finished_at: datetime | None = None
    reasons: tuple[str, ...] = ()
    evidence: str = "[]"
    """JSON: the decision table, no embeddings."""
    replace: bool = False
    """Enrolment may replace an existing template."""
    challenge: str = "none"
    """What the client wants answered: none (what the policy says) or light."""
    consent: str | None = None
    """JSON: what the person agreed to for this enrolment, and when; None: nothing yet."""


@dataclass(frozen=True, slots=True)
class TemplateRecord:
    """A sealed template. The store never sees the plain one."""

    client_id: str
    subject: str
    template_id: str
    model_id: str
    created_at: datetime
    quality: float
    key_id: str
    """Which master key sealed it."""
    sealed: bytes
    """AES-256-GCM nonce and ciphertext; the owner is its associated data."""
    vector: bytes | None = None
    """Its pooled vector, sealed in the same way. None: stored by a version that made none."""
    counter: int = 0
    """Greater than that of every template that the subject had before; 0: of a version that did not
    count."""
    epoch: int = 0
    """Which secret of the client its vectors are rotated by; 0: by none, of the same versions."""
    consent: bytes | None = None
    """What the person agreed to, sealed with the same key; it comes and goes with the template.
    None: stored by a version that asked nobody."""


class Clients(Protocol):
    """The relying apps. Every method may raise Unavailable."""

    async def add(self, client: Client) -> None:
        """Raises Conflict if the id is taken."""

    async def get(self, client_id: str) -> Client:
        """Raises NotFound."""

    async def all(self) -> Sequence[Client]:
        """By id."""

    async def change(self, was: Client, client: Client) -> None:
        """Another secret, other origins, other settings of OpenID Connect or another seal, at once;
        its sessions and people stay.

        Raises NotFound, and Conflict if the row is not what it `was`.
        """

    async def remove(self, client_id: str) -> None:
        """With its sessions, templates, counted tries and consent texts. Raises NotFound."""


class Sessions(Protocol):
    """The attempts. Every method may raise Unavailable."""

    async def add(self, record: SessionRecord) -> None:
        """Raises Conflict if the id is taken, NotFound if there is no such client."""

    async def get(self, session_id: str) -> SessionRecord:
        """Whatever its state. Raises NotFound."""

    async def of_subject(self, client_id: str, subject: str) -> Sequence[SessionRecord]:
        """All that name this subject, in whatever state, the oldest first."""

    async def claim(self, session_id: str, ticket_hash: bytes, now: datetime) -> SessionRecord:
        """new -> live, once. Raises NotFound (unknown, wrong ticket, expired), Conflict (used).

        A used ticket whose time is over is expired, too.
        """

    async def live(self, session_ids: Sequence[str]) -> frozenset[str]:
        """Those of these that are live: neither ended nor removed."""

    async def agree(
        self, session_id: str, ticket_hash: bytes, consent: str, now: datetime
    ) -> SessionRecord:
        """Keep what the person of a new session agreed to, instead of what was kept before.

        Raises as `claim`.
        """

    async def extend(self, session_id: str, until: datetime) -> None:
        """A new session may be claimed until then, or for longer if that was said before.

        Nothing happens where there is no such session, or it is not new.
        """

    async def finish(
        self,
        session_id: str,
        *,
        was: str,
        now_is: str,
        at: datetime,
        reasons: tuple[str, ...] = (),
        evidence: str = "[]",
        subject: str | None = None,
    ) -> SessionRecord:
        """Compare and set; `subject` fills an empty one only. Raises Conflict, NotFound.

        Naming another subject than the one that the session is for is a Conflict.
        """


class Templates(Protocol):
    """The sealed templates, each client's a gallery. Every method may raise Unavailable."""

    async def put(self, record: TemplateRecord, *, replace: bool) -> None:
        """One per subject. Raises Conflict if there is one and not `replace`, NotFound (client)."""

    async def get(self, client_id: str, subject: str) -> TemplateRecord:
        """Raises NotFound."""

    async def of_subjects(
        self, client_id: str, subjects: Sequence[str]
    ) -> Sequence[TemplateRecord]:
        """Those of a client that these subjects have, by subject."""

    async def vectors(self, client_id: str, *, after: str, most: int) -> Sequence[VectorRecord]:
        """The next `most` rows of a client behind the subject `after`, by subject; "" is before
        all. Fewer than `most` only at the end."""

    async def sample(self, n: int) -> Sequence[TemplateRecord]:
        """At most `n`, of any clients, which ones is not said; none only if there are none at all.

        For checks that something sealed opens.
        """

    async def reseal(self, changes: Sequence[tuple[TemplateRecord, TemplateRecord]]) -> int:
        """Each (was, now) is the same template, sealed anew, with another counter, epoch or master
        key; how many were still as they were.

        No version grows, because a gallery that is remembered stays right.
        """

    async def renewed(self, client_id: str) -> None:
        """Who remembers the gallery reads all of it again. Raises NotFound: no such client."""

    async def gallery_version(self, client_id: str) -> GalleryVersion:
        """Where the gallery stands; all 0 if there never was anything.

        Outlives the client, so that a client removed and added again is not taken for the old one.
        Read it before `vectors`, never after.
        """

    async def changes(self, client_id: str, since: GalleryVersion) -> Changes | None:
        """What changed since then, in whatever process; None if the log does not say it any more.

        No change is skipped: a write that another process had begun at `since` is told again.
        """


class Endings(Protocol):
    """How a session ends, with all that goes with it. Every method may raise Unavailable.

    The record of the session is what counts, and everything else follows it: whoever looks later
    can tell from it what is still to be done, and `settle` does it. After Unavailable nobody knows
    whether it was written, now or when the database goes on: call `refuse` with `won` until it
    answers.
    """

    async def accept(
        self,
        session_id: str,
        *,
        at: datetime,
        subject: str,
        evidence: str = "[]",
        template: TemplateRecord | None = None,
        compared: str | None = None,
        note: Note | None = None,
    ) -> None:
        """live -> accepted; `template` becomes the subject's, and the tries that the session took
        are given back. A known device's counter begins anew.

        `compared`: the id of the template that was compared, still the subject's. All of it or
        nothing, also if the process dies within. When it returns, `note` is in the audit. Raises
        Conflict (not live, or for another subject), Enrolled, NotFound (session, client, template).
        """

    async def refuse(
        self,
        session_id: str,
        *,
        now_is: str,
        at: datetime,
        reasons: tuple[str, ...] = (),
        evidence: str = "[]",
        failure: bool = False,
        won: bool = False,
        note: Note | None = None,
    ) -> Refused | None:
        """live -> rejected or expired. The tries that the session took are failures, or are given
        back; why another may not begin now.

        `won`: an `accept` of the caller became Unavailable, and what it may have written is refused
        as well. Raises Conflict, NotFound.
        """

    async def settle(self, chain: Chain | None = None) -> int:
        """Do what a process that died left to be done; how many sessions. At start and once a
        minute: it does only what it saw the time before, too, because the living finish their own.

        What the dead did not note goes into `chain`; without one such a session waits.
        """


class Store(OidcNouns, Protocol):
    """Everything the server keeps. Every method may raise Unavailable."""

    @property
    def clients(self) -> Clients: ...

    @property
    def sessions(self) -> Sessions: ...

    @property
    def templates(self) -> Templates: ...

    @property
    def anchors(self) -> Anchors: ...

    @property
    def tries(self) -> Tries: ...

    @property
    def endings(self) -> Endings: ...

    @property
    def audit(self) -> AuditTrail: ...

    @property
    def consents(self) -> Consents: ...

    @property
    def fingerprints(self) -> Fingerprints: ...

    @property
    def keys(self) -> Keys: ...

    @property
    def retention(self) -> Retention: ...

    async def open(self) -> None:
        """Connect and create what is missing; safe to call again. Raises Broken, WrongSchema."""

    async def close(self) -> None:
        """Let go of everything; safe to call again."""

    async def check(self, now: datetime) -> None:
        """Do to the database what a login does, and leave no trace: a session is added, read and
        removed. Raises Unavailable, Broken."""

    async def sweep(self, now: datetime) -> int:
        """Remove what expired longer than KEPT_AFTER_EXPIRY ago; how many. Housekeeping only."""

    async def forget_subject(self, client_id: str, subject: str) -> Mapping[str, int]:
        """Everything of a subject; how many of each noun: `sessions`, `templates`, `tries`, ...
        Codes and access tokens go with their `logins`.

        A fence: its open sessions go first, and once this returns no process stores anything of
        them. Raises Unavailable while one that does not answer may still do so: ask again later.
        """
