"""How every request body is read: as JSON with a bounded number of values, in a thread where it is large.

Whatever the body, the answer takes less than a second, and the event loop goes on meanwhile: a C call that
holds Python's lock sees only so many values, and validation ends at a list's first wrong element.
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

from api.problems import Problem, invalid, invalid_places

SMALL_BYTES = 16_384
"""A body up to this size is read on the event loop."""
MOST_CONTAINERS = 100_000
"""Objects and lists in one body: a day's files, its patches and all else."""
MOST_VALUES = 350_000
"""Members of objects and elements of lists in one body."""
MOST_MEMBERS = 64
"""Members of one object."""
LONGEST_NUMBER = 40
JSON_TYPE = re.compile(r"\s*application/(?:[\w.-]+\+)?json\s*(?:;|$)", re.IGNORECASE)
Out = TypeVar("Out")


class BoundedRoute(APIRoute):
    """A route whose body is read by `parse`. Every router with a route that takes a body is made with it."""

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
        """The bytes, of JSON by their type. Raises Problem."""
        body = await super().body()
        if body and not JSON_TYPE.match(self.headers.get("content-type", "")):
            raise invalid("", "The body has to be JSON, with Content-Type: application/json.")
        return body

    async def json(self) -> Any:
        """The body as the route's model. Raises Problem, which FastAPI lets pass."""
        body = await self.body()
        return await aside(self, read, self._adapter, body)


async def aside(request: Request, work: Callable[..., Out], *arguments: Any) -> Out:
    """Call it; in the thread for large bodies where this request's is: one, or they would hold Python's lock
    one after the other, and the event loop would wait for all."""
    if len(await request.body()) <= SMALL_BYTES:
        return work(*arguments)
    thread: ThreadPoolExecutor = request.app.state.body_thread
    return await asyncio.get_running_loop().run_in_executor(thread, work, *arguments)


def read(adapter: TypeAdapter[Out], body: bytes) -> Out:
    """The body as a model. Raises Problem: 400 for what is not UTF-8, 422 for all else that is wrong."""
    try:
        return adapter.validate_python(parse(body))
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise invalid_places(found) from None


def parse(body: bytes) -> Any:
    """The JSON value. Raises Problem, also where it is larger than any valid request."""
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
    """Raise where there are too many values; counting them takes a tenth of the time of parsing them."""
    if _fits(body):
        return
    if body.count(b'"') > 4 * MOST_VALUES or not _fits(_without_texts(body)):
        most = f"{MOST_CONTAINERS:,} objects and lists, or {MOST_VALUES:,} values"
        raise invalid("", f"The body has more than {most}.")


def _fits(body: bytes) -> bool:
    return body.count(b"{") + body.count(b"[") <= MOST_CONTAINERS and body.count(b",") < MOST_VALUES


def _without_texts(body: bytes) -> bytes:
    """What stands outside of quotes: without escaped backslashes and quotes, every other piece."""
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
