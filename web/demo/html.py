"""HTML that cannot forget to escape: every value is escaped unless it is HTML already.

Templates are constants of this package, never data. Source: OWASP XSS prevention, rules 1 and 2
(element content and quoted attributes are the only places that values are put).
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape


class Html(str):
    """Text that is markup; only `html` and `join` make it."""

    __slots__ = ()


def html(template: str, **values: object) -> Html:
    """Fill `{name}` places with escaped values."""
    return Html(template.format_map({name: _safe(value) for name, value in values.items()}))


def join(parts: Iterable[Html]) -> Html:
    """Markup after markup."""
    return Html("".join(_safe(part) for part in parts))


def _safe(value: object) -> str:
    return str(value) if isinstance(value, Html) else escape(str(value), quote=True)
