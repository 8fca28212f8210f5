"""Origins of values through all references, for `--origin` and for the places in error messages."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .config import Origin, View
    from .errors import Place


def chain(view: View, name: str) -> Iterator[tuple[int, Origin]]:
    """Yield the origin of a parameter, and recursively of its references: depth first, with the depth.

    Unset names are omitted, and repeated names are not followed again. Raise KeyError for an unknown `name`.
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
    """Return the place of a parameter's value: its setting, else the first setting that its default refers to."""
    return next((origin.place for _, origin in chain(view, name) if origin.place is not None), None)


def lines(view: View, name: str) -> list[str]:
    """Return the lines of `--origin`: text and place of the parameter and of each name that it refers to."""
    return [
        f"{'    ' * depth}{origin.name} = {origin.text}".rstrip() + f"  ({_where(origin)})"
        for depth, origin in chain(view, name)
    ]


def _where(origin: Origin) -> str:
    return str(origin.place) if origin.place else origin.kind
