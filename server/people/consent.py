"""What a person agrees to before an enrolment: the texts, which one is asked, what is recorded.

A text has an id, a version and wordings in several languages, and never changes. Not here: the rows
(server/store/consents.py), the requests (server/http/consents.py), the screen
(web/widget/consent.js). Source: docs/consent.md; GDPR Art. 7 and 9; BIPA section 15(b).
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.refusal import Refusal
from server.keys.vault import Vault, VaultError
from server.store.consents import Consents, ConsentText
from server.store.port import TemplateRecord

SHIPPED_ID = "lookgate"
"""The text of a client that has none of its own."""
FALLBACK = "en"
"""The language of those who read none of a text's, if it has this one."""
MAX_FILE_BYTES = 256 * 1024
MAX_LANGUAGES = 40
MAX_PURPOSE = 200
MAX_BODY = 8000
"""Characters. The shipped text has 800: who would agree to more has not read it."""

_WORDINGS = Path(__file__).parent / "wordings"
_TEXT_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
"""RFC 5646, as far as texts need it."""


class ConsentError(Refusal):
    """A file that is no text to agree to."""


@dataclass(frozen=True, slots=True)
class Wording:
    """A text in one language."""

    text_id: str
    version: str
    language: str
    purpose: str
    """What for, in one line."""
    body: str
    """Paragraphs, parted by empty lines."""

    @property
    def sha256(self) -> str:
        """Over all that is shown, in hex: the JSON array of the five fields, in ASCII."""
        fields = [self.text_id, self.version, self.language, self.purpose, self.body]
        return hashlib.sha256(json.dumps(fields, separators=(",", ":")).encode()).hexdigest()

    @property
    def name(self) -> str:
        """As it stands below the text, on the screen and on paper."""
        return f"{self.text_id}/{self.version}/{self.language}"


@dataclass(frozen=True, slots=True)
class Consent:
    """A person's own: to which words, what for, when, and for which client and session."""

    text_id: str
    version: str
    language: str
    sha256: str
    purpose: str
    at: str
    """RFC 3339 UTC, by the server's clock."""
    client: str
    session: str

    def to_json(self) -> str:
        """As sessions keep it, and as it is sealed."""
        return json.dumps({name: getattr(self, name) for name in _CONSENT})

    @classmethod
    def from_json(cls, text: str) -> Consent:
        """Raises ValueError."""
        fields = json.loads(text)
        if not isinstance(fields, dict) or fields.keys() != set(_CONSENT):
            raise ValueError("no consent")
        if not all(isinstance(value, str) for value in fields.values()):
            raise ValueError("no consent")
        return cls(**fields)


_CONSENT = ("text_id", "version", "language", "sha256", "purpose", "at", "client", "session")


def read_text(raw: str) -> tuple[Wording, ...]:
    """The wordings in a text's TOML. Raises ConsentError, which names the field."""
    try:
        fields = tomllib.loads(raw)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConsentError("consent_invalid", "The text is no TOML file.", str(error)) from None
    text_id = _matching(fields.pop("text_id", None), _TEXT_ID, "text_id")
    version = _matching(fields.pop("version", None), _VERSION, "version")
    if not 1 <= len(fields) <= MAX_LANGUAGES:
        raise _invalid("a table for each language", f"is needed, 1 to {MAX_LANGUAGES} of them")
    found = []
    for language, inner in fields.items():
        _matching(language, _LANGUAGE, "language")
        if not isinstance(inner, dict) or inner.keys() != {"purpose", "body"}:
            raise _invalid(f"[{language}]", "must have purpose and body, and nothing else")
        purpose = _prose(inner["purpose"], MAX_PURPOSE, f"{language}.purpose")
        if "\n" in purpose:
            raise _invalid(f"{language}.purpose", "must be one line")
        body = _prose(inner["body"], MAX_BODY, f"{language}.body")
        found.append(Wording(text_id, version, language, purpose, body))
    return tuple(found)


def _invalid(field: str, rule: str) -> ConsentError:
    return ConsentError("consent_invalid", f"In the text, {field} {rule}.")


def _matching(value: object, pattern: re.Pattern[str], field: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise _invalid(field, f"must match {pattern.pattern}")
    return value


def _prose(value: object, most: int, field: str) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not 1 <= len(text) <= most or not all(c.isprintable() or c == "\n" for c in text):
        raise _invalid(field, f"must be 1 to {most} characters, without control characters")
    return text


def to_content(wordings: Sequence[Wording]) -> str:
    """JSON of a text's languages, for the store."""
    return json.dumps(
        {one.language: {"purpose": one.purpose, "body": one.body} for one in wordings}
    )


def of_record(record: ConsentText) -> tuple[Wording, ...]:
    """The wordings in a row."""
    languages = json.loads(record.content)
    return tuple(
        Wording(record.text_id, record.version, language, inner["purpose"], inner["body"])
        for language, inner in languages.items()
    )


@cache
def shipped() -> tuple[tuple[Wording, ...], ...]:
    """The texts that came with this version, the newest first."""
    files = sorted(_WORDINGS.glob(f"{SHIPPED_ID}-*.toml"), key=_number, reverse=True)
    return tuple(read_text(file.read_text("utf-8")) for file in files)


def _number(file: Path) -> int:
    return int(file.stem.rpartition("-")[2])


async def asked(consents: Consents, client_id: str) -> tuple[Wording, ...]:
    """The text that a client asks for now, in all its languages. Raises Unavailable."""
    own = await consents.of_client(client_id)
    return of_record(own[0]) if own else shipped()[0]


def in_language(wordings: Sequence[Wording], wanted: Sequence[str]) -> Wording:
    """The wording for who reads `wanted`, best first (RFC 4647 section 3.4, lookup)."""
    by_tag = {one.language.lower(): one for one in reversed(wordings)}
    by_primary = {one.language.partition("-")[0]: one for one in reversed(wordings)}
    for tag in map(str.lower, wanted):
        found = by_tag.get(tag) or by_primary.get(tag.partition("-")[0])
        if found is not None:
            return found
    return by_primary.get(FALLBACK, wordings[0])


def agreed(
    wordings: Sequence[Wording], given: Mapping[str, str], *, client: str, session: str, at: str
) -> Consent | None:
    """What to record of a page's word; None if it is not exactly what is asked for now."""
    for one in wordings:
        named = {
            "text_id": one.text_id,
            "version": one.version,
            "language": one.language,
            "sha256": one.sha256,
        }
        if given == named:
            return Consent(**named, purpose=one.purpose, at=at, client=client, session=session)
    return None


def _owner(client_id: str, subject: str, template_id: str) -> tuple[str, ...]:
    return ("consent", client_id, subject, template_id)


def seal_consent(
    vault: Vault, consent: str, *, client_id: str, subject: str, template_id: str
) -> bytes:
    """A session's consent, for the row of the template that came of it; it opens there only."""
    Consent.from_json(consent)
    return vault.seal(consent.encode(), owner=_owner(client_id, subject, template_id))


def open_consent(vault: Vault, record: TemplateRecord) -> Consent | None:
    """What the person of a template agreed to; None: it was stored when nobody was asked.

    Raises VaultError.
    """
    if record.consent is None:
        return None
    owner = _owner(record.client_id, record.subject, record.template_id)
    plain = vault.open(record.consent, owner=owner)
    try:
        return Consent.from_json(plain.decode())
    except ValueError as error:
        raise VaultError("consent_version", "A consent has an unknown layout.") from error


def resealed(vault: Vault, record: TemplateRecord) -> bytes | None:
    """A template's consent under the newest master key; as it is, where it does not open."""
    try:
        given = open_consent(vault, record)
    except VaultError:
        return record.consent
    if given is None:
        return None
    whose = {"client_id": record.client_id, "subject": record.subject}
    return seal_consent(vault, given.to_json(), **whose, template_id=record.template_id)


def text_record(client_id: str, wordings: Sequence[Wording], now: datetime) -> ConsentText:
    """A client's text as a row. Raises ConsentError where the id is that of the shipped one."""
    first = wordings[0]
    if first.text_id == SHIPPED_ID:
        raise _invalid("text_id", f"must be another one than {SHIPPED_ID}, the shipped text's")
    return ConsentText(client_id, first.text_id, first.version, now, to_content(wordings))


def shown(consent: Consent | None) -> dict[str, Any] | None:
    """What a relying app's backend reads of it."""
    if consent is None:
        return None
    names = ("text_id", "version", "language", "sha256", "purpose", "at")
    return {name: getattr(consent, name) for name in names}
