"""How a login ends: one code or one error, with state and iss, at the registered address."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from server.oidc.authorize import Declined
from server.oidc.codes import granted_of, hash_of
from server.oidc.login import Location, begin, cookie_name, declined, finish, refuse
from server.problems import Problem
from server.store.oidc.codes import Code
from server.store.oidc.logins import Login
from server.store.port import Client, Conflict
from tests.server.conformance.records import MINUTE
from tests.server.oidc.asking import CHALLENGE, ISSUER, NOW, REDIRECT, a_request, an_app


@dataclass
class Kept:
    """A store of one login, which says what was moved."""

    login: Login
    code: Code | None = None
    moved: list[str] = field(default_factory=list)

    @property
    def logins(self) -> Any:
        return self

    async def move(self, was: Login, now_is: Login, code: Code | None = None) -> Login:
        if was.version != self.login.version:
            raise Conflict("login")
        self.login, self.code = replace(now_is, version=was.version + 1), code
        self.moved.append(now_is.state)
        return self.login


def begun(**changes: str | None) -> Login:
    return begin(a_request(**changes), NOW).login


async def ended(
    kept: Kept, client: Client | None = None, shown: tuple[str, ...] = ("key", "face")
) -> Location:
    return await finish(
        kept,
        kept.login,
        client=client or an_app(),
        subject="ann",
        shown=shown,
        auth_time=NOW,
        liveness=["passive"],
        issuer=ISSUER,
        now=NOW + MINUTE,
    )


def query(location: Location) -> dict[str, str]:
    assert location.href.startswith(REDIRECT + "&")
    pairs = parse_qsl(urlsplit(location.href).query, strict_parsing=True)
    assert len(dict(pairs)) == len(pairs)
    return {name: value for name, value in pairs if name != "a"}


def test_a_login_begins_bound_to_a_browser() -> None:
    one, other = begin(a_request(), NOW), begin(a_request(), NOW)
    assert one.login.cookie_hash == hash_of(one.cookie)
    assert one.login.expires_at - NOW == 10 * MINUTE
    for secret in (one.cookie, one.login.login_id):
        assert len(secret) == 43
        assert secret not in (other.cookie, other.login.login_id)
    assert one.login.challenge_salt != other.login.challenge_salt
    assert one.cookie not in repr(one.login)
    assert cookie_name(one.login.login_id, secure=True).startswith("__Host-login-")
    assert cookie_name("a" * 43, secure=False) == "login-aaaaaaaa"


async def test_a_login_ends_with_a_code_that_is_kept_as_a_hash() -> None:
    kept = Kept(begun(scope="openid email"))
    said = query(await ended(kept))
    assert said.keys() == {"code", "state", "iss"}
    assert (said["state"], said["iss"]) == ("a state", ISSUER)
    assert kept.moved == ["done"]
    code = kept.code
    assert code is not None
    assert code.code_hash == hash_of(said["code"])
    assert len(said["code"]) == 43
    assert (code.subject, code.redirect_uri, code.code_challenge) == ("ann", REDIRECT, CHALLENGE)
    assert code.expires_at - code.issued_at == MINUTE
    granted = granted_of(code.claims)
    assert (granted.acr, granted.amr) == ("phr", ("pop", "user", "face", "mfa"))
    assert (granted.scopes, granted.nonce) == (("openid", "email"), "n" * 16)
    assert granted.auth_time == int(NOW.timestamp())
    assert granted.sid not in kept.login.login_id


async def test_two_ends_of_one_login_give_one_code() -> None:
    kept = Kept(begun())
    was = kept.login
    await ended(kept)
    kept.login = replace(kept.login, state="done")
    with pytest.raises(Conflict):
        await finish(
            kept,
            was,
            client=an_app(),
            subject="ann",
            shown=("key", "face"),
            auth_time=NOW,
            liveness=["passive"],
            issuer=ISSUER,
            now=NOW,
        )


async def test_less_than_the_apps_least_is_no_code() -> None:
    assert (await ended(Kept(begun()), an_app(min_acr="phr"))).params["code"]
    kept = Kept(begun())
    location = await ended(kept, an_app(min_acr="phr"), ("webcrypto", "face"))
    assert query(location) == {
        "error": "unmet_authentication_requirements",
        "state": "a state",
        "iss": ISSUER,
    }
    assert (kept.moved, kept.code) == (["refused"], None)
    kept = Kept(begun())
    assert "error" in (await ended(kept, shown=())).params
    assert kept.code is None


async def test_somebody_else_than_the_hint_says_is_no_code() -> None:
    for sub, outcome in (("ann", "code"), ("bob", "error")):
        asked = replace(a_request(), expected_sub=sub)
        kept = Kept(begin(asked, NOW).login)
        params = (await ended(kept)).params
        assert outcome in params
        assert (kept.code is None) == (outcome == "error")
    assert params["error"] == "login_required"


@pytest.mark.parametrize(
    ("client", "code"),
    [
        (replace(an_app(), relying=None), "oidc_client_unknown"),
        (an_app(redirect_uris=("https://shop.example/new",)), "oidc_redirect_uri"),
    ],
)
async def test_an_app_that_was_changed_meanwhile_gets_no_code(client: Client, code: str) -> None:
    kept = Kept(begun())
    with pytest.raises(Problem) as caught:
        await ended(kept, client)
    assert caught.value.code == code
    assert kept.moved == []
    await ended(kept)


def test_an_error_has_state_and_iss_as_a_code_has() -> None:
    said = query(refuse(begun(), "access_denied", issuer=ISSUER))
    assert said == {"error": "access_denied", "state": "a state", "iss": ISSUER}
    said = query(refuse(begun(state=None), "access_denied", issuer=ISSUER, text="Cancelled."))
    assert said == {"error": "access_denied", "error_description": "Cancelled.", "iss": ISSUER}
    early = Declined("login_required", "Come.", redirect_uri=REDIRECT, state="s")
    assert query(declined(early, issuer=ISSUER)) == {
        "error": "login_required",
        "error_description": "Come.",
        "state": "s",
        "iss": ISSUER,
    }


def test_no_state_breaks_out_of_the_address() -> None:
    evil = "x\r\nSet-Cookie: a=b\r\n\r\n<script>&code=1&iss=https://evil.example#\u2028"
    location = refuse(begun(state=evil), "access_denied", issuer=ISSUER)
    assert not set(location.href) & set("\r\n <>#\u2028")
    said = query(location)
    assert said == {"error": "access_denied", "state": evil, "iss": ISSUER}


def test_the_query_of_an_address_stays() -> None:
    bare = Location("https://shop.example/cb", {"code": "c"})
    assert bare.href == "https://shop.example/cb?code=c"
    assert replace(bare, url=REDIRECT).href == REDIRECT + "&code=c"
