"""`lookgate`: arguments in, one line per answer out.

Here: which command runs what, and how it ends. Not here: what a command takes (arguments.py), any
work (server/app.py, admin.py, attempt.py, demo.py, models).
Exit codes: 0 done or accepted, 1 refused, 2 wrong usage or not available.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import logging
import sys
from collections.abc import Callable, Mapping, Sequence

from models.errors import ModelError
from pipeline.refusal import Refusal
from server import event_loop, log
from server.commands.arguments import parser
from server.settings import markdown, places
from server.settings.load import (
    ConfigError,
    Settings,
    command_line,
    environ_of_one,
    load,
    of_services,
)
from server.tools.evaluation import command as evaluation

logger = logging.getLogger(__name__)

REFUSED = 1
UNAVAILABLE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; what goes wrong is one line on standard error, never a traceback."""
    # A file's name may hold what the terminal cannot show; that must not end a command.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    given = parser().parse_args(arguments)
    try:
        return COMMANDS[given.command](given)
    except ConfigError as error:
        for problem in error.problems:
            _tell(error.code, problem, UNAVAILABLE)
        return UNAVAILABLE
    except ModelError as error:  # no Refusal, because models/ imports nothing of pipeline/
        text = f"{error.text} ({error.cause})" if error.cause else error.text
        return _tell(error.code, text, UNAVAILABLE)
    except Refusal as error:
        return _tell(error.code, error.text, UNAVAILABLE)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return UNAVAILABLE
    except OSError as error:
        return _tell("system", _with_path(error), UNAVAILABLE)
    except Exception as error:
        # A bug, whose text may hold what nobody should read.
        return _tell("internal", f"a mistake of ours ({type(error).__name__})", UNAVAILABLE)


def _tell(code: str, text: str, status: int) -> int:
    one_line = " ".join(text.split())
    print(f"lookgate: {code}: {one_line}", file=sys.stderr)
    return status


def _with_path(error: OSError) -> str:
    """What the system said, after the names of the files that it said it of."""
    names = [str(name) for name in (error.filename, error.filename2) if name is not None]
    return ": ".join([*names, error.strerror or type(error).__name__])


def _settings(processes: int = 1) -> Settings:
    settings = load(processes=processes)
    log.set_up(style=settings.log_format, level=settings.log_level)
    if ignored := of_services():
        text = "variables of a Kubernetes Service are no settings"
        logger.info(text, extra={"ignored": " ".join(ignored)})
    return settings


def _serve(given: argparse.Namespace) -> int:
    settings = _settings(given.processes)
    if given.link is None and given.processes > 1:
        return _supervise(settings, given.processes)
    from server import app

    event_loop.run(
        app.serve(settings) if given.link is None else _serve_among(settings, given.link)
    )
    return 0


def _supervise(settings: Settings, count: int) -> int:
    """In this process no server: it starts them, and this module is what it starts."""
    from server.processes import signals

    command = [sys.executable, "-m", "server.commands.main", "serve", "--link"]
    # On asyncio's loop: uvloop starts no process in a group of its own, and this one sees no media.
    return asyncio.run(
        signals.supervise(
            count,
            command,
            settings=settings,
            environ=environ_of_one(count, settings),
        )
    )


async def _serve_among(settings: Settings, link: int) -> None:
    from server import app
    from server.processes.member import Member

    await app.serve(settings, member=await Member.join(link))


def _demo(given: argparse.Namespace) -> int:
    from server.commands import demo

    if given.headless:
        return asyncio.run(demo.headless(given.data))
    return demo.run(given.data)


def _config(given: argparse.Namespace) -> int:
    if given.markdown:
        print(markdown.settings_page(), end="")
    else:
        settings = load()
        if problems := places.problems(settings):
            raise ConfigError(problems)
        print("\n".join(markdown.shown(settings)))
    return 0


def _admin(given: argparse.Namespace) -> int:
    settings = _settings()
    from server.commands import admin_verbs

    return admin_verbs.run(given, settings)


def _audit(given: argparse.Namespace) -> int:
    from server.commands import audit_verbs

    return audit_verbs.run(given, _settings)


def _backup(given: argparse.Namespace) -> int:
    from server.commands import backup_verbs

    return backup_verbs.backup_verb(given, _settings())


def _restore(given: argparse.Namespace) -> int:
    from server.commands import backup_verbs

    return backup_verbs.restore_verb(given, _settings())


def _models(given: argparse.Namespace) -> int:
    from server.commands import models_verbs

    return models_verbs.run(given, _settings().models_dir)


def _synth(given: argparse.Namespace) -> int:
    from server.commands import synth_verb

    return synth_verb.run(given, _settings)


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
            purpose=given.command,
            subject=getattr(given, "subject", None),
            replace=getattr(given, "replace", False),
            consent=getattr(given, "consent", None),
            video=given.video,
            origin=given.origin,
            wait_on=attempt.in_line(lambda text: print(f"lookgate: {text}", file=sys.stderr)),
        )
    )
    print("\n".join(attempt.report(result)))
    return 0 if result.claims is not None else REFUSED


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "serve": _serve,
    "demo": _demo,
    "config": _config,
    "client": _admin,
    "models": _models,
    "keys": _admin,
    "subject": _admin,
    "invite": _admin,
    "audit": _audit,
    "gc": _admin,
    "backup": _backup,
    "restore": _restore,
    "enroll": _attempt,
    "login": _attempt,
    "identify": _attempt,
    "replay": _replay,
    "explain": _explain,
    "synth": _synth,
    "evaluate": _evaluation,
    "calibrate": _evaluation,
}


if __name__ == "__main__":
    raise SystemExit(main())
