"""Two libraries of relying apps go the whole way against our provider, with both algorithms."""

from __future__ import annotations

import json
from pathlib import Path

import jwt
import pytest
from authlib.integrations.starlette_client import OAuth

from server.store.relying import RelyingParty
from tests.oidc.provider import SECRET, Provider, answer_in, free_port, node

pytestmark = pytest.mark.oidc
BOTH = pytest.mark.parametrize("alg", ["RS256", "ES256"])
SHOWN = {"sub": "ann", "acr": "phr", "amr": ["pop", "user", "face", "mfa"]}


@BOTH
async def test_authlib(provider: Provider, alg: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
    back = f"http://localhost:{free_port()}/cb"
    await provider.register("an-app", RelyingParty("App", (back,), id_token_alg=alg))
    registry = OAuth()
    registry.register(
        "lookgate",
        server_metadata_url=f"{provider.issuer}/.well-known/openid-configuration",
        client_id="an-app",
        client_secret=SECRET,
        client_kwargs={"scope": "openid profile", "code_challenge_method": "S256"},
    )
    app = registry.create_client("lookgate")
    begun = await app.create_authorization_url(back)
    url, _, _ = await provider.walk(begun["url"], until=back)
    told = answer_in(url)
    assert told["state"] == begun["state"]
    tokens = await app.fetch_access_token(
        code=told["code"], redirect_uri=back, code_verifier=begun["code_verifier"]
    )
    # It verifies signature, issuer, audience, nonce, times and at_hash.
    claims = await app.parse_id_token(tokens, nonce=begun["nonce"])
    assert jwt.get_unverified_header(tokens["id_token"])["alg"] == alg
    assert {name: claims[name] for name in SHOWN} == SHOWN
    info = await app.userinfo(token=tokens)
    assert dict(info) == {"sub": "ann", "preferred_username": "ann"}
    with pytest.raises(Exception, match="nonce"):
        await app.parse_id_token(tokens, nonce="another")


@BOTH
async def test_openid_client(provider: Provider, alg: str, tmp_path: Path) -> None:
    port = free_port()
    app = f"http://localhost:{port}"
    await provider.register("an-app", RelyingParty("App", (f"{app}/cb",), id_token_alg=alg))
    async with node(
        "openid-client.mjs",
        tmp_path / "app.log",
        ISSUER=provider.issuer,
        CLIENT_ID="an-app",
        CLIENT_SECRET=SECRET,
        PORT=str(port),
    ):
        _, status, text = await provider.walk(f"{app}/login")
        assert status == 200, text
        said = json.loads(text)
        assert {name: said["claims"][name] for name in SHOWN} == SHOWN
        assert said["info"] == {"sub": "ann", "preferred_username": "ann"}
        # Mix-up (RFC 9207): it takes no answer that says another issuer.
        begun, _, _ = await provider.walk(f"{app}/login", until=f"{app}/cb")
        other = begun.replace("iss=http", "iss=https", 1)
        assert other != begun
        _, status, text = await provider.walk(other)
        assert (status, json.loads(text)["code"]) == (500, "OAUTH_INVALID_RESPONSE")
        _, status, text = await provider.walk(begun)
        assert status == 200, text
