import os
import secrets
from typing import Any, Literal

import httpx
import jwt
from fastapi import Body, FastAPI, HTTPException, Response
from fastapi.responses import FileResponse

SERVER = "http://localhost:8470"
CLIENT, SECRET = "my-app", os.environ["FACE_SECRET"]
CLAIMS = ["iss", "aud", "exp", "iat", "nonce", "jti", "sub", "purpose"]

app = FastAPI()
keys = jwt.PyJWKClient(f"{SERVER}/.well-known/jwks.json")
waiting: dict[str, tuple[str, str]] = {}  # who: purpose and nonce of the attempt under way


def person() -> str:
    return "alice"  # whoever passed the first factor; take the name from your own session


@app.get("/")
def page() -> FileResponse:
    return FileResponse("page.html")


@app.post("/face/session/{purpose}")
def session(purpose: Literal["enroll", "login"], response: Response) -> Any:
    nonce = secrets.token_urlsafe(32)
    answer = httpx.post(
        f"{SERVER}/v1/sessions",
        auth=(CLIENT, SECRET),
        json={"purpose": purpose, "subject": person(), "nonce": nonce},
    )
    if answer.is_success:
        waiting[person()] = purpose, nonce
    response.status_code = answer.status_code
    return answer.json()  # with the ticket; or with the error, which the element shows


def verify(token: str, purpose: str, nonce: str, subject: str) -> dict[str, Any]:
    key = keys.get_signing_key_from_jwt(token)
    wanted: Any = {"audience": CLIENT, "issuer": SERVER, "options": {"require": CLAIMS}}
    claims = jwt.decode(token, key, algorithms=["ES256"], leeway=5, **wanted)  # leeway: seconds
    if jwt.get_unverified_header(token).get("typ") != "face+jwt":
        raise ValueError("not a token of a face")
    if (claims["purpose"], claims["nonce"], claims["sub"]) != (purpose, nonce, subject):
        raise ValueError("not of this attempt")
    return claims  # if you asked for a challenge, look for it in claims["lookgate_liveness"]


@app.post("/face/done")
def done(token: str = Body(embed=True)) -> dict[str, str]:
    purpose, nonce = waiting.pop(person(), ("", ""))  # taken once, so each token is
    try:
        claims = verify(token, purpose, nonce, person())
    except (jwt.PyJWTError, ValueError):
        raise HTTPException(401) from None
    return {"subject": claims["sub"]}  # let the person in: write it into your session
