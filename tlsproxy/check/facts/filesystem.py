"""The files that a configuration names: on this machine, below the root of an image, or not looked at.

Symbolic links are followed as a process sees them whose root directory is the image. Messages call a file as Postfix
does (`inside`); places, which people and programs open, are names on this machine (`outside`).
"""

from __future__ import annotations

import os
import posixpath
import stat
from functools import cache

from postconf.files.regular import read_regular

_MAX_LINKS = 40
_NULL = os.makedev(1, 3)
"""Device number of /dev/null."""


class FileSystem:
    """A view of files by the names that Postfix would use. Raises OSError as the system calls do."""

    def __init__(self, root: str = "/", *, enabled: bool = True) -> None:
        """Use files below `root`. `enabled`: False if rules must not access files."""
        self.root = os.path.abspath(root)  # noqa: PTH100  names may have any bytes
        self.given = root.rstrip("/")
        self.enabled = enabled
        self.is_image = self.root != "/"
        self.locate = cache(self._locate)

    def _locate(self, path: str) -> str:
        """Return the real name of a file, with all symbolic links resolved within the image.

        With too many links it is a name below a device, which no file has: the system would follow the rest of the
        links out of the image.
        """
        if not self.is_image:
            return path
        waiting = list(reversed(path.split("/")))
        found: list[str] = []
        links = 0
        while waiting:
            part = waiting.pop()
            if part in ("", "."):
                continue
            if part == "..":
                found = found[:-1]
                continue
            here = posixpath.join(self.root, *found, part)
            if os.path.islink(here):  # noqa: PTH114
                links += 1
                if links > _MAX_LINKS:
                    return os.devnull + path
                target = os.readlink(here)  # noqa: PTH115
                if target.startswith("/"):
                    found = []
                waiting += reversed(target.split("/"))
            else:
                found.append(part)
        return posixpath.join(self.root, *found)

    def locate_outside(self, path: str) -> str:
        """Return the real name of a file by its name on this machine: within the image, if it is below its root."""
        absolute = os.path.abspath(path)  # noqa: PTH100
        is_below = self.is_image and absolute.startswith(f"{self.root}/")
        return self.locate(absolute[len(self.root) :]) if is_below else path

    def outside(self, path: str) -> str:
        """Return the name on this machine of a file that Postfix calls `path`."""
        return self.given + path if self.is_image and path.startswith("/") else path

    def inside(self, text: str) -> str:
        """Return a text with names of this machine in it as Postfix would write it."""
        return text.replace(f"{self.root}/", "/") if self.is_image else text

    def stat(self, path: str) -> os.stat_result:
        """Return the status of a file (stat(2)); raise OSError."""
        return os.stat(self.locate(path))  # noqa: PTH116

    def exists(self, path: str) -> bool:
        """Return True if this user can see such a file."""
        try:
            self.stat(path)
        except PermissionError:
            return True
        except (OSError, ValueError):
            return False
        return True

    def is_endless(self, path: str) -> bool:
        """Return True for a FIFO or a device, on which a reader can wait forever; False for /dev/null."""
        try:
            status = self.stat(path)
        except (OSError, ValueError):
            return False
        kind = stat.S_IFMT(status.st_mode)
        return kind in (stat.S_IFIFO, stat.S_IFBLK) or (kind == stat.S_IFCHR and status.st_rdev != _NULL)

    def read(self, path: str) -> bytes:
        """Return the content of a file."""
        return read_regular(self.locate(path))
