"""pgsql: a query to a PostgreSQL server (pgsql_table(5)); needs psycopg."""

from __future__ import annotations

import encodings.idna  # noqa: F401  for getaddrinfo(3): it can't be imported after chroot(2)
import select
import time

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.pq import DiagnosticField, Escaping, ExecStatus

from postconf.syntax.lines import decode

from ...naming import split_list
from ...servers.database import Parameters, sql_query
from ...servers.sql_servers import LIMIT, ServerError, SqlServerTable, SqlSession
from ...table import OpenError, Table, require_reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

    from ...table import Access


def open_table(name: str, access: Access) -> Table:
    """Return a table that connects at the first lookup."""
    require_reading("pgsql", name, access)
    parameters = Parameters(name, access)
    login = {key: parameters.text(key) for key in ("user", "password", "dbname")}
    encoding = parameters.text("encoding", "UTF8", needed=True)
    if not login["dbname"]:
        for host in split_list(parameters.text("hosts")) or ["localhost"]:
            if "://" not in host:
                raise OpenError(f"pgsql:{name} host target '{_plain(host)}' requires dbname setting")

    def connect(host: str) -> SqlSession:
        try:
            target = host if "://" in host else make_conninfo("", **_given(login | _address(host)))
            connection = psycopg.connect(target, connect_timeout=LIMIT, client_encoding=encoding)
        except (psycopg.Error, ValueError) as error:
            raise ServerError(str(error)) from error
        return PgsqlSession(host, connection)

    query = _query(parameters)
    return SqlServerTable("pgsql", name, access, parameters=parameters, query=query, connect=connect)


class PgsqlSession(SqlSession):
    """Connection to a server. libpq sends queries as bytes without conversion: the server decides about encodings."""

    def __init__(self, host: str, connection: psycopg.Connection) -> None:
        self._host = host
        self._owner = connection
        self._connection = connection.pgconn
        self._escaping = Escaping(connection.pgconn)

    def quote(self, text: bytes) -> bytes:
        try:
            return bytes(self._escaping.escape_string(text))
        except psycopg.Error as error:
            raise ValueError(str(error)) from error

    def run(self, query: bytes) -> list[bytes | None]:
        try:
            self._connection.send_query(query)
            result = self._last_result()
        except (psycopg.Error, OSError) as error:
            raise self._failure(str(error)) from error
        if result is None or result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
            primary = result and result.error_field(DiagnosticField.MESSAGE_PRIMARY)
            raise self._failure(decode(primary or self._connection.error_message))
        cells = [result.get_value(row, column) for row in range(result.ntuples) for column in range(result.nfields)]
        return [bytes(cell or b"") for cell in cells]

    def close(self) -> None:
        self._owner.close()

    def _last_result(self) -> PGresult | None:
        """Wait for the results of all commands in a query; return the first failed one, else the last one."""
        deadline = time.monotonic() + LIMIT
        result = None
        while True:
            self._wait(deadline)
            following = self._connection.get_result()
            if following is None:
                return result
            if result is None or result.status != ExecStatus.FATAL_ERROR:
                result = following
            if following.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK, ExecStatus.FATAL_ERROR):
                return following  # COPY and similar commands would block

    def _wait(self, deadline: float) -> None:
        poll = select.poll()
        while (unsent := self._connection.flush()) or self._connection.is_busy():
            poll.register(self._connection.socket, select.POLLIN | (select.POLLOUT if unsent else 0))
            if not poll.poll(max(0, deadline - time.monotonic()) * 1000):
                raise TimeoutError(f"no answer within {LIMIT} seconds")
            self._connection.consume_input()

    def _failure(self, text: str) -> ServerError:
        return ServerError(f"pgsql query failed: fatal error from host {self._host}: {text.strip()}")


def _query(parameters: Parameters) -> str:
    function = parameters.text("select_function")
    if function and not parameters.text("query"):
        return f"SELECT {function}('%s')"
    return sql_query(parameters)


def _plain(host: str) -> str:
    return host.removeprefix("unix:").removeprefix("inet:")


def _address(host: str) -> dict[str, str]:
    host = _plain(host)
    if host.startswith("/"):
        return {"host": host}
    name, _, port = host.rpartition(":") if ":" in host else (host, "", "")
    return {"host": name, "port": port}


def _given(options: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in options.items() if value}
