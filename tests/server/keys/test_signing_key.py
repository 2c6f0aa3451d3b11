"""One signing key: its public members, its name, and that a row does not choose its algorithm."""

from __future__ import annotations

import dataclasses
import hashlib
import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from server.keys.signing_key import ALGORITHMS, make_key, new_rsa_key, open_key
from server.keys.vault import Vault, VaultError
from tests.server.keys.test_token import NOW, base64url

VAULT = Vault([bytes(range(32))])
MEMBERS = {"ES256": ["crv", "kty", "x", "y"], "RS256": ["e", "kty", "n"]}
"""RFC 7638 section 3.2."""


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_the_thumbprint_is_the_one_of_rfc_7638(alg: str) -> None:
    record = make_key(VAULT, NOW, alg)
    members = json.loads(record.public_jwk)
    assert list(members) == MEMBERS[alg]
    text = "{" + ",".join(f'"{name}":"{members[name]}"' for name in MEMBERS[alg]) + "}"
    assert record.kid == base64url(hashlib.sha256(text.encode()).digest())
    assert record.alg == alg


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_what_is_published_is_public_and_complete(alg: str) -> None:
    key = open_key(VAULT, make_key(VAULT, NOW, alg))
    assert set(key.jwk) == {*MEMBERS[alg], "kid", "use", "alg"}
    assert (key.jwk["use"], key.jwk["alg"], key.jwk["kid"]) == ("sig", alg, key.kid)
    read = jwt.PyJWK.from_dict(key.jwk).key
    assert read.public_numbers() == key.private.public_key().public_numbers()
    assert "private" not in repr(key).lower()


def test_an_rsa_key_is_as_long_as_rfc_7518_asks_for() -> None:
    private = new_rsa_key()
    assert isinstance(private, rsa.RSAPrivateKey)
    assert (private.key_size, private.public_key().public_numbers().e) == (2048, 65537)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_row_does_not_choose_the_algorithm(alg: str) -> None:
    record = make_key(VAULT, NOW, alg)
    (other,) = set(ALGORITHMS) - {alg}
    with pytest.raises(VaultError) as caught:
        open_key(VAULT, dataclasses.replace(record, alg=other))
    assert caught.value.code == "vault_refused"


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_the_private_part_is_sealed_for_its_name(alg: str) -> None:
    record, stranger = make_key(VAULT, NOW, alg), make_key(VAULT, NOW, alg)
    with pytest.raises(VaultError):
        open_key(VAULT, dataclasses.replace(stranger, sealed_private=record.sealed_private))
    with pytest.raises(VaultError):
        open_key(Vault([bytes(32)]), record)
