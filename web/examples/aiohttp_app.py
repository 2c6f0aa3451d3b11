import os
import secrets
from typing import Any

import jwt
from aiohttp import BasicAuth, ClientSession, web

SERVER = "http://localhost:8470"
CLIENT, SECRET = "my-app", os.environ["FACE_SECRET"]
CLAIMS = ["iss", "aud", "exp", "iat", "nonce", "jti", "sub", "purpose"]

keys = jwt.PyJWKClient(f"{SERVER}/.well-known/jwks.json")
waiting: dict[str, tuple[str, str]] = {}  # who: purpose and nonce of the attempt under way


def person() -> str:
    return "alice"  # whoever passed the first factor; take the name from your own session


async def page(request: web.Request) -> web.FileResponse:
    return web.FileResponse("page.html")


async def session(request: web.Request) -> web.Response:
    purpose, nonce = request.match_info["purpose"], secrets.token_urlsafe(32)
    asked = {"purpose": purpose, "subject": person(), "nonce": nonce}
    async with ClientSession(auth=BasicAuth(CLIENT, SECRET)) as http:
        answer = await http.post(f"{SERVER}/v1/sessions", json=asked)
        if answer.ok:
            waiting[person()] = purpose, nonce
        # With the ticket; or with the error, which the element shows.
        return web.json_response(await answer.json(), status=answer.status)


def verify(token: str, purpose: str, nonce: str, subject: str) -> dict[str, Any]:
    key = keys.get_signing_key_from_jwt(token)
    wanted: Any = {"audience": CLIENT, "issuer": SERVER, "options": {"require": CLAIMS}}
    claims = jwt.decode(token, key, algorithms=["ES256"], leeway=5, **wanted)  # leeway: seconds
    if jwt.get_unverified_header(token).get("typ") != "face+jwt":
        raise ValueError("not a token of a face")
    if (claims["purpose"], claims["nonce"], claims["sub"]) != (purpose, nonce, subject):
        raise ValueError("not of this attempt")
    return claims


async def done(request: web.Request) -> web.Response:
    purpose, nonce = waiting.pop(person(), ("", ""))  # taken once, so each token is
    try:
        claims = verify((await request.json())["token"], purpose, nonce, person())
    except (jwt.PyJWTError, ValueError, KeyError):
        raise web.HTTPUnauthorized from None
    return web.json_response({"subject": claims["sub"]})  # let the person in


app = web.Application()
app.add_routes([web.get("/", page), web.post("/face/session/{purpose:enroll|login}", session)])
app.add_routes([web.post("/face/done", done)])
if __name__ == "__main__":
    web.run_app(app, host="localhost", port=8000)
