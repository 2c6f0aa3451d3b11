"""`lookgate`: every command, what it takes and what `--help` says of it.

Not here: what a command does (main.py), the arguments of an evaluation
(tools/evaluation/command.py).
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from models.manifest import load_factors
from server import cpus
from server.commands import people_verbs, relying_verbs
from server.tools.evaluation import command as evaluation

SAME = -1
"""Of a period: as it is."""
MOST_DAYS = 36_500
MAX_PROCESSES = 64
"""Each takes 240 MB."""


def parser() -> argparse.ArgumentParser:
    """Every command; `command`, and `verb` where there are several, say which one was given."""
    made = argparse.ArgumentParser(
        prog="lookgate",
        description="A self-hosted face-login server. Settings are environment variables:"
        " see `lookgate config`.",
    )
    verbs = made.add_subparsers(required=True, dest="command", metavar="command")

    serve = _add(verbs, "serve", "run the server")
    serve.add_argument(
        "--processes",
        type=_processes,
        default=1,
        metavar="N",
        help="how many share the port and the places; `auto`: one for each CPU",
    )
    serve.add_argument("--link", type=int, help=argparse.SUPPRESS)  # the supervisor's, see main.py
    demo = _add(verbs, "demo", "run the server and a demo relying app")
    demo.add_argument(
        "--headless", action="store_true", help="no browser: enrol and log in from recordings"
    )
    demo.add_argument("--data", type=Path, default=None, help="folder to keep (default: a new one)")
    shown = _add(verbs, "config", "check the settings and print them")
    shown.add_argument("--markdown", action="store_true", help="print docs/settings.md")

    client = verbs.add_parser("client", help="relying apps").add_subparsers(
        required=True, dest="verb", metavar="verb"
    )
    add = _add(client, "add", "make one and print its secret, once")
    add.add_argument("client")
    add.add_argument("--origin", action="append", default=[], help="web origin; may be repeated")
    add.add_argument("--policy", default="standard")
    relying_verbs.add_arguments(add)
    _add(client, "list", "print them")
    for name, text in (
        ("rotate", "print a new secret; the old one stops at once"),
        ("remove", "with its sessions and everybody it enrolled, for ever"),
        ("show", "print what the app has to be told"),
        ("accept-state", "believe its templates as they are, after a part was restored"),
    ):
        _add(client, name, text).add_argument("client")

    consent = _add(client, "consent", "set the text that its people agree to, or print it")
    consent.add_argument("client")
    consent.add_argument("file", nargs="?", type=Path, help="TOML, docs/consent.md; default: print")
    consent.add_argument("--text", action="store_true", help="print the words, too")

    change = _add(client, "set", "change origins or OpenID Connect; secret and people stay")
    change.add_argument("client")
    origins = change.add_mutually_exclusive_group()
    origins.add_argument(
        "--origin", action="append", default=[], help="instead of those before; may be repeated"
    )
    origins.add_argument("--no-origin", action="store_true", help="no web page may use it")
    relying_verbs.add_arguments(change)
    text = "it does not speak OpenID Connect any more"
    change.add_argument("--no-redirect-uri", action="store_true", help=text)

    renew = _add(client, "renew-templates", "revoke what was stolen of it; nobody enrols again")
    renew.add_argument("client")
    renew.add_argument(
        "--no-wait", dest="wait", action="store_false", help="no server of this database runs"
    )

    periods = _add(
        client, "retention", "for how long it keeps what; says it where nothing is given"
    )
    periods.add_argument("client")
    for noun, text in (
        ("templates", "a person whose template nobody used is removed; `none`: never"),
        ("sessions", "since they expired; `none`: one day"),
        ("tapes", "`none`: LOOKGATE_RECORD_DAYS"),
    ):
        periods.add_argument(f"--{noun}", type=_days, default=SAME, metavar="DAYS", help=text)

    nets = verbs.add_parser("models", help="the nets").add_subparsers(
        required=True, dest="verb", metavar="verb"
    )
    fetch = _add(nets, "fetch", "get, convert and check them")
    fetch.add_argument(
        "--with",
        dest="more",
        type=lambda names: [name for name in names.split(",") if name],
        default=[],
        metavar="NET,NET",
        help="nets beside the pack, from where they are published: spoof2, spoof3",
    )
    fetch.add_argument(
        "--factor",
        dest="factors",
        action="append",
        choices=tuple(load_factors()),
        default=[],
        help="the nets of a factor beside the face, too",
    )
    put = _add(nets, "add", "take a net beside the pack from its files")
    put.add_argument("name", help="spoof2 or spoof3 (docs/models.md)")
    put.add_argument("files", nargs="+", type=Path, metavar="FILE")
    _add(nets, "verify", "check the files")
    _add(nets, "list", "which nets there are, and which of them are in place")

    keys = verbs.add_parser("keys", help="token signing keys").add_subparsers(
        required=True, dest="verb", metavar="verb"
    )
    rotate = _add(keys, "rotate", "make a new one")
    rotate.add_argument(
        "--overlap-s", type=float, default=3600.0, help="the old one stays published so long"
    )
    _add(keys, "list", "print them")
    _add(keys, "rotate-data", "seal everything anew with the newest master key, beside servers")

    subject = verbs.add_parser("subject", help="enrolled people").add_subparsers(
        required=True, dest="verb", metavar="verb"
    )
    for name, text in (
        ("show", "print since when one is enrolled, with which keys, codes and profile"),
        ("set", "change what apps are told of one: name and e-mail address"),
        ("export", "print everything that is held of one, as JSON"),
        ("remove", "forget one, and print a signed receipt"),
        ("reset-key", "take all passkeys and browser keys of one away, as after a theft"),
        ("reset-otp", "take the authenticator app and the recovery codes of one away"),
        ("unlock", "let one try again who failed too often, once another factor was seen"),
    ):
        person = _add(subject, name, text)
        person.add_argument("client")
        person.add_argument("subject")
        if name == "set":
            people_verbs.add_arguments(person)
            person.add_argument("--no-profile", action="store_true", help="tell nothing of them")
        if name == "unlock":
            text = "every browser is a new device again"
            person.add_argument("--forget-devices", action="store_true", help=text)

    people_verbs.add_invite(_add(verbs, "invite", "print a link by which one person enrols"))

    audit = verbs.add_parser("audit", help="what was decided and done").add_subparsers(
        required=True, dest="verb", metavar="verb"
    )
    whole = _add(audit, "verify", "name what was removed, altered, inserted, reordered or cut")
    whole.add_argument("file", type=Path, nargs="?", help="an export, in place of the database")
    whole.add_argument("--key", type=Path, help="with an export: what `audit key` printed")
    whole.add_argument("--against", type=Path, metavar="EXPORT", help="must still be there")
    lines = _add(audit, "export", "print the records as JSON lines")
    lines.add_argument("--since", type=_moment, help="a date or time, UTC")
    _add(audit, "key", "print the public key that verifies checkpoints")
    old = _add(audit, "prune", "remove old records, and say so in the audit")
    old.add_argument("--days", type=float, required=True, help="keep those of so many days")
    judge = _add(audit, "rejudge", "decide recorded verdicts again under other thresholds")
    judge.add_argument("--policy", type=Path, required=True, help="fields in JSON or TOML")

    gc = _add(verbs, "gc", "erase what is over its time, as a running server does every hour")
    gc.add_argument("--dry-run", action="store_true", help="say what would go, and erase nothing")
    gc.add_argument(
        "--clock-is-right", action="store_true", help="believe the clock although it jumped"
    )

    for name, text in (
        ("backup", "copy the SQLite database to a file, beside running servers"),
        ("restore", "put such a file in the database's place; stop the servers first"),
    ):
        _add(verbs, name, text).add_argument("file", type=Path)

    for name, text in (
        ("enroll", "enrol a face from a video"),
        ("login", "log in with a video"),
        ("identify", "find out who is in a video"),
    ):
        attempt = _add(verbs, name, text)
        attempt.add_argument("--client", required=True)
        attempt.add_argument(
            "--secret-file", type=Path, help="else the variable LOOKGATE_CLIENT_SECRET"
        )
        attempt.add_argument("--server", help="default: LOOKGATE_SERVER")
        attempt.add_argument("--video", type=Path, required=True, help="a film or a still picture")
        attempt.add_argument("--origin", help="send this Origin header")
        if name != "identify":
            attempt.add_argument("--subject", required=True)
        if name == "enroll":
            attempt.add_argument("--replace", action="store_true")
            attempt.add_argument(
                "--consent",
                required=True,
                metavar="ID",
                help="the text that the person agreed to, as it stands below it: lookgate/1/en",
            )

    again = _add(verbs, "replay", "play a recorded session again")
    again.add_argument("tape", type=Path, help="a tape's folder, or a zip file of it")
    how = again.add_mutually_exclusive_group()
    how.add_argument("--see", action="store_true", help="measure the video again with the nets")
    how.add_argument(
        "--webrtc", action="store_true", help="send the recorded frames, as they are, to a server"
    )
    how.add_argument(
        "--times",
        type=evaluation.whole,
        default=1,
        metavar="N",
        help="play it so often; each time must say the same",
    )
    again.add_argument("--server", help="with --webrtc; default: LOOKGATE_SERVER")
    again.add_argument("--client", help="with --webrtc; the relying app's id")
    again.add_argument("--secret-file", type=Path, help="else LOOKGATE_CLIENT_SECRET")
    again.add_argument("--subject", help="with --webrtc; default: the tape's")
    again.add_argument("--origin", help="with --webrtc; send this Origin header")
    again.add_argument(
        "--consent", metavar="ID", help="with --webrtc, of an enrolment; as `lookgate enroll`"
    )
    told = _add(verbs, "explain", "print a recorded session's decision table")
    told.add_argument("tape", type=Path, help="a tape's folder, or a zip file of it")
    told.add_argument("--html", type=Path, help="write one page with pictures and evidence")
    for verb in (again, told):
        verb.add_argument("--policy", type=Path, help="judge by the fields in this JSON or TOML")
        verb.add_argument("--torn", action="store_true", help="read a tape whose end is missing")

    synth = _add(verbs, "synth", "film a synthetic session from a photo, for tests")
    synth.add_argument("kind", help="what to film; `list` prints all of them")
    synth.add_argument("--photo", type=Path, help="a picture of one face")
    synth.add_argument("--other", type=Path, help="of another one, for two_faces and swap")
    synth.add_argument("--out", type=Path, help="file to write: .mp4, .y4m or .mjpeg")
    synth.add_argument("--seconds", type=float, default=5.0)
    synth.add_argument("--seed", type=int, default=0)
    synth.add_argument("--fps", type=float, default=15.0)
    synth.add_argument("--jitter", type=float, default=0.0, help="0..0.9: uneven times (mp4 only)")
    synth.add_argument("--size", default="640x480", help="WIDTHxHEIGHT")
    synth.add_argument("--face", type=float, default=0.35, help="of the picture's shorter side")
    synth.add_argument("--x", type=float, default=0.5, help="middle of the face, 0 left to 1 right")
    synth.add_argument("--yaw", type=float, default=9.0, help="how far the head turns, degrees")
    synth.add_argument("--gain", type=float, default=1.0, help="exposure")
    synth.add_argument("--worn", action="append", default=[], help="glasses, mask, hat or hand")
    synth.add_argument("--mirrored", action="store_true")
    synth.add_argument("--grayscale", action="store_true")

    evaluation.add(verbs)
    return made


def _days(text: str) -> int | None:
    """Whole days, or None for `none`. Raises ArgumentTypeError."""
    if text == "none":
        return None
    if text.isascii() and text.isdecimal() and 1 <= int(text) <= MOST_DAYS:
        return int(text)
    raise argparse.ArgumentTypeError(f"give 1 to {MOST_DAYS} days, or none")


def _processes(text: str) -> int:
    """A number of processes; `auto` follows the CPUs that this process may use."""
    if text == "auto":
        return min(cpus.whole(), MAX_PROCESSES)
    count = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= count <= MAX_PROCESSES:
        raise argparse.ArgumentTypeError(f"must be 1 to {MAX_PROCESSES}, or auto")
    return count


def _moment(text: str) -> datetime:
    """A date or time of ISO 8601; without a zone it is UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("must be a date or a time, as 2026-05-17") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _add(verbs: Any, name: str, text: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
    return made
