"""What the audit records of a server's start: under which settings and policies it judges.

Secrets are told as set or not set, as `lookgate config` prints them. Not here: the settings.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pipeline.policy import Policy
from server.audit.verdicts import fingerprint
from server.settings.load import Settings
from server.settings.markdown import shown


def in_force(settings: Settings, policies: Mapping[str, Policy]) -> dict[str, Any]:
    """For JSON. The fingerprint is of all settings as shown: another one is a change."""
    lines = "\n".join(shown(settings))
    return {
        "version": _version(),
        "settings": hashlib.sha256(lines.encode()).hexdigest()[:16],
        "policies": {
            name: {"fingerprint": fingerprint(policy), "fields": asdict(policy)}
            for name, policy in policies.items()
        },
    }


def _version() -> str:
    try:
        return version("lookgate")
    except PackageNotFoundError:
        return "unknown"
