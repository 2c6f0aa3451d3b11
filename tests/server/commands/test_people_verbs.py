"""`lookgate invite`, `lookgate subject show` and `set`: what is kept, printed and refused."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from server.commands import main
from server.commands.admin import Admin
from server.oidc.codes import hash_of
from server.parts import utc_now
from server.people.sealed_people import open_invited
from server.settings.load import load
from tests.server.stage import template

RETURN = "https://shop.example/hello"


@pytest.fixture(autouse=True)
def _own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("LOOKGATE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LOOKGATE_PUBLIC_URL", "https://login.example")
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before[0], before[1]


@pytest.fixture
def client(capsys: pytest.CaptureFixture[str]) -> None:
    redirect = ("--redirect-uri", "https://shop.example/cb", "--post-logout-uri", RETURN)
    assert run(capsys, "client", "add", "shop", *redirect)[0] == 0


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main.main(arguments)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def on_store(tmp_path: Path, work: object) -> object:
    """What `work` finds in the store."""

    async def opened() -> object:
        settings = load({"LOOKGATE_DATA_DIR": str(tmp_path / "data"), "HOME": str(tmp_path)})
        async with Admin.of(settings) as admin:
            return await work(admin)  # type: ignore[operator]

    return asyncio.run(opened())


def enrol(tmp_path: Path, subject: str) -> None:
    async def work(admin: Admin) -> None:
        record = await admin.protection().seal(
            template(1),
            client_id="shop",
            subject=subject,
            template_id="t",
            created_at=utc_now(),
        )
        await admin.store.templates.put(record, replace=True)

    on_store(tmp_path, work)


@pytest.mark.usefixtures("client")
def test_a_link_is_printed_once_and_kept_as_a_hash(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    about = ("--name", "Bob", "--email", "bob@example.org", "--email-verified", "--days", "2")
    status, out, _ = run(capsys, "invite", "shop", "bob", *about, "--return-url", RETURN)
    assert status == 0
    link = out.split()[1]
    assert link.startswith("https://login.example/invite/")

    async def work(admin: Admin) -> None:
        token = link.rsplit("/", 1)[1]
        kept = await admin.store.invitations.get(hash_of(token), utc_now())
        assert (kept.subject, kept.return_url, kept.kind) == ("bob", RETURN, "enrol")
        assert kept.expires_at - kept.created_at == timedelta(days=2)
        assert open_invited(admin.vault, kept) == (
            b'{"email": "bob@example.org", "email_verified": true, "name": "Bob"}'
        )

    on_store(tmp_path, work)
    status, out, _ = run(capsys, "subject", "show", "shop", "bob")
    assert (status, "enrolled        no" in out, "invited         enrol" in out) == (0, True, True)
    assert link.rsplit("/", 1)[1] not in out


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize(
    ("more", "code"),
    [
        (("--return-url", RETURN + "/"), "invite_return_url"),
        (("--days", "8"), "invite_days"),
        (("--days", "0"), "invite_days"),
        (("--email", "nobody"), "profile_invalid"),
        (("--email-verified",), "profile_invalid"),
    ],
)
def test_a_bad_invitation_is_refused(
    capsys: pytest.CaptureFixture[str], more: tuple[str, ...], code: str
) -> None:
    assert run(capsys, "invite", "shop", "bob")[0] == 0
    status, out, err = run(capsys, "invite", "shop", "bob", *more)
    assert (status != 0, out) == (True, "")
    assert code in err


def test_who_is_invited_and_by_whom(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(capsys, "client", "add", "shop")[0] == 0
    assert "invite_client" in run(capsys, "invite", "shop", "bob")[2]
    assert "client_unknown" in run(capsys, "invite", "none", "bob")[2]
    redirect = ("--redirect-uri", "https://shop.example/cb")
    assert run(capsys, "client", "set", "shop", *redirect)[0] == 0
    assert "subject_invalid" in run(capsys, "invite", "shop", "a b")[2]
    enrol(tmp_path, "ann")
    assert "invite_enrolled" in run(capsys, "invite", "shop", "ann")[2]


@pytest.mark.usefixtures("client")
def test_a_profile_is_set_shown_and_removed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    one = ("shop", "ann")
    assert "subject_unknown" in run(capsys, "subject", "set", *one, "--name", "Ann")[2]
    enrol(tmp_path, "ann")
    assert "nothing_to_set" in run(capsys, "subject", "set", *one)[2]
    mail = ("--email", "ann@shop.example")
    assert run(capsys, "subject", "set", *one, "--name", "Ann", *mail, "--email-verified")[0] == 0
    out = run(capsys, "subject", "show", *one)[1]
    assert "name            Ann\n" in out
    assert "email_verified  true\n" in out
    assert "recovery codes  0\n" in out
    # Another address was looked at by nobody; the name stays.
    assert run(capsys, "subject", "set", *one, "--email", "new@shop.example")[0] == 0
    out = run(capsys, "subject", "show", *one)[1]
    assert "email           new@shop.example\n" in out
    assert "email_verified  false\n" in out
    assert "name            Ann\n" in out
    assert (
        "profile_invalid" in run(capsys, "subject", "set", *one, "--name", "A", "--no-profile")[2]
    )
    assert run(capsys, "subject", "set", *one, "--no-profile")[0] == 0
    assert "Ann" not in run(capsys, "subject", "show", *one)[1]
    assert "profile_unknown" in run(capsys, "subject", "set", *one, "--no-profile")[2]


@pytest.mark.usefixtures("client")
def test_whose_people_a_client_may_use(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    redirect = ("--redirect-uri", "https://desk.example/cb")

    def refused(*arguments: str) -> str:
        status, _, err = run(capsys, "client", *arguments)
        assert status != 0
        return err

    assert "people_invalid" in refused("add", "desk", *redirect, "--people", "none-such")
    assert "people_invalid" in refused("add", "desk", *redirect, "--people", "desk")
    assert run(capsys, "client", "add", "desk", *redirect, "--people", "shop")[0] == 0
    assert "people          shop\n" in run(capsys, "client", "show", "desk")[1]
    # One level deep, and whose people they are stays while others use them.
    assert "people_invalid" in refused("add", "third", *redirect, "--people", "desk")
    assert "people_used" in refused("set", "shop", "--people", "desk")
    assert "people_used" in refused("set", "shop", "--no-redirect-uri")
    assert "people_used" in refused("remove", "shop")
    enrol(tmp_path, "ann")
    assert "enrolled        no" not in run(capsys, "subject", "show", "desk", "ann")[1]
    assert "removed 1 template" in run(capsys, "subject", "remove", "desk", "ann")[1]
    assert "enrolled        no" in run(capsys, "subject", "show", "shop", "ann")[1]
    assert run(capsys, "client", "set", "desk", "--people", "none")[0] == 0
    # Nobody's face is left behind.
    enrol(tmp_path, "ann")
    assert "people_enrolled" in refused("set", "shop", "--people", "desk")
    assert run(capsys, "client", "remove", "shop")[0] == 0
