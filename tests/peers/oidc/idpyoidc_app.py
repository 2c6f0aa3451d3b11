"""A relying app with idpyoidc, run by a Python of its own: / begins, /cb says whom it knows."""

from __future__ import annotations

import json
import os
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qsl, urlsplit

from cryptojwt.key_jar import build_keyjar
from idpyoidc.client.rp_handler import RPHandler

ISSUER, PORT = os.environ["ISSUER"], int(os.environ["PORT"])
HERE = f"http://localhost:{PORT}"
OIDC = "idpyoidc.client.oidc"
SERVICES = {
    "discovery": f"{OIDC}.provider_info_discovery.ProviderInfoDiscovery",
    "authorization": f"{OIDC}.authorization.Authorization",
    "access_token": f"{OIDC}.access_token.AccessToken",
    "userinfo": f"{OIDC}.userinfo.UserInfo",
}
CLIENT = {
    "issuer": ISSUER,
    "provider_info": {"issuer": ISSUER},
    "client_id": os.environ["CLIENT_ID"],
    "client_secret": os.environ["CLIENT_SECRET"],
    "client_type": "oidc",
    "redirect_uris": [f"{HERE}/cb"],
    "response_types_supported": ["code"],
    "scopes_supported": ["openid", "profile"],
    "allow": {"http_links": True},
    "services": {name: {"class": found} for name, found in SERVICES.items()},
    "add_ons": {
        "pkce": {
            "function": "idpyoidc.client.oauth2.add_on.pkce.add_support",
            "kwargs": {"code_challenge_length": 64, "code_challenge_method": "S256"},
        }
    },
}
app = RPHandler(
    base_url=HERE,
    client_configs={"lookgate": CLIENT},
    keyjar=build_keyjar([{"type": "EC", "crv": "P-256", "use": ["sig"]}]),
)


class Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/":
            begun = app.begin("lookgate")
            self.send_response(302)
            self.send_header("Location", begun if isinstance(begun, str) else begun["url"])
            self.end_headers()
            return
        body = b"{}"
        if url.path == "/cb":
            said = app.finalize(ISSUER, dict(parse_qsl(url.query)))
            found = {"error": str(said["error"])} if "error" in said else said["id_token"].to_dict()
            body = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)


HTTPServer(("127.0.0.1", PORT), Pages).serve_forever()
