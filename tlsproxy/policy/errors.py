"""Why there is no policy for a destination."""

from __future__ import annotations

from ..errors import TlsproxyError

CONFIGURATION_PROBLEM = "client TLS configuration problem"


class PolicyError(TlsproxyError):
    """No policy can be made; mail for the destination is to wait, and nothing is to be sent in the clear.

    `table` is the parameter that names the tables, or the one that is wrong itself; `key` is what was looked up, empty
    where that is not the point; `column` counts the characters of the table's value from 1, 0 stands for all of it.
    `warning` is what smtp(8) logs, empty where it logs nothing; `status` and `reason` are what it tells the sender.
    """

    def __init__(
        self,
        message: str,
        *,
        table: str = "",
        key: str = "",
        column: int = 0,
        warning: str = "",
        status: str = "4.7.5",
        reason: str = CONFIGURATION_PROBLEM,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.table = table
        self.key = key
        self.column = column
        self.warning = warning
        self.status = status
        self.reason = reason

    def __str__(self) -> str:
        key = f'key "{self.key}"' if self.key else ""
        column = f"column {self.column}" if self.column else ""
        where = ", ".join(each for each in (self.table, key, column) if each)
        return f"{where}: {self.message}" if where else self.message


class Where:
    """The value of one key, as diagnostics name it."""

    __slots__ = ("key", "role", "table")

    def __init__(self, table: str, key: str, role: str = "next-hop destination") -> None:
        """`table` is the parameter's name; `role` says what the key is to the delivery."""
        self.table = table
        self.key = key
        self.role = role

    def warning(self, text: str) -> str:
        """Put Postfix's words about a policy behind the name of its place."""
        return f'{self.table}, {self.role} "{self.key}": {text}'

    def error(self, text: str, column: int = 0) -> PolicyError:
        """Make the error about this value."""
        return PolicyError(text, table=self.table, key=self.key, column=column, warning=self.warning(text))
