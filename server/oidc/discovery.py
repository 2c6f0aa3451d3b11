"""What this provider says of itself. A test compares every word with what it does.

Pure. Not here: the endpoints (server/http/operations.py). Source: OpenID Connect Discovery 1.0
section 3; RFC 8414 section 2; RFC 9126 section 5; RFC 9207 section 3.
"""

from __future__ import annotations

from typing import Any

from server.oidc.authorize import LOCALES, RESPONSE_MODES, SCOPES
from server.oidc.claims import ACRS, CLAIMS
from server.oidc.registration import ALGS, AUTHS, SUBJECT_TYPES


def document(issuer: str) -> dict[str, Any]:
    """The metadata of the provider at this address."""
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "pushed_authorization_request_endpoint": f"{issuer}/par",
        "introspection_endpoint": f"{issuer}/introspect",
        "revocation_endpoint": f"{issuer}/revoke",
        "end_session_endpoint": f"{issuer}/logout",
        "scopes_supported": list(SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": list(RESPONSE_MODES),
        "grant_types_supported": ["authorization_code"],
        "acr_values_supported": list(ACRS),
        "subject_types_supported": list(SUBJECT_TYPES),
        "id_token_signing_alg_values_supported": list(ALGS),
        "token_endpoint_auth_methods_supported": list(AUTHS),
        "token_endpoint_auth_signing_alg_values_supported": list(ALGS),
        "introspection_endpoint_auth_methods_supported": [how for how in AUTHS if how != "none"],
        "introspection_endpoint_auth_signing_alg_values_supported": list(ALGS),
        "revocation_endpoint_auth_methods_supported": list(AUTHS),
        "revocation_endpoint_auth_signing_alg_values_supported": list(ALGS),
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "claim_types_supported": ["normal"],
        "claims_supported": list(CLAIMS),
        "ui_locales_supported": list(LOCALES),
        "authorization_response_iss_parameter_supported": True,
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        # Its default is true (Discovery 3). That of /par is another one (RFC 9126 section 5).
        "request_uri_parameter_supported": False,
        "require_request_uri_registration": False,
        "require_pushed_authorization_requests": False,
    }
