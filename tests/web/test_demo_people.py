"""What the demo app keeps of people: block list, tries, devices, recovery codes, an older file."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from web.demo.addresses import UNKNOWN, network_of
from web.demo.database import Database
from web.demo.people import accounts, codes, devices, tries
from web.demo.people.blocklist import is_guessable
from web.demo.people.tries import Limit
from web.demo.refusals import Refused

KNOWN = ("Lantern", "ada", "Ada Lovelace", "ada.l@example.org", "+44 20 7946 0000")


@pytest.mark.parametrize(
    "password",
    [
        "password", "PASSWORD", "Password123!", "p@ssw0rd", "sunshine99", "12345678",
        "trustno1", "15021985",
        "aaaaaaaa", "abababab", "ada!ada!", "qwertyui", "87654321", "zyxwvuts",
        "lantern-2026", "LanternLantern", "adalovelace1815", "example.org", "442079460000",
        "lanternpassword", "ada.l@example.org",
    ],
)  # fmt: skip
def test_what_is_guessed_first_is_refused(password: str) -> None:
    assert is_guessable(password, KNOWN)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse", "my dog is brown", "adamant horses eat", "kx7Gq2mWz9", "8403 2291 7735",
        "8403the22917735", "größe und übermut", "日本語のパスワード", "4@8({[<369&#!1/|0$5+7%2",
    ],
)  # fmt: skip
def test_any_other_password_is_taken(password: str) -> None:
    assert not is_guessable(password, KNOWN)


def test_two_letters_of_a_name_are_no_word() -> None:
    assert not is_guessable("libations", ("Li",))


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:50123", "192.0.2.7"),
        (" ::ffff:192.0.2.7 ", "192.0.2.7"),
        ("2001:db8:1:2::7", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::8", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::7", "2001:db8:1:3::/64"),
        ('"[2001:db8:1:2::7]:4711"', "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", UNKNOWN),
        ("_hidden", UNKNOWN),
        ("1.2.3", UNKNOWN),
    ],
)
def test_an_address_counts_as_its_network(text: str, network: str) -> None:
    assert network_of(text) == network


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    Database(tmp_path / "d").close()
    connection = sqlite3.connect(tmp_path / "d", isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys=ON")
    yield connection
    connection.close()


def add(db: sqlite3.Connection, username: str = "ada") -> str:
    entry = accounts.Entry({"name": "A", "username": username, "email": "a@b.cd", "phone": "1"})
    user = accounts.add_user(db, entry, "hash", 0.0)
    assert user is not None
    return user.id


LIMIT, OTHER = Limit("one", 3, 10.0), Limit("other", 5, 10.0)


def test_tries_are_counted_in_a_sliding_window(db: sqlite3.Connection) -> None:
    for at_s in (0.0, 1.0, 2.0):
        tries.count(db, [(LIMIT, "ada")], at_s)
    tries.count(db, [(LIMIT, "bob")], 2.0)
    with pytest.raises(Refused, match="too_many_attempts"):
        tries.count(db, [(LIMIT, "ada")], 9.9)
    tries.count(db, [(LIMIT, "ada")], 10.0)
    with pytest.raises(Refused):
        tries.count(db, [(LIMIT, "ada")], 10.5)


def test_a_refused_try_counts_nowhere(db: sqlite3.Connection) -> None:
    for _ in range(3):
        tries.count(db, [(LIMIT, "ada")], 0.0)
    for _ in range(5):
        with pytest.raises(Refused):
            tries.count(db, [(OTHER, "here"), (LIMIT, "ada")], 1.0)
    tries.count(db, [(OTHER, "here")], 1.0)


def test_a_try_is_taken_back_alone_and_all_are_forgotten(db: sqlite3.Connection) -> None:
    for at_s in (0.0, 0.0, 1.0):
        tries.count(db, [(LIMIT, "ada")], at_s)
    tries.take_back(db, [(LIMIT, "ada")], 0.0)
    tries.count(db, [(LIMIT, "ada")], 2.0)
    with pytest.raises(Refused):
        tries.count(db, [(LIMIT, "ada")], 2.0)
    tries.forget(db, [(LIMIT, "ada")])
    tries.count(db, [(LIMIT, "ada")], 2.0)


def test_what_was_typed_is_not_kept(db: sqlite3.Connection) -> None:
    """People type passwords into the field for their name."""
    tries.count(db, [(LIMIT, "hunter2 hunter2")], 0.0)
    assert "hunter2" not in str([tuple(row) for row in db.execute("SELECT * FROM tries")])


def test_a_device_is_known_for_its_person_alone(db: sqlite3.Connection) -> None:
    ada, bob = add(db), add(db, "bob")
    cookie = devices.trust(db, "", ada, 0.0)
    assert devices.count_failure(db, cookie, ada, 1.0)
    assert not devices.count_failure(db, cookie, bob, 1.0)
    assert not devices.count_failure(db, "", ada, 1.0)
    shared = devices.trust(db, cookie, bob, 2.0)
    assert devices.count_failure(db, shared, ada, 3.0)
    assert devices.count_failure(db, shared, bob, 3.0)
    # A cookie that a stranger planted here is worth nothing after the owner's login.
    assert not devices.count_failure(db, cookie, ada, 3.0)
    assert not devices.count_failure(db, cookie, bob, 3.0)


def test_a_device_is_known_until_too_many_failures_in_a_row(db: sqlite3.Connection) -> None:
    ada = add(db)
    cookie = devices.trust(db, "", ada, 0.0)
    for _ in range(devices.MAX_FAILURES - 1):
        assert devices.count_failure(db, cookie, ada, 1.0)
    cookie = devices.trust(db, cookie, ada, 2.0)  # the right password
    for _ in range(devices.MAX_FAILURES):
        assert devices.count_failure(db, cookie, ada, 3.0)
    assert not devices.count_failure(db, cookie, ada, 4.0)
    devices.take_back(db, cookie, ada)
    assert devices.count_failure(db, cookie, ada, 4.0)


def test_devices_end_by_time_and_by_number(db: sqlite3.Connection) -> None:
    ada = add(db)
    first = devices.trust(db, "", ada, 0.0)
    for n in range(1, devices.MAX_DEVICES):
        devices.trust(db, "", ada, float(n))
    assert devices.count_failure(db, first, ada, 50.0)
    devices.trust(db, "", ada, 60.0)
    assert not devices.count_failure(db, first, ada, 61.0)
    last = devices.trust(db, "", ada, 70.0)
    assert not devices.count_failure(db, last, ada, 70.0 + devices.LIFETIME_S)


def test_a_code_works_once_however_it_is_typed(db: sqlite3.Connection) -> None:
    ada, bob = add(db), add(db, "bob")
    made = codes.make(db, ada)
    assert len(set(made)) == codes.HOW_MANY
    assert all(len(text.replace("-", "")) * 5 >= 112 for text in made)
    typed = f" {made[0].upper().replace('-', ' ')} "
    assert codes.count_failure(db, ada, typed)
    assert not codes.count_failure(db, bob, typed)
    assert not codes.use(db, bob, typed)
    assert codes.use(db, ada, typed)
    assert not codes.use(db, ada, made[0])
    assert not codes.count_failure(db, ada, made[0])
    assert codes.count_left(db, ada) == codes.HOW_MANY - 1
    fresh = codes.make(db, ada)
    assert not codes.use(db, ada, made[1])
    assert codes.use(db, ada, fresh[1])


def test_codes_are_kept_as_hashes(db: sqlite3.Connection) -> None:
    made = codes.make(db, add(db))
    kept = str([tuple(row) for row in db.execute("SELECT * FROM codes")]).lower()
    assert not [text for text in made if text in kept or text.replace("-", "") in kept]


def test_a_code_is_worth_nothing_after_too_many_passwords(db: sqlite3.Connection) -> None:
    ada = add(db)
    made = codes.make(db, ada)
    for _ in range(codes.MAX_FAILURES):
        assert codes.count_failure(db, ada, made[0])
    assert not codes.count_failure(db, ada, made[0])
    assert codes.count_failure(db, ada, made[1])
    # NIST SP 800-63B-4 section 3.2.2: all ways to guess a password together.
    assert codes.HOW_MANY * codes.MAX_FAILURES <= 100


def test_the_hundredth_failure_of_strangers_is_the_last(db: sqlite3.Connection) -> None:
    ada = add(db)
    for _ in range(accounts.MAX_FAILURES):
        accounts.count_failure(db, ada)
    with pytest.raises(Refused, match="account_guessed"):
        accounts.count_failure(db, ada)
    accounts.take_back_failure(db, ada)
    accounts.count_failure(db, ada)
    accounts.forget_failures(db, ada)
    accounts.count_failure(db, ada)


def test_leaving_takes_all_of_a_person_along(db: sqlite3.Connection) -> None:
    ada = add(db)
    codes.make(db, ada)
    devices.trust(db, "", ada, 0.0)
    accounts.delete_user(db, ada)
    for table in ("users", "codes", "devices"):
        assert db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 0


# ------------------------------------------------------------------------------------ the file


def modes(folder: Path) -> dict[str, int]:
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


def test_nobody_else_reads_the_files(tmp_path: Path) -> None:
    database = Database(tmp_path / "d")
    assert modes(tmp_path) == {"d": 0o600, "d-wal": 0o600, "d-shm": 0o600}
    database.close()


def test_files_that_others_could_read_are_closed(tmp_path: Path) -> None:
    file = tmp_path / "d"
    with sqlite3.connect(file) as before:
        before.execute("PRAGMA journal_mode=WAL")
        before.execute("CREATE TABLE t (x)")
        before.commit()
        for name in ("d", "d-wal", "d-shm"):
            (tmp_path / name).chmod(0o644)
        database = Database(file)
        assert set(modes(tmp_path).values()) == {0o600}
        database.close()
    before.close()


OLD = """
CREATE TABLE users (id TEXT PRIMARY KEY, name TEXT NOT NULL, username TEXT NOT NULL UNIQUE,
    email TEXT NOT NULL UNIQUE, phone TEXT NOT NULL, password TEXT NOT NULL,
    enrolled INTEGER NOT NULL DEFAULT 0, created_s REAL NOT NULL) STRICT;
CREATE TABLE visits (id TEXT PRIMARY KEY, user_id TEXT REFERENCES users(id) ON DELETE CASCADE,
    level TEXT NOT NULL, csrf TEXT NOT NULL, claims TEXT, expires_s REAL NOT NULL) STRICT;
CREATE TABLE attempts (nonce TEXT PRIMARY KEY,
    visit_id TEXT NOT NULL REFERENCES visits(id) ON DELETE CASCADE, session TEXT NOT NULL,
    purpose TEXT NOT NULL, expires_s REAL NOT NULL) STRICT;
CREATE TABLE used_tokens (jti TEXT PRIMARY KEY, expires_s REAL NOT NULL) STRICT;
CREATE TABLE failures (key TEXT NOT NULL, at_s REAL NOT NULL) STRICT;
INSERT INTO users VALUES ('u1', 'Ada', 'ada', 'ada@example.org', '1', 'hash', 1, 5.0);
INSERT INTO visits VALUES ('v1', NULL, 'guest', 'x', NULL, 9.0);
INSERT INTO visits VALUES ('v2', 'u1', 'member', 'x', NULL, 9.0);
"""
"""A file of the first version, with a person and a guest in it."""


def test_a_file_of_the_first_version_goes_on(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "d") as old:
        old.executescript(OLD)
    old.close()
    for _ in range(2):  # once to change it, once as it is then
        Database(tmp_path / "d").close()
    now = sqlite3.connect(tmp_path / "d", isolation_level=None)
    now.row_factory = sqlite3.Row
    now.execute("PRAGMA foreign_keys=ON")
    assert accounts.find_password(now, "ada") == ("u1", "hash")
    add(now, "eve")
    two = "UPDATE users SET email = 'ada@example.org'"  # no longer unique
    assert now.execute(two).rowcount == 2
    codes.make(now, "u1")
    accounts.delete_user(now, "u1")
    assert codes.count_left(now, "u1") == 0
    assert not now.execute("PRAGMA foreign_key_check").fetchall()
    now.close()
