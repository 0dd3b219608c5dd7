"""Alembic's entry: runs the migrations on the connection that `jobs.server` hands over."""

from __future__ import annotations

from alembic import context

from jobs.figures import Figures


def run() -> None:
    """Migrate in one transaction, so that a broken migration leaves nothing behind."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=Figures.metadata,
        compare_type=True,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
