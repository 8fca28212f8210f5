"""pgsql tables, beside the real postmap(1) that asks the same server; and the common parts of SQL servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from peers.real.both_postmaps import Both
from peers.real.lookup_servers import needs_server, postgres

from maps.drivers.servers import pgsql
from maps.servers.database import Parameters
from maps.servers.sql_servers import ServerError, SqlServerTable, SqlSession
from maps.table import Access, OpenError, Table, TemporaryLookupError

needs_postgres = [pytest.mark.postfix, needs_server("postgres", "pgsql")]

ROWS = [
    ("user@example.com", "first"),
    ("user@example.com", "second"),
    ("quote'd@example.com", "x'y"),
    ("back\\slash@example.com", "b\\s"),
    ("example.com", "a@b"),
    ("empty@example.com", ""),
    ("null@example.com", None),
    ("é@example.com", "É"),
    ("local", "L"),
]
KEYS = (
    "".join(f"{key}\n" for key, _ in ROWS).encode("latin-1")
    + "é@example.com\nnone\nUSER@EXAMPLE.COM\n@example.com\nuser@\n' or '1'='1\n\\' or 1=1 --\na@b.c.d\n".encode()
)
LOGIN = "user = nobody\npassword = p\ndbname = postgres\n"


@pytest.fixture(scope="module")
def server(public_root: Path) -> Iterator[str]:
    directory = public_root / "postgres"
    directory.mkdir()
    with postgres(directory) as place:
        with psycopg.connect(host=place, user="nobody", dbname="postgres") as connection:
            connection.execute("CREATE TABLE t (k text, v text)")
            connection.execute("CREATE FUNCTION f(text) RETURNS text LANGUAGE sql AS 'SELECT upper($1)'")
            connection.cursor().executemany("INSERT INTO t VALUES (%s, %s)", ROWS)
        yield place


class TestBesidePostmap:
    pytestmark = needs_postgres

    @pytest.mark.parametrize(
        ("query", "result"),
        [
            ("SELECT v FROM t WHERE k='%s' ORDER BY v", "%s"),
            ("SELECT k, v FROM t WHERE k='%u@%d' ORDER BY v", "[%s] for %S"),
            ("SELECT v FROM t WHERE k='%u@%2.%1' ORDER BY v", "%U at %D, 100%%"),
            ("SELECT v FROM t WHERE k='%S'", "%u"),
            ("SELECT 1.50::numeric, true, NULL WHERE 'user@example.com'='%s'", "%s"),
            ("SELECT 1; SELECT v FROM t WHERE k='%s' ORDER BY v", "%s"),
        ],
    )
    def test_queries_and_results_are_those_of_postfix(self, both: Both, server: str, query: str, result: str) -> None:
        # Postfix 3.7 has no other encoding.
        hosts = f"hosts = unix:/nonexistent, unix:{server}\nencoding = LATIN1\n{LOGIN}"
        both.write("p.cf", f"{hosts}query = {query}\nresult_format = {result}\n".encode())
        real, ours = (both.run(side, "-u", "-q", "-", "pgsql:./p.cf", keys=KEYS) for side in ("real", "ours"))
        assert ours[:2] == real[:2]
        assert ours[1]

    def test_values_are_utf_8_if_nothing_else_is_said(self, both: Both, server: str) -> None:
        both.write("p.cf", f"hosts = {server}\n{LOGIN}query = SELECT v FROM t WHERE k='%s'\n".encode())
        assert both.run("ours", "-q", "é@example.com", "pgsql:./p.cf")[1] == "É\n".encode()

    @pytest.mark.parametrize(
        "settings",
        [
            "query = SELECT nosuch FROM t",
            "query = SELECT v FROM t WHERE k='%s'\nexpansion_limit = 1",
            "query = DO 'BEGIN END'",
            "query = SELECT 1/0; SELECT 1",
            "select_function = f",
            "select_function = f\nquery = SELECT 2",
            "table = t\nselect_field = v\nwhere_field = k\nadditional_conditions = AND v = 'first'",
            "query = COPY t TO STDOUT",
        ],
    )
    def test_one_lookup_is_that_of_postfix(self, both: Both, server: str, settings: str) -> None:
        both.write("p.cf", f"hosts = {server}\n{LOGIN}{settings}\n".encode())
        real, ours = (both.run(side, "-q", "user@example.com", "pgsql:./p.cf") for side in ("real", "ours"))
        assert ours[:2] == real[:2]
        assert bool(ours[2]) == bool(real[2])

    def test_uri_needs_no_other_settings(self, both: Both, server: str) -> None:
        both.write("p.cf", f"hosts = postgresql://nobody@/postgres?host={server}\nquery = SELECT '%s'\n".encode())
        assert both.run("ours", "-q", "a'b", "pgsql:./p.cf")[:2] == (0, b"a'b\n")

    def test_connection_that_the_server_has_ended_is_made_again(self, tmp_path: Path, server: str) -> None:
        said: list[str] = []
        (tmp_path / "p.cf").write_text(f"hosts = {server}\n{LOGIN}query = SELECT pg_backend_pid()::text\n")
        with pgsql.open_table(str(tmp_path / "p.cf"), Access(warn=said.append)) as table:
            first = table.lookup(b"a")
            with psycopg.connect(host=server, user="nobody", dbname="postgres") as connection:
                connection.execute("SELECT pg_terminate_backend(%s, 5000)", [int(first or b"")])
            assert table.lookup(b"a") not in (None, first)
        assert len(said) == 1

    def test_key_that_is_not_in_the_encoding_fails_alone(self, tmp_path: Path, server: str) -> None:
        said: list[str] = []
        (tmp_path / "p.cf").write_text(f"hosts = {server}\n{LOGIN}query = SELECT '%s'\n")
        with pgsql.open_table(str(tmp_path / "p.cf"), Access(warn=said.append)) as table:
            with pytest.raises(TemporaryLookupError):
                table.lookup(b"a\xff")
            assert table.lookup(b"b") == b"b"
        assert "cannot escape input string" in said[0]

    def test_answer_that_does_not_come_is_a_failure(
        self, tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pgsql, "LIMIT", 1)
        said: list[str] = []
        (tmp_path / "p.cf").write_text(f"hosts = {server}\n{LOGIN}query = SELECT pg_sleep(30)\n")
        with (
            pgsql.open_table(str(tmp_path / "p.cf"), Access(warn=said.append)) as table,
            pytest.raises(TemporaryLookupError),
        ):
            table.lookup(b"a")
        assert "no answer within 1 seconds" in said[0]


def test_server_needs_a_database(tmp_path: Path) -> None:
    (tmp_path / "p.cf").write_text("hosts = inet:db.example:5433\nquery = SELECT 1\n")
    with pytest.raises(OpenError, match=r"p\.cf host target 'db.example:5433' requires dbname setting"):
        pgsql.open_table(str(tmp_path / "p.cf"), Access())


class FakeSession(SqlSession):
    def __init__(self, answers: list[str]) -> None:
        self.answers = answers

    def quote(self, text: bytes) -> bytes:
        return text

    def run(self, query: bytes) -> list[bytes | None]:
        answer = self.answers.pop(0)
        if answer == "fail":
            raise ServerError("query failed")
        return [query + answer.encode()]

    def close(self) -> None:
        self.answers.append("closed")


def fake_table(tmp_path: Path, hosts: str, sessions: dict[str, list[str]], asked: list[str]) -> Table:
    (tmp_path / "x.cf").write_text(f"hosts = {hosts}\n")
    access = Access(warn=lambda _: None)

    def connect(host: str) -> SqlSession:
        asked.append(host)
        if host not in sessions:
            raise ServerError("no")
        return FakeSession(sessions[host])

    parameters = Parameters(str(tmp_path / "x.cf"), access)
    return SqlServerTable("mysql", "x.cf", access, parameters=parameters, query="%s", connect=connect)


def test_sockets_are_asked_before_names_and_names_before_uris(tmp_path: Path) -> None:
    asked: list[str] = []
    table = fake_table(tmp_path, "x://u, name, unix:/s", {"x://u": ["1", "2"]}, asked)
    assert table.lookup(b"a") == b"a1"
    assert table.lookup(b"b") == b"b2"
    assert asked == ["unix:/s", "name", "x://u"]


def test_server_that_failed_is_left_alone_for_a_while(tmp_path: Path) -> None:
    asked: list[str] = []
    table = fake_table(tmp_path, "/one, two", {"/one": ["fail"], "two": ["1", "2"]}, asked)
    assert [table.lookup(b"a"), table.lookup(b"b")] == [b"a1", b"b2"]
    assert asked == ["/one", "two"]


def test_single_server_is_asked_twice_before_a_lookup_fails(tmp_path: Path) -> None:
    asked: list[str] = []
    table = fake_table(tmp_path, "one", {"one": ["fail", "1", "fail"]}, asked)
    assert table.lookup(b"a") == b"a1"
    with pytest.raises(TemporaryLookupError):
        table.lookup(b"b")
    with pytest.raises(TemporaryLookupError):
        table.lookup(b"c")
    assert asked == ["one", "one"]
