"""A face's template as it is stored: sealed for one owner, and opened again.

Not here: comparing (pipeline/template.py), keeping (server/store/), whom a probe is compared with
(galleries.py), the cipher (server/keys/vault.py). Source: THREAT_MODEL.md, "steals the database".
"""

from __future__ import annotations

from datetime import datetime

from pipeline.template import Template
from server.keys.vault import Vault, VaultError
from server.store.port import TemplateRecord


def _owner(client_id: str, subject: str, template_id: str, model_id: str) -> tuple[str, ...]:
    return ("template", client_id, subject, template_id, model_id)


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
    owner = _owner(client_id, subject, template_id, template.model_id)
    return TemplateRecord(
        client_id=client_id,
        subject=subject,
        template_id=template_id,
        model_id=template.model_id,
        created_at=created_at,
        quality=template.quality,
        key_id=vault.key_id,
        sealed=vault.seal(template.to_bytes(), owner=owner),
    )


def open_template(vault: Vault, record: TemplateRecord) -> Template:
    """The template in a record.

    Raises VaultError: `vault_key_unknown`, `vault_refused` (changed or moved), `vault_format`,
    `template_version` (an unknown layout: a newer version sealed it).
    """
    owner = _owner(record.client_id, record.subject, record.template_id, record.model_id)
    plain = vault.open(record.sealed, owner=owner)
    try:
        template = Template.from_bytes(plain)
    except ValueError as error:
        raise VaultError("template_version", "A template has an unknown layout.") from error
    if template.model_id != record.model_id:
        raise VaultError("vault_refused", "A template is of another model than its record says.")
    return template
