"""mysql: a query to a MySQL or MariaDB server (mysql_table(5)); needs PyMySQL."""

from __future__ import annotations

import encodings.idna  # noqa: F401  for getaddrinfo(3): it can't be imported after chroot(2)

import pymysql

from postconf.syntax.lines import decode, encode

from ...servers.database import Parameters, sql_query
from ...servers.sql_servers import LIMIT, ServerError, SqlServerTable, SqlSession
from ...table import Table, require_reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...table import Access

PORT = 3306


def open_table(name: str, access: Access) -> Table:
    """Return a table that connects at the first lookup."""
    require_reading("mysql", name, access)
    parameters = Parameters(name, access)
    options = _options(parameters)
    needs_result = parameters.flag("require_result_set", True)

    def connect(host: str) -> SqlSession:
        try:
            connection = pymysql.connect(**_address(host), **options)
        except (pymysql.Error, OSError) as error:
            raise ServerError(_words(error)) from error
        return MysqlSession(f"mysql:{name}", connection, needs_result)

    query = sql_query(parameters)
    return SqlServerTable("mysql", name, access, parameters=parameters, query=query, connect=connect)


class MysqlSession(SqlSession):
    """Connection to a server for a table."""

    def __init__(self, table: str, connection: pymysql.Connection[Any], needs_result: bool) -> None:
        self._table = table
        self._connection = connection
        self._needs_result = needs_result

    def quote(self, text: bytes) -> bytes:
        return encode(self._connection.escape(decode(text)))[1:-1]

    def run(self, query: bytes) -> list[bytes | None]:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(decode(query))
                if cursor.description is not None or not self._needs_result:
                    return [value for row in cursor.fetchall() for value in row]
        except (pymysql.Error, OSError) as error:
            raise ServerError(f"{self._table}: query failed: {_words(error)}") from error
        problem = "query returned no result set(require_result_set = yes)"
        raise ServerError(f"{self._table}: query failed: {problem}")

    def close(self) -> None:
        self._connection.close()


def _options(parameters: Parameters) -> dict[str, Any]:
    options: dict[str, Any] = {
        "user": parameters.text("user") or None,
        "password": parameters.text("password"),
        "database": parameters.text("dbname") or None,
        "charset": parameters.text("charset", "utf8mb4"),
        "connect_timeout": LIMIT,
        "read_timeout": LIMIT,
        "write_timeout": LIMIT,
        "autocommit": True,
        "use_unicode": False,
        "conv": {},  # no conversion of values
    }
    if file := parameters.text("option_file"):
        options |= {"read_default_file": file, "read_default_group": parameters.text("option_group", "client")}
    tls = {
        "ssl_ca": parameters.text("tls_CAfile"),
        "ssl_cert": parameters.text("tls_cert_file"),
        "ssl_key": parameters.text("tls_key_file"),
    }
    options |= {name: value for name, value in tls.items() if value}
    if parameters.flag("tls_verify_cert", False):
        options |= {"ssl_verify_cert": True, "ssl_verify_identity": True}
    return options


def _address(host: str) -> dict[str, Any]:
    if host.startswith("unix:"):
        return {"unix_socket": host.removeprefix("unix:")}
    name, _, port = host.removeprefix("inet:").partition(":")
    return {"host": name, "port": int(port or PORT)}


def _words(error: Exception) -> str:
    return str(error.args[-1]) if error.args else str(error)
