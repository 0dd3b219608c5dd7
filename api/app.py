"""The application: what every route shares, and how the process begins and ends."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from api import events, jobs, queue, replay, submit
from api import webhooks as webhook_routes
from api.auth import Keys
from api.document import DocumentedApi
from api.follow import Followers
from api.middleware import Door
from api.problems import handle_problems
from api.settings import ApiSettings
from api.waiters import Waiters
from jobs import figures
from jobs.database import API, Database
from jobs.errors import DatabaseUnavailable
from jobs.live import Live
from jobs.ring import Ringer
from jobs.settings import WebhookSettings
from jobs.submitter import Submitter

SLOTS_EVERY_SECONDS = 5


def create_app(settings: ApiSettings, webhooks: WebhookSettings) -> FastAPI:
    """An api process's application; connections are made when it starts and dropped when it stops."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with connections(app, settings):
            app.state.webhooks = webhooks
            yield

    app = DocumentedApi(
        title="til-queue",
        version=version("til-queue"),
        description="TIL posts from a day's git commits. Errors are problem+json (RFC 9457).",
        lifespan=lifespan,
    )
    for module in (submit, replay, jobs, events, queue, webhook_routes):
        app.include_router(module.router)
    handle_problems(app)
    app.add_middleware(Door, body_limit_bytes=settings.body_limit_bytes)
    return app


async def _follow_slots(app: FastAPI) -> None:
    """The window of the run-queue follows the number of live slots."""
    while True:
        with contextlib.suppress(DatabaseUnavailable):
            async with app.state.database.session() as session:
                app.state.ringer.set_slots((await figures.read(session)).slots)
        await asyncio.sleep(SLOTS_EVERY_SECONDS)


@asynccontextmanager
async def connections(app: FastAPI, settings: ApiSettings) -> AsyncIterator[None]:
    """What the routes find in `app.state`, from the start of the process to its end."""
    redis_url = settings.redis_url.get_secret_value()
    state = app.state
    state.database = Database(settings.database_url.get_secret_value(), API)
    state.live = Live(redis_url)
    state.ringer = Ringer(redis_url)
    state.submitter = Submitter(state.database, settings.waiting_bytes)
    state.waiters = Waiters(state.database, state.live)
    state.followers = Followers(
        state.database, state.live, settings.event_streams, settings.event_streams_per_tenant
    )
    state.keys = Keys(state.database)
    state.aliases = settings.aliases()
    loops = (state.waiters.run(), state.followers.run(), _follow_slots(app))
    background = [asyncio.create_task(loop) for loop in loops]
    state.body_thread = ThreadPoolExecutor(1, "large-bodies")
    gc.collect()
    gc.freeze()  # What is loaded by now stays: collections that a large body causes needn't look through it.
    try:
        yield
    finally:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        state.body_thread.shutdown(wait=False)
        await asyncio.to_thread(state.ringer.close)
        await state.live.close()
        await state.database.close()
