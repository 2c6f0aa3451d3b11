"""`python -m models fetch | verify`: for the Makefile and the image build, before the server is
installed.

Here: arguments and printing. Not here: any work. Source: the same functions as `lookgate models
fetch`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from models.added import fetch_added
from models.errors import ModelError
from models.fetch import Progress, fetch
from models.manifest import default_dir, load, load_factors
from models.verify import verify


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when done, 1 when a net cannot be had or is wrong (said on standard error), 2 for wrong
    arguments.
    """
    parser = argparse.ArgumentParser(
        prog="python -m models", description="Get or verify the nets that Lookgate runs."
    )
    parser.add_argument("verb", choices=("fetch", "verify"))
    parser.add_argument("names", nargs="*", help="nets by name; all of them when none is named")
    parser.add_argument("--dir", type=Path, default=None, help=f"default: {default_dir()}")
    parser.add_argument(
        "--with",
        dest="more",
        type=lambda names: [name for name in names.split(",") if name],
        default=[],
        help="nets beside the pack, from where they are published, with commas between them",
    )
    parser.add_argument(
        "--factor",
        dest="factors",
        action="append",
        choices=tuple(load_factors()),
        default=[],
        help="the nets of a factor beside the face, too",
    )
    given = parser.parse_args(arguments)
    directory = given.dir or default_dir()
    names = given.names or None
    try:
        if given.verb == "fetch":
            listed = load()
            for factor in given.factors:
                listed |= load_factors()[factor]
            fetch(directory, names, _print, listed=listed)
            fetch_added(directory, given.more, _print)
        verify(directory, names)
    except ModelError as error:
        print(f"{error.code}: {error.text}", file=sys.stderr)
        if error.cause:
            print(f"  cause: {error.cause}", file=sys.stderr)
        return 1
    print(f"the nets in {directory} are the pinned ones")
    return 0


def _print(progress: Progress) -> None:
    print(f"[{progress.done}/{progress.total}] {progress.text}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
