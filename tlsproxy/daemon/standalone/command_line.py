"""The command line of tlsproxy where master(8) has not made it: every option is judged before any file is read."""

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
  tlsproxy --standalone -c /etc/postfix          serve, in the foreground
  tlsproxy --check                               load everything, serve nothing; status 0: it would start
  tlsproxy --status --json                       sessions, certificates and the last reload, for programs
  tlsproxy --print-config smtpd_tls_protocols    one setting that is in effect

Without one of the first four options it is run by master(8); see tlsproxy(8).
Exit status: 0 done; 1 it can't be done, or no daemon answers; 2 usage; 3 the daemon is degraded (--status), or a part
of what is configured can't be served (--check).
"""


class Address(NamedTuple):
    """Where to listen for HTTP."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line; a mistake ends the program with status 2."""
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
        parser.error(f"-c {options.config}: this is a file; name the directory that has it: -c {directory}")
    return options


def _parser() -> Parser:
    parser = Parser(
        "tlsproxy",
        description="Postfix's TLS proxy: STARTTLS for postscreen(8) and smtp(8), configured by main.cf.",
        epilog=_EXAMPLES,
    )
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--standalone", action="store_true", help="serve, in the foreground and without master(8)")
    action.add_argument(
        "--check", action="store_true", help="load all that is needed to serve, and report what is wrong"
    )
    action.add_argument(
        "--status", action="store_true", help="show state, sessions and certificates of a running daemon"
    )
    action.add_argument("--print-config", action="store_true", help="print settings that are in effect: all, or NAMEs")
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help="a parameter, with --print-config")
    add("--json", action="store_true", help="with --status: print JSON")
    add("-c", "--config", metavar="DIR", default="/etc/postfix", help="where main.cf and master.cf are (%(default)s)")
    add("--socket", metavar="PATH", type=Path, help="default: private/$tlsproxy_service_name in the queue directory")
    add("--control", metavar="PATH", type=Path, help="where --status asks; default: the socket's path with .control")
    add(
        "--postfix-version",
        metavar="V",
        type=_release,
        help="the release whose defaults and log lines to use, such as 3.10",
    )
    add("-o", dest="overrides", metavar="NAME=VALUE", action="append", default=[], type=_override,
        help="override a setting of main.cf")  # fmt: skip
    add(
        "--workers",
        metavar="N",
        default=1,
        type=_workers,
        help="processes that serve; 0: one for each CPU (%(default)s)",
    )
    add("--user", metavar="NAME", help="the account of workers, if started by root; default: $mail_owner. "
        "With --status: the account whose answer is believed")  # fmt: skip
    add("--chroot", action="store_true", help="confine workers to the queue directory")
    add("--log", choices=("stderr", "json", "mail"), default="stderr", help="mail: where Postfix logs (%(default)s)")
    add("--metrics", metavar="[HOST:]PORT", type=_address,
        help=f"answer HTTP for Prometheus on this address, too; HOST is {_LOOPBACK} by default")  # fmt: skip
    return parser


def _workers(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) > _MOST_WORKERS:
        raise argparse.ArgumentTypeError(f"{text} is no number from 0 to {_MOST_WORKERS}")
    return int(text)


def _override(text: str) -> str:
    name, assigned, _ = text.partition("=")
    if not assigned or not name.strip():
        raise argparse.ArgumentTypeError(f"{text} is not NAME=VALUE")
    return text


def _release(text: str) -> str:
    from postconf.catalogue import UnknownRelease, release

    try:
        release(text)
    except UnknownRelease as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _address(text: str) -> Address:
    host, colon, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit()) or not 0 < int(port) < 1 << 16:
        raise argparse.ArgumentTypeError(f"{text}: the port is no number from 1 to 65535")
    if colon and not host:
        raise argparse.ArgumentTypeError(f"{text} names no address: use {_LOOPBACK}:{port}, or 0.0.0.0:{port} for all")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise argparse.ArgumentTypeError(f"{text}: an IPv6 address is written in brackets: [{host}]:{port}")
    return Address(host or _LOOPBACK, int(port))
