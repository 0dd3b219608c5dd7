"""PostgreSQL refuses to run as root, so root runs it as a system user without other rights."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

from deploy.local.child import ChildFailed

SYSTEM_USER = "pgserver"
"""The user that the wheel's own server management makes too, so that a machine gets only one."""


def identity(data: Path) -> dict[str, Any]:
    """Options of `Popen` that drop root's rights; none if this user is not root. Raises ChildFailed.

    The user is the owner of the data folder, or SYSTEM_USER, which is made if it doesn't exist.
    """
    if os.geteuid() != 0:
        return {}
    owner = data.stat().st_uid if data.exists() else 0
    try:
        entry = pwd.getpwuid(owner) if owner else _system_user()
    except KeyError:
        raise ChildFailed(f"{data} belongs to user {owner}, who has no account here; remove it") from None
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _system_user() -> pwd.struct_passwd:
    """SYSTEM_USER's account. Made under a lock: the second of two `useradd` at once changes the user's id."""
    folder = os.open("/etc", os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(SYSTEM_USER)
        return _make_system_user()
    finally:
        os.close(folder)


def _make_system_user() -> pwd.struct_passwd:
    program = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if program is None:
        raise ChildFailed("PostgreSQL can't run as root and no user can be made here; run it as another user")
    command = [program, "--system", "--no-create-home", "--shell", "/bin/false", SYSTEM_USER]
    made = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
    if made.returncode:
        raise ChildFailed(f"The user {SYSTEM_USER} can't be made: {made.stderr.strip()[-200:]}")
    return pwd.getpwnam(SYSTEM_USER)


def let_traverse(path: Path) -> list[Path]:
    """Set the traverse bit (o+x) of the folders above `path`; returns those that were changed."""
    changed = []
    for parent in path.parents:
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)
            changed.append(parent)
    return changed


def let_use(programs: Path) -> None:
    """Make a folder of programs readable for all, if it was installed with a strict umask."""
    if programs.stat().st_mode & stat.S_IROTH:
        return
    for path in (programs, *programs.rglob("*")):
        mode = stat.S_IMODE(path.lstat().st_mode)
        if not path.is_symlink():
            path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))
