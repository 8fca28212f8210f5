"""The graph of mail flow: its content, the places of nodes, and pictures that no value breaks."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

import postconf
from postconf import Config
from tlsproxy.mail.graph.build import build
from tlsproxy.mail.graph.dot import dot
from tlsproxy.mail.graph.html import Remark, page
from tlsproxy.mail.graph.layout import layout
from tlsproxy.mail.graph.mermaid import mermaid
from tlsproxy.mail.graph.model import Edge, Graph, Node, NodeKind
from tlsproxy.mail.graph.svg import svg
from tlsproxy.mail.trace.cli import main

MAIN = """\
compatibility_level = 3.6
myhostname = mail.example.com
mydestination = $myhostname, example.com
relay_domains = example.org
relayhost = [relay.example.net]:587
transport_maps = inline:{{a.example=smtp:[one.example]}, {b.example=smtp:[one.example]}, {c.example=slow:}}
virtual_mailbox_domains = example.info
virtual_transport = lmtp:unix:private/lmtp
mailbox_transport = lmtp:unix:private/lmtp
smtpd_milters = { inet:localhost:8891, connect_timeout=10s }, unix:private/spam
smtp_tls_security_level = dane
"""
MASTER = """\
smtp inet n - n - 1 postscreen
smtpd pass - - n - - smtpd
  -o content_filter=scan:[127.0.0.1]:10024
submission inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
127.0.0.1:10025 inet n - n - - smtpd
  -o content_filter=
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
scan unix - - n - - smtp
smtp unix - - n - - smtp
relay unix - - n - - smtp
local unix - n n - - local
lmtp unix - - n - - lmtp
"""


def load(directory: Path, main: str = MAIN, master: str = MASTER) -> Config:
    (directory / "main.cf").write_bytes(main.encode("utf-8", "surrogateescape"))
    (directory / "master.cf").write_bytes(master.encode("utf-8", "surrogateescape"))
    return postconf.load(directory, version="3.7")


@pytest.fixture
def graph(tmp_path: Path) -> Graph:
    return build(load(tmp_path))


def ways(graph: Graph) -> set[tuple[str, str]]:
    return {(graph.nodes[edge.source].title, graph.nodes[edge.target].title) for edge in graph.edges}


def node(graph: Graph, title: str) -> Node:
    return next(each for each in graph.nodes.values() if each.title == title)


def test_mail_from_the_network_goes_through_postscreen(graph: Graph) -> None:
    assert {("the network", "postscreen, port 25"), ("postscreen, port 25", "smtpd, smtpd/pass")} <= ways(graph)
    assert ("the network", "smtpd, smtpd/pass") not in ways(graph)


def test_mail_filters_come_before_the_queue(graph: Graph) -> None:
    milters = node(graph, "2 mail filters")
    assert milters.lines[:2] == ("inet:localhost:8891", "unix:private/spam")
    assert {("smtpd, port 587", "2 mail filters"), ("2 mail filters", "cleanup"), ("cleanup", "queue")} <= ways(graph)
    assert ("pickup, pickup/unix", "cleanup") in ways(graph)


def test_listener_shows_tls_login_and_relay_clients(graph: Graph) -> None:
    listener = node(graph, "smtpd, port 587")
    assert listener.lines == ("TLS required (encrypt)", "login", "relays for users")
    assert str(listener.place).endswith("master.cf:4:1")


def test_recipients_go_by_class_and_transport_maps(graph: Graph) -> None:
    found = ways(graph)
    assert {("local domains", "local"), ("local", "lmtp"), ("lmtp", "unix:private/lmtp")} <= found
    assert {("virtual mailboxes", "lmtp"), ("relay domains", "relay"), ("relay", "[relay.example.net]:587")} <= found
    assert {("all other domains", "smtp"), ("smtp", "[relay.example.net]:587"), ("smtp", "[one.example]")} <= found
    assert node(graph, "[one.example]").lines == ("TLS: dane",)
    assert [each.lines for each in graph.nodes.values() if each.title == "transport_maps"] == [
        ("a.example", "b.example"),
        ("c.example",),
    ]


def test_transport_without_service_is_a_problem(graph: Graph) -> None:
    assert node(graph, "slow").problem == "master.cf has no service slow/unix: mail waits"
    assert [each.title for each in graph.nodes.values() if each.problem] == ["slow"]


def test_content_filter_returns_mail_to_the_next_port(graph: Graph) -> None:
    assert ("mail of smtpd", "scan") in ways(graph)
    returns = [edge for edge in graph.edges if edge.returns]
    assert returns == [Edge("hop scan [127.0.0.1]:10024", "service 127.0.0.1:10025/inet", returns=True)]


def test_table_that_cannot_be_listed_is_named(tmp_path: Path) -> None:
    graph = build(load(tmp_path, "transport_maps = pcre:/etc/postfix/t, mysql:/etc/postfix/m\n"))
    assert node(graph, "found in transport_maps").lines[:2] == ("pcre:/etc/postfix/t", "mysql:/etc/postfix/m")


def test_indexed_table_is_listed_from_its_source(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("d.example relay:[two.example]\n")
    graph = build(load(tmp_path, f"transport_maps = hash:{tmp_path}/t\n"))
    assert ("relay", "[two.example]") in ways(graph)


def test_nodes_are_bounded(tmp_path: Path) -> None:
    master = MASTER + "".join(f"{port} inet n - n - - smtpd\n" for port in range(10000, 11000))
    graph = build(load(tmp_path, master=master))
    assert len(graph.nodes) == Graph.LIMIT
    assert graph.left_out > 500
    ET.fromstring(svg(graph))


def graphs() -> st.SearchStrategy[Graph]:
    def make(kinds: list[NodeKind], pairs: list[tuple[int, int, bool]], texts: list[str]) -> Graph:
        graph = Graph()
        for number, kind in enumerate(kinds):
            lines = tuple(texts[: number % 4])
            graph.add(Node(str(number), kind, texts[number % len(texts)], lines, problem=texts[0] * (number % 5 == 0)))
        for source, target, returns in pairs:
            graph.connect(str(source), str(target), returns=returns)
        return graph

    indexes = st.integers(0, 11)
    return st.builds(
        make,
        st.lists(st.sampled_from(NodeKind), min_size=1, max_size=12),
        st.lists(st.tuples(indexes, indexes, st.booleans()), max_size=20),
        st.lists(st.text(max_size=60), min_size=1, max_size=4),
    )


@given(graphs())
def test_boxes_never_overlap_and_all_is_inside(graph: Graph) -> None:
    placed = layout(graph)
    assert len(placed.boxes) == len(graph.nodes)
    assert len(placed.lines) == len(graph.edges)
    for one, other in combinations(placed.boxes, 2):
        assert (
            one.x + one.width <= other.x
            or other.x + other.width <= one.x
            or one.y + one.height <= other.y + 0.001
            or other.y + other.height <= one.y + 0.001
        )
    for box in placed.boxes:
        assert -0.001 <= box.x <= box.x + box.width <= placed.width + 0.001
        assert -0.001 <= box.y <= box.y + box.height <= placed.height + 0.001


@given(graphs())
def test_any_text_makes_well_formed_pictures(graph: Graph) -> None:
    root = ET.fromstring(svg(graph))
    assert len(root.findall(".//{http://www.w3.org/2000/svg}rect[@class='box']")) == len(graph.nodes)
    assert svg(graph) == svg(graph)
    lines = dot(graph).splitlines()
    assert len(lines) == 4 + len(graph.nodes) + len(graph.edges)
    label = re.compile(r'  n\d+ \[label="(?:[^"\\]|\\.)*"(?:, [a-z]+=[^"]*)*\];')
    assert all(label.fullmatch(line) for line in lines[3 : 3 + len(graph.nodes)])
    lines = mermaid(graph).splitlines()
    assert all(line.count('"') == 2 for line in lines[1 : 1 + len(graph.nodes)])
    assert not any("<script" in line for line in lines)


class Elements(HTMLParser):
    """Counts elements, and looks whether each is closed in its turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


NASTY = '</style><script>alert(1)</script><img src=x onerror="x">&amp;\'é\udcff'


def nasty_page(directory: Path) -> str:
    main = MAIN + f"relayhost = {NASTY}\nmyhostname = {NASTY}\nsmtp_sasl_password_maps = inline:{{x=joe:pw123}}\n"
    config = load(directory, main)
    return page(config, build(config), [Remark("error", "X001", NASTY, NASTY, NASTY)])


def test_page_is_closed_has_no_script_and_loads_nothing(tmp_path: Path) -> None:
    parser = Elements()
    text = nasty_page(tmp_path)
    parser.feed(text)
    assert parser.open == []
    tags = {tag for tag, _ in parser.seen}
    assert not tags & {"script", "img", "link", "iframe", "object"}
    attributes = [(name, value or "") for _, found in parser.seen for name, value in found.items()]
    assert not [name for name, _ in attributes if name.startswith("on") or name in ("src", "style")]
    assert {value[:1] for name, value in attributes if name == "href"} == {"#"}


def test_every_link_of_the_page_leads_to_an_element(tmp_path: Path) -> None:
    parser = Elements()
    parser.feed(nasty_page(tmp_path))
    ids = [found["id"] for _, found in parser.seen if "id" in found]
    links = {(found.get("href") or "")[1:] for tag, found in parser.seen if tag == "a"}
    assert links <= set(ids)
    assert len(ids) == len(set(ids))
    assert sum(each.startswith("station-") for each in links) > 10


def test_page_does_not_show_passwords(tmp_path: Path) -> None:
    text = nasty_page(tmp_path)
    assert "smtp_sasl_password_maps" in text
    assert "pw123" not in text


@pytest.mark.parametrize(
    ("kind", "start"), [("svg", "<svg"), ("mermaid", "flowchart"), ("dot", "digraph"), ("html", "<!")]
)
def test_command_prints_the_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, start: str) -> None:
    load(tmp_path)
    assert main(["-c", str(tmp_path), "--graph", kind]) == 0
    assert capsys.readouterr().out.startswith(start)


def test_page_has_the_findings_of_the_checker(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load(tmp_path, MAIN + "smtpd_tls_security_level = encript\n")
    assert main(["-c", str(tmp_path), "--graph", "html"]) == 0
    assert "encript" in capsys.readouterr().out.split('id="findings"')[1].split("</section>")[0]
