"""The nouns of OpenID Connect that a Store has. Not here: what they mean, each in its file."""

from __future__ import annotations

from typing import Protocol

from server.store.oidc.authenticators import Authenticators
from server.store.oidc.codes import AccessTokens, Codes
from server.store.oidc.invitations import Invitations
from server.store.oidc.logins import Logins
from server.store.oidc.otps import Otps
from server.store.oidc.profiles import Profiles
from server.store.oidc.pushed import PushedRequests
from server.store.oidc.recovery import RecoveryCodes
from server.store.oidc.seen import Seen


class OidcNouns(Protocol):
    """Every method of every noun may raise Unavailable."""

    @property
    def logins(self) -> Logins: ...

    @property
    def pushed(self) -> PushedRequests: ...

    @property
    def codes(self) -> Codes: ...

    @property
    def access(self) -> AccessTokens: ...

    @property
    def authenticators(self) -> Authenticators: ...

    @property
    def otps(self) -> Otps: ...

    @property
    def recovery(self) -> RecoveryCodes: ...

    @property
    def invitations(self) -> Invitations: ...

    @property
    def profiles(self) -> Profiles: ...

    @property
    def seen(self) -> Seen: ...
