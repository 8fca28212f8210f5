"""Postfix's daemons, as master.cf has to run them (master(5), and each program's own manual page)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

PROCESS_LIMITS: Mapping[str, int] = MappingProxyType(
    dict.fromkeys(("anvil", "oqmgr", "pickup", "postlogd", "postscreen", "qmgr", "scache", "tlsmgr", "verify"), 1)
    | dict.fromkeys(("bounce", "cleanup", "dnsblog", "flush", "tlsproxy"), 0)
)
"""The only process limit with which a program starts."""

PRIVILEGED = frozenset(("local", "pipe", "spawn", "virtual"))
"""Programs that start with the privileges of root only, to become the recipient or the account of `user=`."""

DAEMONS = (
    frozenset(PROCESS_LIMITS)
    | PRIVILEGED
    | {
        *("discard", "error", "lmtp", "nqmgr", "proxymap", "qmqpd", "showq", "smtp", "smtpd", "trivial-rewrite"),
    }
)
"""The programs that Postfix installs in daemon_directory for master(8)."""

OPTIONS = "DSVcdilmnorstuvz"
"""Letters of the options that the daemons take; those of -o, -D and -v are for master.cf."""

WITH_ARGUMENT = "imnorst"
"""Those that have an argument."""

PIPE_ATTRIBUTES = frozenset(
    ("argv", "chroot", "directory", "eol", "flags", "null_sender", "recipient_delimiter", "size", "user")
)
"""The attributes of pipe(8)."""

PIPE_MACROS = frozenset(
    (
        *("client_address", "client_helo", "client_hostname", "client_port", "client_protocol", "domain", "envid"),
        *("extension", "mailbox", "nexthop", "original_recipient", "queue_id", "recipient", "sasl_method"),
        *("sasl_sender", "sasl_username", "sender", "size", "user"),
    )
)
"""The names that pipe(8) replaces in its command."""

PIPE_FLAGS = "BDFORXhqu.>"
"""The flags of pipe(8)."""

SPAWN_ATTRIBUTES = frozenset(("argv", "user"))
"""The attributes of spawn(8)."""

SINGLE_RECIPIENT_FLAGS = "DOX"
"""Flags of pipe(8) with which each recipient needs a delivery of its own."""
