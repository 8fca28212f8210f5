"""unix: the system's users and groups, `unix:passwd.byname` and `unix:group.byname`."""

from __future__ import annotations

import grp
import pwd

from postconf.syntax.lines import decode

from ...table import Flags, OpenError, Table, require_reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...table import Access


def open_table(name: str, access: Access) -> Table:
    """Return the table of users or groups by name."""
    require_reading("unix", name, access)
    if name == "passwd.byname":
        return Users("unix", name, access.flags | Flags.FIXED)
    if name == "group.byname":
        return Groups("unix", name, access.flags | Flags.FIXED)
    raise OpenError(f"unknown table: unix:{name}")


class Users(Table):
    """Users by name, as lines of passwd(5): getpwnam(3)."""

    def lookup(self, key: bytes) -> bytes | None:
        try:
            user = pwd.getpwnam(decode(key))
        except KeyError:
            return None
        return _line(*user)


class Groups(Table):
    """Groups by name, as lines of group(5): getgrnam(3)."""

    def lookup(self, key: bytes) -> bytes | None:
        try:
            group = grp.getgrnam(decode(key))
        except KeyError:
            return None
        return _line(group.gr_name, group.gr_passwd, group.gr_gid, ",".join(group.gr_mem))


def _line(*fields: object) -> bytes:
    return ":".join(str(field) for field in fields).encode("utf-8", "surrogateescape")
