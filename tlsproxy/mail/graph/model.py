"""The graph: typed nodes, and edges between them."""

from __future__ import annotations

import enum
from typing import NamedTuple

from postconf import Place


class NodeKind(enum.Enum):
    """Kind of a node, and its column in a picture."""

    SOURCE = "source"
    """Source of mail."""
    SCREEN = "screen"
    """A service of postscreen(8)."""
    LISTENER = "listener"
    """A service that accepts mail."""
    FILTER = "filter"
    """Filters in front of the queue: milters, and an SMTP proxy."""
    CLEANUP = "cleanup"
    QUEUE = "queue"
    RECIPIENTS = "recipients"
    """Recipients that go the same way: an address class, entries of transport_maps, all mail of a service."""
    TRANSPORT = "transport"
    """A delivery agent: a service of master.cf."""
    HOP = "hop"
    """The next hop, or the mailboxes."""


HEADINGS = {
    NodeKind.SOURCE: "mail comes from",
    NodeKind.SCREEN: "screened by",
    NodeKind.LISTENER: "accepted by",
    NodeKind.FILTER: "filtered by",
    NodeKind.CLEANUP: "cleaned up by",
    NodeKind.QUEUE: "queued",
    NodeKind.RECIPIENTS: "recipients",
    NodeKind.TRANSPORT: "delivered by",
    NodeKind.HOP: "to",
}


class Node(NamedTuple):
    """A station of mail."""

    id: str
    kind: NodeKind
    title: str
    lines: tuple[str, ...] = ()
    """Further lines of text."""
    place: Place | None = None
    """Place in the configuration."""
    problem: str = ""
    """Why mail does not get further; empty if it does."""


class Edge(NamedTuple):
    """The way from one node to another."""

    source: str
    target: str
    returns: bool = False
    """True if mail returns to an earlier station; the way is an assumption, because the filter decides."""


class Graph:
    """Nodes by their ids in the order of the picture, and edges; both are bounded."""

    LIMIT = 400

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.edges: list[Edge] = []
        self.left_out = 0
        """Nodes above the limit."""

    def add(self, node: Node) -> str:
        """Add a node unless it is there; return its id."""
        if node.id not in self.nodes:
            if len(self.nodes) >= self.LIMIT:
                self.left_out += 1
            else:
                self.nodes[node.id] = node
        return node.id

    def connect(self, source: str, target: str, *, returns: bool = False) -> None:
        """Add an edge, unless one of its nodes was left out, or it is there."""
        if source in self.nodes and target in self.nodes:
            edge = Edge(source, target, returns)
            if edge not in self.edges:
                self.edges.append(edge)
