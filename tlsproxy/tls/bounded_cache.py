"""A cache of values that are expensive to make: bounded; the one that was used least recently is evicted."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar

_MOST = 100

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BoundedCache(OrderedDict[K, V]):
    """Values by key; at most `most` of them."""

    def __init__(self, most: int = _MOST) -> None:
        super().__init__()
        self._most = most

    def get_or_make(self, key: K, make: Callable[[], V]) -> V:
        """Return the value of a key, made now if need be; an exception of `make` is not remembered."""
        if key in self:
            self.move_to_end(key)
            return self[key]
        self[key] = value = make()
        if len(self) > self._most:
            self.popitem(last=False)
        return value
