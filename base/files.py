"""How many files, connections included, this process may have open."""

from __future__ import annotations

import resource

OPEN_FILES = 8192


def allow_many_files() -> int:
    """Raise the soft limit, 1,024 in most shells, to `OPEN_FILES` or as far as the hard one lets.

    Returns the limit.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return OPEN_FILES
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(soft, wanted)
