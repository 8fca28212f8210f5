"""Places for the nodes of a graph: columns from left to right, in each an order that lets few edges cross.

The method is that of Sugiyama: long edges get a point in each column that they pass, nodes go where their neighbours
are, a few times over. Widths of texts are estimated: a viewer has its own fonts.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import NamedTuple

from .model import Graph, Node, NodeKind

TITLE_WIDTH, LINE_WIDTH = 8.4, 6.9
"""Pixels that a character takes at most, on average."""
TITLE_HEIGHT, LINE_HEIGHT, PADDING = 18, 15, 9
LONGEST = 38
"""Maximum characters of a line; longer ones are shortened in the middle, because the ends of paths matter most."""
_ACROSS, _BETWEEN, _THROUGH = 62, 20, 14
RETURN, _ASIDE = 14, 5
"""Distance from a box at which an edge that goes back turns down, in pixels."""
_SWEEPS = 12
_COLUMNS = list(NodeKind)


class Box(NamedTuple):
    """A node, its texts as they are shown, and its rectangle."""

    node: Node
    title: str
    lines: tuple[str, ...]
    problem: tuple[str, ...]
    x: float
    y: float
    width: float
    height: float


class Line(NamedTuple):
    """An edge as a list of points, at each of which it is level."""

    points: tuple[tuple[float, float], ...]
    returns: bool
    around: bool
    """True if it goes to the left below all boxes. It has four points then; those in the middle are corners."""


class Layout(NamedTuple):
    """All nodes and lines with their places, and the size of the picture."""

    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    headings: tuple[tuple[NodeKind, float], ...]
    """The kinds of nodes with the left sides of their columns."""
    width: float
    height: float


def shortened(text: str) -> str:
    """Return a text that is not too long for a box."""
    text = "".join(each if each.isprintable() else "?" for each in text)
    if len(text) <= LONGEST:
        return text
    tail = LONGEST // 2
    return f"{text[: LONGEST - tail - 1]}…{text[-tail:]}"


def layout(graph: Graph) -> Layout:
    """Return the places of all nodes and edges."""
    return _Layout(graph).result()


class _Item:
    """A box, or a point of a long edge."""

    __slots__ = ("after", "before", "column", "height", "key", "width", "y")

    def __init__(self, key: str, column: int, width: float, height: float) -> None:
        self.key = key
        self.column = column
        self.width = width
        self.height = height
        self.y = 0.0
        """Its middle."""
        self.before: list[_Item] = []
        self.after: list[_Item] = []


class _Layout:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._texts = {each.id: _texts(each) for each in graph.nodes.values()}
        columns = self._ranks()
        used = sorted(set(columns.values()))
        self._column_of = {node: used.index(column) for node, column in columns.items()}
        self._items: dict[str, _Item] = {}
        self._columns: list[list[_Item]] = [[] for _ in used]
        for node in graph.nodes.values():
            self._add(_Item(node.id, self._column_of[node.id], *_size(*self._texts[node.id])))
        self._chains = {
            number: self._chain(number, self._items[edge.source], self._items[edge.target])
            for number, edge in enumerate(graph.edges)
            if self._column_of[edge.source] < self._column_of[edge.target]
        }

    def result(self) -> Layout:
        self._order()
        self._place()
        lefts, width = self._lefts()
        bottom = max((item.y + item.height / 2 for column in self._columns for item in column), default=0.0)
        boxes = tuple(
            Box(
                node,
                *self._texts[node.id],
                lefts[item.column],
                item.y - item.height / 2,
                self._width(item.column),
                item.height,
            )
            for node in self._graph.nodes.values()
            for item in (self._items[node.id],)
        )
        lines, height = self._lines(lefts, bottom)
        return Layout(boxes, tuple(lines), self._headings(lefts), width, height)

    # Columns

    def _ranks(self) -> dict[str, int]:
        """Return the column of each node: that of its kind, or further right if it comes behind one there."""
        ranks = {node.id: _COLUMNS.index(node.kind) for node in self._graph.nodes.values()}
        for _ in range(3):  # a transport behind a transport, and its next hop
            for edge in self._graph.edges:
                if not edge.returns and ranks[edge.target] <= ranks[edge.source] < len(_COLUMNS) + 2:
                    ranks[edge.target] = ranks[edge.source] + 1
        return ranks

    def _headings(self, lefts: list[float]) -> tuple[tuple[NodeKind, float], ...]:
        found: dict[NodeKind, float] = {}
        for node in self._graph.nodes.values():
            left = lefts[self._column_of[node.id]]
            found[node.kind] = min(found.get(node.kind, left), left)
        return tuple(found.items())

    def _add(self, item: _Item) -> None:
        self._items[item.key] = item
        self._columns[item.column].append(item)

    def _chain(self, number: int, source: _Item, target: _Item) -> list[_Item]:
        """Return the items along an edge, with a point in each column between."""
        chain = [source]
        for column in range(source.column + 1, target.column):
            point = _Item(f"{number} {column}", column, 0, 0)
            self._add(point)
            chain.append(point)
        chain.append(target)
        for one, other in pairwise(chain):
            one.after.append(other)
            other.before.append(one)
        return chain

    # Order and places

    def _order(self) -> None:
        for sweep in range(_SWEEPS):
            for column in self._columns if sweep % 2 == 0 else reversed(self._columns):
                places = {item: place for other in self._columns for place, item in enumerate(other)}
                middles = {}
                for item in column:
                    neighbours = item.before if sweep % 2 == 0 else item.after
                    middles[item] = _mean([places[each] for each in neighbours], places[item])
                column.sort(key=middles.__getitem__)

    def _place(self) -> None:
        for column in self._columns:
            y = 0.0
            for item in column:
                item.y = y + item.height / 2
                y += item.height + _gap(item)
        for sweep in range(_SWEEPS):
            for column in self._columns if sweep % 2 == 0 else reversed(self._columns):
                neighbours = [item.before if sweep % 2 == 0 else item.after for item in column]
                wanted = [
                    _mean([each.y for each in near], item.y) for item, near in zip(column, neighbours, strict=True)
                ]
                self._settle(column, wanted)
        top = min((item.y - item.height / 2 for column in self._columns for item in column), default=0.0)
        for column in self._columns:
            for item in column:
                item.y -= top

    def _settle(self, column: list[_Item], wanted: list[float]) -> None:
        """Move items as near as possible to where they are wanted, in their order; groups that touch move together."""
        groups: list[tuple[list[_Item], list[float], float]] = []
        for item, place in zip(column, wanted, strict=True):
            items, starts, top = [item], [place - item.height / 2], place - item.height / 2
            while groups and groups[-1][2] + _extent(groups[-1][0]) > top:
                others, other_starts, _ = groups.pop()
                shift = _extent(others)
                starts = other_starts + [start - shift for start in starts]
                items = others + items
                top = sum(starts) / len(starts)
            groups.append((items, starts, top))
        for items, _, top in groups:
            for item in items:
                item.y = top + item.height / 2
                top += item.height + _gap(item)  # noqa: PLW2901

    # Coordinates

    def _width(self, column: int) -> float:
        return max(item.width for item in self._columns[column])

    def _lefts(self) -> tuple[list[float], float]:
        lefts, x = [], 0.0
        for column in range(len(self._columns)):
            lefts.append(x)
            x += self._width(column) + _ACROSS
        returning = {edge.target for number, edge in enumerate(self._graph.edges) if number not in self._chains}
        aside = RETURN + _ASIDE * len(returning) if returning else 0
        return lefts, x - _ACROSS + aside if lefts else 0.0

    def _lines(self, lefts: list[float], bottom: float) -> tuple[list[Line], float]:
        """Return the edges, and the height of all; those that go back run below everything."""
        starts, ends = self._ports()
        lines = []
        lanes: dict[str, int] = {}
        for number, edge in enumerate(self._graph.edges):
            source, target = self._items[edge.source], self._items[edge.target]
            right = lefts[source.column] + self._width(source.column)
            left = lefts[target.column]
            if number in self._chains:
                points = [(right, starts[number])]
                for item in self._chains[number][1:-1]:
                    points += [(lefts[item.column], item.y), (lefts[item.column] + self._width(item.column), item.y)]
                points.append((left, ends[number]))
            else:
                lane = lanes.setdefault(edge.target, len(lanes))
                y, aside = bottom + _THROUGH * (lane + 1), RETURN + _ASIDE * lane
                points = [(right, source.y), (right + aside, y), (left - min(aside, _ACROSS / 2), y), (left, target.y)]
            lines.append(Line(tuple(points), edge.returns, number not in self._chains))
        return lines, bottom + _THROUGH * len(lanes)

    def _ports(self) -> tuple[dict[int, float], dict[int, float]]:
        """Return the heights at which each edge leaves its box and enters the other one, so that edges are apart."""
        starts: dict[str, list[int]] = defaultdict(list)
        ends: dict[str, list[int]] = defaultdict(list)
        for number, chain in self._chains.items():
            starts[chain[0].key].append(number)
            ends[chain[-1].key].append(number)
        return (
            self._spread(starts, {number: chain[1].y for number, chain in self._chains.items()}),
            self._spread(ends, {number: chain[-2].y for number, chain in self._chains.items()}),
        )

    def _spread(self, sides: dict[str, list[int]], towards: dict[int, float]) -> dict[int, float]:
        places = {}
        for key, numbers in sides.items():
            item = self._items[key]
            numbers.sort(key=towards.__getitem__)
            step = min(12.0, (item.height - 8) / len(numbers))
            for index, number in enumerate(numbers):
                places[number] = item.y + (index - (len(numbers) - 1) / 2) * step
        return places


def _texts(node: Node) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    return (
        shortened(node.title),
        tuple(map(shortened, node.lines)),
        tuple(map(shortened, _wrapped(node.problem))) if node.problem else (),
    )


def _wrapped(text: str) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > LONGEST:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _size(title: str, lines: tuple[str, ...], problem: tuple[str, ...]) -> tuple[float, float]:
    width = max([len(title) * TITLE_WIDTH, *(len(line) * LINE_WIDTH for line in (*lines, *problem))])
    return width + 2 * PADDING, TITLE_HEIGHT + LINE_HEIGHT * len((*lines, *problem)) + 2 * PADDING - 4


def _mean(numbers: list[float] | list[int], otherwise: float) -> float:
    return sum(numbers) / len(numbers) if numbers else otherwise


def _gap(item: _Item) -> float:
    return _BETWEEN if item.height else _THROUGH


def _extent(items: list[_Item]) -> float:
    return sum(item.height + _gap(item) for item in items)
