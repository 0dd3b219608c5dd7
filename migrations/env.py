"""Alembic's entry: runs the migrations on the connection that `admin.__main__` hands over."""

from __future__ import annotations

from alembic import context

from capacity.queue_depth import QueueDepth


def run() -> None:
    """Each migration in a transaction of its own, so that a broken one leaves nothing of itself behind.

    Indexes on large tables are made outside it, or they would hold up whoever writes meanwhile.
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
