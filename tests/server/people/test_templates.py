"""Templates: sealed for one owner, and for nobody else."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.template import Template
from server.keys.vault import Vault, VaultError
from server.people.templates import open_template, seal_template
from server.store.port import TemplateRecord

NOW = datetime(2090, 5, 17, tzinfo=UTC)
VAULT = Vault([bytes(range(32))])


def a_template(seed: int, model_id: str = "sface") -> Template:
    rows = np.random.default_rng(seed).normal(size=(3, 128)).astype(np.float32)
    return Template(model_id, rows / np.linalg.norm(rows, axis=1, keepdims=True), 0.75)


def sealed(subject: str, seed: int, *, client_id: str = "shop", **kind: str) -> TemplateRecord:
    return seal_template(
        VAULT,
        a_template(seed, **kind),
        client_id=client_id,
        subject=subject,
        template_id=f"t-{subject}-{seed}",
        created_at=NOW,
    )


def test_a_template_comes_back_as_it_was() -> None:
    record = sealed("ada", 1)
    assert open_template(VAULT, record) == a_template(1)
    assert (record.key_id, record.model_id, record.quality) == (VAULT.key_id, "sface", 0.75)
    assert a_template(1).embeddings[0].tobytes() not in record.sealed


RECORD = sealed("ada", 1)


@given(st.integers(0, 8 * len(RECORD.sealed) - 1))
def test_a_single_flipped_bit_is_refused(bit: int) -> None:
    changed = bytearray(RECORD.sealed)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(VaultError):
        open_template(VAULT, dataclasses.replace(RECORD, sealed=bytes(changed)))


@given(
    field=st.sampled_from(["client_id", "subject", "template_id", "model_id"]),
    value=st.text(max_size=12),
)
def test_a_template_moved_to_another_owner_does_not_open(field: str, value: str) -> None:
    moved = dataclasses.replace(RECORD, **{field: value})
    if moved == RECORD:
        return
    with pytest.raises(VaultError) as caught:
        open_template(VAULT, moved)
    assert caught.value.code == "vault_refused"


def test_a_template_of_an_unknown_layout_is_told() -> None:
    owner = ("template", "shop", "ada", "t-ada-1", "sface")
    strange = dataclasses.replace(RECORD, sealed=VAULT.seal(b"LGT9....", owner=owner))
    with pytest.raises(VaultError) as caught:
        open_template(VAULT, strange)
    assert caught.value.code == "template_version"
