"""`python -m tests.stack.ends_its_consumer`: a worker whose consumer fails once the file END is there."""

from __future__ import annotations

import os
import sys
from typing import Any

from worker.__main__ import main
from worker.slots.consumer import TolerantChannel

read = TolerantChannel._brpop_read


def fail_at_the_end(self: TolerantChannel, **options: Any) -> Any:
    """Raise an error that no reconnect repairs."""
    if os.path.exists(os.environ["END"]):
        os.unlink(os.environ["END"])
        raise RuntimeError("the consumer is broken")
    return read(self, **options)


TolerantChannel._brpop_read = fail_at_the_end  # type: ignore[method-assign]
sys.exit(main())
