"""Reads request bodies: JSON with a bounded number of values; large ones in a thread.

No body may block the event loop: C code that holds the GIL gets a bounded number of values, and validation of
a list ends at its first wrong element. So any body is answered within a second.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError

from api.problems import Problem, invalid, invalid_body

SMALL_BYTES = 16_384
"""A body up to this size is read on the event loop."""
MOST_CONTAINERS = 100_000
"""Objects and lists in one body."""
MOST_VALUES = 350_000
"""Members of objects and elements of lists in one body."""
MOST_MEMBERS = 64
"""Members of one object."""
LONGEST_NUMBER = 40
JSON_TYPE = re.compile(r"\s*application/(?:[\w.-]+\+)?json\s*(?:;|$)", re.IGNORECASE)
Out = TypeVar("Out")


class BoundedRoute(APIRoute):
    """A route whose body is read by `parse`. Routers with routes that take a body use this class."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's own handler, given a request that parses and validates its body itself."""
        handler = super().get_route_handler()
        if self.body_field is None:
            return handler
        model: Any = self.body_field.field_info.annotation
        adapter: TypeAdapter[Any] = TypeAdapter(model)

        async def bounded(request: Request) -> Response:
            return await handler(_BodyRequest(request, adapter))

        return bounded


class _BodyRequest(Request):
    def __init__(self, request: Request, adapter: TypeAdapter[Any]) -> None:
        super().__init__(request.scope, request.receive)
        self._adapter = adapter

    async def body(self) -> bytes:
        """The bytes, if their Content-Type is JSON. Raises Problem."""
        body = await super().body()
        if body and not JSON_TYPE.match(self.headers.get("content-type", "")):
            raise invalid("", "The body has to be JSON, with Content-Type: application/json.")
        return body

    async def json(self) -> Any:
        """The body as the route's model. Raises Problem: an HTTPException, which FastAPI passes on."""
        body = await self.body()
        return await off_loop_if_large(self, read, self._adapter, body)


async def off_loop_if_large(request: Request, work: Callable[..., Out], *arguments: Any) -> Out:
    """Call `work`, in the thread for large bodies if this request's is large. There is one such thread only:
    several would compete with the event loop for the GIL."""
    if len(await request.body()) <= SMALL_BYTES:
        return work(*arguments)
    thread: ThreadPoolExecutor = request.app.state.body_thread
    return await asyncio.get_running_loop().run_in_executor(thread, work, *arguments)


def read(adapter: TypeAdapter[Out], body: bytes) -> Out:
    """The body as a model. Raises Problem: 400 if it is not UTF-8, 422 for any other fault."""
    try:
        return adapter.validate_python(parse(body))
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise invalid_body(found) from None


def parse(body: bytes) -> Any:
    """The JSON value. Raises Problem, also for one that is larger than any valid request."""
    _check_size(body)
    try:
        text = body.decode("utf-8-sig")
        return json.loads(
            text, object_hook=_object, parse_int=_number, parse_float=_decimal, parse_constant=_constant
        )
    except UnicodeDecodeError:
        raise Problem(400, "bad_request", "The body is not UTF-8.") from None
    except RecursionError:
        raise invalid("", "The JSON is nested too deeply.") from None
    except json.JSONDecodeError as error:
        raise invalid("", f"Not JSON: {error.msg} at character {error.pos}.") from None


def _check_size(body: bytes) -> None:
    """Raises Problem if there are too many values. To count them takes a tenth of the time of parsing."""
    if _fits(body):
        return
    if body.count(b'"') > 4 * MOST_VALUES or not _fits(_without_texts(body)):
        most = f"{MOST_CONTAINERS:,} objects and lists, or {MOST_VALUES:,} values"
        raise invalid("", f"The body has more than {most}.")


def _fits(body: bytes) -> bool:
    return body.count(b"{") + body.count(b"[") <= MOST_CONTAINERS and body.count(b",") < MOST_VALUES


def _without_texts(body: bytes) -> bytes:
    """The body without its strings: escapes removed, every second piece between quotes."""
    return b"".join(body.replace(rb"\\", b"").replace(rb"\"", b"").split(b'"')[::2])


def _object(members: dict[str, Any]) -> dict[str, Any]:
    if len(members) > MOST_MEMBERS:
        raise invalid("", f"An object of the body has more than {MOST_MEMBERS} members.")
    return members


def _number(digits: str) -> int:
    return int(_short(digits))


def _decimal(digits: str) -> float:
    return float(_short(digits))


def _short(digits: str) -> str:
    if len(digits) > LONGEST_NUMBER:
        raise invalid("", f"A number of the body has more than {LONGEST_NUMBER} characters.")
    return digits


def _constant(name: str) -> None:
    raise invalid("", f"Not JSON: {name} is no number of JSON.")
