"""The one error of this package: a stable code, a human sentence, a cause.

Here: `ModelError` and its codes. Not here: who prints it (the command line, the server's start).
Source: this project.
"""

from __future__ import annotations

from typing import Literal

Code = Literal[
    "model_unknown",  # a net is asked for that the manifest does not list
    "model_missing",  # a converted file is not in the directory
    "model_hash_mismatch",  # a converted file is there, but is not the pinned one
    "model_download_failed",  # the registry's client could not get the package (offline?)
    "model_source_mismatch",  # the package, or the file inside it, is not the pinned one
    "model_unsupported",  # a net holds something that the converters do not know
    "model_check_failed",  # the converted net does not give the stored reference output
    "model_tools_missing",  # the packages that conversion needs are not installed
    "model_dir_unusable",  # the directory cannot be made, read or written
]


class ModelError(Exception):
    """A net cannot be had or cannot be trusted.

    `code` never changes its meaning, `text` is a whole sentence for a person, `cause` is the
    detail underneath (a client's last lines, an operating system error), or empty.
    """

    def __init__(self, code: Code, text: str, cause: str = "") -> None:
        super().__init__(f"{code}: {text}" + (f" ({cause})" if cause else ""))
        self.code: Code = code
        self.text = text
        self.cause = cause
