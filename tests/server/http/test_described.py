"""Requests made up from the description, good and bad ones: the server answers as it says there.

Schemathesis speaks to the server of the test alone. It makes few examples, always the same ones.
"""

from __future__ import annotations

import asyncio
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode

from server.http.fields import SESSION, wanted
from server.http.openapi import body_schema, describe
from server.http.operations import OPERATIONS, Operation
from server.limits import Buckets
from server.parts import Parts
from server.problems import Problem
from tests.server.http.asking import AUTH, Http, create
from tests.server.http.test_requests import SESSIONS
from tests.server.stage import ORIGIN, enrolled

EXAMPLES = 15
"""Of each kind for each operation."""


def _ask(method: str, path: str, url: str, mode: GenerationMode, headers: dict[str, str]) -> int:
    """How many requests were made up, sent and answered as described."""
    asked = 0
    operation = schemathesis.openapi.from_dict(describe())[path][method]

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    def one(case: Any) -> None:
        nonlocal asked
        response = case.call(base_url=url, headers=headers, timeout=10)
        asked += 1
        case.validate_response(
            response,
            checks=[
                schemathesis.checks.not_a_server_error,
                schemathesis.specs.openapi.checks.status_code_conformance,
                schemathesis.specs.openapi.checks.content_type_conformance,
                schemathesis.specs.openapi.checks.response_schema_conformance,
                schemathesis.specs.openapi.checks.negative_data_rejection,
            ],
        )

    one()
    return asked


def _ways() -> list[Any]:
    """Each operation with good requests, and with bad ones where any can be made."""
    good, bad = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
    # Any file's name is one. A form without a field that is needed has no bad value.
    bounded = [
        one
        for one in OPERATIONS
        if one.body or "{s" in one.path or any(row.needed for row in (*one.form, *one.query))
    ]
    ways = [(good, one) for one in OPERATIONS] + [(bad, one) for one in bounded]
    return [pytest.param(mode, one, id=f"{one.name}-{mode.value}") for mode, one in ways]


@pytest.mark.parametrize("known", [True, False], ids=["client", "stranger"])
@pytest.mark.parametrize(("mode", "one"), _ways())
async def test_it_is_answered_as_described(
    http: Http, parts: Parts, one: Operation, mode: GenerationMode, known: bool
) -> None:
    for noun in ("client", "subject", "address"):
        parts.rates.buckets[noun] = Buckets(1e6, 10**6)
    await enrolled(parts, "ann", 1)
    headers = {"Origin": ORIGIN, **(AUTH if known else {})}
    url = str(http.make_url("/"))
    asked = await asyncio.to_thread(_ask, one.method, one.path, url, mode, headers)
    assert asked > 0


def _check(name: str, value: Any) -> None:
    """Hold a good answer against its schema; raises where it does not fit."""
    (one,) = (one for one in OPERATIONS if one.name == name)
    jsonschema_rs.validate(one.answer, value)


async def test_what_is_held_of_somebody_is_answered_as_described(http: Http, parts: Parts) -> None:
    await enrolled(parts, "ann", 1)
    made = await create(http)
    _check("create_session", made)
    for name, method, path in (
        ("show_session", "GET", f"/v1/sessions/{made['session']}"),
        ("show_subject", "GET", "/v1/subjects/ann"),
        ("export_subject", "GET", "/v1/subjects/ann/export"),
        ("remove_subject", "DELETE", "/v1/subjects/ann"),
        ("jwks", "GET", "/.well-known/jwks.json"),
    ):
        async with http.request(method, path, headers=AUTH) as response:
            assert response.status == 200
            _check(name, await response.json())
    enrolment = await create(http, purpose="enroll", subject="bob")
    headers = {"Authorization": f"Bearer {enrolment['ticket']}", "Origin": ORIGIN}
    async with http.get(
        f"/v1/sessions/{enrolment['session']}/consent", headers=headers
    ) as response:
        _check("show_consent", await response.json())


@given(SESSIONS)
def test_a_body_is_good_by_the_description_as_by_the_reader(fields: dict[str, Any]) -> None:
    fits = jsonschema_rs.is_valid(body_schema(SESSION), fields)
    try:
        wanted(fields)
    except Problem:
        assert not fits
    else:
        assert fits
