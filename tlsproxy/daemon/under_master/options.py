"""The command line that master(8) gives to its services (master(5), "Command name + arguments"; getopt(3) syntax)."""

from __future__ import annotations

import getopt
from collections.abc import Sequence

from ...log import FatalError

_OPTIONS = "cdDi:lm:n:o:r:s:St:uvVz"
_FLAGS = {
    "-c": "chroot",
    "-d": "by_hand",
    "-D": "debug",
    "-u": "unprivileged",
    "-V": "log_to_stderr",
    "-z": "unlimited",
}


class MasterOptions:
    """Options of the command line."""

    transport = ""
    retire_after = 0
    """In seconds; 0: as max_idle and max_use imply."""
    chroot = False
    by_hand = False
    debug = False
    unprivileged = False
    log_to_stderr = False
    unlimited = False

    def __init__(self, service_name: str) -> None:
        self.service_name = service_name
        self.overrides: list[str] = []
        """`name=value` settings over main.cf: of `-o`, and of the options that stand for a setting."""


def parse(process_name: str, arguments: Sequence[str]) -> MasterOptions:
    """Read the options of a service that knows no others, and serves any number of clients; raise `FatalError`."""
    try:
        found, rest = getopt.getopt(list(arguments), _OPTIONS)
    except getopt.GetoptError as error:
        raise FatalError(f"invalid option: {error.opt}") from None
    options = MasterOptions(process_name)
    for option, value in found:
        if option in _FLAGS:
            setattr(options, _FLAGS[option], True)
        else:
            _take(options, option, value)
    if not options.unlimited:
        raise FatalError(f"service {process_name} requires a process limit of 0")
    if not options.transport:
        raise FatalError("no transport type specified")
    if options.transport != "unix":
        raise FatalError(f"unsupported transport type: {options.transport}")
    if rest:
        raise FatalError(f"unexpected command-line argument: {rest[0]}")
    return options


def _take(options: MasterOptions, option: str, value: str) -> None:
    if option == "-i":
        options.overrides.append(f"max_idle={value}")
    elif option == "-m":
        options.overrides.append(f"max_use={value}")
    elif option == "-n":
        options.service_name = value
    elif option == "-o":
        if "=" not in value:
            raise FatalError(f"invalid \"-o {value}\" option value: missing '=' after attribute name")
        options.overrides.append(value)
    elif option == "-r":
        options.retire_after = int(value) if value.isascii() and value.isdigit() else 0
        if not options.retire_after:
            raise FatalError(f"invalid retirement time: {value}")
    elif option == "-s":
        if value != "1":
            raise FatalError(f"invalid socket_count: {value}")
    elif option == "-t":
        options.transport = value
    elif option == "-S":
        raise FatalError("option -S: a session on standard input can't receive the descriptor of its remote peer")
    # -l is contradicted by -z; -v is left to tlsproxy_tls_loglevel, which is more precise.
