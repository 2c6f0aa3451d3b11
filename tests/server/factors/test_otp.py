"""One-time codes: the vectors of RFC 6238, the steps that count, and the QR code."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest

from server.factors.otp import (
    new_secret,
    provisioning_uri,
    qr_svg,
    shown_secret,
    step_of,
)

SECRET = b"12345678901234567890"
"""RFC 6238 appendix B."""


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")],
)
def test_the_vectors_of_the_rfc(seconds: int, code: str) -> None:
    # Of its eight digits the last six, as RFC 4226 section 5.3 cuts them.
    assert step_of(code, SECRET, now=at(seconds), last_step=0) == seconds // 30
    assert step_of(f"{code[:3]} {code[3:]}", SECRET, now=at(seconds), last_step=0) is not None


def test_one_step_either_side_counts_and_two_do_not() -> None:
    now, step = at(1111111109), 1111111109 // 30
    for seconds, found in ((-60, None), (-30, step), (0, step), (30, step), (60, None)):
        told = step_of("081804", SECRET, now=now + timedelta(seconds=seconds), last_step=0)
        assert told == found, seconds
    assert step_of("081804", SECRET, now=now + timedelta(seconds=90), last_step=0) is None
    assert step_of("081804", SECRET, now=now - timedelta(seconds=90), last_step=0) is None


def test_a_step_that_was_used_counts_no_more() -> None:
    now, step = at(59), 1
    assert step_of("287082", SECRET, now=now, last_step=step - 1) == step
    assert step_of("287082", SECRET, now=now, last_step=step) is None
    assert step_of("287082", SECRET, now=now, last_step=step + 1) is None


@pytest.mark.parametrize("code", ["", "28708", "2870822", "28708a", "٢٨٧٠٨٢", "287082\n"])
def test_what_is_no_code_counts_for_none(code: str) -> None:
    assert step_of(code, SECRET, now=at(59), last_step=0) is None


def test_a_new_secret_is_shown_as_text_and_as_a_picture() -> None:
    secret = new_secret()
    assert len(secret) == 20
    uri = provisioning_uri(secret, issuer="Shop & Co", subject="ann@shop.example")
    assert uri.startswith("otpauth://totp/Shop%20%26%20Co:ann%40shop.example?secret=")
    assert shown_secret(secret).replace(" ", "") in uri
    drawn = ElementTree.fromstring(qr_svg(uri))
    assert {element.tag.split("}")[1] for element in drawn.iter()} <= {"svg", "g", "path"}
    assert "style" not in qr_svg(uri)
