"""A page about a configuration: the picture of its mail flow, findings, TLS, and settings with their origins.

One file without scripts that loads nothing: it can be mailed, and stored with the configuration. Passwords that are in
the configuration are not shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import NamedTuple

from postconf import Config, View
from postconf.config import ServiceView
from postconf.origins import place_of

from .model import HEADINGS, Graph
from .stations import setting
from .svg import svg

_SECRET = re.compile(r"passw|secret")
_CONTENT = re.compile(r"(inline|static):")
_STYLE = """\
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --paper: #fff; --rule: #d0d7de; --band: #f6f8fa;
  --link: #0b57d0; --error: #b3261e; --warning: #8a5300; --info: #57606a }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #a6b0ba; --paper: #0d1117; --rule: #30363d;
  --band: #161b22; --link: #8ab4f8; --error: #ff8a80; --warning: #e5b567; --info: #a6b0ba } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 1500px; padding: 1rem 1.5rem 4rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif }
h1 { font-size: 1.6rem; margin: .5rem 0 0 } h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem }
p.about, caption { color: var(--soft); text-align: left } a { color: var(--link) }
.skip { position: absolute; left: -99rem }
.skip:focus { left: 1rem; top: .5rem; background: var(--paper); padding: .4rem }
nav ul { display: flex; flex-wrap: wrap; gap: .3rem 1.4rem; list-style: none; padding: 0; margin: .8rem 0 }
.scroll { overflow: auto; border: 1px solid var(--rule); border-radius: 6px; max-height: 90vh }
.scroll svg { display: block; width: 100%; min-width: 1150px; height: auto }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px }
table { border-collapse: collapse; width: 100% } th, td { padding: .3rem .7rem; text-align: left; vertical-align: top }
caption { padding-top: .8rem } tr + tr td { border-top: 1px solid var(--rule) } .raw { color: var(--soft) }
th { background: var(--band); font-weight: 600; position: sticky; top: 0 }
td code { font: .86em/1.45 ui-monospace, monospace; overflow-wrap: anywhere; white-space: pre-wrap }
.error { color: var(--error); font-weight: 600 } .warning { color: var(--warning); font-weight: 600 }
.info { color: var(--info) }
tr:target td { background: var(--band) }
@media print { .scroll { max-height: none; overflow: visible } .scroll svg { width: 100%; height: auto } }
"""


class Remark(NamedTuple):
    """A finding about the configuration."""

    severity: str
    """`error`, `warning` or `info`."""
    rule: str
    place: str
    message: str
    help: str


def page(config: Config, graph: Graph, remarks: Sequence[Remark]) -> str:
    """Return the page as HTML; it loads nothing from elsewhere."""
    host = setting(config, "myhostname")
    title = f"Mail at {host}" if host else "Mail"
    links = {node: f"#station-{number}" for number, node in enumerate(graph.nodes)}
    parts = [
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_text(title)}</title><style>{_STYLE}</style></head><body>",
        '<a class="skip" href="#main">Skip to the content</a>',
        f"<header><h1>{_text(title)}</h1>",
        f'<p class="about">{_text(config.directory)}, as Postfix {_text(config.release.name)} reads it</p></header>',
        _contents(remarks),
        '<main id="main">',
        *_picture(graph, links),
        *_findings(remarks),
        *_tls(config),
        *_settings(config),
        *_stations(graph),
        "</main></body></html>",
    ]
    return "\n".join([*parts, ""])


def _contents(remarks: Sequence[Remark]) -> str:
    found = f"Findings ({len(remarks)})" if remarks else "Findings"
    sections = {"flow": "Mail flow", "findings": found, "tls": "TLS", "settings": "Settings", "stations": "Stations"}
    items = "".join(f'<li><a href="#{name}">{title}</a></li>' for name, title in sections.items())
    return f'<nav aria-label="Contents"><ul>{items}</ul></nav>'


def _picture(graph: Graph, links: dict[str, str]) -> Iterator[str]:
    yield '<section aria-labelledby="flow"><h2 id="flow">Mail flow</h2>'
    yield '<p class="about">From left to right. Each station leads to <a href="#stations">its full text</a>; dashed'
    yield "lines are assumed: only the filter knows where it returns mail to.</p>"
    yield '<div class="scroll" tabindex="0" role="region" aria-label="Picture of the mail flow">'
    yield svg(graph, links=links)
    yield "</div></section>"


def _findings(remarks: Sequence[Remark]) -> Iterator[str]:
    yield '<section aria-labelledby="findings"><h2 id="findings">Findings</h2>'
    if not remarks:
        yield "<p>tlsproxy-check finds nothing.</p></section>"
        return
    yield from _table(
        ("", "where", "what", "remedy"),
        (
            (
                f'<span class="{_text(each.severity)}">{_text(each.severity)}</span> {_text(each.rule)}',
                f"<code>{_text(each.place)}</code>",
                _text(each.message),
                _text(each.help),
            )
            for each in remarks
        ),
    )
    yield "</section>"


def _tls(config: Config) -> Iterator[str]:
    yield '<section aria-labelledby="tls"><h2 id="tls">TLS</h2>'
    yield from _table(
        ("service", "level", "protocols", "ciphers", "key and certificate", "other"),
        (_server(view) for view in _views(config, "smtpd", "postscreen", "tlsproxy")),
        "Incoming",
    )
    yield from _table(
        ("service", "level", "protocols", "ciphers", "key and certificate", "other"),
        (_client(view) for view in _views(config, "smtp", "lmtp")),
        "Outgoing",
    )
    yield "</section>"


def _views(config: Config, *programs: str) -> list[ServiceView]:
    return [view for view in config.services() if view.service.command.rpartition("/")[2] in programs]


def _server(view: ServiceView) -> tuple[str, ...]:
    program = view.service.command.rpartition("/")[2]
    prefix = {"smtpd": "smtpd", "postscreen": "postscreen", "tlsproxy": "tlsproxy"}[program]
    level = setting(view, f"{prefix}_tls_security_level") or "(from older settings)"
    files = setting(view, "smtpd_tls_chain_files") or ", ".join(
        filter(None, (setting(view, f"smtpd_tls_{kind}_file") for kind in ("cert", "eccert", "dcert")))
    )
    other = [
        "TLS from the start" if setting(view, "smtpd_tls_wrappermode") == "yes" else "",
        "login only with TLS" if setting(view, "smtpd_tls_auth_only") == "yes" else "",
        "asks for client certificates" if setting(view, "smtpd_tls_ask_ccert") == "yes" else "",
        f"SNI: {setting(view, 'tls_server_sni_maps')}" if setting(view, "tls_server_sni_maps") else "",
    ]
    return _tls_row(view, level, "smtpd", files, other)


def _client(view: ServiceView) -> tuple[str, ...]:
    prefix = view.service.command.rpartition("/")[2]
    level = setting(view, f"{prefix}_tls_security_level") or "(from older settings)"
    files = setting(view, f"{prefix}_tls_chain_files") or setting(view, f"{prefix}_tls_cert_file")
    authorities = ", ".join(
        filter(None, (setting(view, f"{prefix}_tls_CAfile"), setting(view, f"{prefix}_tls_CApath")))
    )
    policies = setting(view, f"{prefix}_tls_policy_maps")
    other = [f"policies: {policies}" if policies else "", f"authorities: {authorities}" if authorities else ""]
    return _tls_row(view, level, prefix, files, other)


def _tls_row(view: ServiceView, level: str, prefix: str, files: str, other: Iterable[str]) -> tuple[str, ...]:
    strict = "mandatory_" if level not in ("may", "none") else ""
    values = (
        level,
        setting(view, f"{prefix}_tls_{strict}protocols"),
        setting(view, f"{prefix}_tls_{strict}ciphers"),
        files,
        "\n".join(filter(None, other)),
    )
    return (f"<code>{_text(view.service.key)}</code>", *(f"<code>{_text(value)}</code>" for value in values))


def _settings(config: Config) -> Iterator[str]:
    yield '<section aria-labelledby="settings"><h2 id="settings">Settings</h2>'
    yield '<p class="about">All that main.cf and master.cf set, as it is in effect.</p>'
    yield from _table(("parameter", "value", "where"), _setting_rows(config))
    yield "</section>"


def _setting_rows(config: Config) -> Iterator[tuple[str, ...]]:
    for name in sorted(name for name, each in config.main.items() if each.place is not None):
        yield _setting_row(config, name, "")
    for view in config.services():
        for each in view.service.settings:
            yield _setting_row(view, each.name, view.service.key)


def _setting_row(view: View, name: str, service: str) -> tuple[str, ...]:
    shown = f"<code>{_text(name)}</code>" + (f"<br>of {_text(service)}" if service else "")
    value = _harmless(name, setting(view, name))
    raw = _harmless(name, view.raw(name) if name in view else "")
    written = "" if raw == value else f'<br><span class="raw">from <code>{_text(raw)}</code></span>'
    return shown, f"<code>{_text(value)}</code>{written}", f"<code>{_text(str(place_of(view, name) or ''))}</code>"


def _harmless(name: str, value: str) -> str:
    """Return a value unless it is, or has, a password."""
    if _SECRET.search(name) and (not name.endswith("_maps") or _CONTENT.search(value)):
        return "(not shown)"
    return value


def _stations(graph: Graph) -> Iterator[str]:
    yield '<section aria-labelledby="stations"><h2 id="stations">Stations</h2>'
    yield '<p class="about">The picture as text.</p>'
    leads: dict[str, list[str]] = {}
    numbers = {node: number for number, node in enumerate(graph.nodes)}
    for edge in graph.edges:
        target = graph.nodes[edge.target]
        assumed = " (assumed)" if edge.returns else ""
        link = f'<a href="#station-{numbers[target.id]}">{_text(target.title)}</a>{assumed}'
        leads.setdefault(edge.source, []).append(link)
    yield from _table(
        ("station", "facts", "leads to", "where"),
        (
            (
                f'<span id="station-{numbers[node.id]}">{_text(node.title)}</span><br>'
                f"<small>{HEADINGS[node.kind]}</small>",
                "<br>".join([*map(_text, node.lines), *([_problem(node.problem)] if node.problem else [])]),
                "<br>".join(leads.get(node.id, [])),
                f"<code>{_text(str(node.place or ''))}</code>",
            )
            for node in graph.nodes.values()
        ),
    )
    if graph.left_out:
        yield f"<p>{graph.left_out} more stations are left out.</p>"
    yield "</section>"


def _problem(text: str) -> str:
    return f'<span class="error">{_text(text)}</span>'


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "") -> Iterator[str]:
    """Yield a table; its cells are HTML."""
    label = f"<caption>{caption}</caption>" if caption else ""
    heads = "".join(f'<th scope="col">{each}</th>' for each in head)
    yield f"<table>{label}<thead><tr>{heads}</tr></thead><tbody>"
    for row in rows:
        yield f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>"
    yield "</tbody></table>"


def _text(text: str) -> str:
    return escape("".join(each if each.isprintable() or each == "\n" else "?" for each in text))
