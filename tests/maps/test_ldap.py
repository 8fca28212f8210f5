"""ldap tables, beside the real postmap(1) that asks the same OpenLDAP server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from peers.real.both_postmaps import Both
from peers.real.lookup_servers import needs_server, slapd

from maps.drivers.servers import ldap
from maps.table import Access, TableError, TemporaryLookupError

besides_postmap = [pytest.mark.postfix, needs_server("slapd", "ldap")]

ENTRIES = """\
dn: dc=test
objectClass: dcObject
objectClass: organization
o: test
dc: test

dn: cn=one,dc=test
objectClass: inetOrgPerson
cn: one
sn: One
mail: user@example.com
mail: alias@example.com
description: first
description;lang-de: erster
displayName: x@y
title: boss

dn: cn=two,dc=test
objectClass: inetOrgPerson
cn: two
sn: Two
mail: user@example.com
description: second
displayName: (*)

dn: cn=three,dc=test
objectClass: inetOrgPerson
cn: three
sn: Three
mail: star*(paren)\\back@example.com
mail: with blank@example.com
mail:: w6lAZXhhbXBsZS5jb20=
description:: w4k=

dn: cn=a\\, b\\#,dc=test
objectClass: inetOrgPerson
cn: a, b#
sn: comma
description: comma

dn: cn=group,dc=test
objectClass: groupOfNames
objectClass: labeledURIObject
cn: group
member: cn=one,dc=test
member: cn=inner,dc=test
member: cn=gone,dc=test
labeledURI: ldap:///dc=test?description?one?(cn=two)
labeledURI: ldap:///dc=test?sn?one?(cn=three)

dn: cn=inner,dc=test
objectClass: groupOfNames
cn: inner
description: of inner
member: cn=two,dc=test

dn: cn=loop,dc=test
objectClass: groupOfNames
cn: loop
member: cn=loop,dc=test

dn: cn=bad,dc=test
objectClass: groupOfNames
objectClass: labeledURIObject
cn: bad
labeledURI: ldap:///dc=test?cn?nosuchscope?(cn=two)
member: cn=one,dc=test
"""
KEYS = (
    "user@example.com\nUSER@EXAMPLE.COM\nalias@example.com\nstar*(paren)\\back@example.com\nwith blank@example.com\n"
    "é@example.com\n*\n*@example.com\none\ntwo\na, b#\ngroup\ninner\nnone\nuser@\n@example.com\n)(cn=*\n"
).encode()


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with slapd(tmp_path_factory.mktemp("slapd"), ENTRIES) as port:
        yield port


def settings(port: int, more: str) -> bytes:
    # The lowest version that this server wants.
    return f"server_host = 127.0.0.1:{port}\nversion = 3\n{more}\n".encode()


def _place(line: bytes) -> list[bytes]:
    return line.replace(b" error:", b" warning:").split(b":")[1:3]


class TestBesidePostmap:
    pytestmark = besides_postmap

    @pytest.mark.parametrize(
        "more",
        [
            "search_base = dc=test\nquery_filter = (mail=%s)\nresult_attribute = description",
            "search_base = dc=test\nquery_filter = mail=%s\nresult_attribute = displayName, description",
            "search_base = dc=test\nquery_filter = (mail=%u@%d)\nresult_attribute = sn\nresult_format = [%s] for %S",
            "search_base = dc=test\nquery_filter = (|(mail=%s)(cn=%s))\nresult_attribute = mail\nresult_filter = %u",
            "search_base = cn=%s,dc=test\nscope = base\nquery_filter = (objectclass=*)\nresult_attribute = sn",
            "search_base = cn=%s,dc=test\nquery_filter = (cn=%s)\nresult_attribute = description",
            "search_base = dc=test\nscope = one\nquery_filter = (cn=%s)\nresult_attribute = description\n"
            "special_result_attribute = member",
            "search_base = dc=test\nquery_filter = (cn=%s)\nresult_attribute = description, sn\n"
            "special_result_attribute = member, labeledURI\nleaf_result_attribute = cn",
            "search_base = dc=test\nquery_filter = (|(mail=%s)(cn=%s))\nresult_attribute = description\n"
            "terminal_result_attribute = title\nleaf_result_attribute = sn",
            "search_base = dc=test\nquery_filter = (mail=%s)\nresult_attribute = sn\ndomain = example.com",
            "search_base = dc=test\nquery_filter = (mail=%s)\nresult_attribute = sn\nbind = no\ndereference = 3",
            "search_base = dc=test\nquery_filter = (mail=%s)\nresult_attribute = sn\n"
            "bind_dn = cn=admin,dc=test\nbind_pw = secret",
        ],
    )
    def test_searches_and_results_are_those_of_postfix(self, both: Both, port: int, more: str) -> None:
        both.write("l.cf", settings(port, more))
        real, ours = (both.run(side, "-q", "-", "ldap:./l.cf", keys=KEYS) for side in ("real", "ours"))
        # It says this when the last entry that was referred to is not there.
        said = [line for line in real[2] if b"Had some trouble" not in line]
        assert ours == (*real[:2], said)
        assert ours[1]

    @pytest.mark.parametrize(
        ("key", "more"),
        [
            ("user@example.com", "search_base = dc=test\nexpansion_limit = 1"),
            ("user@example.com", "search_base = dc=test\nsize_limit = 1"),
            ("user@example.com", "search_base = dc=nosuch"),
            ("user@example.com", "search_base = dc=test\nscope = all"),
            ("user@example.com", "search_base = dc=test\nbind_dn = cn=admin,dc=test\nbind_pw = wrong"),
            ("user@example.com", "search_base = dc=test\nversion = 2"),
            ("user@example.com", "search_base = dc=test\nquery_filter = (mail=%s"),
            ("user@example.com", "search_base = dc=test\nquery_filter = (cn=one)"),
            ("user@example.com", "search_base = dc=test\nbind = perhaps"),
            ("user@example.com", "search_base = dc=test\nserver_host = 127.0.0.1:1"),
            ("user@example.com", "search_base = dc=test\nstart_tls = yes"),
            ("loop", "search_base = dc=test\nquery_filter = (cn=%s)"),
            ("loop", "search_base = dc=test\nquery_filter = (cn=%s)\nrecursion_limit = 3"),
            ("bad", "search_base = dc=test\nquery_filter = (cn=%s)\nspecial_result_attribute = labeledURI"),
        ],
    )
    def test_failures_are_those_of_postfix(self, both: Both, port: int, key: str, more: str) -> None:
        usual = "query_filter = (mail=%s)\nresult_attribute = description\nspecial_result_attribute = member\n"
        both.write("l.cf", settings(port, usual + more))
        real, ours = (both.run(side, "-q", key, "ldap:./l.cf") for side in ("real", "ours"))
        assert ours[:2] == real[:2]
        # The words behind a number are those of the library, and one warning is an error there.
        assert [_place(line) for line in ours[2]] == [_place(line) for line in real[2]]

    def test_next_server_is_asked_where_one_is_not_there(self, both: Both, port: int) -> None:
        hosts = f"server_host = ldap://127.0.0.1:1 ldap://127.0.0.1:{port}/\n"
        both.write(
            "l.cf", settings(port, f"{hosts}search_base = dc=test\nquery_filter = (cn=%s)\nresult_attribute = sn")
        )
        assert both.agree("-q", "one", "ldap:./l.cf")[1] == b"One\n"


@needs_server("slapd", "ldap")
def test_lost_connection_is_made_again(tmp_path: Path) -> None:
    said: list[str] = []
    name = tmp_path / "l.cf"
    (tmp_path / "s").mkdir()
    with slapd(tmp_path / "s", ENTRIES) as port:
        name.write_bytes(settings(port, "search_base = dc=test\nquery_filter = (cn=%s)\nresult_attribute = sn"))
        table = ldap.open_table(str(name), Access(warn=said.append))
        assert table.lookup(b"one") == b"One"
        table._directory._connection.socket.shutdown(2)  # type: ignore[attr-defined]
        assert table.lookup(b"two") == b"Two"
    with pytest.raises(TemporaryLookupError):
        table.lookup(b"one")
    assert "Unable to bind to server" in said[0]
    table.close()


def test_sasl_is_left_to_proxymap(tmp_path: Path) -> None:
    (tmp_path / "l.cf").write_text("bind = sasl\n")
    with pytest.raises(TableError, match=r"l\.cf: unsupported parameter value: bind = sasl"):
        ldap.open_table(str(tmp_path / "l.cf"), Access())
