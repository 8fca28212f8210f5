"""Giving up root, for good: setgid, initgroups, chroot, setuid, in that order (chroot_uid(3)).

Files that only root may read (keys, tables) are read before. A descriptor that stays open must not lead out of the
chroot: no directory stays open.
"""

from __future__ import annotations

import os
import pwd

from ...log import FatalError


def account(name: str, *, why: str = "mail_owner") -> pwd.struct_passwd:
    """Find a user; raise `FatalError`. `why` names the setting that has the name."""
    try:
        return pwd.getpwnam(name)
    except KeyError:
        raise FatalError(f"{why}: unknown user: {name}") from None


def drop(user: pwd.struct_passwd | None, *, chroot: str | None = None) -> None:
    """Confine the process to the directory `chroot`, and become `user`; None: don't. Raise `FatalError`."""
    step = "setgid"
    try:
        if user is not None:
            os.setgid(user.pw_gid)
            step = "initgroups"
            os.initgroups(user.pw_name, user.pw_gid)
        if chroot is not None:
            step = f"chroot {chroot}"
            os.chroot(chroot)
            os.chdir("/")
        if user is not None:
            step = "setuid"
            os.setuid(user.pw_uid)
    except OSError as error:
        raise FatalError(f"{step}: {error.strerror}") from None
