"""`lookgate models`: fetch, add, verify and list the nets.

Here: which function does what, and what is printed. Not here: any work (models/). Source:
docs/models.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from models import manifest
from models.added import add, fetch_added
from models.fetch import Progress, fetch
from models.verify import good, verify


def run(given: argparse.Namespace, directory: Path) -> int:
    """Do the verb in the folder of the nets. Raises ModelError."""
    if given.verb == "list":
        for line in listing(directory):
            print(line)
        return 0
    if given.verb == "add":
        add(directory, given.name, given.files)
        net = manifest.load_added()[given.name]
        print(f"{net.file} is ready ({net.licence})")
        if net.warning:
            print(net.warning)
    elif given.verb == "fetch":
        manifest.select(manifest.load_added(), given.more)
        listed = manifest.load()
        for factor in given.factors:
            listed |= manifest.load_factors()[factor]
        fetch(directory, None, _print, listed=listed)
        if given.more:
            fetch_added(directory, given.more, _print)
    verify(directory)
    print(f"the nets in {directory} are the pinned ones")
    return 0


def listing(directory: Path) -> list[str]:
    """A line for each net: its name, whether its file is there, its licence, what it is."""
    pack = manifest.load()
    lines = []
    for name, net in {**pack, **manifest.load_more()}.items():
        if good(directory, net):
            state = "there"
        elif (directory / net.file).exists():
            state = "wrong"
        else:
            state = "missing" if name in pack else "not added"
        lines.append(f"{name:8}{state:11}{net.licence:12}{net.task}")
    return lines


def _print(step: Progress) -> None:
    print(f"[{step.done}/{step.total}] {step.text}", flush=True)
