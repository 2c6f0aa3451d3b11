"""`lookgate`: arguments in, one line per answer out.

Here: the verbs, their printing and exit codes. Not here: any work (app, admin, attempt, demo,
models). Exit codes: 0 done or accepted, 1 refused, 2 wrong usage or not available.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from models.errors import ModelError
from server import log
from server.settings import page
from server.settings.load import ConfigError, Settings, command_line, load
from server.store.port import Unavailable, WrongSchema
from server.tools.evaluation import command as evaluation

REFUSED = 1
UNAVAILABLE = 2


class Refused(Exception):
    """A command that cannot be done: `lookgate: code: text` on standard error."""

    def __init__(self, code: str, text: str, status: int = UNAVAILABLE) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text
        self.status = status


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; what goes wrong is one line on standard error, never a traceback."""
    given = _parser().parse_args(arguments)
    try:
        return int(given.run(given))
    except Refused as refused:
        return _tell(refused.code, refused.text, refused.status)
    except ConfigError as error:
        for problem in error.problems:
            _tell(error.code, problem, UNAVAILABLE)
        return UNAVAILABLE
    except ModelError as error:
        text = f"{error.text} ({error.cause})" if error.cause else error.text
        return _tell(error.code, text, UNAVAILABLE)
    except Unavailable:
        return _tell("store_unavailable", "The database cannot be reached.", UNAVAILABLE)
    except WrongSchema as error:
        return _tell(error.code, "A newer version of Lookgate wrote this database.", UNAVAILABLE)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return UNAVAILABLE
    except OSError as error:
        return _tell("system", error.strerror or type(error).__name__, UNAVAILABLE)
    except Exception as error:
        # Vault, net and media errors carry a code and a text for people; anything else is a bug,
        # and its text may hold what nobody should read.
        code = getattr(error, "code", None)
        if isinstance(code, str):
            return _tell(code, str(getattr(error, "text", "") or error), UNAVAILABLE)
        return _tell("internal", f"a mistake of ours ({type(error).__name__})", UNAVAILABLE)


def _tell(code: str, text: str, status: int) -> int:
    one_line = " ".join(text.split())
    print(f"lookgate: {code}: {one_line}", file=sys.stderr)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lookgate",
        description="A self-hosted face-login server. Settings are environment variables:"
        " see `lookgate config`.",
    )
    verbs = parser.add_subparsers(required=True, metavar="command")

    _add(verbs, "serve", "run the server", _serve)
    demo = _add(verbs, "demo", "run the server and a demo relying app", _demo)
    demo.add_argument(
        "--headless", action="store_true", help="no browser: enrol and log in from recordings"
    )
    demo.add_argument("--data", type=Path, default=None, help="folder to keep (default: a new one)")
    shown = _add(verbs, "config", "check the settings and print them", _config)
    shown.add_argument("--markdown", action="store_true", help="print docs/settings.md")

    client = verbs.add_parser("client", help="relying apps").add_subparsers(
        required=True, metavar="verb"
    )
    add = _add(client, "add", "make one and print its secret, once", _client_add)
    add.add_argument("client")
    add.add_argument("--origin", action="append", default=[], help="web origin; may be repeated")
    add.add_argument("--policy", default="standard")
    _add(client, "list", "print them", _client_list)
    for name, text, run in (
        ("rotate", "print a new secret; the old one stops at once", _client_rotate),
        ("remove", "with sessions and templates", _client_remove),
    ):
        _add(client, name, text, run).add_argument("client")

    nets = verbs.add_parser("models", help="the nets").add_subparsers(required=True, metavar="verb")
    for name, text in (("fetch", "get, convert and check them"), ("verify", "check the files")):
        _add(nets, name, text, _models_fetch if name == "fetch" else _models_verify)

    keys = verbs.add_parser("keys", help="token signing keys").add_subparsers(
        required=True, metavar="verb"
    )
    rotate = _add(keys, "rotate", "make a new one", _keys_rotate)
    rotate.add_argument(
        "--overlap-s", type=float, default=3600.0, help="the old one stays published so long"
    )
    _add(keys, "list", "print them", _keys_list)

    subject = verbs.add_parser("subject", help="enrolled people").add_subparsers(
        required=True, metavar="verb"
    )
    remove = _add(subject, "remove", "forget one", _subject_remove)
    remove.add_argument("client")
    remove.add_argument("subject")

    for name, text in (
        ("enroll", "enrol a face from a video"),
        ("login", "log in with a video"),
        ("identify", "find out who is in a video"),
    ):
        attempt = _add(verbs, name, text, _attempt)
        attempt.set_defaults(purpose=name)
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

    again = _add(verbs, "replay", "play a recorded session again", _replay)
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
    told = _add(verbs, "explain", "print a recorded session's decision table", _explain)
    told.add_argument("tape", type=Path, help="a tape's folder, or a zip file of it")
    told.add_argument("--html", type=Path, help="write one page with pictures and evidence")
    for verb in (again, told):
        verb.add_argument("--policy", type=Path, help="judge by the fields in this JSON or TOML")
        verb.add_argument("--torn", action="store_true", help="read a tape whose end is missing")

    synth = _add(verbs, "synth", "film a synthetic session from a photo, for tests", _synth)
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
    for name in ("evaluate", "calibrate"):
        verbs.choices[name].set_defaults(run=_evaluation)
    return parser


def _add(verbs: Any, name: str, text: str, run: Callable[..., int]) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
    parser.set_defaults(run=run)
    return parser


def _settings() -> Settings:
    settings = load()
    log.set_up(style=settings.log_format, level=settings.log_level)
    return settings


def _serve(given: argparse.Namespace) -> int:
    settings = _settings()
    from server import app

    asyncio.run(app.serve(settings))
    return 0


def _demo(given: argparse.Namespace) -> int:
    from server.commands import demo

    if given.headless:
        return asyncio.run(demo.headless(given.data))
    return demo.run(given.data)


def _config(given: argparse.Namespace) -> int:
    if given.markdown:
        print(page.markdown(), end="")
    else:
        print("\n".join(page.shown(load())))
    return 0


def _with_admin(work: Callable[[Any], Awaitable[int]]) -> int:
    settings = _settings()
    from server.commands.admin import Admin

    async def run() -> int:
        async with Admin.of(settings) as admin:
            return await work(admin)

    return asyncio.run(run())


def _client_add(given: argparse.Namespace) -> int:
    async def work(admin: Any) -> int:
        secret = await admin.add_client(given.client, given.origin, given.policy)
        print(f"client  {given.client}\nsecret  {secret}\nIt is not shown again.")
        return 0

    return _with_admin(work)


def _client_list(given: argparse.Namespace) -> int:
    async def work(admin: Any) -> int:
        for client in await admin.clients():
            origins = " ".join(client.origins) or "(no web origin)"
            print(f"{client.client_id}  {client.policy}  {client.created_at:%Y-%m-%d}  {origins}")
        return 0

    return _with_admin(work)


def _client_rotate(given: argparse.Namespace) -> int:
    async def work(admin: Any) -> int:
        print(f"secret  {await admin.rotate_client(given.client)}\nIt is not shown again.")
        return 0

    return _with_admin(work)


def _client_remove(given: argparse.Namespace) -> int:
    async def work(admin: Any) -> int:
        await admin.remove_client(given.client)
        print(f"removed {given.client}")
        return 0

    return _with_admin(work)


def _keys_rotate(given: argparse.Namespace) -> int:
    async def work(admin: Any) -> int:
        print(f"new key {await admin.rotate_keys(given.overlap_s)}")
        return 0

    return _with_admin(work)


def _keys_list(given: argparse.Namespace) -> int:
    async def work(admin: Any) -> int:
        for key in await admin.keys():
            until = "signs" if key.retire_at is None else f"published until {key.retire_at:%F %T}"
            print(f"{key.kid}  {key.created_at:%F %T}  {until}")
        return 0

    return _with_admin(work)


def _subject_remove(given: argparse.Namespace) -> int:
    async def work(admin: Any) -> int:
        print(f"removed {await admin.remove_subject(given.client, given.subject)} template(s)")
        return 0

    return _with_admin(work)


def _models_fetch(given: argparse.Namespace) -> int:
    settings = _settings()
    from models.fetch import fetch
    from models.verify import verify

    fetch(
        settings.models_dir,
        None,
        lambda step: print(f"[{step.done}/{step.total}] {step.text}", flush=True),
    )
    verify(settings.models_dir)
    print(f"the nets in {settings.models_dir} are the pinned ones")
    return 0


def _models_verify(given: argparse.Namespace) -> int:
    settings = _settings()
    from models.verify import verify

    verify(settings.models_dir)
    print(f"the nets in {settings.models_dir} are the pinned ones")
    return 0


def _synth(given: argparse.Namespace) -> int:
    from pipeline.synth.camera import Camera
    from pipeline.synth.scenes import KINDS, Scene

    if given.kind == "list":
        print("\n".join(f"{name:15} {kind.says}" for name, kind in KINDS.items()))
        return 0
    if given.out is None:
        raise Refused("synth_out_missing", "give --out")
    width, by, height = given.size.partition("x")
    if not (by and width.isdecimal() and height.isdecimal()):
        raise Refused("synth_wrong", "size must be WIDTHxHEIGHT, as in 640x480")
    try:
        camera = Camera(
            width_px=int(width),
            height_px=int(height),
            fps=given.fps,
            jitter=given.jitter,
            gain=given.gain,
            mirrored=given.mirrored,
            grayscale=given.grayscale,
        )
        scene = Scene(
            given.kind,
            seconds=given.seconds,
            seed=given.seed,
            camera=camera,
            face=given.face,
            place=(given.x, 0.5),
            yaw_deg=given.yaw,
            worn=tuple(given.worn),
        )
    except ValueError as error:
        raise Refused("synth_wrong", str(error)) from None
    from server.tools import synth

    settings = _settings()
    count = synth.make(
        scene, photo=given.photo, other=given.other, out=given.out, models_dir=settings.models_dir
    )
    print(f"{given.out}: {count} pictures, {width}x{height}, {scene.kind}")
    return 0


def _replay(given: argparse.Namespace) -> int:
    from server.commands import tape_verbs

    return tape_verbs.replay_verb(given)


def _explain(given: argparse.Namespace) -> int:
    from server.commands import tape_verbs

    return tape_verbs.explain_verb(given)


def _evaluation(given: argparse.Namespace) -> int:
    return evaluation.run(given, _settings())


def _attempt(given: argparse.Namespace) -> int:
    from server.tools.caller import attempt

    told = command_line()
    secret = attempt.secret_of(given.secret_file)
    log.set_up(style="plain", level="warning")
    result = asyncio.run(
        attempt.attempt(
            server_url=(given.server or told["server"] or "").rstrip("/"),
            client_id=given.client,
            secret=secret,
            purpose=given.purpose,
            subject=getattr(given, "subject", None),
            replace=getattr(given, "replace", False),
            video=given.video,
            origin=given.origin,
        )
    )
    print("\n".join(attempt.report(result)))
    return 0 if result.claims is not None else REFUSED


if __name__ == "__main__":
    raise SystemExit(main())
