"""With any text in a file, the checker reports mistakes and their places, and does not fail itself."""

from __future__ import annotations

import hypothesis
from hypothesis import strategies as st

from postconf.catalogue import release
from tlsproxy.check import fixes
from tlsproxy.check.context import Options
from tlsproxy.check.engine import Checked, check
from tlsproxy.check.facts.filesystem import FileSystem
from tlsproxy.check.rule import all_rules
from tlsproxy.check.text.sources import MainFile, MasterFile

RULES = all_rules()
NAMES = (
    "myhostname",
    "inet_protocols",
    "inet_interfaces",
    "mydestination",
    "smtpd_tls_protocols",
    "smtpd_tls_cert_file",
    "virtual_alias_maps",
    "mine",
)
PIECES = (
    *(*NAMES, " = ", "=", "\n", "\n ", "\n\t", "\n#", "#", "$", "${", "}", "$(", ")", "{", " { ", "$$", "?", ":", "=="),
    *("smtp inet n - y - - smtpd", "tlsproxy unix - - y - 0 tlsproxy", " -o ", "\n  -o ", " flags=D", "-", "pipe"),
    *("!SSLv3", ">=TLSv1.2", ",", " ", "/x", "hash:/x", "inline:{", "regexp:{{/", "may", "yes", "10y", "-1", '"'),
    *(
        "{{ x }}",
        "{% if x %}",
        "@X@",
        "${X}",
        "$mynetworks",
        "\r",
        "\0",
        "\ufeff",
        "\udcff",
        "é",
        "# tlsproxy-check: ignore=S001 --",
    ),
)
TEXTS = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


def judge(main_cf: str, master_cf: str) -> Checked:
    return check(
        MainFile("main.cf", main_cf),
        MasterFile("master.cf", master_cf),
        RULES,
        release("3.7"),
        FileSystem(enabled=False),
        options=Options(directory="/etc/postfix"),
    )


@hypothesis.given(TEXTS, TEXTS)
def test_findings_are_in_the_text_and_fixes_give_another_one(main_cf: str, master_cf: str) -> None:
    checked = judge(main_cf, master_cf)
    sources = {source.path: source for source in checked.sources}
    for each in checked.findings:
        lines = sources[each.span.path].lines
        assert 0 <= each.span.line <= len(lines)
        assert each.span.end_column <= len(sources[each.span.path].line(each.span.line)) + 2
    edits = fixes.usable(checked.findings, unsafe=True)
    judge(*(fixes.apply(source, edits) for source in checked.sources))
