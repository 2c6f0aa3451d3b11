"""The description against the routes, the codes, the readers, the page for people, the server."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from server.http import routes
from server.http.fields import INVITATION, OFFER, SESSION, UNLOCK, offered, read, wanted
from server.http.invite import routes as invite
from server.http.login import routes as login
from server.http.openapi import codes_of, describe
from server.http.operations import ANYWHERE, OAUTH, OPERATIONS
from server.problems import KINDS
from server.rtc.lines import CODES
from tests.server.http.asking import AUTH, Http, code_of

PAGE = Path(__file__).parents[3] / "docs" / "protocol.md"
METHODS = ("get", "head", "post", "delete", "put", "patch", "options", "trace")


def described() -> dict[tuple[str, str], dict[str, Any]]:
    """Each operation of the description by its method and address."""
    paths = describe()["paths"]
    return {
        (method.upper(), path): item[method]
        for path, item in paths.items()
        for method in METHODS
        if method in item
    }


def routed() -> set[tuple[str, str]]:
    app = web.Application()
    routes.add(app)
    found = set()
    for route in app.router.routes():
        assert route.resource is not None
        found.add((route.method, route.resource.canonical))
    return found


def test_every_route_is_described_and_nothing_else_is() -> None:
    assert set(described()) == routed()
    assert ("GET", "/v1/sessions/{session}/consent") in routed()
    assert ("HEAD", "/v1/sessions/{session}") not in routed()
    assert len({one["operationId"] for one in described().values()}) == len(described())


def test_every_code_is_some_answers() -> None:
    said = {code for one in OPERATIONS for code in (*one.problems, *ANYWHERE)}
    # `not_found` is a file's as well.
    of_no_address = {"method_not_allowed", *login.CODES, *invite.CODES}
    assert said == {*KINDS, *CODES} - of_no_address
    for one in OPERATIONS:
        assert len({*one.problems, *ANYWHERE}) == len(one.problems) + len(ANYWHERE), one.name


def test_a_refusal_stands_at_the_status_of_its_codes() -> None:
    offer = next(one for one in OPERATIONS if one.name == "take_offer")
    codes = codes_of(offer)
    assert set(CODES) <= set(codes[400])
    assert codes[409] == ["ticket_used", "consent_needed"]
    assert codes_of(next(one for one in OPERATIONS if one.name == "token"))[401] == [
        "invalid_client"
    ]
    for status, named in codes.items():
        assert {KINDS[code].status for code in named if code in KINDS} <= {status}


def test_the_page_for_people_has_every_address() -> None:
    page = PAGE.read_text("utf-8")
    for one in OPERATIONS:
        told = "/web/*" if one.name == "widget" else one.path
        assert f"`{one.method} {told}`" in page, one.name


def test_every_parameter_is_described() -> None:
    for one in OPERATIONS:
        said = described()[one.method, one.path]
        if one.form:
            (kind,) = said["requestBody"]["content"]
            assert kind == "application/x-www-form-urlencoded"
            schema = said["requestBody"]["content"][kind]["schema"]
            assert list(schema["properties"]) == [row.name for row in one.form]
            assert "additionalProperties" not in schema  # unknown ones are ignored
        asked = [p["name"] for p in said.get("parameters", []) if p["in"] == "query"]
        assert asked == [row.name for row in one.query]


@pytest.mark.parametrize("table", [SESSION, OFFER, UNLOCK])
def test_every_field_is_described(table: Any) -> None:
    (one,) = (one for one in OPERATIONS if one.body is table)
    schema = described()[one.method, one.path]["requestBody"]["content"]["application/json"]
    for kind in schema["schema"].get("oneOf", [schema["schema"]]):
        assert list(kind["properties"]) == [row.name for row in table]
        assert kind["additionalProperties"] is False
        assert {row.name for row in table if row.needed} <= set(kind["required"])


def test_bounds_are_those_of_the_reader() -> None:
    body = described()["POST", "/v1/sessions"]["requestBody"]["content"]["application/json"]
    enroll, login, identify = body["schema"]["oneOf"]
    assert enroll["properties"]["nonce"]["minLength"] == 16
    assert enroll["properties"]["nonce"]["maxLength"] == 128
    assert "subject" in enroll["required"]
    assert "subject" in login["required"]
    assert "subject" not in identify["required"]
    assert login["properties"]["replace"] == {"const": False}
    for kind in (enroll, login):
        assert re.fullmatch(kind["properties"]["subject"]["pattern"], "ann@shop.example")
        assert not re.search(kind["properties"]["subject"]["pattern"], "ann smith")


def test_examples_are_taken_by_the_readers() -> None:
    readers: dict[str, Any] = {
        "create_session": wanted,
        "take_offer": offered,
        "unlock_subject": lambda fields: read(fields, UNLOCK),
        "make_invitation": lambda fields: read(fields, INVITATION),
    }
    shown = {one.name: one.example for one in OPERATIONS if one.body}
    assert shown.keys() == readers.keys()
    for name, fields in shown.items():
        assert fields is not None
        readers[name](fields)


def test_every_name_that_is_referred_to_is_there() -> None:
    text = json.dumps(describe())
    assert set(re.findall(r'"#/([^"]+)"', text)) == {"components/schemas/Problem"}
    schemes = describe()["components"]["securitySchemes"]
    for one in described().values():
        assert {name for need in one["security"] for name in need} <= set(schemes)


async def test_anybody_may_read_it_once(http: Http) -> None:
    async with http.get("/openapi.json", headers={"Origin": "https://nobody.example"}) as response:
        assert response.status == 200
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert response.headers["Content-Type"].startswith("application/json")
        assert await response.json() == describe()
        tag = response.headers["ETag"]
    async with http.get("/openapi.json", headers={"If-None-Match": tag}) as response:
        assert response.status == 304
        assert await response.read() == b""


async def test_credentials_are_asked_where_the_description_says_so(http: Http) -> None:
    refusals = {
        "client": (401, "client_unauthorized"),
        "ticket": (401, "ticket_invalid"),
        "operator": (403, "metrics_forbidden"),  # a page asks, even from this machine
    }
    for one in OPERATIONS:
        path = one.path.format(session="s" * 43, subject="ann", file="face-login.js")
        headers = {"Origin": "https://nobody.example"}
        data = {"state": "a"} if one.form else None
        async with http.request(one.method, path, headers=headers, data=data) as response:
            if one.shape == OAUTH:
                assert response.status == 401, one.name
                assert response.headers["WWW-Authenticate"].startswith(("Basic ", "Bearer "))
                assert (await response.json())["error"] in ("invalid_client", "invalid_token")
            elif one.name.startswith("authorize"):  # anybody may begin, for an app that is known
                assert response.status == 400, one.name
                assert "oidc_client_unknown" in await response.text()
            elif one.who in refusals:
                status, code = refusals[one.who]
                assert await code_of(response, status) == code, one.name
            else:
                assert response.status == 200, one.name


async def test_the_examples_that_need_no_camera_are_answered_as_described(http: Http) -> None:
    for name in ("create_session", "unlock_subject"):
        one = next(one for one in OPERATIONS if one.name == name)
        path = one.path.format(subject="ann")
        wish = one.example
        async with http.request(one.method, path, json=wish, headers=AUTH) as response:
            assert response.status == one.status, await response.text()
            assert one.answer is not None
            assert set(await response.json()) == set(one.answer["required"])
