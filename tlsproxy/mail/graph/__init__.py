"""The way of mail through a configuration, as a graph: services, filters, queue, transports and next hops.

`build` makes the graph of a configuration; `dot`, `mermaid` and `svg` write it, `report` puts it into a page of HTML.
"""
