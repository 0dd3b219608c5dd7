"""Alembic's entry point: runs the migrations on the connection that `admin.migrate` passes."""

from __future__ import annotations

from alembic import context

from capacity.queue_depth import QueueDepth


def run() -> None:
    """Run each migration in its own transaction, so that a failed one leaves nothing behind.

    Indexes on large tables are made outside of it, concurrently (`make_indexes`), to block no writers.
    """
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=QueueDepth.metadata,
        compare_type=True,
        transactional_ddl=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
