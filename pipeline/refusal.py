"""The one base of every refusal: something is not done, and who asked for it is told why.

Here: `Refusal`. Not here: the codes, which each kind of refusal has beside it; a person's reasons
(reasons.py); bugs, which are no refusals. It is at the bottom of the house, because what is read,
replayed and served can all be refused. models/ has a base of its own (models/errors.py): it runs
before the server is installed and imports nothing of it. So has web/demo, a third party's program.
"""

from __future__ import annotations


class Refusal(Exception):
    """Something cannot be done.

    `code` is stable, `text` is for the people who asked, `cause` is the detail underneath for the
    log, or empty. None of them repeats a secret or what a stranger sent.
    """

    def __init__(self, code: str, text: str, cause: str = "") -> None:
        super().__init__(f"{code}: {text}" + (f" ({cause})" if cause else ""))
        self.code = code
        self.text = text
        self.cause = cause
