"""The settings table for people: docs/settings.md, and what is in force. Reads nothing itself."""

from __future__ import annotations

from server.settings.load import Settings
from server.settings.table import COMMAND_LINE, PREFIX, TABLE, Setting


def settings_page() -> str:
    """docs/settings.md."""
    lines = [
        "<!-- Generated from server/settings/table.py by `lookgate config --markdown`;"
        " do not edit. -->",
        "# Settings",
        "",
        "All settings are environment variables. An empty one counts as unset; one that begins with"
        " `LOOKGATE_` and is not in this list stops the start.",
        "All problems are told at once: `lookgate config` checks without starting anything.",
        "",
        "| variable | value | default | what it does |",
        "|---|---|---|---|",
    ]
    rows: list[Setting | None] = [*TABLE, None, *COMMAND_LINE]
    for row in rows:
        if row is None:
            lines += [
                "",
                "Read by `lookgate enroll`, `login` and `identify` alone:",
                "",
                "| variable | value | default | what it does |",
                "|---|---|---|---|",
            ]
        else:
            default = "" if row.default is None else f"`{row.default}`"
            kind = row.kind + (" (secret)" if row.secret else "")
            lines.append(f"| `{PREFIX}{row.name}` | {kind} | {default} | {row.text} |")
    return "\n".join(lines) + "\n"


def shown(settings: Settings) -> list[str]:
    """One line per setting as it is in force; secrets only say whether they are set."""
    lines = []
    for row in TABLE:
        name = "turn_urls" if row.name == "TURN_URL" else row.name.lower()
        value = getattr(settings, name)
        if value is None or value == ():
            text = "(not set)"
        elif row.secret and not (row.name == "STORE" and str(value).startswith("sqlite:")):
            text = "(set)"
        elif isinstance(value, tuple):
            text = "-".join(map(str, value)) if row.name == "RTC_PORTS" else ", ".join(value)
        else:
            text = f"{value:g}" if isinstance(value, float) else str(value)
        lines.append(f"{PREFIX}{row.name:<20} {text}")
    return lines
