"""The demo app's ways in: guessing is slowed, owners are not locked out, a template may be gone."""

from __future__ import annotations

import asyncio
import re
import sqlite3

import pytest

from tests.web.relying_app import ADA, Clock, NewPerson, Person, StandIn
from web.demo.config import Settings
from web.demo.people import accounts, tries
from web.demo.people.passwords import MAX_WAITING
from web.demo.people.visits import LIFETIME_S

WRONG = "guess guess"


def rows(settings: Settings, table: str) -> int:
    with sqlite3.connect(settings.database) as db:
        (count,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()
    db.close()
    return int(count)


async def recovery_codes(person: Person) -> list[str]:
    await person.get("/codes")
    _, page = await person.post("/codes", 200, password=ADA["password"])
    return re.findall(r"<code>([^<]+)</code>", page)


async def recover(person: Person, code: str, status: int = 303, **other: str) -> tuple[str, str]:
    await person.get("/recover")
    form = {"username": "ada", "password": ADA["password"], "code": code, **other}
    return await person.post("/recover", status, **form)


# ------------------------------------------------------------------------------------ guessing


async def test_guesses_count_together_over_all_addresses(new_person: NewPerson) -> None:
    await (await new_person()).register()
    thieves = [await new_person(f"198.51.100.{n}") for n in range(8)]
    for n in range(tries.PASSWORDS_OF_NAME.most):
        await thieves[n % 8].password(401, password=WRONG)
    for thief in thieves:
        _, text = await thief.password(429)  # even the right one is not looked at
        assert "Wait a quarter of an hour" in text


async def test_an_ipv6_host_is_one_address(new_person: NewPerson) -> None:
    for n in range(tries.PASSWORDS_OF_PAIR.most):
        await (await new_person(f"2001:db8::{n:x}")).password(401, password=WRONG)
    await (await new_person("2001:db8::ffff:1:2:3")).password(429, password=WRONG)
    await (await new_person("2001:db8:0:1::1")).password(401, password=WRONG)


async def test_a_stranger_does_not_lock_the_owner_out(new_person: NewPerson) -> None:
    owner, thief, neighbour = await new_person(), await new_person(), await new_person("192.0.2.9")
    await owner.register()
    for person in (thief, neighbour):  # at the owner's address, and elsewhere
        for _ in range(tries.PASSWORDS_OF_PAIR.most):
            await person.password(401, password=WRONG)
    await thief.password(429)
    await owner.get("/login")
    await owner.post("/logout")
    assert (await owner.password())[0] == "/login/face"
    # The owner's success is no news for the thief.
    await thief.password(429)


async def test_a_known_device_is_one_for_its_owner_alone(new_person: NewPerson) -> None:
    ada, eve = await new_person(), await new_person("198.51.100.1")
    await ada.register()
    await eve.register(username="eve")
    for _ in range(tries.PASSWORDS_OF_PAIR.most):
        await eve.password(401, password=WRONG)
    await eve.password(429)


async def test_the_device_cookie_opens_nothing(person: Person, new_person: NewPerson) -> None:
    await person.member()
    known = person.cookie("lantern-device")
    assert known
    other = await new_person()
    other.client.session.cookie_jar.update_cookies({"lantern-device": known})
    await other.get("/members", 401)
    await other.password(401, password=WRONG)
    await other.password()
    assert other.cookie("lantern-device") not in (None, known)
    await other.get("/members", 403)


async def test_a_known_device_may_not_guess_for_ever(person: Person, clock: Clock) -> None:
    await person.register()
    refused = 0
    for _ in range(40):
        await person.get("/login")
        answer = await person.client.post(
            "/login", data={"csrf": person.csrf, "username": "ada", "password": WRONG}
        )
        refused += answer.status == 429
    assert 40 - refused <= 10 + tries.PASSWORDS_OF_PAIR.most


async def test_guesses_of_many_hours_end_at_a_hundred(new_person: NewPerson, clock: Clock) -> None:
    owner, thief = await new_person(), await new_person("198.51.100.1")
    await owner.register()
    for _ in range(accounts.MAX_FAILURES):
        clock.now_s += 900
        await thief.password(401, password=WRONG)
    clock.now_s += 900
    _, text = await thief.password(429)
    assert "a recovery code" in text
    await owner.password()  # from the owner's device, and all is well again
    clock.now_s += 900
    await thief.password(401, password=WRONG)


async def test_a_burst_does_not_slip_through(new_person: NewPerson) -> None:
    thief = await new_person()
    await thief.get("/login")
    form = {"csrf": thief.csrf, "username": "ada", "password": WRONG}
    answers = await asyncio.gather(*(thief.client.post("/login", data=form) for _ in range(20)))
    assert sorted(a.status for a in answers) == [401] * 5 + [429] * 15


async def test_right_passwords_use_nothing_up(person: Person) -> None:
    await person.register()
    for _ in range(tries.PASSWORDS_OF_ADDRESS.most + 5):
        person.clear_cookies()
        await person.password()


async def test_a_password_that_was_not_looked_at_does_not_count(
    new_person: NewPerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, stranger = await new_person(), await new_person("198.51.100.1")
    await owner.member()
    code = (await recovery_codes(owner))[0]
    full = dict.fromkeys(MAX_WAITING, 0)
    await stranger.get("/login")
    with monkeypatch.context() as busy:
        busy.setattr("web.demo.people.passwords.MAX_WAITING", full)
        for _ in range(accounts.MAX_FAILURES + 1):
            await stranger.post("/login", 503, username="ada", password=WRONG)
            await recover(stranger, code, 503)
        for n in range(tries.REGISTRATIONS.most + 1):
            await stranger.post("/register", 503, **{**ADA, "username": f"user{n}"})
        await owner.get("/members")
        for _ in range(20):
            await owner.post("/codes", 503, password=ADA["password"])
    await stranger.register(username="another")
    await recover(stranger, code)
    await stranger.post("/logout", 403)
    stranger.clear_cookies()
    await stranger.password()
    for n in range(tries.PASSWORDS_OF_NAME.most):
        await (await new_person(f"203.0.113.{n}")).password(401, password=WRONG)
    assert len(await recovery_codes(owner)) == 8  # from a device that is still known


async def test_one_address_cannot_try_many_names(person: Person) -> None:
    await person.get("/login")
    for n in range(tries.PASSWORDS_OF_ADDRESS.most):
        await person.post("/login", 401, username=f"user{n}", password="x")
    await person.post("/login", 429, username="user99", password="x")


async def test_thirty_people_of_one_office_log_in_at_once(new_person: NewPerson) -> None:
    first = await new_person()
    await first.register()
    people = [await new_person() for _ in range(30)]

    async def come(person: Person, name: str) -> str:
        await person.register(username=name)
        person.clear_cookies()
        return (await person.password(username=name))[0]

    # In fives, as their proxy would have it: what is tested is the count, not the queue.
    for n in range(0, 30, 5):
        group = [come(person, f"user{n + i}") for i, person in enumerate(people[n : n + 5])]
        assert await asyncio.gather(*group) == ["/login/face"] * 5


async def test_the_line_of_a_proxy_counts_and_not_the_callers(new_person: NewPerson) -> None:
    thief = await new_person()
    await thief.get("/login")
    form = {"csrf": thief.csrf, "username": "ada", "password": WRONG}
    statuses = []
    for n in range(6):
        headers = [("X-Forwarded-For", f"203.0.113.{n}"), ("X-Forwarded-For", "192.0.2.1")]
        del thief.client.session.headers["X-Forwarded-For"]
        answer = await thief.client.post("/login", data=form, headers=headers)
        thief.client.session.headers["X-Forwarded-For"] = "192.0.2.1"
        statuses.append(answer.status)
    assert statuses == [401] * 5 + [429]


# --------------------------------------------------------------------- registering, face sessions


async def test_registering_is_limited_by_address(new_person: NewPerson) -> None:
    person = await new_person()
    for n in range(tries.REGISTRATIONS.most):
        person.clear_cookies()
        await person.register(username=f"user{n}")
    person.clear_cookies()
    await person.get("/register")
    await person.post("/register", 429, **{**ADA, "username": "another"})
    await (await new_person("198.51.100.1")).register(username="another")


async def test_face_sessions_are_limited_by_account_and_address(
    new_person: NewPerson, lookgate: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = await new_person()
    await person.register()
    await person.get("/enroll")
    for _ in range(tries.FACES_OF_ACCOUNT.most):
        await person.api("/api/face/enroll")
    person.client.session.headers["X-Forwarded-For"] = "198.51.100.1"
    answer = await person.api("/api/face/enroll", status=429)
    assert answer["error"]["code"] == "too_many_attempts"
    assert len(lookgate.sessions) == tries.FACES_OF_ACCOUNT.most
    small = tries.Limit("small", 2, 300.0)
    monkeypatch.setattr(tries, "FACES_OF_ADDRESS", small)
    for n in range(3):
        other = await new_person("203.0.113.1")
        await other.register(username=f"user{n}")
        await other.get("/enroll")
        await other.api("/api/face/enroll", status=200 if n < 2 else 429)


# ------------------------------------------------------------------------------------ traces


async def test_looking_at_pages_leaves_no_rows(new_person: NewPerson, settings: Settings) -> None:
    for path in ("/", "/login", "/register", "/recover", "/members", "/nothing-here") * 3:
        person = await new_person()
        answer = await person.client.get(path)
        assert answer.status in (200, 401, 404)
    for table in ("visits", "tries", "devices", "attempts", "users"):
        assert rows(settings, table) == 0


async def test_a_guests_form_needs_the_guests_cookie(new_person: NewPerson) -> None:
    one, other = await new_person(), await new_person()
    await one.get("/login")
    await other.get("/login")
    assert one.csrf != other.csrf
    one.csrf = other.csrf
    await one.post("/login", 403, username="ada", password=WRONG)
    one.clear_cookies()
    await one.post("/login", 403, username="ada", password=WRONG)


async def test_answers_name_no_versions(person: Person) -> None:
    for path in ("/", "/nothing", "/static/demo.css", "/api/x", "/healthz"):
        answer = await person.client.get(path)
        assert answer.headers["Server"] == "lantern"
    answer = await person.client.get("/", headers={"Expect": "foo"})
    assert (answer.status, answer.headers["Server"]) == (417, "lantern")


@pytest.mark.parametrize(
    "path", ["/static/" + "a" * 300 + ".js", "/static/%00", "/static/../app.py", "/static/"]
)
async def test_names_of_files_that_cannot_be_are_not_there(path: str, person: Person) -> None:
    answer = await person.client.get(path)
    assert answer.status in (403, 404)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded", b"csrf=%FF\xff\xfe"),
        ("application/x-www-form-urlencoded; charset=nope", b"csrf=x"),
        ("application/json; charset=nope", b"{}"),
        ("application/json", b"[" * 5000),
        ("application/json", b'{"token": "\\ud800"}'),
        ("multipart/form-data; boundary=x", b"--x\r\n"),
        ("text/plain", b""),
    ],
)
async def test_bytes_that_are_no_form_are_no_bug(kind: str, body: bytes, person: Person) -> None:
    await person.member()
    await person.get("/members")
    for path in ("/login", "/register", "/recover", "/codes", "/api/face/finish"):
        headers = {"Content-Type": kind, "X-CSRF-Token": person.csrf}
        answer = await person.client.post(path, data=body, headers=headers)
        assert answer.status in (400, 403), await answer.text()


# ------------------------------------------------------------------------------ recovery codes


async def test_a_recovery_code_stands_for_the_face_once(
    new_person: NewPerson, lookgate: StandIn
) -> None:
    owner = await new_person()
    await owner.member()
    made = await recovery_codes(owner)
    assert len(made) == 8
    assert made[0] not in await owner.get("/codes")
    elsewhere = await new_person("198.51.100.1")
    assert (await recover(elsewhere, made[0]))[0] == "/members"
    page = await elsewhere.get("/members")
    assert "You are in: password and recovery code." in page
    assert "7 left" in page
    await elsewhere.face("enroll")  # the new camera, or the new face
    assert lookgate.sessions[-1]["replace"] is True
    third = await new_person("198.51.100.2")
    await recover(third, made[0], 401)
    await third.get("/members", 401)
    await recover(third, made[1])


async def test_a_race_for_one_code_has_one_winner(new_person: NewPerson) -> None:
    owner = await new_person()
    await owner.member()
    code = (await recovery_codes(owner))[0]
    people = [await new_person(f"198.51.100.{n}") for n in range(6)]
    answers = await asyncio.gather(*(_try_code(person, code) for person in people))
    assert sorted(answers) == [303] + [401] * 5


async def _try_code(person: Person, code: str) -> int:
    await person.get("/recover")
    form = {"username": "ada", "password": ADA["password"], "code": code, "csrf": person.csrf}
    answer = await person.client.post("/recover", data=form, allow_redirects=False)
    return answer.status


async def test_a_code_alone_or_a_password_alone_opens_nothing(new_person: NewPerson) -> None:
    owner = await new_person()
    await owner.member()
    code = (await recovery_codes(owner))[0]
    thief = await new_person("198.51.100.1")
    _, one = await recover(thief, "aaaa-bbbb", 401)
    _, two = await recover(thief, code, 401, password=WRONG)
    _, three = await recover(thief, code, 401, username="eve")
    for text in (one, two, three):
        assert "User name, password or recovery code is wrong." in text
    await thief.get("/members", 401)
    await recover(thief, code)  # nothing of that used it up


async def test_codes_cannot_be_guessed_fast_and_do_not_lock_the_owner(
    new_person: NewPerson,
) -> None:
    owner, thief = await new_person(), await new_person("198.51.100.1")
    await owner.member()
    code = (await recovery_codes(owner))[0]
    for _ in range(tries.CODES_OF_ADDRESS.most):
        await recover(thief, "aaaa-bbbb", 401)
    await recover(thief, code, 429)
    # Nor do a hundred wrong passwords: the code is the way in for those without a known device.
    for n in range(tries.PASSWORDS_OF_NAME.most):
        await (await new_person(f"203.0.113.{n}")).password(401, password=WRONG)
    stranded = await new_person("192.0.2.77")
    await stranded.password(429)
    await recover(stranded, code)
    await stranded.get("/members")


async def test_right_codes_use_nothing_up(person: Person) -> None:
    await person.member()
    for _ in range(3):
        made = await recovery_codes(person)
        for code in made:
            await recover(person, code)


async def test_new_codes_need_the_password_and_end_the_old_ones(new_person: NewPerson) -> None:
    owner = await new_person()
    await owner.member()
    old = await recovery_codes(owner)
    await owner.get("/codes")
    await owner.post("/codes", 401, password=WRONG)
    new = await recovery_codes(owner)
    assert not set(old) & set(new)
    other = await new_person()
    await recover(other, old[0], 401)
    await recover(other, new[0])


async def test_a_password_alone_gets_no_codes(person: Person) -> None:
    await person.register()
    await person.get("/codes", 403)
    await person.get("/enroll")
    await person.post("/codes", 403, password=ADA["password"])


async def test_codes_are_offered_to_those_who_have_none(person: Person) -> None:
    await person.member()
    assert await person.face("login") == {"next": "/members"}
    assert "you have no other way in" in await person.get("/members")
    assert await person.face("enroll") == {"next": "/codes"}
    await recovery_codes(person)
    assert await person.face("enroll") == {"next": "/members"}


# --------------------------------------------------------------------- a template that is gone


@pytest.mark.parametrize("left", [None, False])
async def test_who_lost_the_template_enrols_again(
    left: bool | None, person: Person, lookgate: StandIn
) -> None:
    """`subject remove` or a lost database takes it; another embedder leaves one without use."""
    await person.member()
    await person.log_out()
    (subject,) = lookgate.templates
    lookgate.templates.clear()
    if left is not None:
        lookgate.templates[subject] = left
    assert (await person.password())[0] == "/login/face"
    await person.get("/login/face", 303)
    await person.get("/enroll")
    answer = await person.api("/api/face/login", status=409)
    assert answer["error"]["code"] == "not_enrolled"
    assert await person.face("enroll") == {"next": "/codes"}
    assert lookgate.sessions[-1]["replace"] is (left is not None)
    await person.get("/members")


async def test_who_lost_the_template_can_leave(person: Person, lookgate: StandIn) -> None:
    await person.member()
    await person.log_out()
    await person.password()
    await person.get("/login/face")
    await person.post("/account/delete", 403, password=ADA["password"])  # the face is still there
    lookgate.templates.clear()
    page = await person.get("/enroll")
    assert "Delete my account" in page
    await person.post("/account/delete", 401, password=WRONG)
    await person.post("/account/delete", password=ADA["password"])
    await person.password(401)


async def test_members_see_what_became_of_their_face(person: Person, lookgate: StandIn) -> None:
    await person.member()
    assert "Set up." in await person.get("/members")
    (subject,) = lookgate.templates
    lookgate.templates[subject] = False
    assert "No longer usable" in await person.get("/members")
    lookgate.templates.clear()
    assert "Not set up" in await person.get("/members")
    lookgate.refuse = (503, "store_unavailable")
    assert "cannot be asked right now" in await person.get("/members")


async def test_a_server_that_does_not_say_is_no_permission(
    person: Person, lookgate: StandIn
) -> None:
    await person.member()
    await person.log_out()
    await person.password()
    await person.get("/login/face")
    lookgate.vague = True
    answer = await person.api("/api/face/enroll", status=502)
    assert answer["error"]["code"] == "lookgate_refused"
    await person.post("/account/delete", 502, password=ADA["password"])
    lookgate.vague, lookgate.refuse = False, (503, "store_unavailable")
    await person.api("/api/face/enroll", status=503)


async def test_a_visit_ends_by_itself(person: Person, clock: Clock) -> None:
    await person.member()
    clock.now_s += LIFETIME_S["member"] + 1
    await person.get("/members", 401)
