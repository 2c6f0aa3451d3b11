"""A face's template as it is stored: sealed for one owner, and opened again.

Not here: comparing (pipeline/template.py), keeping (server/store/), whom a probe is compared with
(galleries.py), the cipher (server/keys/vault.py). Source: THREAT_MODEL.md, "steals the database".
"""

from __future__ import annotations

from datetime import datetime

import numpy as np

from pipeline.template import Floats, Template, pooled
from server.keys.vault import Vault, VaultError
from server.store.gallery import VectorRecord
from server.store.port import TemplateRecord


def _owner(
    kind: str, client_id: str, subject: str, template_id: str, model_id: str
) -> tuple[str, ...]:
    return (kind, client_id, subject, template_id, model_id)


def seal_template(
    vault: Vault,
    template: Template,
    *,
    client_id: str,
    subject: str,
    template_id: str,
    created_at: datetime,
) -> TemplateRecord:
    """The record to store. It opens for this client, subject, id and model only."""
    whose = (client_id, subject, template_id, template.model_id)
    vector = pooled(template.embeddings).astype("<f4").tobytes()
    return TemplateRecord(
        client_id=client_id,
        subject=subject,
        template_id=template_id,
        model_id=template.model_id,
        created_at=created_at,
        quality=template.quality,
        key_id=vault.key_id,
        sealed=vault.seal(template.to_bytes(), owner=_owner("template", *whose)),
        vector=vault.seal(vector, owner=_owner("vector", *whose)),
    )


def open_template(vault: Vault, record: TemplateRecord) -> Template:
    """The template in a record.

    Raises VaultError: `vault_key_unknown`, `vault_refused` (changed or moved), `vault_format`,
    `template_version` (an unknown layout: a newer version sealed it).
    """
    owner = _owner(
        "template", record.client_id, record.subject, record.template_id, record.model_id
    )
    plain = vault.open(record.sealed, owner=owner)
    try:
        template = Template.from_bytes(plain)
    except ValueError as error:
        raise VaultError("template_version", "A template has an unknown layout.") from error
    if template.model_id != record.model_id:
        raise VaultError("vault_refused", "A template is of another model than its record says.")
    return template


def open_vector(vault: Vault, client_id: str, record: VectorRecord) -> Floats | None:
    """The pooled vector in a record, float32 (d,); None without one that opens for this template.

    Then its template says more: it has the vector, or it is to be left out.
    """
    if record.vector is None:
        return None
    owner = _owner("vector", client_id, record.subject, record.template_id, record.model_id)
    try:
        return np.frombuffer(vault.open(record.vector, owner=owner), "<f4")
    except (VaultError, ValueError):
        return None
