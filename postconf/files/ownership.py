"""Rights of a directory's owner for root, in a directory that another account controls.

The owner of a directory can place a symbolic or hard link there at any moment. With the owner's rights, such a link
reaches only files that the owner could change anyway (set_eugid(3), as in Postfix's master(8) and postmap(1)).
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
    """Switch to the effective rights of the account that owns a directory; yield its user id. Raise OSError.

    Nothing changes unless the process is root's and the directory is not. The process should have one thread, because
    rights apply to all threads.
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
