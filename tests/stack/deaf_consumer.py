"""`python -m tests.stack.deaf_consumer`: a worker whose consumer hears nothing once the file DEAF is there.

Its connection seems fine, as in Celery's known fault; a new connection gets messages again.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from worker.__main__ import main
from worker.slots.consumer import TolerantChannel

init, start = TolerantChannel.__init__, TolerantChannel._brpop_start


def born(self: TolerantChannel, *arguments: Any, **more: Any) -> None:
    self.hears_again = os.path.exists(os.environ["DEAF"])
    init(self, *arguments, **more)


def listen(self: TolerantChannel, *arguments: Any, **more: Any) -> Any:
    if self.hears_again or not os.path.exists(os.environ["DEAF"]):
        return start(self, *arguments, **more)
    return None


TolerantChannel.__init__ = born  # type: ignore[method-assign, assignment]
TolerantChannel._brpop_start = listen
sys.exit(main())
