"""Who it is: a name, nobody's name, or somebody else than before; and forgetting a name here.

A name is taken as it is given. Whether it is anybody's is not looked up, so that the answer and
what the store is asked are the same. Not here: a passkey, which says who it is (keys.py).
Source: docs/oidc.md, "The login page".
"""

from __future__ import annotations

from aiohttp import web

from server.factors.steps import Act
from server.http.fields import is_subject
from server.http.login.ending import remember, remembered
from server.http.login.visit import moved, sent, told, visit_of
from server.oidc.remembered import Person, without
from server.problems import Problem


async def say_who(request: web.Request) -> web.Response:
    """Exactly one of `name`, `anybody` and `again`."""
    visit = await visit_of(request)
    name, anybody, again = await sent(request, "name", "anybody", "again")
    match (name, anybody, again):
        case (str(), None, None):
            if not visit.ways.named:
                raise Problem("level_unmet")
            if not is_subject(name):
                raise Problem("request_invalid", "The field name is no name that can be here.")
            visit = await moved(visit, Act.NAMED, subject=name)
        case (None, True, None):
            if not visit.ways.anybody:
                raise Problem("level_unmet")
            visit = await moved(visit, Act.UNNAMED)
        case (None, None, True):
            visit = await moved(visit, Act.AGAIN, subject=None, session_id=None)
        case _:
            raise Problem("request_invalid", "Give one of name, anybody and again.")
    return told(visit)


async def forget_name(request: web.Request) -> web.Response:
    """One of the people remembered here is not any more."""
    visit = await visit_of(request)
    (name,) = await sent(request, "name")
    if not isinstance(name, str):
        raise Problem("request_invalid", "The field name must be text.")
    gone = Person(visit.people, name)
    left = without(remembered(request, visit.parts), gone)
    response = told(visit)
    remember(response, visit.parts, left)
    return response
