"""The tables, and how a file of an older version becomes one of this.

Not here: what is read from them or written into them (one module for each noun).
Source: sqlite.org/stricttables.html, sqlite.org/partialindex.html, PRAGMA user_version.
"""

from __future__ import annotations

import aiosqlite

from server.store.port import WrongSchema

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE clients (
            client_id TEXT PRIMARY KEY, secret_hash BLOB NOT NULL, origins TEXT NOT NULL,
            policy TEXT NOT NULL, created_at INTEGER NOT NULL) STRICT, WITHOUT ROWID""",
        """CREATE TABLE sessions (
            session_id TEXT PRIMARY KEY,
            client_id TEXT NOT NULL REFERENCES clients ON DELETE CASCADE,
            purpose TEXT NOT NULL, subject TEXT, nonce TEXT NOT NULL, ticket_hash BLOB NOT NULL,
            state TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
            claimed_at INTEGER, finished_at INTEGER, reasons TEXT NOT NULL,
            evidence TEXT NOT NULL, replace_template INTEGER NOT NULL) STRICT""",
        "CREATE INDEX sessions_by_subject ON sessions (client_id, subject)",
        "CREATE INDEX sessions_by_expiry ON sessions (expires_at)",
        """CREATE TABLE templates (
            client_id TEXT NOT NULL REFERENCES clients ON DELETE CASCADE,
            subject TEXT NOT NULL, template_id TEXT NOT NULL, model_id TEXT NOT NULL,
            created_at INTEGER NOT NULL, quality REAL NOT NULL, key_id TEXT NOT NULL,
            sealed BLOB NOT NULL, PRIMARY KEY (client_id, subject)) STRICT""",
        # No foreign key: the count outlives the client (see Templates.gallery_version in port.py).
        """CREATE TABLE galleries (
            client_id TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT, WITHOUT ROWID""",
        """CREATE TABLE failures (
            client_id TEXT NOT NULL REFERENCES clients ON DELETE CASCADE,
            subject TEXT NOT NULL, n INTEGER NOT NULL, last_at INTEGER NOT NULL,
            PRIMARY KEY (client_id, subject)) STRICT, WITHOUT ROWID""",
        """CREATE TABLE signing_keys (
            kid TEXT PRIMARY KEY, public_jwk TEXT NOT NULL, sealed_private BLOB NOT NULL,
            created_at INTEGER NOT NULL, retire_at INTEGER) STRICT""",
        # At most one key signs, whoever asks: the race of two first starts ends here.
        """CREATE UNIQUE INDEX one_key_signs ON signing_keys (retire_at IS NULL)
            WHERE retire_at IS NULL""",
    ),
    ("ALTER TABLE sessions ADD COLUMN challenge TEXT NOT NULL DEFAULT 'none'",),
    (
        # A template of before has no vector, and no server remembers a gallery of before.
        "ALTER TABLE templates ADD COLUMN vector BLOB",
        "ALTER TABLE templates ADD COLUMN changed INTEGER NOT NULL DEFAULT 0",
        "CREATE INDEX templates_by_change ON templates (client_id, changed)",
        # Of `version`, so many are told by templates.changed or in removals.
        "ALTER TABLE galleries ADD COLUMN logged INTEGER NOT NULL DEFAULT 0",
        # The id and not the subject: who was forgotten is not named anywhere.
        """CREATE TABLE removals (
            client_id TEXT NOT NULL, logged INTEGER NOT NULL, template_id TEXT NOT NULL,
            PRIMARY KEY (client_id, logged)) STRICT, WITHOUT ROWID""",
    ),
    (
        # No foreign key: what was recorded outlives the client, the session and the person.
        """CREATE TABLE audit (
            chain TEXT NOT NULL, seq INTEGER NOT NULL, prev BLOB NOT NULL,
            ref TEXT NOT NULL UNIQUE, body TEXT NOT NULL, hash BLOB NOT NULL, seal BLOB NOT NULL,
            PRIMARY KEY (chain, seq)) STRICT""",
        "CREATE TABLE audit_chains (chain TEXT PRIMARY KEY) STRICT, WITHOUT ROWID",
    ),
    (
        # Templates and clients of before: not rotated, not counted, not sealed.
        "ALTER TABLE templates ADD COLUMN counter INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE templates ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE clients ADD COLUMN seal BLOB",
        """CREATE TABLE anchors (
            client_id TEXT NOT NULL REFERENCES clients ON DELETE CASCADE, part INTEGER NOT NULL,
            version INTEGER NOT NULL, sealed BLOB NOT NULL,
            PRIMARY KEY (client_id, part)) STRICT""",
    ),
    (
        # Counters (server/store/tries.py). What was counted of names that nobody has is forgotten:
        # people type passwords into name fields.
        """CREATE TABLE tries (
            client_id TEXT NOT NULL REFERENCES clients ON DELETE CASCADE,
            kind TEXT NOT NULL, key TEXT NOT NULL, subject TEXT,
            n INTEGER NOT NULL DEFAULT 0, total INTEGER NOT NULL DEFAULT 0, since INTEGER,
            last_at INTEGER, taken TEXT NOT NULL DEFAULT '[]', tag TEXT NOT NULL DEFAULT '',
            expires_at INTEGER, PRIMARY KEY (client_id, kind, key)) STRICT, WITHOUT ROWID""",
        "CREATE INDEX tries_by_subject ON tries (client_id, subject) WHERE subject IS NOT NULL",
        "CREATE INDEX tries_by_expiry ON tries (expires_at) WHERE expires_at IS NOT NULL",
        """INSERT INTO tries (client_id, kind, key, subject, n, total, since, last_at)
            SELECT client_id, 'strangers', subject, subject, n, n, last_at, last_at FROM failures
            WHERE EXISTS (SELECT 1 FROM templates WHERE templates.client_id = failures.client_id
            AND templates.subject = failures.subject)""",
        "DROP TABLE failures",
        "ALTER TABLE sessions ADD COLUMN tries TEXT NOT NULL DEFAULT '[]'",
    ),
    (
        """CREATE TABLE consent_texts (
            client_id TEXT NOT NULL REFERENCES clients ON DELETE CASCADE,
            text_id TEXT NOT NULL, version TEXT NOT NULL, set_at INTEGER NOT NULL,
            content TEXT NOT NULL, PRIMARY KEY (client_id, text_id, version)) STRICT""",
        "ALTER TABLE sessions ADD COLUMN consent TEXT",
        "ALTER TABLE templates ADD COLUMN consent BLOB",
    ),
    (
        """CREATE TABLE retention (
            client_id TEXT PRIMARY KEY REFERENCES clients ON DELETE CASCADE,
            templates INTEGER, sessions INTEGER, tapes INTEGER, since INTEGER)
            STRICT, WITHOUT ROWID""",
        """CREATE TABLE successes (
            client_id TEXT NOT NULL REFERENCES clients ON DELETE CASCADE,
            subject TEXT NOT NULL, at INTEGER NOT NULL,
            PRIMARY KEY (client_id, subject)) STRICT, WITHOUT ROWID""",
        """CREATE TABLE clock (
            id INTEGER PRIMARY KEY, believed_at INTEGER NOT NULL, doubted_since INTEGER,
            seen_at INTEGER) STRICT""",
    ),
    # Clients of before do not speak OpenID Connect.
    ("ALTER TABLE clients ADD COLUMN relying TEXT",),
    (
        # OpenID Connect (server/store/oidc). A code goes with its login, an access token with its
        # code; what a person has beside the template goes with the template.
        """CREATE TABLE logins (
            login_id TEXT PRIMARY KEY,
            client_id TEXT NOT NULL REFERENCES clients ON DELETE CASCADE,
            request TEXT NOT NULL, cookie_hash BLOB NOT NULL, state TEXT NOT NULL,
            version INTEGER NOT NULL, subject TEXT, shown TEXT NOT NULL, session_id TEXT,
            attempts INTEGER NOT NULL, challenge_salt BLOB NOT NULL, created_at INTEGER NOT NULL,
            expires_at INTEGER NOT NULL) STRICT""",
        "CREATE INDEX logins_by_subject ON logins (client_id, subject)",
        "CREATE INDEX logins_by_expiry ON logins (expires_at)",
        """CREATE TABLE codes (
            code_hash BLOB PRIMARY KEY,
            login_id TEXT NOT NULL UNIQUE REFERENCES logins ON DELETE CASCADE,
            client_id TEXT NOT NULL, subject TEXT NOT NULL, redirect_uri TEXT NOT NULL,
            code_challenge TEXT, claims TEXT NOT NULL, issued_at INTEGER NOT NULL,
            expires_at INTEGER NOT NULL, used INTEGER NOT NULL DEFAULT 0,
            revoked INTEGER NOT NULL DEFAULT 0) STRICT""",
        """CREATE TABLE access_tokens (
            token_hash BLOB PRIMARY KEY,
            code_hash BLOB NOT NULL REFERENCES codes ON DELETE CASCADE,
            client_id TEXT NOT NULL, subject TEXT NOT NULL, scopes TEXT NOT NULL,
            claims TEXT NOT NULL, expires_at INTEGER NOT NULL) STRICT""",
        "CREATE INDEX access_tokens_by_code ON access_tokens (code_hash)",
        """CREATE TABLE pushed (
            uri_hash BLOB PRIMARY KEY,
            client_id TEXT NOT NULL REFERENCES clients ON DELETE CASCADE,
            request TEXT NOT NULL, expires_at INTEGER NOT NULL) STRICT""",
        """CREATE TABLE seen (
            client_id TEXT NOT NULL REFERENCES clients ON DELETE CASCADE,
            jti_hash BLOB NOT NULL, until INTEGER NOT NULL,
            PRIMARY KEY (client_id, jti_hash)) STRICT, WITHOUT ROWID""",
        """CREATE TABLE authenticators (
            key_id TEXT PRIMARY KEY, people TEXT NOT NULL, subject TEXT NOT NULL,
            user_handle BLOB NOT NULL, public_key BLOB NOT NULL, kind TEXT NOT NULL,
            sign_count INTEGER NOT NULL, created_at INTEGER NOT NULL, used_at INTEGER,
            name TEXT NOT NULL,
            FOREIGN KEY (people, subject) REFERENCES templates ON DELETE CASCADE) STRICT""",
        "CREATE INDEX authenticators_by_subject ON authenticators (people, subject)",
        "CREATE INDEX authenticators_by_handle ON authenticators (user_handle)",
        """CREATE TABLE otps (
            people TEXT NOT NULL, subject TEXT NOT NULL, sealed BLOB NOT NULL, key_id TEXT NOT NULL,
            last_step INTEGER NOT NULL, created_at INTEGER NOT NULL, used_at INTEGER,
            PRIMARY KEY (people, subject),
            FOREIGN KEY (people, subject) REFERENCES templates ON DELETE CASCADE) STRICT""",
        # A list of hex, because it changes as one.
        """CREATE TABLE recovery (
            people TEXT NOT NULL, subject TEXT NOT NULL, hashes TEXT NOT NULL, used_at INTEGER,
            PRIMARY KEY (people, subject),
            FOREIGN KEY (people, subject) REFERENCES templates ON DELETE CASCADE) STRICT""",
        """CREATE TABLE profiles (
            people TEXT NOT NULL, subject TEXT NOT NULL, sealed BLOB NOT NULL, key_id TEXT NOT NULL,
            PRIMARY KEY (people, subject),
            FOREIGN KEY (people, subject) REFERENCES templates ON DELETE CASCADE) STRICT""",
        """CREATE TABLE invitations (
            token_hash BLOB PRIMARY KEY,
            client_id TEXT NOT NULL REFERENCES clients ON DELETE CASCADE,
            people TEXT NOT NULL REFERENCES clients ON DELETE CASCADE, subject TEXT NOT NULL,
            profile BLOB, key_id TEXT NOT NULL, return_url TEXT, kind TEXT NOT NULL,
            created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL) STRICT""",
        "CREATE INDEX invitations_by_subject ON invitations (people, subject)",
    ),
    (
        # It goes with its session, so that none outlives what it was made from.
        """CREATE TABLE fingerprints (
            session_id TEXT PRIMARY KEY REFERENCES sessions ON DELETE CASCADE,
            client_id TEXT NOT NULL, subject TEXT NOT NULL, created_at INTEGER NOT NULL,
            expires_at INTEGER NOT NULL, accepted INTEGER NOT NULL, key_id TEXT NOT NULL,
            sealed BLOB NOT NULL) STRICT""",
        """CREATE INDEX fingerprints_by_subject
            ON fingerprints (client_id, subject, accepted, created_at)""",
    ),
    (
        # One key signs for each algorithm.
        "ALTER TABLE signing_keys ADD COLUMN alg TEXT NOT NULL DEFAULT 'ES256'",
        "DROP INDEX one_key_signs",
        "CREATE UNIQUE INDEX one_key_signs ON signing_keys (alg) WHERE retire_at IS NULL",
    ),
)
"""Statements that lead from schema version i to i + 1 (PRAGMA user_version); only ever appended."""


async def migrate(db: aiosqlite.Connection, file: object) -> None:
    """Bring the tables up to date, within the caller's transaction. `file` is named in the error.

    Raises WrongSchema.
    """
    ((version,),) = await db.execute_fetchall("PRAGMA user_version")
    if version > len(MIGRATIONS):
        raise WrongSchema(
            f"{file} has schema version {version}; this Lookgate knows up to"
            f" {len(MIGRATIONS)}. Start the newer version, or restore a backup."
        )
    for statements in MIGRATIONS[version:]:
        for statement in statements:
            await db.execute_fetchall(statement)
    if version < len(MIGRATIONS):
        await db.execute_fetchall(f"PRAGMA user_version = {len(MIGRATIONS)}")
