"""Garbage collection: objects that live as long as the process are never looked at.

While a process starts, next to nothing becomes garbage, and looking for some takes a tenth of the time; later, each
look at modules, classes and settings would be a pause for all sessions.
"""

from __future__ import annotations

import gc


def start() -> None:
    """Collect nothing until `serve` is called."""
    gc.disable()


def serve() -> None:
    """Collect from now on, and never look again at the objects that exist already."""
    gc.freeze()
    gc.enable()
