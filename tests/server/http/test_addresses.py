"""Addresses in every form that proxies write them, and requests that come from this machine."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from server.http.addresses import counted, local, read


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.43", "192.0.2.43"),
        ("192.0.2.43:47011", "192.0.2.43"),
        ('"192.0.2.43:47011"', "192.0.2.43"),
        ("192.0.2.43:_gazonk", "192.0.2.43"),
        (" 192.0.2.43 ", "192.0.2.43"),
        ("2001:db8:cafe::17", "2001:db8:cafe::17"),
        ("2001:DB8:CAFE::17", "2001:db8:cafe::17"),
        ("[2001:db8:cafe::17]", "2001:db8:cafe::17"),
        ("[2001:db8:cafe::17]:4711", "2001:db8:cafe::17"),
        ('"[2001:db8:cafe::17]:4711"', "2001:db8:cafe::17"),
        ('"[2001:db8:cafe::17]"', "2001:db8:cafe::17"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%25eth0]:80", "fe80::1"),
        ("::ffff:192.0.2.43", "192.0.2.43"),
        ("[::ffff:192.0.2.43]:80", "192.0.2.43"),
    ],
)
def test_every_form_of_rfc_7239_section_6_is_read(text: str, address: str) -> None:
    assert str(read(text)) == address


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "unknown",
            "_hidden",
            "_SEVKISEK:80",
            "localhost",
            "192.0.2",
            "192.0.2.256",
            "192.0.2.43:",
        ),
        *(
            "192.0.2.43:123456",
            "[192.0.2.43",
            "[]",
            "[]:80",
            "2001:db8::1::2",
            ":80",
            "for=192.0.2.43",
        ),
        *("192.0.2.43, 192.0.2.44", "\u0661.2.3.4", "192.0.2.43:80:80", "1" * 10_000),
    ],
)
def test_anything_else_is_no_address(text: str) -> None:
    assert read(text) is None
    assert counted(text) is None


@given(st.text(max_size=40))
def test_no_text_is_too_strange(text: str) -> None:
    counted(text)


@given(st.ip_addresses(), st.integers(0, 65535))
def test_a_port_changes_nobodys_limit(address: object, port: int) -> None:
    text = f"[{address}]" if ":" in str(address) else str(address)
    assert counted(f"{text}:{port}") == counted(str(address)) is not None


SCRAPER = {"Host": "localhost:8470", "User-Agent": "Prometheus/3.7", "Accept": "*/*"}
SCRAPER |= {"Accept-Encoding": "gzip", "X-Prometheus-Scrape-Timeout-Seconds": "10"}
BROWSER = {"Host": "127.0.0.1:8470", "Accept-Language": "de", "Sec-Fetch-Mode": "navigate"}


@pytest.mark.parametrize("remote", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize(
    "headers", [SCRAPER, BROWSER, {"host": "[::1]:8470"}, {"Host": "LOCALHOST"}]
)
def test_who_asks_from_this_machine_is_known(remote: str, headers: dict[str, str]) -> None:
    assert local(remote, CIMultiDict(headers))


@pytest.mark.parametrize(
    "header",
    [
        *(
            "X-Forwarded-For",
            "Forwarded",
            "X-Real-IP",
            "Via",
            "X-Forwarded-Host",
            "X-Forwarded-Proto",
        ),
        *("CF-Connecting-IP", "True-Client-IP", "X-Client-IP", "X-Cluster-Client-IP", "CDN-Loop"),
        *("Fastly-Client-IP", "X-Envoy-External-Address", "X-Request-Id", "X-Amzn-Trace-Id"),
        *("Traceparent", "X-Forwarded-Server", "X-Original-URL", "x-forwarded-for"),
    ],
)
def test_a_proxy_shows_by_what_it_adds(header: str) -> None:
    assert not local("127.0.0.1", CIMultiDict({**SCRAPER, header: "127.0.0.1"}))


@pytest.mark.parametrize("host", ["login.example.org", "login.example.org:8470", "10.0.0.1", ""])
def test_a_proxy_shows_by_the_name_that_it_is_reached_by(host: str) -> None:
    """And so does a page whose name was made to lead here (DNS rebinding)."""
    assert not local("127.0.0.1", CIMultiDict({**SCRAPER, "Host": host}))


@pytest.mark.parametrize("remote", ["10.0.0.1", "1.2.3.4", "2001:db8::1", "nonsense", "", None])
def test_no_other_request_comes_from_this_machine(remote: str | None) -> None:
    assert not local(remote, CIMultiDict(SCRAPER))
