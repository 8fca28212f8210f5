"""Where values come from, through all references: for `--origin` and for the places in error messages."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .config import Origin, View
    from .errors import Place


def chain(view: View, name: str) -> Iterator[tuple[int, Origin]]:
    """The origin of a parameter, then of what its value refers to, and so on: depth first, with the depth.

    A name that is nowhere set is left out; one that is met again is not followed again. KeyError for an unknown `name`.
    """
    seen = {name}
    waiting = [(0, view.origin(name))]
    while waiting:
        depth, origin = waiting.pop()
        yield depth, origin
        following = [each for each in origin.references if each not in seen and each in view]
        seen.update(following)
        waiting += [(depth + 1, view.origin(each)) for each in reversed(following)]


def place_of(view: View, name: str) -> Place | None:
    """Where the value of a parameter stands: its own setting, else the first one that its default refers to."""
    return next((origin.place for _, origin in chain(view, name) if origin.place is not None), None)


def lines(view: View, name: str) -> list[str]:
    """What `--origin` prints of a parameter: for each name how it gets its value, and where that stands."""
    return [
        f"{'    ' * depth}{origin.name} = {origin.text}".rstrip() + f"  ({_where(origin)})"
        for depth, origin in chain(view, name)
    ]


def _where(origin: Origin) -> str:
    return str(origin.place) if origin.place else origin.kind
