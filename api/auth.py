"""Who calls: the bearer key, looked up by its hash and remembered for a few seconds.

`api.middleware.RequestMiddleware` asks before anything of a request's body is read, and leaves the caller in
`request.state.caller`, where the routes' dependencies find it.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.types import Scope

from api.problems import Problem, unauthorized
from base.database import Database
from tenants.keys import Caller, find_caller, key_hash

REMEMBERED = 10_000
REMEMBERED_SECONDS = 10.0
LONGEST_KEY = 200
NEED_A_KEY = "/v1/"
"""Every path below it needs a key, also one that no route answers."""
bearer = HTTPBearer(auto_error=False, description="An API key, `til_...`.")


class Keys:
    """Finds the caller of a key. A revoked key stops working within `REMEMBERED_SECONDS`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: OrderedDict[bytes, tuple[float, Caller]] = OrderedDict()

    async def caller(self, key: str) -> Caller | None:
        """The key's owner, or None. Only hashes are compared, so timing tells nothing of a key."""
        hashed = key_hash(key)
        remembered = self._known.get(hashed)
        if remembered and time.monotonic() - remembered[0] < REMEMBERED_SECONDS:
            return remembered[1]
        async with self._database.session() as session:
            caller = await find_caller(session, hashed)
        self._known.pop(hashed, None)
        if caller:
            self._known[hashed] = (time.monotonic(), caller)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return caller


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
