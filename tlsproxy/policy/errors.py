"""Errors of policies: the reason why a destination has none."""

from __future__ import annotations

from ..errors import TlsproxyError

CONFIGURATION_PROBLEM = "client TLS configuration problem"


class PolicyError(TlsproxyError):
    """There is no valid policy: mail for the destination is deferred, and must not be sent in plaintext.

    `table`: the parameter that names the tables, or the invalid parameter. `key`: the lookup key, perhaps empty.
    `column`: position in the table's value, from 1 on; 0 for the whole value. `warning`: the log line of smtp(8),
    perhaps empty. `status`, `reason`: delivery status for the sender.
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
        """`table` is the parameter's name; `role` is the key's role in the delivery."""
        self.table = table
        self.key = key
        self.role = role

    def warning(self, text: str) -> str:
        """Return Postfix's warning about a policy, with its table, role and key."""
        return f'{self.table}, {self.role} "{self.key}": {text}'

    def error(self, text: str, column: int = 0) -> PolicyError:
        """Return the error about this value; `column`: position in it, from 1 on, or 0 for the whole."""
        return PolicyError(text, table=self.table, key=self.key, column=column, warning=self.warning(text))
