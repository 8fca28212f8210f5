"""The graph in DOT, the language of Graphviz."""

from __future__ import annotations

from .model import Graph, Node, NodeKind

_SHAPES = {NodeKind.SOURCE: "ellipse", NodeKind.QUEUE: "cylinder", NodeKind.RECIPIENTS: "note", NodeKind.HOP: "folder"}


def dot(graph: Graph) -> str:
    """Return the graph as text."""
    numbers = {node: f"n{number}" for number, node in enumerate(graph.nodes)}
    lines = ["digraph mail {", "  rankdir=LR;", '  node [shape=box, fontname="sans-serif", fontsize=11];']
    for node in graph.nodes.values():
        attributes = [f"label={_quoted(_label(node))}"]
        if node.kind in _SHAPES:
            attributes.append(f"shape={_SHAPES[node.kind]}")
        if node.problem:
            attributes.append("color=red, style=dashed")
        if node.place:
            attributes.append(f"tooltip={_quoted(str(node.place))}")
        lines.append(f"  {numbers[node.id]} [{', '.join(attributes)}];")
    for edge in graph.edges:
        suffix = " [style=dashed, constraint=false]" if edge.returns else ""
        lines.append(f"  {numbers[edge.source]} -> {numbers[edge.target]}{suffix};")
    return "\n".join([*lines, "}", ""])


def _label(node: Node) -> str:
    return "\n".join([node.title, *node.lines, *([node.problem] if node.problem else [])])


def _quoted(text: str) -> str:
    printable = "".join(each if each.isprintable() or each == "\n" else "?" for each in text)
    escaped = printable.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
