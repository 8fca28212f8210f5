"""The graph in Mermaid, which forges and wikis draw."""

from __future__ import annotations

from .model import Graph, Node, NodeKind

_BRACKETS = {
    NodeKind.SOURCE: ("([", "])"),
    NodeKind.QUEUE: ("[(", ")]"),
    NodeKind.RECIPIENTS: (">", "]"),
    NodeKind.HOP: ("[/", "/]"),
}


def mermaid(graph: Graph) -> str:
    """Return the graph as text."""
    numbers = {node: f"n{number}" for number, node in enumerate(graph.nodes)}
    lines = ["flowchart LR"]
    for node in graph.nodes.values():
        opening, closing = _BRACKETS.get(node.kind, ("[", "]"))
        lines.append(f'  {numbers[node.id]}{opening}"{_label(node)}"{closing}')
    for edge in graph.edges:
        arrow = "-.->" if edge.returns else "-->"
        lines.append(f"  {numbers[edge.source]} {arrow} {numbers[edge.target]}")
    lines.append("  classDef problem stroke:#c00,stroke-dasharray:4")
    problems = [numbers[node.id] for node in graph.nodes.values() if node.problem]
    if problems:
        lines.append(f"  class {','.join(problems)} problem")
    return "\n".join([*lines, ""])


def _label(node: Node) -> str:
    lines = [node.title, *node.lines, *([node.problem] if node.problem else [])]
    return "<br/>".join(map(_escaped, lines))


def _escaped(text: str) -> str:
    """Return a text in which only letters, digits and harmless signs are themselves."""
    return "".join(
        each if (each.isalnum() or each in " .,:-_/@=()+'") else f"#{ord(each)};" if each.isprintable() else "?"
        for each in text
    )
