"""The limit of open files, sockets included, of this process."""

from __future__ import annotations

import resource

OPEN_FILES = 8192


def allow_many_files() -> int:
    """Raise the soft limit (1,024 in most shells) to `OPEN_FILES`, or to the hard limit where that is lower.

    Returns the limit.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return OPEN_FILES
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(soft, wanted)
