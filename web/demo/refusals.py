"""What the demo app refuses: one table of codes with a status and a sentence.

Forms get it as a page, scripts as `{"error": {"code", "text", "retry"}}`. No rendering here.
"""

from __future__ import annotations

from collections.abc import Mapping

TABLE: Mapping[str, tuple[int, str, bool]] = {
    "not_found": (404, "There is nothing here.", False),
    "method_not_allowed": (405, "This address does not take that.", False),
    "request_invalid": (400, "That request makes no sense to this app.", False),
    "request_too_slow": (408, "That took too long to arrive. Try again.", True),
    "request_too_large": (413, "That is too much to send.", False),
    "csrf": (403, "This page was open too long. Reload it and try again.", True),
    "login_needed": (401, "Please log in first.", False),
    "face_needed": (403, "Please log in with your face first.", False),
    "not_enrolled": (409, "You have not set up your face yet.", False),
    "credentials_wrong": (401, "User name or password is wrong.", True),
    "code_wrong": (401, "User name, password or recovery code is wrong.", True),
    "too_many_attempts": (
        429,
        "Too many attempts. Wait a quarter of an hour, then try again.",
        True,
    ),
    "account_guessed": (
        429,
        "Too many wrong passwords for this name. Use a device that you logged in from before, "
        "or a recovery code.",
        False,
    ),
    "app_busy": (503, "Too many people are at the door. Try again in a moment.", True),
    "lookgate_unreachable": (502, "The face-login server cannot be reached right now.", True),
    "lookgate_refused": (502, "The face-login server did not accept this app's request.", False),
    "lookgate_busy": (503, "The face-login server is busy. Try again in a moment.", True),
    "token_refused": (403, "The proof of your face login is not valid.", True),
    "token_replayed": (403, "This proof of a face login was used before.", True),
    "internal": (500, "This app made a mistake.", True),
}
"""code -> HTTP status, sentence, whether trying again may help."""


class Refused(Exception):
    """A refusal that the person or the page's script learns of. `cause` is for the log only."""

    def __init__(self, code: str, cause: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.cause = cause
        self.status, self.text, self.retry = TABLE[code]
