"""Which store a URL means.

Only the choice: a backend is imported when it is asked for, so that the default installation never
loads the MongoDB driver. Source: the form of SQLite URLs is SQLAlchemy's.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from server.store.port import Store
from server.store.tries import LIMITS, Limits

DEFAULT_URL = "sqlite:///lookgate.sqlite3"


def open_store(url: str, data_dir: Path, limits: Limits = LIMITS) -> Store:
    """The store of `url`, not opened yet; `limits` are those of failed tries.

    Raises ValueError, which never quotes the URL: it may hold a password.

    `sqlite:///name` is a file in `data_dir`, `sqlite:////absolute/path` one elsewhere;
    `mongodb://` and `mongodb+srv://` are MongoDB connection strings (database `lookgate` if the
    string names none).
    """
    file = sqlite_file(url, data_dir)
    if file is not None:
        from server.store.sqlite.store import SqliteStore

        return SqliteStore(file, limits=limits)
    scheme, separator, _ = url.partition("://")
    if separator and scheme in ("mongodb", "mongodb+srv"):
        from server.store.mongo.store import MongoStore

        return MongoStore(url, limits=limits)
    raise ValueError(
        "unknown kind of store: give sqlite:///name, mongodb://host/database or"
        " mongodb+srv://host/database"
    )


def sqlite_file(url: str, data_dir: Path) -> Path | None:
    """The file of a SQLite store, None for another kind. Raises ValueError."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme != "sqlite":
        return None
    host, path = urlsplit(url).netloc, unquote(rest.partition("/")[2])
    if host or not path or urlsplit(url).query:
        raise ValueError(
            "a SQLite store is sqlite:///name (in the data directory) or sqlite:////absolute/path"
        )
    return data_dir / path
