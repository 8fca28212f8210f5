"""Other users than root."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

NOBODY = 65534


@contextmanager
def unprivileged() -> Iterator[None]:
    """Without the privileges of root, if we have them."""
    privileged, groups, group = os.geteuid() == 0, os.getgroups(), os.getegid()
    if privileged:
        os.setgroups([])
        os.setegid(NOBODY)
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if privileged:
            os.seteuid(0)
            os.setegid(group)
            os.setgroups(groups)
