"""Authentication: the bearer key is looked up by its hash, with a cache of a few seconds.

`api.middleware.RequestMiddleware` authenticates before it reads a body. The routes' dependencies find the
caller in `request.state.caller`.
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

CACHED_KEYS = 10_000
"""Valid keys in the cache, and as many unknown ones: a client with a wrong key must cost few queries."""
CACHE_SECONDS = 10.0
UNKNOWN_CACHE_SECONDS = 5.0
LONGEST_KEY = 200
NEED_A_KEY = "/v1/"
"""Every path with this prefix needs a key, also one without a route."""
T = TypeVar("T")
bearer = HTTPBearer(auto_error=False, description="An API key, `til_...`.")


class Keys:
    """Finds the caller of a key. A revoked key stops working within `CACHE_SECONDS`; a new key that was tried
    before it existed works within `UNKNOWN_CACHE_SECONDS`."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._known: _Cache[Caller] = _Cache(CACHE_SECONDS)
        self._unknown: _Cache[None] = _Cache(UNKNOWN_CACHE_SECONDS)

    async def caller(self, key: str) -> Caller | None:
        """The key's owner, or None. Only hashes are compared, so response times reveal nothing of a key."""
        hashed, now = key_hash(key), self._clock()
        for cache in (self._known, self._unknown):
            if cached := cache.get(hashed, now):
                return cached[0]
        async with self._database.session() as session:
            caller = await find_caller(session, hashed)
        if caller:
            self._known.keep(hashed, caller, now)
        else:
            self._unknown.keep(hashed, None, now)
        return caller


class _Cache(Generic[T]):
    """Results of look-ups, each for `seconds`; the `CACHED_KEYS` latest ones."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._found: OrderedDict[bytes, tuple[float, T]] = OrderedDict()

    def get(self, hashed: bytes, now: float) -> tuple[T] | None:
        known = self._found.get(hashed)
        return (known[1],) if known and now - known[0] < self._seconds else None

    def keep(self, hashed: bytes, found: T, now: float) -> None:
        self._found.pop(hashed, None)
        self._found[hashed] = (now, found)
        if len(self._found) > CACHED_KEYS:
            self._found.popitem(last=False)


async def authenticate(scope: Scope, keys: Keys) -> Caller:
    """The caller of a request, from its headers. Raises Problem (401) or DatabaseUnavailable."""
    given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"]
    scheme, _, key = (given[0] if len(given) == 1 else "").partition(" ")
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
    """The caller that the middleware found, or 401. `bearer` only adds the key to the OpenAPI document."""
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
