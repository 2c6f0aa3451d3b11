"""The fields of request bodies: one table, read here and described in openapi.py.

Not here: reading bytes as JSON, credentials (requests.py), what is done then (sessions.py,
offers.py, subjects.py). Source: docs/protocol.md, "HTTP".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.reasons import Purpose
from server.problems import Problem
from server.rtc.lines import MAX_BYTES


@dataclass(frozen=True, slots=True)
class Text:
    """A string of `least` to `most` characters, each one of a regular expression's set `of`."""

    of: str | None = None
    least: int = 0
    most: int | None = None

    def fits(self, value: object) -> bool:
        """Whether the whole of it is such a text."""
        if not isinstance(value, str) or len(value) < self.least:
            return False
        if self.most is not None and len(value) > self.most:
            return False
        return self.of is None or re.fullmatch(f"[{self.of}]*", value) is not None

    def schema(self) -> dict[str, Any]:
        """JSON Schema 2020-12, section 6.3 of its validation."""
        said: dict[str, Any] = {"type": "string"}
        if self.least:
            said["minLength"] = self.least
        if self.most is not None:
            said["maxLength"] = self.most
        if self.of is not None:
            most = "" if self.most is None else self.most
            said["pattern"] = f"^[{self.of}]{{{self.least},{most}}}$"
        return said


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some words."""

    words: tuple[str, ...]

    def fits(self, value: object) -> bool:
        """Whether it is one of them."""
        return isinstance(value, str) and value in self.words

    def schema(self) -> dict[str, Any]:
        """JSON Schema."""
        return {"type": "string", "enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false; 1 and "true" are neither."""

    def fits(self, value: object) -> bool:
        """Whether it is one of both."""
        return isinstance(value, bool)

    def schema(self) -> dict[str, Any]:
        """JSON Schema."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number from `least` to `most`; true and 1.0 are none."""

    least: int
    most: int

    def fits(self, value: object) -> bool:
        """Whether it is one of them."""
        return type(value) is int and self.least <= value <= self.most

    def schema(self) -> dict[str, Any]:
        """JSON Schema."""
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True, slots=True)
class Some:
    """An object with some of these members, or none of them."""

    each: Mapping[str, Text | Flag]

    def fits(self, value: object) -> bool:
        """Whether it has no others, and each is such a value."""
        if not isinstance(value, dict) or value.keys() - self.each.keys():
            return False
        return all(self.each[name].fits(one) for name, one in value.items())

    def schema(self) -> dict[str, Any]:
        """JSON Schema."""
        return {
            "type": "object",
            "properties": {name: one.schema() for name, one in self.each.items()},
            "additionalProperties": False,
        }


@dataclass(frozen=True, slots=True)
class Words:
    """An object with exactly these members, each of them such a text."""

    names: tuple[str, ...]
    each: Text

    def fits(self, value: object) -> bool:
        """Whether it has all of them and no other."""
        if not isinstance(value, dict) or value.keys() != set(self.names):
            return False
        return all(self.each.fits(one) for one in value.values())

    def schema(self) -> dict[str, Any]:
        """JSON Schema."""
        return {
            "type": "object",
            "properties": {name: self.each.schema() for name in self.names},
            "required": list(self.names),
            "additionalProperties": False,
        }


@dataclass(frozen=True, slots=True)
class Field:
    """One row of a table."""

    name: str
    of: Text | Choice | Flag | Whole | Some | Words
    rule: str
    """What a refusal says of it, after its name."""
    needed: bool = False
    default: Any = None
    """What it is where it is absent. One whose default is None may be null as well."""
    elsewhere: Mapping[str, Any] = field(default_factory=dict)
    """Keywords of JSON Schema that hold as well, and that another reader checks."""

    def schema(self) -> dict[str, Any]:
        """JSON Schema of its value."""
        said = {**self.of.schema(), **self.elsewhere}
        if not self.needed and self.default is None:
            return {"anyOf": [said, {"type": "null"}]}
        return said if self.needed else {**said, "default": self.default}


SUBJECT = Text("A-Za-z0-9._@+:-", 1, 128)
TICKET = Text("A-Za-z0-9_-", 43, 43)
"""secrets.token_urlsafe(32): tickets, words and session ids."""

SESSION = (
    Field("purpose", Choice(tuple(Purpose)), "must be enroll, login or identify", True),
    Field("subject", SUBJECT, "must be 1 to 128 characters of A-Z a-z 0-9 . _ @ + : -"),
    Field(
        "nonce",
        Text("A-Za-z0-9._~-", 16, 128),
        "must be 16 to 128 characters of A-Z a-z 0-9 . _ ~ -",
        True,
    ),
    Field("replace", Flag(), "must be true or false, and true for enroll only", default=False),
    Field("challenge", Choice(("none", "light")), "must be none or light", default="none"),
)
"""The body of a new session."""

CONSENT = Words(("text_id", "version", "language", "sha256"), Text(most=64))
OFFER = (
    Field("type", Choice(("offer",)), "must be offer", True),
    # server/rtc/offer.py counts the bytes of it, of which a character has one at least.
    Field("sdp", Text(), "must be text", True, elsewhere={"maxLength": MAX_BYTES}),
    Field("consent", CONSENT, f"must have {', '.join(CONSENT.names)}, each a text"),
)
"""The body of an offer."""

UNLOCK = (Field("forget_devices", Flag(), "must be true or false", default=False),)
"""The body of an unlocking, which may be absent."""

PROFILE = Some(
    {
        "name": Text(least=1, most=128),
        "email": Text(least=3, most=254),
        "email_verified": Flag(),
    }
)
INVITATION = (
    Field("subject", SUBJECT, "must be 1 to 128 characters of A-Z a-z 0-9 . _ @ + : -", True),
    Field("profile", PROFILE, "must have name, email, email_verified or some of them"),
    Field("return_url", Text(least=1, most=2000), "must be a registered address"),
    Field("days", Whole(1, 7), "must be 1 to 7", default=7),
)
"""The body of an invitation; server/oidc/inviting.py and profile.py check the rest."""


AUTHORIZE = (
    Field("client_id", Text(), "", True),
    Field("redirect_uri", Text(), "", True),
    Field("response_type", Text(), "", True),
    Field("scope", Text(), "", True),
    *(
        Field(name, Text(), "")
        for name in (
            *("state", "nonce", "code_challenge", "code_challenge_method", "response_mode"),
            *("prompt", "max_age", "acr_values", "login_hint", "ui_locales", "id_token_hint"),
        )
    ),
)
"""Parameters of /authorize and /par; server/oidc/authorize.py reads them."""

_SHOWN = tuple(
    Field(name, Text(), "")
    for name in ("client_id", "client_secret", "client_assertion", "client_assertion_type")
)
PAR = (*AUTHORIZE[1:], *_SHOWN)
EXCHANGE = (
    Field("grant_type", Text(), "", True),
    Field("code", Text(), "", True),
    Field("redirect_uri", Text(), "", True),
    Field("code_verifier", Text(), ""),
    *_SHOWN,
)
"""The form of /token; server/oidc/token.py reads it."""
ONE_TOKEN = (Field("token", Text(), "", True), Field("token_type_hint", Text(), ""), *_SHOWN)
"""The form of /introspect and /revoke; server/oidc/introspect.py reads it."""
ACCESS = (Field("access_token", Text(), ""),)
"""The form of /userinfo."""
LOGOUT = tuple(
    Field(name, Text(), "")
    for name in ("id_token_hint", "client_id", "post_logout_redirect_uri", "state")
)
"""Parameters of /logout; server/oidc/logout.py reads them."""


def read(fields: Mapping[str, Any], table: Sequence[Field]) -> list[Any]:
    """The values of a table's fields in its order. Raises Problem request_invalid."""
    known = [row.name for row in table]
    if fields.keys() - set(known):
        raise Problem("request_invalid", f"A field is not one of {', '.join(known)}.")
    found = []
    for row in table:
        value = fields.get(row.name, row.default)
        absent = value is None and not row.needed and row.default is None
        if not absent and not row.of.fits(value):
            raise invalid(row.name, row.rule)
        found.append(value)
    return found


def invalid(field: str, rule: str) -> Problem:
    """A refusal that names the field and the rule, never the value."""
    return Problem("request_invalid", f"The field {field} {rule}.")


def wanted(fields: Mapping[str, Any]) -> tuple[Purpose, str | None, str, bool, str]:
    """Purpose, subject, nonce, replace and challenge of a new session.

    Raises Problem request_invalid.
    """
    word, subject, nonce, replace, challenge = read(fields, SESSION)
    purpose = Purpose(word)
    if purpose is Purpose.IDENTIFY:
        if subject is not None:
            raise invalid("subject", "must be absent for identify")
    elif subject is None:
        raise invalid("subject", "must be there for enroll and login")
    if replace and purpose is not Purpose.ENROLL:
        raise invalid("replace", "must be true or false, and true for enroll only")
    return purpose, subject, nonce, replace, challenge


def offered(fields: Mapping[str, Any]) -> tuple[str, dict[str, str] | None]:
    """The SDP of an offer's body, and the consent beside it. Raises Problem request_invalid."""
    _, sdp, given = read(fields, OFFER)
    return sdp, given


def is_subject(value: object) -> bool:
    """Whether this may name a subject."""
    return SUBJECT.fits(value)


def is_session(value: str) -> bool:
    """Whether this may be a session's id, as we make them; nothing else reaches the store."""
    return TICKET.fits(value)
