"""Acting as the owner of a directory: root has no business of its own in a place that another account controls.

Whoever owns a directory may put a symbolic link or a hard link in the way at any moment. With the owner's rights that
reaches nothing but what is the owner's anyway (set_eugid(3), as in Postfix's master(8) and postmap(1)).
"""

from __future__ import annotations

import os
import pwd
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def as_owner_of(directory: str | os.PathLike[str]) -> Iterator[int]:
    """Have the effective rights of the account that owns a directory; yield its user id. Raise OSError.

    Nothing changes in a process that is not root's, or where the directory is root's. The process should have one
    thread: rights are those of all.
    """
    owner = os.stat(os.fspath(directory) or ".")  # noqa: PTH116
    if os.geteuid() != 0 or owner.st_uid == 0:
        yield owner.st_uid
        return
    groups, group = os.getgroups(), os.getegid()
    new_group = _primary_group(owner)
    os.setgroups([new_group])
    os.setegid(new_group)
    os.seteuid(owner.st_uid)
    try:
        yield owner.st_uid
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


def _primary_group(owner: os.stat_result) -> int:
    try:
        return pwd.getpwuid(owner.st_uid).pw_gid
    except KeyError:
        return owner.st_gid
