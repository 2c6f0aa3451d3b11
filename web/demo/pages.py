"""The demo app's pages, as functions of what they show.

No database, no decisions. No inline script or style: the CSP forbids both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from web.demo.html import Html, html, join
from web.demo.lookgate import Template
from web.demo.people.accounts import APP, Entry, User
from web.demo.people.visits import Visit
from web.demo.refusals import Refused

_NOTHING = Html("")

_LAYOUT = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · {app}</title>
<link rel="stylesheet" href="/static/demo.css">
<link rel="icon" href="data:,">
{head}
</head>
<body>
<header><a class="brand" href="/">{app}</a><nav>{nav}</nav></header>
<main>{main}</main>
<footer>A demo app. It logs people in by a Lookgate server, as any other app could.</footer>
</body>
</html>
"""

_BUTTON = """<form method="post" action="{action}" class="inline">
<input type="hidden" name="csrf" value="{csrf}">{more}
<button class="{kind}">{text}</button></form>"""


def button(visit: Visit, action: str, text: str, kind: str = "", more: Html = _NOTHING) -> Html:
    """A form with nothing but a button."""
    return html(_BUTTON, action=action, csrf=visit.csrf, text=text, kind=kind, more=more)


def confirmed(visit: Visit, user: User, action: str, text: str, kind: str = "") -> Html:
    """A form that asks for the password once more."""
    more = html(
        # Hidden, so that a password manager knows whose password this is.
        '<input name="username" autocomplete="username" value="{username}" hidden readonly>'
        '<label for="confirm">Your password</label>'
        '<input id="confirm" name="password" type="password" autocomplete="current-password" '
        "required>",
        username=user.username,
    )
    return button(visit, action, text, kind, more)


def layout(title: str, main: Html, *, visit: Visit | None = None, head: Html = _NOTHING) -> Html:
    if visit is not None and visit.level == "member":
        nav = join([html('<a href="/members">Members</a>'), button(visit, "/logout", "Log out")])
    elif visit is not None and visit.level == "password":
        nav = button(visit, "/logout", "Log out")
    else:
        nav = html('<a href="/login">Log in</a><a href="/register">Register</a>')
    return html(_LAYOUT, title=title, main=main, nav=nav, head=head, app=APP)


def home(visit: Visit | None) -> Html:
    main = html(
        """<h1>Two steps in: what you know, and who you are.</h1>
<p class="lead">Register with a password, show your face once, and log in with both from then on.
</p>
<p class="row"><a class="button primary" href="/register">Register</a>
<a class="button" href="/login">Log in</a></p>
<ul class="facts">
<li><b>No picture is kept.</b> The face server stores encrypted numbers, under a random name.</li>
<li><b>This app never sees your camera.</b> It gets a signed proof and checks it.</li>
<li><b>You can delete it.</b> Your face, or your whole account, with one button.</li>
</ul>"""
    )
    return layout("Welcome", main, visit=visit)


_FIELDS = (
    ("name", "Your name", "text", "name"),
    ("username", "User name", "text", "username"),
    ("email", "E-mail", "email", "email"),
    ("phone", "Phone", "tel", "tel"),
    ("password", "Password", "password", "new-password"),
)

_FIELD = """<p class="field"><label for="{name}">{label}</label>
<input id="{name}" name="{name}" type="{kind}" autocomplete="{complete}" value="{value}" {more}>
{wrong}</p>"""


def field(
    name: str, label: str, kind: str, complete: str, *, value: str = "", wrong: str = ""
) -> Html:
    """An input with its label; `wrong` is read out with it."""
    more = html('required aria-invalid="true" aria-describedby="{n}-wrong"', n=name)
    return html(
        _FIELD,
        name=name,
        label=label,
        kind=kind,
        complete=complete,
        value=value,
        more=more if wrong else html("required"),
        wrong=html('<span class="wrong" id="{n}-wrong">{w}</span>', n=name, w=wrong)
        if wrong
        else _NOTHING,
    )


def register(visit: Visit, entry: Entry | None = None) -> Html:
    entry = entry or Entry()
    fields = join(
        field(
            name,
            label,
            kind,
            complete,
            value=entry.values.get(name, ""),
            wrong=entry.wrong.get(name, ""),
        )
        for name, label, kind, complete in _FIELDS
    )
    main = html(
        """<h1>Register</h1><form method="post" action="/register" class="card" novalidate>
<input type="hidden" name="csrf" value="{csrf}">{fields}
<button class="primary">Register</button>
<p class="muted">Have an account? <a href="/login">Log in</a></p></form>""",
        csrf=visit.csrf,
        fields=fields,
    )
    return layout("Register", main, visit=visit)


def login(visit: Visit, *, username: str = "", wrong: str = "") -> Html:
    main = html(
        """<h1>Log in</h1><form method="post" action="/login" class="card">
<input type="hidden" name="csrf" value="{csrf}">{wrong}{username}{password}
<button class="primary">Next: your face</button>
<p class="muted"><a href="/recover">Use a recovery code</a></p>
<p class="muted">New here? <a href="/register">Register</a></p></form>""",
        csrf=visit.csrf,
        wrong=alert(wrong),
        username=field("username", "User name", "text", "username", value=username),
        password=field("password", "Password", "password", "current-password"),
    )
    return layout("Log in", main, visit=visit)


def alert(text: str) -> Html:
    return html('<p class="wrong" role="alert">{t}</p>', t=text) if text else _NOTHING


def recover(visit: Visit, *, username: str = "", wrong: str = "") -> Html:
    """The form for people whose face cannot be shown, or is not recognised."""
    main = html(
        """<h1>Log in without your face</h1>
<p class="lead">A recovery code stands for your face once. You got the codes when you set it up.</p>
<form method="post" action="/recover" class="card">
<input type="hidden" name="csrf" value="{csrf}">{wrong}{username}{password}{code}
<button class="primary">Log in</button>
<p class="muted"><a href="/login">Use your face</a></p></form>""",
        csrf=visit.csrf,
        wrong=alert(wrong),
        username=field("username", "User name", "text", "username", value=username),
        password=field("password", "Password", "password", "current-password"),
        code=field("code", "Recovery code", "text", "off"),
    )
    return layout("Recovery code", main, visit=visit)


def codes(visit: Visit, user: User, *, left: int) -> Html:
    """Before codes are made: what they are for."""
    main = html(
        """<h1>Keep another way in</h1>
<p class="lead">A camera can break, and a face can change. A recovery code and your password let you
in without the face. Each code works once.</p>
<section class="card"><p>{state}</p>{form}</section>
<p><a href="/members">Not now</a></p>""",
        state=f"You have {left} left. New ones end the old ones." if left else "You have none yet.",
        form=confirmed(visit, user, "/codes", "Make recovery codes", "primary"),
    )
    return layout("Recovery codes", main, visit=visit)


def fresh_codes(visit: Visit, texts: Sequence[str]) -> Html:
    main = html(
        """<h1>Your recovery codes</h1>
<p class="lead">Print them, or write them down. They are shown this once.</p>
<section class="card"><ol class="codes">{rows}</ol></section>
<p><a class="button primary" href="/members">I have kept them</a></p>""",
        rows=join(html("<li><code>{t}</code></li>", t=text) for text in texts),
    )
    return layout("Recovery codes", main, visit=visit)


_FACE = """<h1>{title}</h1>{intro}
<div class="face" data-finish="/api/face/finish">
<face-login purpose="{purpose}" session-url="{url}" csrf-token="{csrf}">
<p class="card">Loading the camera… If this stays, the face-login server cannot be reached.
<a href="">Try again</a></p>
</face-login>
<p class="says" role="alert"></p>
<noscript><p class="card">The camera needs JavaScript.</p></noscript>
</div>"""


def face(
    visit: Visit, *, purpose: str, server: str, user: User | None = None, again: bool = False
) -> Html:
    """The page with the element: `purpose` is enroll, which needs the `user`, or login."""
    more = _NOTHING
    if purpose == "enroll":
        title = "Show your face again" if again else "Set up your face"
        intro = html(
            """<p class="lead">Your camera's picture goes to the face-login server, which makes
encrypted numbers of it and keeps no picture. It is used only to log you in here, and you can delete
it at any time. Before the camera opens you are asked whether you agree to that.</p>"""
        )
        url = "/api/face/enroll"
        if user is not None and visit.level != "member":
            more = leave(visit, user)
    else:
        title, url = "Now your face", "/api/face/login"
        intro = html('<p class="lead">The password was right. One look and you are in.</p>')
        more = html(
            '<p class="face"><a href="/recover">Use a recovery code</a></p>',
        )
    head = html(
        """<script type="module" src="{server}/web/face-login.js" crossorigin="anonymous"></script>
<script type="module" src="/static/demo.js"></script>""",
        server=server,
    )
    main = html(_FACE, title=title, intro=intro, purpose=purpose, url=url, csrf=visit.csrf)
    return layout(title, join([main, more]), visit=visit, head=head)


def leave(visit: Visit, user: User) -> Html:
    return html(
        """<section class="card"><h2>Leave</h2>
<p>Deletes your account here and your face at the server.</p>{form}</section>""",
        form=confirmed(visit, user, "/account/delete", "Delete my account", "danger"),
    )


def members(visit: Visit, user: User, *, template: Template | None, codes_left: int) -> Html:
    """`template` is None when the face-login server cannot be asked."""
    main = html(
        """<h1>Hello, {name}</h1><p class="lead">You are in: password and {how}.</p>
{proof}
<section class="card"><h2>You</h2><dl>
<dt>User name</dt><dd>{username}</dd><dt>E-mail</dt><dd>{email}</dd>
<dt>Phone</dt><dd>{phone}</dd></dl></section>
{face}
<section class="card"><h2>Recovery codes</h2><p>{codes}</p>
<p class="row"><a class="button" href="/codes">Make new codes</a></p></section>
{leave}""",
        name=user.name,
        how="recovery code" if visit.claims is None else "face",
        proof=_NOTHING if visit.claims is None else _proof(visit.claims),
        username=user.username,
        email=user.email,
        phone=user.phone,
        face=_face_card(visit, template),
        codes=f"{codes_left} left: each is another way in." if codes_left else _NO_CODES,
        leave=leave(visit, user),
    )
    return layout("Members", main, visit=visit)


_NO_CODES = "None. If your face is not recognised, you have no other way in."


def _proof(claims: Mapping[str, Any]) -> Html:
    rows = (
        html("<tr><th>{k}</th><td>{v}</td></tr>", k=name, v=_claim(name, value))
        for name, value in claims.items()
    )
    return html(
        """<section class="card"><h2>The proof</h2>
<p class="muted">What the face-login server signed, as this app verified it.</p>
<div class="scroll"><table>{rows}</table></div></section>""",
        rows=join(rows),
    )


def _face_card(visit: Visit, template: Template | None) -> Html:
    if template is None:
        state, word = "The face-login server cannot be asked right now.", ""
    elif template.usable:
        state, word = "Set up.", "Show your face again"
    elif template.enrolled:
        state, word = "No longer usable: set it up again.", "Set up your face"
    else:
        state, word = "Not set up: your next login asks for it.", "Set up your face"
    parts = [html('<a class="button" href="/enroll">{t}</a> ', t=word)] if word else []
    if template is not None and template.enrolled:
        parts.append(button(visit, "/face/delete", "Delete my face"))
    return html(
        """<section class="card"><h2>Your face</h2><p>{state}</p>
<div class="row">{buttons}</div></section>""",
        state=state,
        buttons=join(parts),
    )


def _claim(name: str, value: Any) -> str:
    if name in ("iat", "nbf", "exp", "auth_time") and isinstance(value, int | float):
        return f"{value} ({datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M:%S} UTC)"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def refused(refusal: Refused, *, visit: Visit | None, back: str) -> Html:
    main = html(
        """<h1>{title}</h1><div class="card"><p role="alert">{text}</p>
<p class="row"><a class="button primary" href="{back}">{word}</a></p>
<p class="muted">Code: {code}</p></div>""",
        title="That did not work" if refusal.status < 500 else "Something is down",
        text=refusal.text,
        back=back,
        word="Try again" if refusal.retry else "Go back",
        code=refusal.code,
    )
    return layout("Problem", main, visit=visit)


def only_known(form: Mapping[str, Any]) -> dict[str, str]:
    """A form's text fields; files are none of ours."""
    return {name: value for name, value in form.items() if isinstance(value, str)}
