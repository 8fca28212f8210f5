"""The graph as a picture in SVG, in light or dark colours as the reader's system is."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from .layout import LINE_HEIGHT, PADDING, RETURN, TITLE_HEIGHT, Box, Layout, Line, layout
from .model import HEADINGS, Graph

_MARGIN, _TOP = 16, 44
_STYLE = """\
.mail-flow { font: 12px system-ui, sans-serif; --ink: #1b1f24; --soft: #57606a; --paper: #fff; --edge: #7d8590;
  --bad: #b3261e; --source: #eef1f4; --screen: #fdf0d5; --listener: #e2effc; --filter: #fdf0d5; --cleanup: #f1ecfb;
  --queue: #f1ecfb; --recipients: #fffbe0; --transport: #e2f5e6; --hop: #eef1f4 }
@media (prefers-color-scheme: dark) { .mail-flow { --ink: #e6edf3; --soft: #a6b0ba; --paper: #0d1117; --edge: #7d8590;
  --bad: #ff8a80; --source: #21262d; --screen: #3a2d12; --listener: #12304d; --filter: #3a2d12; --cleanup: #2b2145;
  --queue: #2b2145; --recipients: #35310f; --transport: #12361c; --hop: #21262d } }
.mail-flow .paper { fill: var(--paper) }
.mail-flow text { fill: var(--ink) }
.mail-flow .heading { fill: var(--soft); font-size: 11px; letter-spacing: .04em; text-transform: uppercase }
.mail-flow .title { font-weight: 600; font-size: 13px }
.mail-flow .line { fill: var(--soft); font-size: 11.5px }
.mail-flow .fault { fill: var(--bad); font-size: 11.5px }
.mail-flow rect.box { stroke: var(--edge) }
.mail-flow .broken rect.box { stroke: var(--bad); stroke-width: 1.6; stroke-dasharray: 5 3 }
.mail-flow path { fill: none; stroke: var(--edge); stroke-width: 1.4 }
.mail-flow path.returns { stroke-dasharray: 5 4 }
.mail-flow marker path { fill: var(--edge); stroke: none }
.mail-flow a:focus rect.box { stroke: var(--ink); stroke-width: 2.5 }
"""


def svg(graph: Graph, *, title: str = "How mail flows", links: dict[str, str] | None = None) -> str:
    """Return the picture; `links` are the targets of nodes, by their ids."""
    placed = layout(graph)
    width, height = placed.width + 2 * _MARGIN, placed.height + _TOP + _MARGIN
    role = "group" if links else "img"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="mail-flow" viewBox="0 0 {width:.0f} {height:.0f}"'
        f' width="{width:.0f}" height="{height:.0f}" role="{role}" aria-labelledby="mail-flow-title">',
        f'<title id="mail-flow-title">{escape(title)}</title>',
        f"<style>{_STYLE}</style>",
        '<defs><marker id="mail-flow-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"'
        ' orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>',
        f'<rect class="paper" width="{width:.0f}" height="{height:.0f}"/>',
        f'<g transform="translate({_MARGIN} {_TOP})">',
        *_headings(placed),
        *map(_line, placed.lines),
        *(_box(box, (links or {}).get(box.node.id, "")) for box in placed.boxes),
        "</g></svg>",
    ]
    return "\n".join([*parts, ""])


def _headings(placed: Layout) -> Iterator[str]:
    for kind, left in placed.headings:
        yield f'<text class="heading" x="{left:.0f}" y="-16">{HEADINGS[kind]}</text>'


def _line(line: Line) -> str:
    path = _around(line) if line.around else _along(line)
    return f'<path class="{"returns" if line.returns else "way"}" d="{path}" marker-end="url(#mail-flow-arrow)"/>'


def _along(line: Line) -> str:
    """Return the path of an edge that goes from left to right."""
    (x, y), *points = line.points
    path = [f"M{x:.1f} {y:.1f}"]
    for next_x, next_y in points:
        middle = (x + next_x) / 2
        path.append(f"C{middle:.1f} {y:.1f} {middle:.1f} {next_y:.1f} {next_x:.1f} {next_y:.1f}")
        x, y = next_x, next_y
    return "".join(path)


def _around(line: Line) -> str:
    """Return the path of an edge that goes back: down beside its box, to the left, and up again."""
    (start, y), (right, lane), (left, _), (end, target) = line.points
    return (
        f"M{start:.1f} {y:.1f}Q{right:.1f} {y:.1f} {right:.1f} {y + RETURN:.1f}V{lane - RETURN:.1f}"
        f"Q{right:.1f} {lane:.1f} {right - RETURN:.1f} {lane:.1f}H{left + RETURN:.1f}"
        f"Q{left:.1f} {lane:.1f} {left:.1f} {lane - RETURN:.1f}V{target + RETURN:.1f}"
        f"Q{left:.1f} {target:.1f} {end:.1f} {target:.1f}"
    )


def _box(box: Box, link: str) -> str:
    node = box.node
    full = [
        node.title,
        *node.lines,
        *([node.problem] if node.problem else []),
        *([str(node.place)] if node.place else []),
    ]
    texts = [f'<text class="title" x="{box.x + PADDING:.1f}" y="{box.y + TITLE_HEIGHT:.1f}">{escape(box.title)}</text>']
    y = box.y + TITLE_HEIGHT
    for lines, kind in ((box.lines, "line"), (box.problem, "fault")):
        for line in lines:
            y += LINE_HEIGHT
            texts.append(f'<text class="{kind}" x="{box.x + PADDING:.1f}" y="{y:.1f}">{escape(line)}</text>')
    radius = 14 if node.kind.value in ("source", "hop") else 5
    content = (
        f'<g class="{"broken" if node.problem else "station"}">'
        f"<title>{escape(chr(10).join(_printable(each) for each in full if each))}</title>"
        f'<rect class="box" x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}"'
        f' rx="{radius}" fill="var(--{node.kind.value})"/>{"".join(texts)}</g>'
    )
    return f'<a href="{escape(link)}">{content}</a>' if link else content


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)
