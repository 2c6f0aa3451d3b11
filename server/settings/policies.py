"""The policy that settings make: a built-in one, moved for another embedder, changed by a file.

A file names fields, in JSON or TOML. Not here: what the fields mean (pipeline/policy.py).
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_type_hints

from pipeline.policy import Policy
from pipeline.refusal import Refusal
from pipeline.tape.fields import Arrays, read
from server.settings.load import ConfigError, Settings
from server.settings.table import PREFIX

MAX_BYTES = 256 * 1024


class PolicyError(Refusal):
    """A policy file that cannot be used. `code` is stable, `text` for people."""


def of_settings(settings: Settings, built_in: Policy) -> Policy:
    """What the operator made of a built-in policy. Raises ConfigError."""
    try:
        return changed(built_in, match_score=settings.match_score, file=settings.policy)
    except PolicyError as error:
        raise ConfigError([f"{PREFIX}POLICY: {error.text}"]) from None


def changed(built_in: Policy, *, match_score: float | None, file: Path | None) -> Policy:
    """A built-in policy with another embedder's threshold and with the fields of a file.

    The file wins, because it was calibrated. Raises PolicyError.
    """
    moved = built_in if match_score is None else built_in.matching_at(match_score)
    return moved if file is None else load(file, moved)


def load(path: Path, base: Policy) -> Policy:
    """`base` with what the file says, at its top or in a table `policy`.

    Raises PolicyError: policy_missing, policy_malformed, policy_unknown_field, policy_wrong_type.
    """
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as fault:
        raise PolicyError("policy_missing", f"the policy file {path} cannot be read") from fault
    given = _parsed(raw, path)
    if isinstance(given.get("policy"), dict):
        given = given["policy"]
    names = {field.name for field in fields(Policy)}
    if unknown := sorted(set(given) - names):
        raise PolicyError("policy_unknown_field", f"a policy has no field {unknown[0]}")
    hints = get_type_hints(Policy)
    told: dict[str, Any] = {}
    for name, value in given.items():
        try:
            told[name] = read(hints[name], value, Arrays())
        except (ValueError, TypeError, KeyError, IndexError) as fault:
            raise PolicyError(
                "policy_wrong_type", f"the field {name} is no {_kind(name)}"
            ) from fault
    return replace(base, **told)


def _kind(name: str) -> str:
    return str(next(field.type for field in fields(Policy) if field.name == name))


def _parsed(raw: bytes, path: Path) -> dict[str, Any]:
    toml = path.suffix.lower() == ".toml"
    try:
        if len(raw) > MAX_BYTES:
            raise ValueError("too large")
        text = raw.decode("utf-8")
        given = tomllib.loads(text) if toml else json.loads(text)
    except (ValueError, RecursionError) as fault:
        raise PolicyError(
            "policy_malformed", f"the policy file {path} is no JSON or TOML"
        ) from fault
    if not isinstance(given, dict):
        raise PolicyError("policy_malformed", f"the policy file {path} is no table of fields")
    return given
