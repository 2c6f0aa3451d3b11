"""Web origins: which can be allowed, and how they are written."""

from __future__ import annotations

import pytest

from server.origins import is_origin, origin_of


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://shop.example", "https://shop.example"),
        ("https://Shop.Example/", "https://shop.example"),
        ("https://shop.example:443", "https://shop.example"),
        ("http://shop.example:80", "http://shop.example"),
        ("http://shop.example:443", "http://shop.example:443"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://my_host", "http://my_host"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("ionic://localhost", "ionic://localhost"),
        ("tauri://localhost", "tauri://localhost"),
        ("app+dev://shop:8080", "app+dev://shop:8080"),
        ("chrome-extension://abcdefghijklmnop", "chrome-extension://abcdefghijklmnop"),
    ],
)
def test_any_scheme_with_a_host_is_an_origin(text: str, origin: str) -> None:
    assert origin_of(text) == origin
    assert is_origin(origin)
    assert is_origin(text) is (text == origin)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("*", "named whole"),
        ("https://*", "named whole"),
        ("https://*.shop.example", "named whole"),
        ("null", "anybody"),
        ("file:///", "scheme://host"),
        ("file://localhost", "no origin of their own"),
        ("javascript://shop", "no origin of their own"),
        ("", "scheme://host"),
        ("shop.example", "scheme://host"),
        ("localhost:8000", "scheme://host"),
        ("://localhost", "scheme://host"),
        ("https://", "scheme://host"),
        ("https://shop/path", "scheme://host"),
        ("https://shop?x", "scheme://host"),
        ("https://u@shop", "scheme://host"),
        ("https://@shop", "scheme://host"),
        ("https://shop.example,https://b", "scheme://host"),
        ("https://shop example", "scheme://host"),
        ("https://sh\u00f6p.example", "scheme://host"),
        ("https://shop:0", "port"),
        ("https://shop:99999", "port"),
        ("https://shop:x", "port"),
    ],
)
def test_anything_else_is_none(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        origin_of(text)
    assert not is_origin(text)
