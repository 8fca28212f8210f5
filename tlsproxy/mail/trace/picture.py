"""--graph: the mail flow of a configuration as a picture, or in a page with all else about it."""

from __future__ import annotations

from postconf import Config

from ..graph.build import build


def picture(config: Config, kind: str) -> str:
    """Return the graph of a configuration in one of the formats."""
    graph = build(config)
    if kind == "dot":
        from ..graph.dot import dot

        return dot(graph)
    if kind == "mermaid":
        from ..graph.mermaid import mermaid

        return mermaid(graph)
    if kind == "svg":
        from ..graph.svg import svg

        return svg(graph)
    from ..graph.html import page
    from .findings import findings

    return page(config, graph, findings(config))
