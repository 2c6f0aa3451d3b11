"""The key of a login: a challenge that was never given before, and the answer to it.

A key that answers says whose it is, or that it is the named person's, and makes its device a known
one for the lockout. An answer is used up, good or bad. Not here: whether a signature fits
(server/factors/passkey.py, server/factors/webcrypto.py).
Source: WebAuthn Level 3 section 7.2; docs/decisions/key-before-camera.md.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from server.factors.key_challenge import challenge_of
from server.factors.passkey import Assertion, read_assertion, request_options, verify_assertion
from server.factors.refused import FactorRefused, bytes_of
from server.factors.steps import Act, State
from server.factors.webcrypto import SIGNATURE_BYTES, verify_signature
from server.http.devices import device_cookie, device_for
from server.http.login.visit import AtPage, moved, sent, step, told, visit_of
from server.keys.token import base64url
from server.people.devices import KEPT, MOST, seal_device
from server.problems import Problem
from server.session.lockout import Caller, device_counter
from server.store.oidc.authenticators import PASSKEY, WEBCRYPTO, Authenticator
from server.store.port import Conflict, NotFound
from server.store.tries import Counter

logger = logging.getLogger(__name__)

MEMBERS = ("kind", "id", "client_data", "authenticator_data", "signature", "user_handle")
"""Of the body of an answer."""

Answer = Assertion | tuple[str, bytes]
"""Of a passkey; or the id of a browser's key, and its signature."""
_ACTS = {PASSKEY: Act.PASSKEY, WEBCRYPTO: Act.DEVICE_KEY}


async def key_options(request: web.Request) -> web.Response:
    """A challenge, as navigator.credentials.get wants it. A key of the browser signs it, too."""
    visit = await visit_of(request)
    await sent(request)
    if visit.login.state not in (State.WHO, State.KEY):
        raise Problem("login_step")
    if not (visit.ways.passkey or visit.ways.device_key):
        raise Problem("level_unmet")
    visit = await moved(visit)  # the next number of this login
    options = request_options(rp_id=visit.rp_id, challenge=challenge_for(visit))
    return told(visit, {"options": options})


async def take_key(request: web.Request) -> web.Response:
    """The answer to it."""
    visit = await visit_of(request)
    given = dict(zip(MEMBERS, await sent(request, *MEMBERS), strict=True))
    act = _ACTS.get(given["kind"]) if isinstance(given["kind"], str) else None
    if act is None:
        raise Problem("request_invalid", "The field kind must be passkey or webcrypto.")
    step(visit, act)
    if not (visit.ways.passkey if act is Act.PASSKEY else visit.ways.device_key):
        raise Problem("level_unmet")
    try:
        answer = read_answer(given)
    except FactorRefused as refused:
        raise Problem("request_invalid", refused.text) from None
    try:
        key = await tried(request, visit, answer)
    except FactorRefused:
        with contextlib.suppress(Problem):
            await moved(visit)  # this challenge is used up
        raise Problem("key_refused") from None
    visit = await moved(visit, act, subject=key.subject)
    response = told(visit)
    await make_known(request, visit, key, response)
    return response


def challenge_for(visit: AtPage) -> bytes:
    """The version grows with every change, so no number comes twice."""
    login = visit.login
    return challenge_of(login.login_id, login.version, login.challenge_salt)


def read_answer(given: Mapping[str, Any]) -> Answer:
    """Raises FactorRefused `key_malformed`."""
    if given["kind"] == PASSKEY:
        return read_assertion(given)
    signature = bytes_of(given["signature"], least=SIGNATURE_BYTES, most=SIGNATURE_BYTES)
    return base64url(bytes_of(given["id"], least=32, most=32)), signature


async def tried(request: web.Request, visit: AtPage, answer: Answer) -> Authenticator:
    """The key that answered. Its failures count on its person's known device, else at the address,
    and in nobody's name, because no number of tries guesses a signature, and a stranger's must lock
    nobody: neither a person nor an office.

    Raises FactorRefused, Problem too_many_failures; Unavailable.
    """
    parts, lockout = visit.parts, visit.parts.opening.lockout
    counters = (await _counter(request, visit, answer),)
    try_id = f"key {visit.login.login_id} {visit.login.version}"
    try:
        await lockout.take(try_id, counters)
    except NotFound:
        raise Problem("login_over") from None
    failed = True
    try:
        key = await _verified(visit, answer)
        failed = False
    except FactorRefused as refused:
        if refused.code == "key_count_back":
            # It may be a copy: for the operator, because nobody else would notice.
            extra = {"login": visit.login.login_id[:8], "client": visit.login.client_id}
            logger.warning("a key's sign count went back", extra=extra)
        raise
    finally:
        await parts.store.tries.end(try_id, counters, failed=failed, at=parts.now())
    return key


async def _counter(request: web.Request, visit: AtPage, answer: Answer) -> Counter:
    """What a try is taken from. Raises Unavailable."""
    parts, people = visit.parts, visit.people
    with contextlib.suppress(NotFound):
        key = await parts.store.authenticators.get(_id_of(answer))
        device_id = device_for(request, parts, client_id=people, subject=key.subject)
        if device_id is not None:
            device = device_counter(people, key.subject, device_id)
            if await parts.store.tries.knows_device(device, parts.now()):
                return device
    return parts.opening.lockout.of_address(people, Caller(visit.address))


def _id_of(answer: Answer) -> str:
    return answer.key_id if isinstance(answer, Assertion) else answer[0]


async def _verified(visit: AtPage, answer: Answer) -> Authenticator:
    store, login = visit.parts.store, visit.login
    refused = FactorRefused("key_refused", "This key does not open this login.")
    try:
        key = await store.authenticators.get(_id_of(answer))
    except NotFound:
        raise refused from None
    named = login.subject is None or key.subject == login.subject
    if key.people != visit.people or not named:
        raise refused
    if isinstance(answer, Assertion):
        if key.kind != PASSKEY:
            raise refused
        count = verify_assertion(
            answer,
            expected_challenge=challenge_for(visit),
            expected_origin=visit.origin,
            expected_rp_id=visit.rp_id,
            expected_user_handle=key.user_handle,
            public_key=key.public_key,
            sign_count=key.sign_count,
        )
    else:
        if key.kind != WEBCRYPTO:
            raise refused
        verify_signature(
            key.public_key,
            answer[1],
            expected_origin=visit.origin,
            expected_challenge=challenge_for(visit),
        )
        count = key.sign_count  # it does not count
    try:
        await store.authenticators.use(key.key_id, key.sign_count, count, visit.parts.now())
    except Conflict:
        raise FactorRefused("key_count_back", "This key was used elsewhere meanwhile.") from None
    except NotFound:
        raise refused from None
    return key


async def make_known(
    request: web.Request, visit: AtPage, key: Authenticator, response: web.Response
) -> None:
    """The device is known by its key: always the same one, so that coming anew gives no new
    tries."""
    parts, now = visit.parts, visit.parts.now()
    whose = {"client_id": visit.people, "subject": key.subject}
    hashed = hashlib.sha256(b"device of key " + key.key_id.encode()).digest()
    device_id = base64url(hashed[:16])
    device = device_counter(visit.people, key.subject, device_id)
    with contextlib.suppress(Conflict):  # it is known
        try:
            await parts.store.tries.keep_device(device, now + KEPT, most=MOST)
        except NotFound:
            raise Problem("login_over") from None
    value = seal_device(parts.vault, **whose, device_id=device_id, now=now)
    response.headers.add("Set-Cookie", device_cookie(request, parts, value, **whose))
