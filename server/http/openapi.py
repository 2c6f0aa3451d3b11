"""The HTTP interface as an OpenAPI 3.1 description, made of the tables that the code is made of.

A pure value. Not here: the tables (operations.py, fields.py, schemas.py, server/problems.py), and
serving it (published.py). Source: OpenAPI Specification 3.1.1; docs/protocol.md has it in words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pipeline.reasons import Purpose
from server.http import schemas
from server.http.fields import SESSION, SUBJECT, TICKET, Field
from server.http.operations import (
    ACCESS_TOKEN,
    ANYWHERE,
    APP,
    CLIENT,
    HTML,
    OAUTH,
    OPERATIONS,
    OPERATOR,
    Operation,
)
from server.http.operations import TICKET as PAGE
from server.problems import Problem

PARAMETERS: Mapping[str, tuple[Mapping[str, Any], str, str]] = {
    "session": (TICKET.schema(), "The session's id.", "s" * 43),
    "subject": (SUBJECT.schema(), "The person, by the relying app's name.", "ann"),
    "file": (
        {"type": "string"},
        "A file's name, below its folder if it is in one.",
        "face-login.js",
    ),
}
"""What is filled into an address: schema, meaning, example."""

SCHEMES: Mapping[str, Any] = {
    CLIENT: {
        "type": "http",
        "scheme": "basic",
        "description": "Client id and secret of a relying app's backend (RFC 7617).",
    },
    PAGE: {
        "type": "http",
        "scheme": "bearer",
        "description": "A page's ticket, for the device the word of its verdict (RFC 6750). A page"
        " sends an Origin that the client allows.",
    },
    APP: {
        "type": "http",
        "scheme": "basic",
        "description": "As the app is registered: so, or by client_secret_post, private_key_jwt or"
        " none (docs/oidc.md).",
    },
    ACCESS_TOKEN: {
        "type": "http",
        "scheme": "bearer",
        "description": "An access token of /token.",
    },
    OPERATOR: {
        "type": "http",
        "scheme": "bearer",
        "description": "LOOKGATE_METRICS_TOKEN. Without one, only this machine may ask.",
    },
}


def describe() -> dict[str, Any]:
    """The whole description, for JSON."""
    paths: dict[str, Any] = {}
    for one in OPERATIONS:
        item = paths.setdefault(one.path, {})
        item[one.method.lower()] = _operation(one)
        if one.head:
            item["head"] = _operation(one, head=True)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Lookgate",
            "version": "1",
            "description": "A face login for relying apps. An address that is not here is answered"
            " not_found, another method method_not_allowed. Bodies are not compressed.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": {"Problem": schemas.PROBLEM}, "securitySchemes": SCHEMES},
    }


def codes_of(one: Operation) -> dict[int, list[str]]:
    """The codes of an operation's refusals by HTTP status, in the order of the tables."""
    found: dict[int, list[str]] = {}
    for code in (*one.problems, *ANYWHERE):
        found.setdefault(Problem(code).status, []).append(code)
    return {status: found[status] for status in sorted(found)}


def _operation(one: Operation, *, head: bool = False) -> dict[str, Any]:
    said: dict[str, Any] = {
        "operationId": one.name + ("_head" if head else ""),
        "summary": one.text,
        "security": [{one.who: []}] if one.who else [],
        "responses": _responses(one, head=head),
    }
    parameters = [*_in_path(one), *_in_query(one), *_in_headers(one)]
    if parameters:
        said["parameters"] = parameters
    if one.body:
        content: dict[str, Any] = {"schema": body_schema(one.body)}
        if one.example is not None:
            content["example"] = one.example
        said["requestBody"] = {
            "required": one.body_needed,
            "content": {"application/json": content},
        }
    if one.form:
        schema = {
            "type": "object",
            "properties": {row.name: row.of.schema() for row in one.form},
            "required": [row.name for row in one.form if row.needed],
        }
        said["requestBody"] = {
            "required": any(row.needed for row in one.form),
            "content": {"application/x-www-form-urlencoded": {"schema": schema}},
        }
    return said


def _in_query(one: Operation) -> Iterable[dict[str, Any]]:
    for row in one.query:
        yield {"name": row.name, "in": "query", "required": row.needed, "schema": row.of.schema()}


def _in_path(one: Operation) -> Iterable[dict[str, Any]]:
    for name in re.findall(r"\{(\w+)\}", one.path):
        schema, text, example = PARAMETERS[name]
        yield {
            "name": name,
            "in": "path",
            "required": True,
            "description": text,
            "schema": schema,
            "example": example,
        }


def _in_headers(one: Operation) -> Iterable[dict[str, Any]]:
    named = dict(one.headers)
    if one.who == PAGE:
        named["Origin"] = "The page's web origin (RFC 6454); browsers send it."
    if one.tagged:
        named["If-None-Match"] = "Entity tags that are known (RFC 9110 section 13.1.2)."
    for name, text in named.items():
        yield {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}


def body_schema(table: Sequence[Field]) -> dict[str, Any]:
    """JSON Schema of a body: a table's fields, and of a new session what each purpose takes."""
    if table is not SESSION:
        return _object(table, {})
    subject = SUBJECT.schema()
    return {
        "oneOf": [
            _object(
                table,
                {
                    "purpose": {"const": str(purpose)},
                    "subject": {"type": "null"} if purpose is Purpose.IDENTIFY else subject,
                    **({} if purpose is Purpose.ENROLL else {"replace": {"const": False}}),
                },
                needed=() if purpose is Purpose.IDENTIFY else ("subject",),
            )
            for purpose in Purpose
        ]
    }


def _object(
    table: Sequence[Field], narrower: Mapping[str, Any], needed: Sequence[str] = ()
) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {row.name: narrower.get(row.name, row.schema()) for row in table},
        "required": [row.name for row in table if row.needed or row.name in needed],
        "additionalProperties": False,
    }


def _responses(one: Operation, *, head: bool) -> dict[str, Any]:
    good: dict[str, Any] = {"description": HTTPStatus(one.status).phrase}
    if one.answer is not None and not head:
        good["content"] = {kind: {"schema": one.answer} for kind in one.media}
    if one.tagged:
        good["headers"] = {"ETag": {"schema": {"type": "string"}}}
    said: dict[str, Any] = {str(one.status): good}
    if one.tagged:
        said["304"] = {"description": HTTPStatus(304).phrase}
    if one.shape == HTML and one.status == 303:
        form = {"text/html": {"schema": {"type": "string"}}}
        said["200"] = {"description": "A form that sends itself (form_post)", "content": form}
    for status, codes in codes_of(one).items():
        said[str(status)] = _refusal(status, codes, head=head, shape=one.shape)
    return said


def _refusal(status: int, codes: Sequence[str], *, head: bool, shape: str) -> dict[str, Any]:
    said: dict[str, Any] = {
        "description": f"{HTTPStatus(status).phrase}: " + ", ".join(codes),
        "x-codes": list(codes),
    }
    if any(Problem(code).retry for code in codes) and status in (429, 503):
        said["headers"] = {
            "Retry-After": {
                "description": "Seconds (RFC 9110 section 10.2.3).",
                "schema": {"type": "integer", "minimum": 1},
            }
        }
    if shape == HTML:
        said["content"] = {"text/html": {"schema": {"type": "string"}}}
    elif shape == OAUTH:
        said["content"] = {"application/json": {"schema": schemas.OAUTH_ERROR}}
    elif not head:
        problem = Problem(codes[0])
        error = {"code": problem.code, "text": problem.text, "retry": problem.retry}
        schema = {
            "allOf": [
                {"$ref": "#/components/schemas/Problem"},
                {"properties": {"error": {"properties": {"code": {"enum": list(codes)}}}}},
            ]
        }
        said["content"] = {"application/json": {"schema": schema, "example": {"error": error}}}
    return said
