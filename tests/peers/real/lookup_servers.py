"""Servers that answer lookups: small ones of our own, and real ones in a directory of their own."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psycopg
import pymysql
import pytest

from ..tools.children import wait_until
from .postfix import free_ports, table_types


def program(name: str) -> str | None:
    """Return the path of a server's program; PostgreSQL's are beside the usual path."""
    return shutil.which(name) or max(map(str, Path("/usr/lib/postgresql").glob(f"*/bin/{name}")), default=None)


def needs_server(name: str, kind: str) -> pytest.MarkDecorator:
    """Skip a test where this server is not installed, or Postfix can't ask it."""
    here = program(name) is not None and kind in table_types()
    return pytest.mark.skipif(not here, reason=f"needs {name} and postfix-{kind} (tests/install-peers has them)")


class ScriptedServer:
    """Accepts connections on a port of 127.0.0.1; each request gets the bytes of `answer` (None: a hang-up)."""

    def __init__(self, end: bytes, answer: Callable[[bytes], bytes | None]) -> None:
        self.requests: list[bytes] = []
        self._end = end
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            data = b""
            while True:
                while self._end not in data:
                    received = connection.recv(4096)
                    if not received:
                        return
                    data += received
                request, _, data = data.partition(self._end)
                self.requests.append(request)
                reply = self._answer(request)
                if reply is None:
                    return
                connection.sendall(reply)

    def __enter__(self) -> ScriptedServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()


@contextmanager
def running(*command: str, ready: Callable[[], bool], directory: Path, user: str | None = None) -> Iterator[None]:
    """Run a server, from when it is ready to the end of the block."""
    group = "nogroup" if user else None
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=directory, user=user, group=group, extra_groups=[] if user else None
        )
    try:
        wait_until(ready)
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def memcached(directory: Path) -> Iterator[int]:
    """Run memcached(1), and give its port."""
    (port,) = free_ports(1)
    command = ["memcached", "-u", "nobody", "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-m", "8", "-t", "1"]
    with running(*command, ready=lambda: _listens(port), directory=directory):
        yield port


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


@contextmanager
def mariadb(directory: Path) -> Iterator[str]:
    """Run a MariaDB server with an empty database `mail`, and give its socket."""
    shutil.chown(directory, "nobody", "nogroup")
    data, path = directory / "data", str(directory / "s")
    # Not mariadb-install-db: its tables are not needed here, and take long.
    data.mkdir()
    shutil.chown(data, "nobody", "nogroup")
    options = ["--no-defaults", "--user=nobody", f"--datadir={data}", f"--socket={path}", "--skip-grant-tables"]
    options += ["--skip-networking", "--innodb-buffer-pool-size=8M", "--innodb-log-file-size=4M", "--pid-file=pid"]
    with running("mariadbd", *options, ready=lambda: Path(path).exists(), directory=directory):
        with closing(pymysql.connect(unix_socket=path)) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE DATABASE mail")
        yield path


@contextmanager
def postgres(directory: Path) -> Iterator[str]:
    """Run a PostgreSQL server with its database `postgres` and everybody as its owner, and give its directory."""
    shutil.chown(directory, "nobody", "nogroup")
    data = str(directory / "data")
    make = [str(program("initdb")), "-D", data, "-U", "nobody", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"]
    subprocess.run(
        make,
        check=True,
        timeout=60,
        capture_output=True,
        cwd=directory,
        user="nobody",
        group="nogroup",
        extra_groups=[],
    )
    settings = ["listen_addresses=", f"unix_socket_directories={directory}", "fsync=off", "shared_buffers=1MB"]
    command = [str(program("postgres")), "-D", data, *(word for each in settings for word in ("-c", each))]
    with running(*command, ready=lambda: _answers(str(directory)), directory=directory, user="nobody"):
        yield str(directory)


def _answers(directory: str) -> bool:
    with suppress(psycopg.OperationalError), psycopg.connect(host=directory, user="nobody", dbname="postgres"):
        return True
    return False


SLAPD_CONF = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
pidfile {directory}/pid
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
maxsize 1048576
suffix "dc=test"
rootdn "cn=admin,dc=test"
rootpw secret
directory {directory}/data
"""


@contextmanager
def slapd(directory: Path, entries: str) -> Iterator[int]:
    """Run OpenLDAP's server with these entries (LDIF) below `dc=test`, and give its port."""
    (directory / "data").mkdir()
    configuration = directory / "slapd.conf"
    configuration.write_text(SLAPD_CONF.format(directory=directory))
    (directory / "entries").write_text(entries)
    subprocess.run(
        [str(program("slapadd")), "-f", str(configuration), "-l", str(directory / "entries")], check=True, timeout=60
    )
    (port,) = free_ports(1)
    command = [str(program("slapd")), "-f", str(configuration), "-h", f"ldap://127.0.0.1:{port}", "-d", "0"]
    with running(*command, ready=lambda: _listens(port), directory=directory):
        yield port
