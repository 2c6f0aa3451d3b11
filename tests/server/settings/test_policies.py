"""A policy out of a file, and the one that settings make."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.policy import POLICIES
from server.settings import policies
from server.settings.load import ConfigError, load
from server.settings.policies import PolicyError

STANDARD = POLICIES["standard"]
EMBEDDER = {"LOOKGATE_EMBEDDER": "/packs/a.onnx", "LOOKGATE_MATCH_SCORE": "0.4"}


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("p.json", "{", "policy_malformed"),
        ("p.toml", "a = ", "policy_malformed"),
        ("p.json", "[1]", "policy_malformed"),
        ("p.json", "\0" * 300_000, "policy_malformed"),
        ("p.json", '{"nonsense": 1}', "policy_unknown_field"),
        ("p.json", '{"match_score": "high"}', "policy_wrong_type"),
        ("p.json", '{"windows": 1.5}', "policy_wrong_type"),
        ("p.json", '{"required": "face"}', "policy_wrong_type"),
    ],
)
def test_a_policy_file_that_is_none(tmp_path: Path, name: str, text: str, code: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(PolicyError) as caught:
        policies.load(tmp_path / name, STANDARD)
    assert caught.value.code == code


def test_a_policy_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="policy_missing"):
        policies.load(tmp_path / "none", STANDARD)


def test_settings_that_say_nothing_change_nothing() -> None:
    assert policies.of_settings(load({"HOME": "/home/somebody"}), STANDARD) == STANDARD


def test_another_embedder_moves_the_thresholds_and_a_file_wins(tmp_path: Path) -> None:
    moved = policies.of_settings(load({"HOME": str(tmp_path), **EMBEDDER}), STANDARD)
    assert moved == STANDARD.matching_at(0.4)
    file = tmp_path / "policy.toml"
    file.write_text("[policy]\nmatch_score = 0.61\n")
    told = load({"HOME": str(tmp_path), **EMBEDDER, "LOOKGATE_POLICY": str(file)})
    calibrated = policies.of_settings(told, STANDARD)
    assert calibrated.match_score == 0.61
    assert calibrated.mismatch_score == moved.mismatch_score


def test_a_wrong_policy_file_is_a_wrong_setting(tmp_path: Path) -> None:
    told = load({"HOME": str(tmp_path), "LOOKGATE_POLICY": str(tmp_path / "none")})
    with pytest.raises(ConfigError) as caught:
        policies.of_settings(told, STANDARD)
    assert caught.value.problems == [
        f"LOOKGATE_POLICY: the policy file {told.policy} cannot be read"
    ]
