"""Who calls: the bearer key, looked up by its hash and remembered for a few seconds.

`api.middleware.RequestMiddleware` asks before anything of a request's body is read, and leaves the caller in
`request.state.caller`, where the routes' dependencies find it.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Annotated, Generic, TypeVar

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.types import Scope

from api.problems import Problem, unauthorized
from base.database import Database
from tenants.keys import Caller, find_caller, key_hash

REMEMBERED = 10_000
"""Hashes of keys, and as many of what is no key: a client that goes on with a wrong one costs few queries."""
REMEMBERED_SECONDS = 10.0
UNKNOWN_SECONDS = 5.0
LONGEST_KEY = 200
NEED_A_KEY = "/v1/"
"""Every path below it needs a key, also one that no route answers."""
T = TypeVar("T")
bearer = HTTPBearer(auto_error=False, description="An API key, `til_...`.")


class Keys:
    """Finds the caller of a key. A revoked key stops working within `REMEMBERED_SECONDS`, and one that was
    shown before it was made begins to work within `UNKNOWN_SECONDS`."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._known: _Remembered[Caller] = _Remembered(REMEMBERED_SECONDS)
        self._unknown: _Remembered[None] = _Remembered(UNKNOWN_SECONDS)

    async def caller(self, key: str) -> Caller | None:
        """The key's owner, or None. Only hashes are compared, so timing tells nothing of a key."""
        hashed, now = key_hash(key), self._clock()
        for memory in (self._known, self._unknown):
            if remembered := memory.get(hashed, now):
                return remembered[0]
        async with self._database.session() as session:
            caller = await find_caller(session, hashed)
        if caller:
            self._known.keep(hashed, caller, now)
        else:
            self._unknown.keep(hashed, None, now)
        return caller


class _Remembered(Generic[T]):
    """What was found for a hash in the last `seconds`, for the `REMEMBERED` hashes looked up last."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._found: OrderedDict[bytes, tuple[float, T]] = OrderedDict()

    def get(self, hashed: bytes, now: float) -> tuple[T] | None:
        known = self._found.get(hashed)
        return (known[1],) if known and now - known[0] < self._seconds else None

    def keep(self, hashed: bytes, found: T, now: float) -> None:
        self._found.pop(hashed, None)
        self._found[hashed] = (now, found)
        if len(self._found) > REMEMBERED:
            self._found.popitem(last=False)


async def authenticate(scope: Scope, keys: Keys) -> Caller:
    """The caller of a request, by its head alone. Raises Problem (401) or DatabaseUnavailable."""
    shown = [value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"]
    scheme, _, key = (shown[0] if len(shown) == 1 else "").partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not 0 < len(key) <= LONGEST_KEY:
        raise unauthorized()
    caller = await keys.caller(key)
    if caller is None:
        raise unauthorized()
    return caller


async def authenticated(
    request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)]
) -> Caller:
    """The caller that the door let in, or 401; `bearer` is there for the document of the API."""
    caller: Caller | None = getattr(request.state, "caller", None)
    if caller is None:
        raise unauthorized()
    return caller


async def submitter(caller: Annotated[Caller, Depends(authenticated)]) -> Caller:
    """A caller whose key has the scope `submit`, or 403."""
    if "submit" not in caller.scopes:
        raise Problem(403, "forbidden", "This key lacks the scope submit.")
    return caller


CallerOf = Annotated[Caller, Depends(submitter)]
