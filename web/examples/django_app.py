import json
import os
import secrets

import httpx
import jwt
from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path, re_path

SERVER = "http://localhost:8470"
CLIENT, SECRET = "my-app", os.environ["FACE_SECRET"]
CLAIMS = ["iss", "aud", "exp", "iat", "nonce", "jti", "sub", "purpose"]
# In a project of yours this stands, with the session and CSRF middleware, in settings.py.
settings.configure(ALLOWED_HOSTS=["localhost"], ROOT_URLCONF=__name__, SECRET_KEY=SECRET)
keys = jwt.PyJWKClient(f"{SERVER}/.well-known/jwks.json")
waiting: dict[str, tuple[str, str]] = {}  # who: purpose and nonce; better in request.session


def person(request: HttpRequest) -> str:
    return "alice"  # whoever passed the first factor: request.user.get_username()


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(open("page.html").read())


def session(request: HttpRequest, purpose: str) -> JsonResponse:
    who, nonce = person(request), secrets.token_urlsafe(32)
    asked = {"purpose": purpose, "subject": who, "nonce": nonce}
    answer = httpx.post(f"{SERVER}/v1/sessions", auth=(CLIENT, SECRET), json=asked)
    if answer.is_success:
        waiting[who] = purpose, nonce
    return JsonResponse(answer.json(), status=answer.status_code)  # the ticket, or the error


def verify(token: str, purpose: str, nonce: str, subject: str) -> dict[str, str]:
    key = keys.get_signing_key_from_jwt(token)
    wanted = {"audience": CLIENT, "issuer": SERVER, "options": {"require": CLAIMS}}
    claims = jwt.decode(token, key, algorithms=["ES256"], leeway=5, **wanted)  # leeway: seconds
    if jwt.get_unverified_header(token).get("typ") != "face+jwt":
        raise ValueError("not a token of a face")
    if (claims["purpose"], claims["nonce"], claims["sub"]) != (purpose, nonce, subject):
        raise ValueError("not of this attempt")
    return claims


def done(request: HttpRequest) -> HttpResponse:
    purpose, nonce = waiting.pop(person(request), ("", ""))  # taken once, so each token is
    try:
        claims = verify(json.loads(request.body)["token"], purpose, nonce, person(request))
    except (jwt.PyJWTError, ValueError, KeyError):
        return HttpResponse(status=401)
    return JsonResponse({"subject": claims["sub"]})  # let the person in: login(request, user)


urlpatterns = [path("", page), re_path("^face/session/(enroll|login)$", session)]
urlpatterns += [path("face/done", done)]
execute_from_command_line(["django_app.py", "runserver", "--noreload", "localhost:8000"])
