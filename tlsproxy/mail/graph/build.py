"""The graph of a configuration, built from its views.

Pure but for local tables: entries of transport_maps are read where the type can list them and needs no server.
Tables that can't be listed have one node, which leads nowhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from postconf import Config, Place, View
from postconf.config import ServiceView
from postconf.origins import place_of
from postconf.syntax.mastercf import split_words
from postconf.values import words

from ..routing.transport import Hop
from .entries import listed_values
from .model import Graph, Node, NodeKind
from .stations import cleanup_lines, hop_station, listener_lines, mailbox_hop, screen_lines, setting

_SEPARATORS = ", \t\r\n"
_PORTS = {"smtp": "25", "smtps": "465", "submissions": "465", "submission": "587", "qmqp": "628"}
_LOOPBACK = ("127.", "localhost:", "[::1]:", "::1:")
_SHOWN = 4
"""Domains that are named of a list."""
_DESTINATIONS = 12
"""Destinations of transport_maps that have a node each."""


def build(config: Config) -> Graph:
    """Return the graph of a configuration; a parameter that can't be expanded counts as empty."""
    return _Builder(config).graph


class _Builder:
    def __init__(self, config: Config) -> None:
        self.graph = Graph()
        self._config = config
        self._services = config.services()
        self._by_name = {(view.service.name, view.service.type): view for view in reversed(self._services)}
        self._filtered: dict[tuple[str, str], list[str]] = {}
        """Content filters with the services whose mail they get."""
        self._queue = self.graph.add(
            Node("queue", NodeKind.QUEUE, "queue", ("qmgr(8)",), self._place_of("qmgr", "unix"))
        )
        self._screens: list[tuple[str, str]] = []
        for view in self._services:
            self._accept(view)
        for screen, behind in self._screens:
            problem = f"master.cf has no service {behind}/pass"
            listener = Node(f"service {behind}/pass", NodeKind.LISTENER, f"{behind}/pass", problem=problem)
            self.graph.connect(screen, self.graph.add(listener))
        for value, services in self._filtered.items():
            self._content_filter(value, services)
        self._routes()
        self._returns()

    # In

    def _accept(self, view: ServiceView) -> None:
        """Add a service, if mail comes in there."""
        service = view.service
        program = service.command.rpartition("/")[2]
        place = service.line.place(0)
        node = f"service {service.key}"
        if program == "postscreen" and service.type == "inet":
            self.graph.add(Node(node, NodeKind.SCREEN, f"postscreen, {_port(service.name)}", screen_lines(view), place))
            self.graph.connect(self._source(service.name), node)
            self._screens.append((node, setting(view, "smtpd_service_name") or "smtpd"))
        elif program == "smtpd" and service.type in ("inet", "pass", "unix"):
            title = f"smtpd, {_port(service.name) if service.type == 'inet' else service.key}"
            self.graph.add(Node(node, NodeKind.LISTENER, title, listener_lines(view), place))
            if service.type == "inet":
                self.graph.connect(self._source(service.name), node)
            self._into_queue(view, node, "smtpd_milters")
        elif program in ("pickup", "qmqpd"):
            self.graph.add(Node(node, NodeKind.LISTENER, f"{program}, {service.key}", (), place))
            source = self._program_source() if program == "pickup" else self._source(service.name)
            self.graph.connect(source, node)
            self._into_queue(view, node, "non_smtpd_milters")

    def _source(self, name: str) -> str:
        if name.startswith(_LOOPBACK):
            return self.graph.add(Node("loopback", NodeKind.SOURCE, "programs on this machine", ("by SMTP",)))
        return self.graph.add(Node("network", NodeKind.SOURCE, "the network", ("servers and mail programs",)))

    def _program_source(self) -> str:
        return self.graph.add(Node("programs", NodeKind.SOURCE, "sendmail(1)", ("programs and cron jobs here",)))

    def _into_queue(self, view: ServiceView, node: str, milters: str) -> None:
        """Connect a service with the queue, through the filters of its mail."""
        proxy = setting(view, "smtpd_proxy_filter") if milters == "smtpd_milters" else ""
        overridden = words(setting(view, "receive_override_options"))
        found = () if "no_milters" in overridden else tuple(_endpoints(setting(view, milters)))
        if found:
            title = "mail filter" if len(found) == 1 else f"{len(found)} mail filters"
            failing = setting(view, "milter_default_action")
            lines = (*found, f"without it: {failing}")
            milter = Node(f"milters {' '.join(found)}", NodeKind.FILTER, title, lines, place_of(view, milters))
            self.graph.connect(node, self.graph.add(milter))
            node = milter.id
        if proxy:
            filter_node = Node(
                f"proxy {proxy}", NodeKind.FILTER, "SMTP proxy filter", (proxy,), place_of(view, "smtpd_proxy_filter")
            )
            self.graph.connect(node, self.graph.add(filter_node))
            return  # the proxy brings the mail back, by itself
        content_filter = setting(view, "content_filter")
        if content_filter:
            self._filtered.setdefault((content_filter, str(place_of(view, "content_filter") or "")), []).append(
                view.service.name
            )
        self.graph.connect(node, self._cleanup(setting(view, "cleanup_service_name") or "cleanup"))

    def _cleanup(self, name: str) -> str:
        view = self._view(name, "unix")
        problem = "" if self._has(name, "unix") else f"master.cf has no service {name}/unix"
        node = Node(
            f"cleanup {name}", NodeKind.CLEANUP, name, cleanup_lines(view), self._place_of(name, "unix"), problem
        )
        self.graph.connect(self.graph.add(node), self._queue)
        return node.id

    # Out

    def _content_filter(self, value: tuple[str, str], services: list[str]) -> None:
        text, _ = value
        transport, _, nexthop = text.partition(":")
        whose = (
            "all mail" if len(services) == len(self._accepting()) else f"mail of {', '.join(dict.fromkeys(services))}"
        )
        node = Node(f"filtered {text}", NodeKind.RECIPIENTS, whose, (f"content_filter = {text}",))
        self.graph.connect(self._queue, self.graph.add(node))
        self._deliver(node.id, Hop(transport, nexthop), "the recipient's domain")

    def _accepting(self) -> list[ServiceView]:
        return [
            view for view in self._services if view.service.command.rpartition("/")[2] in ("smtpd", "pickup", "qmqpd")
        ]

    def _routes(self) -> None:
        view = self._view("rewrite", "unix")
        self._transport_maps(view)
        self._class(view, "local domains", "mydestination", "local_transport", setting(view, "myhostname"))
        self._class(view, "virtual mailboxes", "virtual_mailbox_domains", "virtual_transport", "the recipient's domain")
        relayhost = setting(view, "relayhost")
        onward = relayhost or "MX of the recipient's domain"
        if set(words(setting(view, "relay_domains"))) - set(words(setting(view, "mydestination"))):
            self._class(view, "relay domains", "relay_domains", "relay_transport", onward)
        lines = tuple(
            f"{name} = {setting(view, name)}"
            for name in ("sender_dependent_relayhost_maps", "sender_dependent_default_transport_maps")
            if setting(view, name)
        )
        node = Node(
            "other domains", NodeKind.RECIPIENTS, "all other domains", lines, place_of(view, "default_transport")
        )
        self.graph.connect(self._queue, self.graph.add(node))
        self._deliver_to(node.id, setting(view, "default_transport"), onward)

    def _class(self, view: View, title: str, domains: str, transport: str, nexthop: str) -> None:
        """Add an address class, if there are domains in it."""
        found = words(setting(view, domains))
        if not found:
            return
        node = Node(f"class {domains}", NodeKind.RECIPIENTS, title, _shown(found), place_of(view, domains))
        self.graph.connect(self._queue, self.graph.add(node))
        self._deliver_to(node.id, setting(view, transport), nexthop)

    def _transport_maps(self, view: View) -> None:
        place = place_of(view, "transport_maps")
        unlisted: list[str] = []
        for name, _ in split_words(setting(view, "transport_maps"), _SEPARATORS):
            values = listed_values(name)
            if values is None:
                unlisted.append(name)
                continue
            keys: dict[str, list[str]] = {}
            for key, value in values:
                keys.setdefault(value, []).append(key)
            counts = Counter({value: len(each) for value, each in keys.items()})
            for value, _ in counts.most_common(_DESTINATIONS):
                node = Node(
                    f"entries {name} {value}", NodeKind.RECIPIENTS, "transport_maps", _shown(keys[value]), place
                )
                self.graph.connect(self._queue, self.graph.add(node))
                self._deliver_to(node.id, value, "MX of the recipient's domain")
            if len(counts) > _DESTINATIONS:
                more = f"{len(counts) - _DESTINATIONS} more destinations"
                node = Node(f"more {name}", NodeKind.RECIPIENTS, "transport_maps", (name, more), place)
                self.graph.connect(self._queue, self.graph.add(node))

        if unlisted:
            lines = (*_shown(unlisted), "(their answers can't be listed)")
            node = Node("unlisted", NodeKind.RECIPIENTS, "found in transport_maps", lines, place)
            self.graph.connect(self._queue, self.graph.add(node))

    def _deliver_to(self, source: str, value: str, default: str) -> None:
        transport, _, nexthop = value.partition(":")
        self._deliver(source, Hop(transport or "smtp", nexthop), default)

    def _deliver(self, source: str, hop: Hop, default: str) -> None:
        """Add a transport and its next hop behind a node."""
        name = hop.transport
        if not self._has(name, "unix"):
            problem = f"master.cf has no service {name}/unix: mail waits"
            self.graph.connect(
                source, self.graph.add(Node(f"transport {name}", NodeKind.TRANSPORT, name, problem=problem))
            )
            return
        view = self._view(name, "unix")
        program = _program(view)
        node = Node(
            f"transport {name}",
            NodeKind.TRANSPORT,
            name,
            (f"{program}(8)",) if program else (),
            self._place_of(name, "unix"),
        )
        self.graph.connect(source, self.graph.add(node))
        if program == "local":
            self._mailboxes(node.id, view)
            return
        station = hop_station(view, program, name, hop.nexthop or default)
        self.graph.connect(node.id, self.graph.add(station))

    def _mailboxes(self, source: str, view: View) -> None:
        """Add where local(8) delivers: another transport, a command, or files."""
        other = setting(view, "mailbox_transport")
        if other and f"transport {other.partition(':')[0]}" != source:
            self._deliver_to(source, other, "the recipient's domain")
        else:
            self.graph.connect(source, self.graph.add(mailbox_hop(view)))

    # Back

    def _returns(self) -> None:
        """Connect filters that hand mail back with the services on the loopback interface that can take it.

        By custom a filter at one port returns mail to the next one. Without such a service it may be any that does not
        send its mail to a filter.
        """
        for node in list(self.graph.nodes.values()):
            if node.id.startswith("proxy "):
                self._return_from(node.id, node.lines[0], "smtpd_proxy_filter")
            elif node.id.startswith("filtered "):
                for hop in self._behind(node.id):
                    self._return_from(hop, self.graph.nodes[hop].title, "content_filter")

    def _return_from(self, node: str, endpoint: str, parameter: str) -> None:
        takers = {
            view.service.name: view
            for view in self._accepting()
            if view.service.type == "inet" and view.service.name.startswith(_LOOPBACK)
        }
        port = endpoint.rpartition(":")[2]
        following = f":{int(port) + 1}" if port.isascii() and port.isdigit() and len(port) < 6 else ""
        found = [name for name in takers if following and name.endswith(following)]
        for name in found or [name for name, view in takers.items() if not setting(view, parameter)]:
            self.graph.connect(node, f"service {name}/inet", returns=True)

    def _behind(self, node: str) -> Iterator[str]:
        for transport in (edge.target for edge in self.graph.edges if edge.source == node):
            hops = [edge.target for edge in self.graph.edges if edge.source == transport]
            text = node.removeprefix("filtered ").partition(":")[2]
            yield from (hop for hop in hops if text and hop.endswith(text))

    # Services

    def _has(self, name: str, kind: str) -> bool:
        return (name, kind) in self._by_name

    def _view(self, name: str, kind: str) -> View:
        return self._by_name.get((name, kind), self._config)

    def _place_of(self, name: str, kind: str) -> Place | None:
        view = self._view(name, kind)
        return view.service.line.place(0) if isinstance(view, ServiceView) else None


def _program(view: View) -> str:
    return view.service.command.rpartition("/")[2] if isinstance(view, ServiceView) else ""


def _port(name: str) -> str:
    """Return `port 25` for the name of an inet service, with its address if it has one."""
    address, _, port = name.rpartition(":")
    shown = _PORTS.get(port, port)
    return f"{address}:{shown}" if address else f"port {shown}"


def _endpoints(text: str) -> Iterator[str]:
    """Yield the endpoints of a list of milters, without their options."""
    for word, _ in split_words(text, _SEPARATORS):
        inner = split_words(word[1:-1].strip(), _SEPARATORS) if word.startswith("{") else [(word, 0)]
        if inner:
            yield inner[0][0]


def _shown(names: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    more = len(names) - _SHOWN
    return (*names[:_SHOWN], f"and {more} more") if more > 0 else tuple(names)
