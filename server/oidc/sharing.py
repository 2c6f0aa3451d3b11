"""One enrolment for several apps: whose people a client may use, and who must stay for that.

Not here: whose they are when somebody logs in (server/store/relying.py, `people_of`).
Source: docs/oidc.md, "One enrolment for several apps".
"""

from __future__ import annotations

from pipeline.refusal import Refusal
from server.people.sealed_clients import SealedClients
from server.store.port import NotFound, Store
from server.store.relying import RelyingParty, people_of


class PeopleError(Refusal):
    """A client whose people cannot be those; `code` is stable."""


async def check_people(
    store: Store, clients: SealedClients, client_id: str, relying: RelyingParty | None
) -> None:
    """That these settings may be a client's: one level deep, so that nobody asks twice whose they
    are; and never with faces of its own, which nobody would find again.

    Raises PeopleError `people_invalid`, `people_enrolled`, `people_used`; VaultError, Unavailable.
    """
    named = None if relying is None else relying.people
    if relying is None or named is not None:
        await check_unused(store, client_id)
    if named is None:
        return
    try:
        whose = await clients.get(named)
    except NotFound:
        whose = None
    own = whose is not None and whose.relying is not None and whose.relying.people is None
    if named == client_id or not own:
        text = "People are those of another client, with OpenID Connect and people of its own."
        raise PeopleError("people_invalid", text)
    if await store.templates.vectors(client_id, after="", most=1):
        text = f"{client_id} has people of its own: remove them before it uses another's."
        raise PeopleError("people_enrolled", text)


async def check_unused(store: Store, client_id: str) -> None:
    """That no other client uses its people. Raises PeopleError `people_used`, Unavailable."""
    users = [
        one.client_id
        for one in await store.clients.all()
        if people_of(one) == client_id != one.client_id
    ]
    if users:
        text = f"Its people log in at {', '.join(users)}: `client set ID --people none` first."
        raise PeopleError("people_used", text)
