"""`python -m tests.stack.few_files`: an api that can't have more than `FILES` files open."""

from __future__ import annotations

import resource
import sys

from api.__main__ import main

FILES = 400

if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))
    sys.exit(main())
