"""The application: its routes, its middleware, and what it opens at start and closes at the end."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from starlette.datastructures import State

from api.auth import Keys
from api.connections import Connections
from api.document import DocumentedApi
from api.follow import Followers
from api.group_commit import Submitter
from api.job_watch import JobWatch
from api.middleware import RequestMiddleware
from api.problems import handle_problems
from api.routes import events, jobs, queue, replay, submit
from api.routes import webhooks as webhook_routes
from api.settings import ApiSettings
from api.waiters import Waiters
from base.database import API, Database
from base.loops import Loops
from capacity import queue_depth
from capacity.exported import EXPORTED
from signals.doorbell import Ringer
from signals.pubsub import Live
from til.redaction.pool import Redactor
from webhooks.settings import WebhookSettings

FIGURES_EVERY_SECONDS = 1.0


def create_app(
    settings: ApiSettings,
    webhooks: WebhookSettings,
    on_dead: Callable[[str], None],
    clients: Connections | None = None,
) -> FastAPI:
    """The application of an api process. Its connections to servers live from its startup to its shutdown.

    `on_dead` is called with the name of a background loop that has died: the process should end then.
    `clients`: the connections of clients, if the server counts them.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with connections(app, settings, on_dead):
            app.state.webhooks = webhooks
            yield

    app = DocumentedApi(
        title="til-queue",
        version=version("til-queue"),
        description="TIL posts from a day's git commits. Errors are problem+json (RFC 9457).",
        lifespan=lifespan,
        redirect_slashes=False,  # Redirects would go to the Host that the client named.
    )
    for module in (submit, replay, jobs, events, queue, webhook_routes):
        app.include_router(module.router)
    handle_problems(app)
    app.add_middleware(RequestMiddleware, body_limit_bytes=settings.body_limit_bytes, clients=clients)
    return app


def _start_readers(state: State, settings: ApiSettings) -> None:
    """Set up long polls and event streams."""
    watch = JobWatch(state.database, state.live)
    state.waiters = Waiters(state.database, watch)
    state.followers = Followers(watch, state.live, settings.event_streams, settings.event_streams_per_tenant)
    watch.start(state.loops)
    state.followers.start(state.loops)


async def _follow_figures(database: Database, ringer: Ringer) -> None:
    """Export the figures; tell the ringer the number of slots: the run queue is kept about that long."""
    async with database.session() as session:
        now = await queue_depth.read(session)
    EXPORTED.update(now)
    ringer.set_slots(now.slots)
    await asyncio.sleep(FIGURES_EVERY_SECONDS)


@asynccontextmanager
async def connections(
    app: FastAPI, settings: ApiSettings, on_dead: Callable[[str], None]
) -> AsyncIterator[None]:
    """Fill `app.state`, which the routes use, and close everything at the end of the block."""
    redis_url = settings.redis_url.get_secret_value()
    state = app.state
    state.database = Database(settings.database_url.get_secret_value(), API)
    state.live = Live(redis_url)
    state.ringer = Ringer(redis_url)
    state.submitter = Submitter(state.database, settings.waiting_bytes)
    state.redactor = Redactor(settings.waiting_bytes)
    state.keys = Keys(state.database)
    state.aliases = settings.aliases()
    state.secret_box = settings.box()
    state.loops = Loops(on_dead)
    _start_readers(state, settings)
    state.loops.start("follow_figures", lambda: _follow_figures(state.database, state.ringer))
    state.body_thread = ThreadPoolExecutor(1, "large-bodies")
    gc.collect()
    gc.freeze()  # Keeps garbage collections short, which large bodies cause: they skip what is loaded by now.
    try:
        yield
    finally:
        await state.loops.close()
        state.body_thread.shutdown(wait=False)
        state.redactor.close()
        await asyncio.to_thread(state.ringer.close)
        await state.live.close()
        await state.database.close()
