"""Errors of the product. A class's docstring is its message; HTTP statuses are in `api.problems`."""

from __future__ import annotations


class JobError(Exception):
    """The operation on this job could not be done."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip())


class ClaimLost(JobError):
    """Another worker now owns this job, or it has ended."""


class NoSuchJob(JobError):
    """There is no such job."""


class NoSuchDelivery(JobError):
    """There is no such delivery."""


class EndpointDisabled(JobError):
    """This webhook URL is disabled: it failed for days. Enable it first."""


class AlreadyFinished(JobError):
    """The job has already ended."""


class NotFinished(JobError):
    """The job has not ended yet."""


class RequestErased(JobError):
    """The job's request has been erased; it can't be run again."""


class IdempotencyKeyReused(JobError):
    """This Idempotency-Key was used with another body."""


class WorkerGone(JobError):
    """This worker's lease has ended, or it is draining: it may not claim."""


class TooManyWaiting(JobError):
    """Too many submits wait to be stored; try again in a moment."""


class SecretUnreadable(JobError):
    """TIL_SECRET_KEYS has no key that opens it. If the key is lost: `til-server new-secret --tenant NAME`."""


class DatabaseUnavailable(JobError):
    """PostgreSQL can't be reached at the moment."""

    @property
    def reason(self) -> str:
        """What the driver said, for the log."""
        return repr(self.__cause__ or self)[:200]


class LockTimeout(DatabaseUnavailable):
    """Another transaction holds a lock that this one needs, for longer than `lock_timeout`."""


class UnfitServer(JobError):
    """PostgreSQL or Redis lacks something without which nothing works here."""


class UnsupportedDatabase(UnfitServer):
    """PostgreSQL 17 or newer is needed."""


class NotMigrated(UnfitServer):
    """The database has no tables of this version: run `til-server migrate`."""


class BadDatabaseUrl(JobError):
    """DATABASE_URL is not an address like postgresql://user:password@host/database."""
