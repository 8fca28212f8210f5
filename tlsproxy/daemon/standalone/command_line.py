"""Command line of tlsproxy outside master(8). All options are checked before any file is read."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from postconf.program.parser import Parser

_MOST_WORKERS = 1024
_LOOPBACK = "127.0.0.1"
_EXAMPLES = """\
examples:
  tlsproxy --standalone -c /etc/postfix          serve in the foreground
  tlsproxy --check                               test the configuration; status 0: the daemon would start
  tlsproxy --status --json                       sessions, certificates and last reload as JSON
  tlsproxy --print-config smtpd_tls_protocols    value of one parameter

Without one of the first four options the command expects to be started by master(8); see tlsproxy(8).
Exit status: 0 success; 1 error, or the daemon does not answer; 2 usage; 3 the daemon is degraded (--status), or one
role can't be served (--check).
"""


class HttpAddress(NamedTuple):
    """Address and port for HTTP."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the command line; exit with status 2 for a usage error."""
    parser = _parser()
    options = parser.parse(arguments)
    if not (options.standalone or options.check or options.status or options.print_config):
        parser.error("nothing to do: use one of --standalone, --check, --status, --print-config")
    if options.names and not options.print_config:
        parser.error(f"unexpected argument {options.names[0]}")
    if options.json and not options.status:
        parser.error("--json goes with --status")
    if not os.path.isdir(options.config) and os.path.basename(options.config) in ("main.cf", "master.cf"):  # noqa: PTH112, PTH119
        directory = os.path.dirname(options.config) or "."  # noqa: PTH120
        parser.error(f"-c {options.config} is a file; use its directory: -c {directory}")
    return options


def _parser() -> Parser:
    parser = Parser(
        "tlsproxy",
        description="Postfix's TLS proxy: STARTTLS for postscreen(8) and smtp(8), configured by main.cf.",
        epilog=_EXAMPLES,
    )
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--standalone", action="store_true", help="serve in the foreground, without master(8)")
    action.add_argument(
        "--check",
        action="store_true",
        help="test the configuration: load all that a start would load, and report errors",
    )
    action.add_argument(
        "--status", action="store_true", help="show state, sessions and certificates of a running daemon"
    )
    action.add_argument("--print-config", action="store_true", help="print effective settings: all, or only NAMEs")
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help="parameter for --print-config")
    add("--json", action="store_true", help="with --status: print JSON")
    add(
        "-c",
        "--config",
        metavar="DIR",
        default="/etc/postfix",
        help="directory with main.cf and master.cf (%(default)s)",
    )
    add(
        "--socket",
        metavar="PATH",
        type=Path,
        help="socket to serve; default: private/$tlsproxy_service_name in the queue directory",
    )
    add(
        "--control",
        metavar="PATH",
        type=Path,
        help="control socket that --status queries; default: the path of --socket with .control appended",
    )
    add(
        "--postfix-version",
        metavar="V",
        type=_release,
        help="use the defaults and log lines of this Postfix release, such as 3.10",
    )
    add("-o", dest="overrides", metavar="NAME=VALUE", action="append", default=[], type=_override,
        help="override a parameter of main.cf")  # fmt: skip
    add(
        "--workers",
        metavar="N",
        default=1,
        type=_workers,
        help="number of worker processes; 0: one per CPU (%(default)s)",
    )
    add("--user", metavar="NAME", help="account of the workers if started by root; default: $mail_owner. "
        "With --status: account of the daemon whose answer is trusted")  # fmt: skip
    add("--chroot", action="store_true", help="chroot workers to the queue directory")
    add(
        "--log",
        choices=("stderr", "json", "mail"),
        default="stderr",
        help="log destination and format; mail: the log of Postfix (%(default)s)",
    )
    add("--metrics", metavar="[HOST:]PORT", type=_address,
        help=f"serve Prometheus metrics over HTTP on this address; default HOST: {_LOOPBACK}")  # fmt: skip
    return parser


def _workers(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) > _MOST_WORKERS:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 0 to {_MOST_WORKERS}")
    return int(text)


def _override(text: str) -> str:
    name, assigned, _ = text.partition("=")
    if not assigned or not name.strip():
        raise argparse.ArgumentTypeError(f"{text} is not NAME=VALUE")
    return text


def _release(text: str) -> str:
    from postconf.catalogue import UnknownReleaseError, release

    try:
        release(text)
    except UnknownReleaseError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _address(text: str) -> HttpAddress:
    host, colon, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit()) or not 0 < int(port) < 1 << 16:
        raise argparse.ArgumentTypeError(f"{text}: the port is not a number from 1 to 65535")
    if colon and not host:
        raise argparse.ArgumentTypeError(
            f"{text} has no address: use {_LOOPBACK}:{port}, or 0.0.0.0:{port} for all addresses"
        )
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise argparse.ArgumentTypeError(f"{text}: an IPv6 address is written in brackets: [{host}]:{port}")
    return HttpAddress(host or _LOOPBACK, int(port))
