"""Tables that a server answers for, beside the real postmap(1) that asks the same server."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pymysql
import pytest
from peers.real.both_postmaps import Both
from peers.real.lookup_servers import ScriptedServer, mariadb, memcached, needs_server
from peers.real.postfix import PrivatePostfix
from peers.real.postmap import Postmap

from maps.drivers.servers import memcache, proxy, socketmap, tcp
from maps.registry import TYPES, load_driver, open_table
from maps.servers.database import QueryTemplates
from maps.table import Access, Flags, Table, TableError, TemporaryLookupError
from postconf.command.cli import TABLE_TYPES

pytestmark = pytest.mark.postfix
needs_mariadb = needs_server("mariadbd", "mysql")
needs_memcached = needs_server("memcached", "memcache")

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
    ("7@example.com", "7"),
]
KEYS = (
    "".join(f"{key}\n" for key, _ in ROWS).encode()
    + b"none\nUSER@EXAMPLE.COM\n@example.com\nuser@\n' or '1'='1\na@b.c.d\n"
)
TEMPLATES = [
    ("%s", "%s"),
    ("%u@%d", "[%s] for %S"),
    ("%u@%2.%1", "%U at %D, 100%%"),
    ("%S", "%u"),
    ("%s", "%d"),
    ("%d", "%u of %2"),
    ("%3.%2.%1", "%s"),
]


def tcp_answer(request: bytes) -> bytes | None:
    replies = {
        b"get found": b"200 a%20b%C3%A9\n",
        b"get later": b"400 try%20again\n",
        b"get odd": b"hello\n",
        b"get bad": b"300 what\n",
        b"get half": b"200 a%2\n",
        b"get A%20%C3%A9%25": b"200 quoted\n",
    }
    return replies.get(request, b"500 not%20found\n")


_IN_A_JAIL = """
import os, sys
from maps.registry import open_table
from maps.table import Access
table = open_table(sys.argv[1], Access())
os.chroot(sys.argv[2])
os.chdir("/")
print(table.lookup(b"found"))
"""


@pytest.mark.parametrize(("kind", "end"), [("tcp", b"\n"), ("socketmap", b",")])
def test_server_is_reached_from_a_chroot(tmp_path: Path, kind: str, end: bytes) -> None:
    answer = {"tcp": tcp_answer, "socketmap": lambda _: netstring(b"OK value")}[kind]
    with ScriptedServer(end, answer) as server:
        name = f"tcp:127.0.0.1:{server.port}" if kind == "tcp" else f"socketmap:inet:127.0.0.1:{server.port}:name"
        command = [sys.executable, "-c", _IN_A_JAIL, name, str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == (f"{ {'tcp': 'a bé', 'socketmap': 'value'}[kind].encode()!r}\n", "")


def netstring(reply: bytes) -> bytes:
    return b"%d:%b," % (len(reply), reply)


def socketmap_answer(request: bytes) -> bytes | None:
    _, _, key = request.partition(b" ")
    replies = {
        b"found": netstring(b"OK value with blanks"),
        b"empty": netstring(b"OK "),
        b"later": netstring(b"TEMP  come\x01back"),
        b"slow": netstring(b"TIMEOUT"),
        b"never": netstring(b"PERM no such thing"),
        b"odd": netstring(b"WHAT ever"),
        b"long": b"100001:",
        b"broken": b"x:y,",
        b"cut": b"4:OK x;",
        b"gone": None,
    }
    return replies.get(key, netstring(b"NOTFOUND "))


@pytest.mark.parametrize("key", ["found", "none", "later", "odd", "bad", "half", "A é%", ""])
def test_tcp_servers_are_understood_as_postfix_does(both: Both, key: str) -> None:
    with ScriptedServer(b"\n", tcp_answer) as server:
        both.agree_on_failure("-q", key, f"tcp:127.0.0.1:{server.port}")
        assert server.requests[0] == server.requests[1]


@pytest.mark.parametrize(
    "key", ["found", "empty", "none", "later", "slow", "never", "odd", "long", "broken", "cut", "gone"]
)
def test_socketmap_servers_are_understood_as_postfix_does(both: Both, key: str) -> None:
    with ScriptedServer(b",", socketmap_answer) as server:
        both.agree_on_failure("-q", key, f"socketmap:inet:127.0.0.1:{server.port}:name")
        assert server.requests[0] == server.requests[1] == netstring(f"name {key}".encode())[:-1]


def test_absent_servers_have_the_messages_of_postmap(both: Both) -> None:
    both.agree("-q", "a", "socketmap:inet:127.0.0.1:1:name")
    both.agree("-q", "a", "socketmap:unix:/nonexistent:name")
    both.agree("-q", "a", "socketmap:name")
    both.agree("-d", "a", "tcp:127.0.0.1:1")
    both.agree("-d", "a", "socketmap:inet:127.0.0.1:1:name")


@pytest.mark.parametrize("address", ["127.0.0.1:no-such-service", "port", "127.0.0.1", "[127.0.0.1:1", "[::1]1", "h:"])
def test_malformed_addresses_have_the_messages_of_postmap(both: Both, address: str) -> None:
    both.write("m.cf", f"memcache = inet:{address}\n".encode())
    both.agree("-q", "a", f"socketmap:inet:{address}:name")
    both.agree("-q", "a", "memcache:./m.cf")


def test_server_name_without_address_is_a_temporary_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "PAUSE", 0.0)
    monkeypatch.setattr(tcp, "ATTEMPTS", 2)
    said: list[str] = []
    with (
        tcp.open_table("127.0.0.1:no-such-service", Access(warn=said.append)) as table,
        pytest.raises(TemporaryLookupError),
    ):
        table.lookup(b"a")
    assert said == 2 * [
        "host or service 127.0.0.1:no-such-service not found: Servname not supported for ai_socktype",
        "connect to TCP map 127.0.0.1:no-such-service: Cannot assign requested address",
    ]


@pytest.mark.parametrize("open_it", [tcp.open_table, socketmap.open_table])
def test_security_sensitive_data_does_not_come_over_a_network(open_it: Callable[[str, Access], Table]) -> None:
    with pytest.raises(TableError, match=r"not allowed for security.sensitive data"):
        open_it("inet:127.0.0.1:1:x", Access(flags=Flags.NO_UNAUTH))


def test_silent_servers_are_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "LIMIT", 0.2)
    monkeypatch.setattr(tcp, "PAUSE", 0.0)
    monkeypatch.setattr(tcp, "ATTEMPTS", 2)
    monkeypatch.setattr(socketmap, "LIMIT", 0.2)
    said: list[str] = []
    with ScriptedServer(b"\n", lambda _: b"") as server:
        for name in (f"tcp:127.0.0.1:{server.port}", f"socketmap:inet:127.0.0.1:{server.port}:x"):
            with open_table(name, Access(warn=said.append)) as table, pytest.raises(TemporaryLookupError):
                table.lookup(b"a")
    assert len(said) == 3
    assert "Connection timed out" in said[0]
    assert "time limit exceeded" in said[2]


def test_server_that_drips_gets_no_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socketmap, "LIMIT", 0.3)
    with ScriptedServer(b",", lambda _: b"9" * 200) as server:
        name = f"socketmap:inet:127.0.0.1:{server.port}:x"
        with open_table(name, Access(warn=lambda _: None)) as table, pytest.raises(TemporaryLookupError):
            table.lookup(b"a")


@pytest.mark.parametrize(("query", "result"), TEMPLATES)
def test_sqlite_queries_and_results_are_those_of_postfix(both: Both, query: str, result: str) -> None:
    for directory in both.directories.values():
        with closing(sqlite3.connect(directory / "db")) as database, database:
            database.execute("CREATE TABLE t (k TEXT, v TEXT)")
            database.executemany("INSERT INTO t VALUES (?, ?)", ROWS)
    both.write("s.cf", f"dbpath = db\nquery = SELECT v FROM t WHERE k='{query}'\nresult_format = {result}\n".encode())
    out = both.agree("-q", "-", "sqlite:./s.cf", keys=KEYS)[1]
    assert out or query == "%3.%2.%1"


@pytest.mark.parametrize(
    "settings",
    [
        "query = SELECT v FROM t WHERE k='%s'\nexpansion_limit = 1",
        "query = SELECT v FROM t WHERE k='%s'\ndomain = example.com, !other.com",
        "query = SELECT v FROM t WHERE k='%s'\ndomain = other.com, inline:{example.com=1}",
        "query = SELECT v FROM t WHERE k='%x'",
        "query = SELECT v FROM nosuch WHERE k='%s'",
        "query = SELECT 1.5, 2",
        "table = t\nselect_field = v\nwhere_field = k\nadditional_conditions = ORDER BY v DESC",
        "query = SELECT v FROM t WHERE k='%s'\nexpansion_limit = x",
        "query = SELECT v FROM t WHERE k='%s'\nresult_format =",
    ],
)
def test_sqlite_parameters_mean_the_same_as_in_postfix(both: Both, settings: str) -> None:
    for directory in both.directories.values():
        with closing(sqlite3.connect(directory / "db")) as database, database:
            database.execute("CREATE TABLE t (k TEXT, v TEXT)")
            database.executemany("INSERT INTO t VALUES (?, ?)", ROWS)
    both.write("s.cf", f"dbpath = db\n{settings}\n".encode())
    both.agree_on_failure("-q", "user@example.com", "sqlite:./s.cf")


def test_parameters_may_be_in_main_cf_too(both: Both) -> None:
    for directory in both.directories.values():
        with closing(sqlite3.connect(directory / "db")) as database, database:
            database.execute("CREATE TABLE t (k TEXT, v TEXT)")
            database.execute("INSERT INTO t VALUES ('a', 'b')")
    both.configure("mine_dbpath = db\nmine_query = SELECT v FROM t WHERE k='%s'\n")
    assert both.agree("-q", "a", "sqlite:mine")[1] == b"b\n"
    both.agree("-q", "a", "sqlite:other")
    both.agree("-q", "a", "sqlite:/nonexistent")


@pytest.fixture(scope="module")
def mail_server(public_root: Path) -> Iterator[str]:
    directory = public_root / "mariadb"
    directory.mkdir()
    with mariadb(directory) as path:
        with closing(pymysql.connect(unix_socket=path, database="mail", charset="utf8mb4")) as connection:
            with connection.cursor() as cursor:
                cursor.execute("CREATE TABLE t (k VARCHAR(99), v VARCHAR(99)) CHARACTER SET utf8mb4")
                cursor.executemany("INSERT INTO t VALUES (%s, %s)", ROWS)
            connection.commit()
        yield path


@needs_mariadb
@pytest.mark.parametrize(("query", "result"), TEMPLATES)
def test_mysql_queries_and_results_are_those_of_postfix(both: Both, mail_server: str, query: str, result: str) -> None:
    hosts = f"hosts = unix:/nonexistent, unix:{mail_server}\nuser = u\npassword = p\ndbname = mail\n"
    text = f"{hosts}query = SELECT v FROM t WHERE k='{query}' ORDER BY v\nresult_format = {result}\n"
    both.write("m.cf", text.encode())
    real, ours = (both.run(side, "-q", "-", "mysql:./m.cf", keys=KEYS) for side in ("real", "ours"))
    assert ours[:2] == real[:2]


@needs_mariadb
@pytest.mark.parametrize("settings", ["query = SELECT nosuch FROM t", "query = DO 1", "expansion_limit = 1"])
def test_mysql_failures_are_those_of_postfix(both: Both, mail_server: str, settings: str) -> None:
    query = "" if settings.startswith("query") else "query = SELECT v FROM t WHERE k='%s'\n"
    both.write("m.cf", f"hosts = unix:{mail_server} unix:{mail_server}\ndbname = mail\n{query}{settings}\n".encode())
    # Two names: a single server is asked again at once, which Postfix 3.7 doesn't do yet.
    both.agree_on_failure("-q", "user@example.com", "mysql:./m.cf")


@needs_memcached
def test_memcache_finds_entries_and_keeps_those_of_its_backup(both: Both, tmp_path: Path) -> None:
    both.write("t", b"behind it\n")
    both.agree("hash:t")
    with memcached(tmp_path) as port:
        both.write("m.cf", f"memcache = inet:127.0.0.1:{port}\nbackup = hash:t\nkey_format = pm-%s\n".encode())
        both.write("plain.cf", f"memcache = inet:127.0.0.1:{port}\n".encode())
        assert both.run("ours", "-q", "pm-behind", "memcache:./plain.cf")[0] == 1
        assert both.run("ours", "-q", "behind", "memcache:./m.cf") == (0, b"it\n", [])
        assert both.run("real", "-q", "pm-behind", "memcache:./plain.cf") == (0, b"it\n", [])
        assert both.run("real", "-d", "pm-behind", "memcache:./plain.cf")[0] == 0
        assert both.run("ours", "-q", "pm-behind", "memcache:./plain.cf")[0] == 1
        assert both.run("real", "-q", "behind", "memcache:./m.cf") == (0, b"it\n", [])
        assert both.run("ours", "-q", "PM-BEHIND", "memcache:./plain.cf") == (0, b"it\n", [])
        both.agree("-s", "memcache:./m.cf")
        both.agree("-s", "memcache:./plain.cf")
        both.agree("-q", "a key with blanks", "memcache:./plain.cf")
        assert both.run("ours", "-d", "behind", "memcache:./m.cf")[0] == 0
        assert both.run("ours", "-q", "behind", "memcache:./m.cf")[0] == 1


def test_cache_that_is_not_there_is_a_temporary_failure(both: Both) -> None:
    both.write("m.cf", b"memcache = inet:127.0.0.1:1\n")
    both.agree("-q", "a", "memcache:./m.cf")
    table = memcache.open_table(str(both.directories["ours"] / "m.cf"), Access())
    with pytest.raises(TemporaryLookupError, match="Connection refused"):
        table.lookup(b"a")


def test_tables_of_proxymap_are_read_and_listed(public_path: Path) -> None:
    tables = Postmap(public_path)
    tables.build("hash", {b"a": b"1", b"b": b"2"})
    table = f"hash:{public_path}/t"
    services = "proxymap unix - - n - - proxymap\nproxywrite unix - - n - 1 proxymap\n"
    with PrivatePostfix(public_path / "p", {"proxy_read_maps": f"proxy:{table}"}, services) as postfix:
        config = {
            "proxymap_service_name": "proxymap",
            "proxywrite_service_name": "proxywrite",
            "queue_directory": str(postfix.queue),
        }
        with proxy.open_table(table, Access(config=config)) as found:  # type: ignore[arg-type]
            assert [found.lookup(key) for key in (b"a", b"b", b"c")] == [b"1", b"2", None]
            assert found.flags & Flags.FIXED
            assert sorted(found.entries()) == [(b"a", b"1"), (b"b", b"2")]
        with pytest.raises(TableError, match="proxymap service is not configured for table"):
            proxy.open_table("hash:/etc/aliases", Access(config=config))  # type: ignore[arg-type]


def test_service_that_does_not_come_is_a_temporary_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy, "PATIENCE", 0.2)
    monkeypatch.setattr(proxy, "PAUSE", 0.1)
    said: list[str] = []
    config = {"proxymap_service_name": "x", "queue_directory": str(tmp_path)}
    with pytest.raises(TemporaryLookupError, match="No such file or directory"):
        proxy.open_table("hash:t", Access(config=config, warn=said.append))  # type: ignore[arg-type]
    assert said


def test_every_type_that_postconf_lists_has_a_driver() -> None:
    assert sorted(TABLE_TYPES) == sorted(TYPES)
    for kind in TYPES:
        assert callable(load_driver(kind, Access()).open_table)


@pytest.mark.parametrize("kind", ["mongodb", "nis"])
def test_type_without_a_driver_gets_advice_of_proxymap(kind: str) -> None:
    said: list[str] = []
    with pytest.raises(TableError, match=f"unsupported dictionary type: {kind}"):
        open_table(f"{kind}:x", Access(warn=said.append))
    assert f"proxy:{kind}:name" in said[0]


def test_templates_skip_keys_and_values_without_enough_parts() -> None:
    said: list[str] = []
    templates = QueryTemplates("sqlite", "x", "%u.%1", "%d", Access(warn=said.append))
    assert templates.query(b"user@example.com", bytes.upper) == b"USER.COM"
    assert [templates.query(key, bytes) for key in (b"user", b"user@", b"@example.com", b"user@example.")] == [None] * 4
    assert templates.result(b"no-domain", b"user@example.com") is None
    assert templates.result(b"", b"user@example.com") is None
    assert len(said) == 1
