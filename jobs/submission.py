"""A request to be inserted as a job, and the result of that."""

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
"""Fields that do not change the post: `reuse` ignores them when it looks for an identical request."""


@dataclass(frozen=True)
class Submission:
    """A redacted request to be inserted as a job.

    `id` is made before the insert, so that it can be looked up when the answer to a COMMIT is lost.
    `request_mac`: of the request before redaction. `waits`: the client waits for the job's end, so it is not
    known yet whether its first answer shows a finished job.
    """

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
        """About the size of the stored row: the request's characters, and an overhead for each patch."""
        texts = (patch.patch for file in self.request.files for patch in file.patches)
        codes = (file.latest_code for file in self.request.files)
        patches = sum(len(file.patches) for file in self.request.files)
        return 256 * patches + sum(map(len, texts)) + sum(map(len, codes))

    @cached_property
    def row(self) -> dict[str, Any]:
        """The columns to insert; times are set by the database."""
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
    """The job of a submission: a new one, a finished one with a `reused` result, or (`replayed`) that of the
    first submit with the same key.

    `first_saw_end`: as the column `jobs.first_saw_end`.
    """

    job_id: uuid.UUID
    replayed: bool = False
    reused: bool = False
    first_saw_end: bool | None = None
