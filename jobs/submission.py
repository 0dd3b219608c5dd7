"""A request on its way into the table, and where it ended up."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from base.database import JsonText
from base.ids import uuid7
from jobs.fingerprint import as_sent, canonical, digest
from til.redaction.summary import summed
from til.request import TilRequest
from til.tokens import job_tokens

NOT_CONTENT = {"webhook", "priority", "queue_seconds", "run_seconds", "reuse", "metadata"}
"""Fields that say how to run a job and whom to tell, not what post to write."""


@dataclass(frozen=True)
class Submission:
    """A request on its way into the table, without secrets. `id` is made before the insert, so that a COMMIT
    of unknown outcome can be looked up. `request_mac` is that of the request with its secrets; `waits`: the
    client waits for the end of the job, so what its first answer shows is not known yet."""

    tenant_id: uuid.UUID
    request: TilRequest
    model: str
    idempotency_key: str | None = None
    id: uuid.UUID = field(default_factory=uuid7)
    template: str | None = None
    replay_of: uuid.UUID | None = None
    redactions: list[dict[str, Any]] = field(default_factory=list)
    request_mac: bytes | None = None
    waits: bool = False

    def size_bytes(self) -> int:
        """About how much there is to store: its characters, and something for each patch."""
        texts = (patch.patch for file in self.request.files for patch in file.patches)
        codes = (file.latest_code for file in self.request.files)
        patches = sum(len(file.patches) for file in self.request.files)
        return 256 * patches + sum(map(len, texts)) + sum(map(len, codes))

    @cached_property
    def row(self) -> dict[str, Any]:
        """The row to insert, made once; the database fills in its times."""
        text = canonical(self.request.model_dump(mode="json"))
        sent = as_sent(self.request)
        content = {name: value for name, value in sent.items() if name not in NOT_CONTENT}
        webhook = self.request.webhook
        return {
            "id": self.id,
            "tenant_id": self.tenant_id,
            "model": self.model,
            "priority": self.request.priority,
            "queue_seconds": self.request.queue_seconds,
            "run_seconds": self.request.run_seconds,
            **self.request.model_dump(include={"username", "repo", "date", "language"}),
            "request": JsonText(text),
            "request_hash": digest(canonical(sent)),
            "request_mac": self.request_mac,
            "first_saw_end": None if self.waits else False,
            "content_hash": digest(canonical(content | {"model": self.model})),
            "idempotency_key": self.idempotency_key,
            "webhook_url": webhook.url if webhook else None,
            "webhook_events": list(webhook.events) if webhook else None,
            "metadata": self.request.metadata,
            "tokens": job_tokens(self.request),
            "template": self.template,
            "replay_of": self.replay_of,
            "redactions": summed(self.redactions),
        }


@dataclass(frozen=True)
class Submitted:
    """Where a submission ended up: a new job, a reused result's, or (`replayed`) its key's first.

    `first_saw_end`: whether the key's first answer showed the job ended; None: not given yet.
    """

    job_id: uuid.UUID
    replayed: bool = False
    reused: bool = False
    first_saw_end: bool | None = None
