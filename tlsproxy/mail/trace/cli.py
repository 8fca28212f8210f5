"""tlsproxy-trace, the command. Exit status: 0 answered, 1 not as expected, 2 bad arguments, files or configuration."""

from __future__ import annotations

import json
import sys

import postconf
from maps import TableError
from postconf import ConfigError
from postconf.catalogue import UnknownReleaseError, release
from postconf.config import DEFAULT_DIRECTORY
from postconf.machine.installed import installed_release
from postconf.syntax.lines import decode

from ...errors import TlsproxyError
from ..access.smtp.facts import Tls
from ..access.world import Answer, World, parse_assumption
from .arguments import parser
from .requests import MAX_LENGTH, RequestError, make_session, read_session
from .tracing import Tracer

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from postconf import Config

    from ..access.smtp.facts import SmtpSession

FINE, DIFFERENT, BAD = range(3)


class UsageError(TlsproxyError, ValueError):
    """Arguments that don't fit each other."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status. `argv` is without the program's name."""
    arguments = parser().parse(argv)
    try:
        status = _run(arguments)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        raise
    except (TlsproxyError, UnknownReleaseError, TableError) as error:
        problem = str(error)
    except ConfigError as error:
        problem = f"{error.place or arguments.directory or DEFAULT_DIRECTORY}: {error.message}"
        problem += f" ({error.remedy})" if error.remedy else ""
    except OSError as error:
        problem = f"{error.filename}: {error.strerror}" if error.filename else f"write error: {error.strerror}"
    from .text import printable

    print(f"tlsproxy-trace: {printable(problem)}", file=sys.stderr)
    return BAD


def _run(arguments: argparse.Namespace) -> int:
    if arguments.expect is not None:
        from .expectations.command import check_file

        return check_file(arguments, load, _world(arguments))
    config = load(arguments.directory or DEFAULT_DIRECTORY, arguments.postfix_version)
    if arguments.graph:
        from .picture import picture

        print(picture(config, arguments.graph), end="")
        return FINE
    if arguments.init:
        from .expectations.initial import first_expectations

        print(first_expectations(config), end="")
        return FINE
    tracer = Tracer(
        config, arguments.service, world=_world(arguments), traces=not arguments.batch, deliveries=not arguments.json
    )
    if arguments.batch:
        return _batch(tracer)
    return _one(arguments, tracer)


def load(directory: str, version: str) -> Config:
    """Read a configuration as a release sees it, by default the installed one."""
    number = (release(version) if version else installed_release()).name
    return postconf.load(directory, version=number)


def _world(arguments: argparse.Namespace) -> World:
    assumed: dict[str, Answer] = dict(map(parse_assumption, arguments.assume))
    if not arguments.dns and not arguments.ask:
        return World(assumed)
    from .inquiry import Inquiries

    return World(assumed, Inquiries(dns=arguments.dns, policies=arguments.ask))


def _one(arguments: argparse.Namespace, tracer: Tracer) -> int:
    for name in ("client", "sender"):
        if getattr(arguments, name) is None:
            raise UsageError(f"--{name} is missing; --help has examples")
    if not arguments.recipient:
        raise UsageError("--recipient is missing; --help has examples")
    trace = tracer.trace(_session(arguments))
    if arguments.json:
        from .json_output import trace_object

        print(json.dumps(trace_object(trace)))
    else:
        from .text import trace_text

        print(trace_text(trace, tracer), end="")
    return FINE


def _session(arguments: argparse.Namespace) -> SmtpSession:
    tls = None
    if arguments.tls is not None or arguments.tls_trusted:
        tls = Tls(arguments.tls or "", arguments.tls or "", arguments.tls_trusted)
    name = arguments.client_name
    if name is None and arguments.dns:
        from .inquiry import client_name

        name = client_name(arguments.client)
    return make_session(
        arguments.client,
        arguments.sender,
        arguments.recipient,
        client_name=name or "",
        helo=arguments.helo,
        sasl_user=arguments.sasl_user,
        tls=tls,
    )


def _batch(tracer: Tracer) -> int:
    from .json_output import trace_object

    for number, line in enumerate(iter(lambda: sys.stdin.buffer.readline(MAX_LENGTH + 1), b""), 1):
        if line.strip():
            try:
                session = read_session(decode(line))
            except RequestError as error:
                raise RequestError(f"standard input, line {number}: {error}") from None
            print(json.dumps(trace_object(tracer.trace(session))), flush=True)
    return FINE
