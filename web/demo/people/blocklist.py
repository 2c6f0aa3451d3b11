"""Passwords that are guessed first: common ones, words, rows of keys, what is known of a person.

The whole password is compared; how strong another one is, nobody asks. Not here: lengths
(accounts.py), how often one may guess (tries.py). Sources: NIST SP 800-63B-4 section 3.1.1.2, and
the lists of zxcvbn (30,000 leaked passwords, English words, names). They come with the package:
nothing is fetched and nothing is written. Its estimator is not used, because a password of 72
signs that was made for it holds the interpreter for 15 s.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from zxcvbn.frequency_lists import FREQUENCY_LISTS

_LISTED = frozenset(word for words in FREQUENCY_LISTS.values() for word in words)
_ROWS = ("qwertyuiop asdfghjkl zxcvbnm", "abcdefghijklmnopqrstuvwxyz", "01234567890")
_RUNS = "\n".join(run.replace(" ", "") for row in _ROWS for run in (row, row[::-1]))
"""zxcvbn finds these by rules of its own, so that its lists lack them."""


def is_guessable(password: str, known: Iterable[str]) -> bool:
    """Whether `password` is among the first that somebody tries who knows the words of `known`.

    `known` has the app's name and what the person typed about themselves. Digits and signs round a
    listed word make no other password of it, because programs that guess put them there first.
    """
    whole = password.casefold()
    if whole in _LISTED or whole in _RUNS or re.fullmatch(r"(.{1,4}?)\1+", whole, re.DOTALL):
        return True
    rest = whole
    # Longest first: "ada.lovelace" goes before "ada" leaves ".lovelace" of it.
    for word in sorted(_words(known), key=len, reverse=True):
        rest = rest.replace(word, "")
    letters = "".join(sign for sign in rest if sign.isalpha())
    if rest != whole and len(letters) < 3:
        return True
    # Twelve digits and a letter are no word with digits round it.
    return letters in _LISTED and 2 * len(letters) >= len(whole)


def _words(known: Iterable[str]) -> set[str]:
    """Each text, its parts, and its digits alone; two letters are part of too many other words."""
    words: set[str] = set()
    for text in known:
        whole = text.casefold()
        words |= {whole, "".join(filter(str.isdigit, whole)), *re.split(r"\W+|_", whole)}
    return {word for word in words if len(word) >= 3}
