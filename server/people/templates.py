"""A face's template as it is stored: sealed for one owner, and opened again.

There are two layouts. The first, of versions that did not rotate, has epoch 0 and counter 0, and is
bound to client, subject, template id and embedder. The second is bound to epoch, counter, quality
and time as well, so no field of a row can be changed unseen; its vectors are rotated. Neither opens
as the other, because the layout's name is bound too.
Not here: rotating, and which counter counts (protection.py), comparing (pipeline/template.py),
keeping (server/store/), whom a probe is compared with (galleries.py), the cipher
(server/keys/vault.py). Source: THREAT_MODEL.md, "steals the database".
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from pipeline.template import Floats, Template, pooled
from server.keys.vault import Vault, VaultError
from server.store.gallery import VectorRecord
from server.store.port import TemplateRecord

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
"""Every store keeps these; MongoDB cuts off the rest."""


def _owner(kind: str, client_id: str, record: TemplateRecord | VectorRecord) -> tuple[str, ...]:
    whose = (client_id, record.subject, record.template_id, record.model_id)
    if not record.epoch and not record.counter:
        return (kind, *whose)
    return (f"{kind} 2", *whose, str(record.epoch), str(record.counter))


def _template_owner(record: TemplateRecord) -> tuple[str, ...]:
    owner = _owner("template", record.client_id, record)
    if not record.epoch and not record.counter:
        return owner
    made = (record.created_at - _EPOCH) // _MILLISECOND
    return (*owner, repr(float(record.quality)), str(made))


def seal_template(
    vault: Vault,
    template: Template,
    *,
    client_id: str,
    subject: str,
    template_id: str,
    created_at: datetime,
    counter: int = 0,
    epoch: int = 0,
) -> TemplateRecord:
    """The record to store. It opens for all of this only.

    `epoch`: by which secret of the client `template` is rotated; 0 for none, the first layout.
    """
    vector = pooled(template.embeddings).astype("<f4").tobytes()
    record = TemplateRecord(
        client_id=client_id,
        subject=subject,
        template_id=template_id,
        model_id=template.model_id,
        created_at=created_at,
        quality=template.quality,
        key_id=vault.key_id,
        sealed=b"",
        counter=counter,
        epoch=epoch,
    )
    return replace(
        record,
        sealed=vault.seal(template.to_bytes(), owner=_template_owner(record)),
        vector=vault.seal(vector, owner=_owner("vector", client_id, record)),
    )


def open_template(vault: Vault, record: TemplateRecord) -> Template:
    """The template in a record, rotated as its epoch says.

    Raises VaultError: `vault_key_unknown`, `vault_refused` (changed or moved), `vault_format`,
    `template_version` (an unknown layout: a newer version sealed it).
    """
    plain = vault.open(record.sealed, owner=_template_owner(record))
    try:
        template = Template.from_bytes(plain)
    except ValueError as error:
        raise VaultError("template_version", "A template has an unknown layout.") from error
    if template.model_id != record.model_id:
        raise VaultError("vault_refused", "A template is of another model than its record says.")
    return template


def open_vector(vault: Vault, client_id: str, record: VectorRecord) -> Floats | None:
    """The pooled vector in a record, float32 (d,), rotated as its epoch says; None without one that
    opens for this template.

    Then its template says more: it has the vector, or it is to be left out.
    """
    if record.vector is None:
        return None
    try:
        return np.frombuffer(
            vault.open(record.vector, owner=_owner("vector", client_id, record)), "<f4"
        )
    except (VaultError, ValueError):
        return None
