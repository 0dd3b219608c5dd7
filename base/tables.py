"""The tables. CHECK constraints, triggers and partial indexes are in the migrations only."""

from __future__ import annotations

import datetime
import uuid
from typing import Any, ClassVar

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Computed,
    DateTime,
    FetchedValue,
    ForeignKey,
    Identity,
    LargeBinary,
    MetaData,
    Text,
    exists,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, column_property, mapped_column

Time = datetime.datetime
Json = dict[str, Any]
NOW = text("clock_timestamp()")


class Table(DeclarativeBase):
    """Every time is a `timestamptz`; defaults come from the database's clock."""

    metadata = MetaData(
        naming_convention={
            "ix": "%(table_name)s_%(column_0_N_name)s",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
            "ck": "%(table_name)s_%(constraint_name)s",
            "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
            "pk": "%(table_name)s_pkey",
        }
    )
    type_annotation_map: ClassVar = {
        Time: DateTime(timezone=True),
        Json: JSONB(none_as_null=True),
        list[Any]: JSONB(none_as_null=True),
        list[str]: ARRAY(Text),
        str: Text,
        bytes: LargeBinary,
    }


class Tenant(Table):
    """A customer, who sees only its own jobs. `webhook_secret` (`whsec_...`, sealed or not) signs webhooks;
    `previous_secrets`, newest first as `{"secret", "until"}`, sign too until then. `request_key`: HMAC."""

    __tablename__ = "tenants"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    weight: Mapped[int] = mapped_column(server_default="1")
    limits: Mapped[Json] = mapped_column(server_default="{}")
    webhook_secret: Mapped[str]
    previous_secrets: Mapped[list[Any]] = mapped_column(server_default="[]")
    request_key: Mapped[bytes] = mapped_column(server_default=FetchedValue())
    created_at: Mapped[Time] = mapped_column(server_default=NOW)


class ApiKey(Table):
    """A bearer key; only its SHA-256 is stored (the key itself has 256 random bits)."""

    __tablename__ = "api_keys"
    hash: Mapped[bytes] = mapped_column(primary_key=True)
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenants.id"))
    scopes: Mapped[list[str]]
    created_at: Mapped[Time] = mapped_column(server_default=NOW)
    revoked_at: Mapped[Time | None]


class Worker(Table):
    """A worker process; its id is new at every start. One lease for the worker, none for each of its jobs."""

    __tablename__ = "workers"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    host: Mapped[str]
    slots: Mapped[int]
    model: Mapped[str]
    engine: Mapped[str]
    tokens_per_second: Mapped[float] = mapped_column(server_default="0")
    draining: Mapped[bool] = mapped_column(server_default="false")
    started_at: Mapped[Time] = mapped_column(server_default=NOW)
    lease_expires_at: Mapped[Time]


class WebhookEndpoint(Table):
    """A tenant's webhook URL whose last delivery failed, and since when. Once disabled, nothing is sent."""

    __tablename__ = "webhook_endpoints"
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    url: Mapped[str] = mapped_column(primary_key=True)
    failing_since: Mapped[Time] = mapped_column(server_default=NOW)
    last_failed_at: Mapped[Time] = mapped_column(server_default=NOW)
    failures: Mapped[int] = mapped_column(server_default="1")
    disabled_at: Mapped[Time | None]


def is_disabled(tenant_id: Any, url: Any) -> ColumnElement[bool]:
    """Whether this URL of this tenant is disabled."""
    disabled = exists().where(
        WebhookEndpoint.tenant_id == tenant_id,
        WebhookEndpoint.url == url,
        WebhookEndpoint.disabled_at.is_not(None),
    )
    return disabled.correlate_except(WebhookEndpoint)


class Job(Table):
    """One post to write. `order_at`: `created_at` minus `priority` seconds; the queue's order.

    `tokens`: estimate for prompt and answer. `template`: of a replay, the digest of its prompt template.
    `request_hash`: after redaction; `request_mac`: before it. `first_saw_end`: see `jobs.idempotency`.
    """

    __tablename__ = "jobs"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenants.id"))
    status: Mapped[str] = mapped_column(server_default="queued")
    model: Mapped[str]
    priority: Mapped[int] = mapped_column(server_default="0")
    order_at: Mapped[Time]
    not_before: Mapped[Time | None]
    queue_deadline: Mapped[Time]
    queue_seconds: Mapped[int]
    run_seconds: Mapped[int]
    claim_no: Mapped[int] = mapped_column(BigInteger, server_default="0")
    attempts: Mapped[int] = mapped_column(server_default="0")
    failures: Mapped[int] = mapped_column(server_default="0")
    losses: Mapped[int] = mapped_column(server_default="0")
    worker_id: Mapped[uuid.UUID | None]
    created_at: Mapped[Time]
    started_at: Mapped[Time | None]
    claimed_at: Mapped[Time | None]
    finished_at: Mapped[Time | None]
    cancel_requested_at: Mapped[Time | None]
    erased_at: Mapped[Time | None]
    reused: Mapped[bool] = mapped_column(server_default="false")
    retry_of: Mapped[uuid.UUID | None]
    replay_of: Mapped[uuid.UUID | None]
    tokens: Mapped[int] = mapped_column(server_default="4096")
    template: Mapped[str | None]
    username: Mapped[str]
    repo: Mapped[str]
    date: Mapped[datetime.date]
    language: Mapped[str]
    request: Mapped[Json | None]
    request_hash: Mapped[bytes]
    request_mac: Mapped[bytes | None]
    first_saw_end: Mapped[bool | None]
    content_hash: Mapped[bytes]
    idempotency_key: Mapped[str | None]
    webhook_url: Mapped[str | None] = mapped_column()
    webhook_events: Mapped[list[str] | None]
    webhook_disabled: Mapped[bool] = column_property(is_disabled(tenant_id, webhook_url))
    job_metadata: Mapped[Json] = mapped_column("metadata", server_default="{}")
    redactions: Mapped[list[Any]] = mapped_column(server_default="[]")
    result: Mapped[Json | None]
    partial_text: Mapped[str | None]
    error: Mapped[Json | None]
    usage: Mapped[Json | None]
    provenance: Mapped[Json | None]


class JobEvent(Table):
    """One transition of a job. Append-only; a trigger writes it."""

    __tablename__ = "job_events"
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    job_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    at: Mapped[Time] = mapped_column(server_default=NOW)
    verb: Mapped[str]
    status: Mapped[str]
    claim_no: Mapped[int] = mapped_column(BigInteger)
    worker_id: Mapped[uuid.UUID | None]


class Delivery(Table):
    """A webhook to be sent (outbox): inserted in the transaction that causes the event.

    `phase` of a pending one: `due`; `later`, which waits for `next_attempt_at`; `posting`, which a steward is
    sending: then `next_attempt_at` is the end of its lease, and `lease_no` fences the result. `host` has no
    port. `attempts_before`: attempts before the last resend; the retry schedule doesn't count them.
    """

    __tablename__ = "deliveries"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    job_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenants.id"))
    event: Mapped[str]
    event_at: Mapped[Time] = mapped_column(server_default=NOW)
    url: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="pending")
    attempts: Mapped[int] = mapped_column(server_default="0")
    next_attempt_at: Mapped[Time | None] = mapped_column(server_default=NOW)
    attempts_before: Mapped[int] = mapped_column(server_default="0")
    lease_no: Mapped[int] = mapped_column(server_default="0")
    last_status: Mapped[int | None]
    last_error: Mapped[str | None]
    phase: Mapped[str] = mapped_column(server_default="due")
    host: Mapped[str] = mapped_column(Computed("made by the migration"))
    finished_at: Mapped[Time | None]


class DeliveryAttempt(Table):
    """One HTTP POST of a delivery: its status or error, milliseconds and the first 1 KiB of the answer."""

    __tablename__ = "delivery_attempts"
    delivery_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[Time] = mapped_column(server_default=NOW)
    status: Mapped[int | None]
    error: Mapped[str | None]
    milliseconds: Mapped[int]
    answer: Mapped[str]
