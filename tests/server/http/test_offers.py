"""The page's half of the HTTP interface against docs/protocol.md, bad input included."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from server.limits import Buckets
from server.parts import Parts
from server.rtc import connection
from tests.server.http.asking import Http, code_of, create, post_offer
from tests.server.stage import CLIENT, ORIGIN, Clock, change_client


async def test_an_offer_is_answered_once(http: Http, parts: Parts, offer: str) -> None:
    made = await create(http)
    async with post_offer(http, made, offer) as response:
        body = await response.json()
        assert response.status == 200
        assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert response.headers["Access-Control-Allow-Credentials"] == "true"
        assert response.headers["Vary"] == "Origin"
    assert set(body) == {"type", "sdp"}
    assert body["type"] == "answer"
    assert len(parts.opening.admission.occupancy) == 1
    async with post_offer(http, made, offer) as response:
        assert await code_of(response, 409) == "ticket_used"
    assert len(parts.opening.admission.occupancy) == 1


async def test_of_many_offers_with_one_ticket_one_is_answered(
    http: Http, parts: Parts, offer: str
) -> None:
    made = await create(http)

    async def one() -> int:
        async with post_offer(http, made, offer) as response:
            return int(response.status)

    statuses = await asyncio.gather(*(one() for _ in range(12)))
    assert statuses.count(200) == 1
    assert set(statuses) <= {200, 409, 503}
    assert len(parts.opening.admission.occupancy) == 1


async def test_wrong_tickets(http: Http, parts: Parts, offer: str) -> None:
    made, other = await create(http), await create(http)
    for ticket in ("", "x", "x" * 43, other["ticket"], made["ticket"] + "x", made["session"]):
        header = f"Bearer {ticket}" if ticket else "Basic eDp5"
        async with post_offer(http, made, offer, Authorization=header) as response:
            assert await code_of(response, 401) == "ticket_invalid"
    async with post_offer(http, {**made, "session": "unknown"}, offer, Origin="") as response:
        assert await code_of(response, 401) == "ticket_invalid"
    clock: Any = parts.clock
    clock.s += 60
    async with post_offer(http, made, offer) as response:
        assert await code_of(response, 401) == "ticket_invalid"
    assert len(parts.opening.admission.occupancy) == 0


async def test_without_the_ticket_an_offer_is_not_even_read(http: Http) -> None:
    made = await create(http)
    async with post_offer(http, {**made, "ticket": "x" * 43}, "no offer at all") as response:
        assert await code_of(response, 401) == "ticket_invalid"
    headers = {"Authorization": f"Bearer {'x' * 43}", "Origin": ORIGIN}
    path = f"/v1/sessions/{made['session']}/offer"
    async with http.post(path, data=b"no json", headers=headers) as response:
        assert await code_of(response, 401) == "ticket_invalid"
    async with post_offer(http, made, "no offer at all") as response:
        assert await code_of(response, 400) == "sdp_malformed"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://shop.example", ORIGIN + ":444", ORIGIN + "/"]
)
async def test_wrong_origins(http: Http, offer: str, origin: str) -> None:
    made = await create(http)
    async with post_offer(http, made, offer, Origin=origin) as response:
        assert await code_of(response, 403) == "origin_not_allowed"
        assert response.headers["Access-Control-Allow-Origin"] == origin  # its page can say why
    async with post_offer(http, made, offer) as response:  # the ticket is still good
        assert response.status == 200


async def test_the_log_names_a_refused_origin_once(
    http: Http, parts: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING", "server.http.requests")
    made = await create(http)
    strange = "https://a.example; rm -rf /"
    for origin in ("https://new.example", "https://new.example", "null", "https://a/b", strange):
        async with post_offer(http, made, "v=0", Origin=origin) as response:
            assert response.status in (400, 403)
    told = [vars(record) for record in caplog.records]
    assert [(row["client"], row["origin"], row.get("command")) for row in told[:3]] == [
        (
            CLIENT,
            "https://new.example",
            f"lookgate client set {CLIENT} --origin https://new.example --origin {ORIGIN}",
        ),
        (CLIENT, "none of its own", None),
        (CLIENT, "malformed", None),
    ]
    assert "rm -rf" not in str(told)
    for n in range(200):
        async with post_offer(http, made, "v=0", Origin=f"https://{n}.example"):
            pass
    assert len(caplog.records) == 100


async def test_a_command_that_would_be_cut_is_not_told(
    http: Http, parts: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    """Half of it would take origins away."""
    caplog.set_level("WARNING", "server.http.requests")
    many = tuple(f"https://{n}.shop.example" for n in range(30))
    await change_client(parts, origins=tuple(many))
    made = await create(http)
    async with post_offer(http, made, "v=0", Origin="https://new.example"):
        pass
    (record,) = caplog.records
    assert vars(record)["command"] == "lookgate client set"


async def test_no_origin_is_a_setting(http: Http, parts: Parts, offer: str) -> None:
    made = await create(http)
    parts.settings = replace(parts.settings, allow_no_origin=False)
    async with post_offer(http, made, offer, Origin="") as response:
        assert await code_of(response, 403) == "origin_not_allowed"
    parts.settings = replace(parts.settings, allow_no_origin=True)
    async with post_offer(http, made, offer, Origin="") as response:
        assert response.status == 200
        assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize("origin", [ORIGIN, "https://evil.example", "null"])
@pytest.mark.parametrize("path", ["/v1/sessions/{}/offer", "/v1/sessions/x/offer", "/nowhere"])
async def test_a_browser_may_ask_before(http: Http, parts: Parts, path: str, origin: str) -> None:
    """At any address, and before the server is ready: a preflight's refusal cannot be read."""
    made = await create(http)
    parts.opened.clear()
    async with http.options(
        path.format(made["session"]),
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type,prefer",
        },
    ) as response:
        assert response.status == 204
        # Named, because pages send cookies along (Fetch standard section 3.2.5).
        assert response.headers["Access-Control-Allow-Origin"] == origin
        assert response.headers["Access-Control-Allow-Credentials"] == "true"
        allowed = response.headers["Access-Control-Allow-Headers"].split(", ")
        assert {"authorization", "content-type", "prefer"} <= set(allowed)


async def test_what_is_no_preflight_is_no_method_of_ours(http: Http) -> None:
    async with http.options("/v1/sessions", headers={"Origin": ORIGIN}) as response:
        assert await code_of(response, 405) == "method_not_allowed"


async def test_a_page_of_another_origin_reads_no_answer(http: Http, offer: str) -> None:
    made = await create(http)
    async with post_offer(http, made, offer, Origin="") as response:
        assert response.status == 200
        assert "Access-Control-Allow-Origin" not in response.headers


async def test_a_page_may_read_its_refusals(http: Http) -> None:
    made = await create(http)
    async with post_offer(http, made, "v=0") as response:
        assert response.status == 400
        assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert response.headers["Access-Control-Expose-Headers"] == "Retry-After"


BAD_SDP = {
    "empty": "",
    "garbage": "hello",
    "huge": "v=0\r\n" + "a=x\r\n" * 10000,
    "no media": "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n",
    "200 media": "v=0\r\n" + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n" * 200,
    "audio only": "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n",
}


@pytest.mark.parametrize("name", BAD_SDP)
async def test_a_malformed_offer_burns_no_ticket(
    http: Http, parts: Parts, offer: str, name: str
) -> None:
    made = await create(http)
    async with post_offer(http, made, BAD_SDP[name]) as response:
        assert (await code_of(response, 400)).startswith("sdp_")
    async with post_offer(http, made, offer) as response:
        assert response.status == 200


async def test_an_offer_without_fingerprint_is_refused(http: Http, offer: str) -> None:
    made = await create(http)
    lines = [line for line in offer.splitlines() if "fingerprint" not in line]
    async with post_offer(http, made, "\r\n".join(lines) + "\r\n") as response:
        assert await code_of(response, 400) == "sdp_no_fingerprint"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"type": "answer", "sdp": ""}, 400, "request_invalid"),
        ({"type": "offer"}, 400, "request_invalid"),
        ({"type": "offer", "sdp": 5}, 400, "request_invalid"),
        ({"type": "offer", "sdp": "", "more": 1}, 400, "request_invalid"),
        ([], 400, "request_malformed"),
        ({"type": "offer", "sdp": "x" * 200_000}, 413, "request_too_large"),
    ],
)
async def test_wrong_offer_bodies(
    http: Http, parts: Parts, body: Any, status: int, code: str
) -> None:
    made = await create(http)
    headers = {"Authorization": f"Bearer {made['ticket']}"}
    url = f"/v1/sessions/{made['session']}/offer"
    async with http.post(url, data=json.dumps(body), headers=headers) as response:
        assert await code_of(response, status) == code


async def test_more_sessions_than_admitted(http: Http, parts: Parts, offer: str) -> None:
    made = [await create(http, subject=f"person{n}") for n in range(3)]
    for one in made[:2]:
        async with post_offer(http, one, offer) as response:
            assert response.status == 200
    async with post_offer(http, made[2], offer) as response:
        assert await code_of(response, 503) == "busy"
        assert response.headers["Retry-After"] == "1"
        assert "Retry-After" in response.headers["Access-Control-Expose-Headers"]
        said = await response.json()
    assert said["error"]["retry"] is True
    assert said["line"] == {"ahead": 0, "wait_s": 2.0}
    next(iter(parts.peers)).stop()
    async with asyncio.timeout(5):
        while len(parts.opening.admission.occupancy) == 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    async with post_offer(http, made[2], offer) as response:  # the ticket was not burnt
        assert response.status == 200


async def test_a_person_has_one_session_at_an_address(http: Http, parts: Parts, offer: str) -> None:
    for _ in range(5):
        made = await create(http)
        async with post_offer(http, made, offer) as response:
            assert response.status == 200
        assert len(parts.opening.admission.occupancy) == 1
    async with asyncio.timeout(5):
        while len(parts.peers) > 1:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert (await parts.store.sessions.get(made["session"])).state == "live"


async def test_addresses_are_those_that_the_proxy_forwards(
    http: Http, parts: Parts, offer: str
) -> None:
    parts.settings = replace(parts.settings, proxy_hops=1)
    for n in range(2):
        made = await create(http)
        header = {"X-Forwarded-For": f"10.0.0.{n}"}
        async with post_offer(http, made, offer, **header) as response:
            assert response.status == 200
    assert len(parts.opening.admission.occupancy) == 2


async def test_what_fails_after_the_claim_gives_everything_back(
    http: Http, parts: Parts, offer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await create(http)

    async def broken(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("aiortc says no")

    monkeypatch.setattr(connection.Connection, "accept", broken)
    async with post_offer(http, made, offer) as response:
        assert await code_of(response, 500) == "internal"
        assert "aiortc" not in await response.text()
    assert len(parts.opening.admission.occupancy) == 0
    assert (await parts.store.sessions.get(made["session"])).state == "expired"


async def test_a_removed_client_has_no_sessions(http: Http, parts: Parts, offer: str) -> None:
    made = await create(http)
    await parts.store.clients.remove(CLIENT)
    async with post_offer(http, made, offer, Origin="") as response:
        assert await code_of(response, 401) == "ticket_invalid"


async def _full(http: Http, offer: str) -> dict[str, Any]:
    """Two places are taken, and a third session has its ticket."""
    for n in range(2):
        async with post_offer(http, await create(http, subject=f"person{n}"), offer) as response:
            assert response.status == 200
    return await create(http, subject="late")


async def test_a_question_is_held_until_there_is_a_place(
    http: Http, parts: Parts, offer: str
) -> None:
    made = await _full(http, offer)

    async def late() -> int:
        async with post_offer(http, made, offer, Prefer="respond-async, wait=8") as response:
            return int(response.status)

    task = asyncio.create_task(late())
    async with asyncio.timeout(5):
        while not len(parts.opening.admission.line):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    next(iter(parts.peers)).stop()
    async with asyncio.timeout(5):
        assert await task == 200


async def test_a_question_is_held_no_longer_than_it_says(http: Http, offer: str) -> None:
    made = await _full(http, offer)
    for prefer in ("wait=0", "wait=", "wait=-1", "wait=1x", "handling=lenient"):
        async with asyncio.timeout(5), post_offer(http, made, offer, Prefer=prefer) as response:
            assert await code_of(response, 503) == "busy"
    async with asyncio.timeout(5), post_offer(http, made, offer, Prefer='Wait="1"') as response:
        assert (await response.json())["line"]["ahead"] == 0


async def test_asking_again_at_the_pace_that_was_named_is_free(
    http: Http, parts: Parts, offer: str
) -> None:
    made, clock = await _full(http, offer), parts.clock
    assert isinstance(clock, Clock)
    parts.opening.admission.occupancy.limit = lambda: 0  # type: ignore[attr-defined]
    parts.rates.buckets["address"] = Buckets(1e-6, 3.0)
    for _ in range(6):
        async with post_offer(http, made, offer) as response:
            assert await code_of(response, 503) == "busy"
        clock.s += 1.0
    codes = []
    for _ in range(4):  # the first is expected, those that come too early are counted
        async with post_offer(http, made, offer) as response:
            codes.append((await response.json())["error"]["code"])
    assert codes == ["busy", "busy", "busy", "too_many_requests"]


async def test_the_ticket_of_one_in_line_stays_good(http: Http, parts: Parts, offer: str) -> None:
    made, clock = await _full(http, offer), parts.clock
    assert isinstance(clock, Clock)
    clock.s += 59.0
    parts.opening.admission.occupancy.limit = lambda: 0  # type: ignore[method-assign]
    async with post_offer(http, made, offer) as response:
        assert await code_of(response, 503) == "busy"
    clock.s += 5.0
    async with post_offer(http, made, offer) as response:
        assert await code_of(response, 503) == "busy"
    record = await parts.store.sessions.get(made["session"])
    assert record.expires_at > clock.now()
    del parts.opening.admission.occupancy.limit
    async with post_offer(http, made, offer) as response:
        assert response.status == 200


async def test_a_ticket_that_is_over_stands_in_no_line(
    http: Http, parts: Parts, offer: str
) -> None:
    made, clock = await _full(http, offer), parts.clock
    assert isinstance(clock, Clock)
    clock.s += 61.0
    async with post_offer(http, made, offer) as response:
        assert await code_of(response, 401) == "ticket_invalid"
    assert len(parts.opening.admission.line) == 0
