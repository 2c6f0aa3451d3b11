"""Recorded sessions: what goes onto a tape, how it is read back, and how it is played again.

fields.py and lines.py are the format, writer.py and reader.py its two sides, replay.py a session
played again, video.py the one door to PyAV here, explain.py and explain_html.py its table for
people. Not here: when to record, where, for how long (server/session/recorder.py), nets
(server/tools/reseeing.py). Source: docs/tape.md.
"""

from __future__ import annotations

from pipeline.refusal import Refusal

FORMAT = "lookgate-tape"
VERSION = 7
"""6 asked for what a window lacked no sooner when it was late. 4 had one margin of the anti-spoof
net, and no detail. 3 had no glances, and asked by periods alone. 2 had no borders, no colour and no
attention. 1, before the first release, had the whole mesh in space and five points of the face."""
LINES, VIDEO = "tape.jsonl", "video.mkv"
"""The files of a tape's folder."""
CLOCK_HZ = 90000
"""RTP clock of video (RFC 7741 section 4.1): a tick is 1/90000 s."""
CONSENT = (
    "This tape holds the face of a person: pictures, measurements and templates. Keep it as you"
    " keep templates: for those who may see it, as long as it is needed, and remove it when the"
    " person asks."
)
"""In every header, so that nobody who opens one can say that he did not know."""


class TapeError(Refusal):
    """A tape that cannot be used. `code` is stable, `text` for people, `line` from 1 if known.

    tape_missing, tape_not (not a tape at all), tape_newer, tape_older, tape_truncated, tape_corrupt
    (no line of a tape), tape_changed (its checksum does not fit), tape_invalid (intact, but says
    what cannot be), tape_video (the video is absent, damaged or another one).
    """

    def __init__(self, code: str, text: str, line: int | None = None) -> None:
        super().__init__(code, text if line is None else f"line {line}: {text}")
        self.line = line
