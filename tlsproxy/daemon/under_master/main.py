"""Start by master(8): its options, its descriptors, and the order of the steps before the first session.

The steps that Postfix takes as root are taken as root (reading keys and tables), and none after them. A problem with
TLS never ends the process (one role less is better than none); one with the configuration as a whole does, after it has
been logged.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
import time
import traceback
from collections.abc import Mapping, Sequence

from ...log import FatalError
from ..log import sinks
from ..log.lines import Form, PostfixForm, PostfixLog, Sink, SyslogForm
from ..log.mail_log import PROGRAM, mail_log
from ..process.openssl_conf import load_openssl
from . import options as command_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    import postconf

_FLOW_PIPE = 3, 4
_STATUS = 5
LISTENER = 6
_FATAL_PAUSE = 1.0
"""Seconds of delay before exit, so that master(8) does not restart a failing program at once."""


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Be the service that master(8) asks for; return the exit status."""
    log = PostfixLog(*_early_form(environment))
    try:
        return _main(arguments, environment, log)
    except FatalError as error:
        for line in str(error).splitlines():
            log.fatal(line)
            if sys.stderr is not None and sys.stderr.isatty():
                print(f"{PROGRAM}: fatal: {line}", file=sys.stderr)
    except Exception as error:  # a defect; but master(8) must not start us again at once
        for line in traceback.format_exc().splitlines():
            log.error(line)
        log.fatal(f"{type(error).__name__}: {error}")
    time.sleep(_FATAL_PAUSE)
    log.flush()
    return 1


def _main(arguments: Sequence[str], environment: Mapping[str, str], log: PostfixLog) -> int:
    options = command_line.parse(PROGRAM, arguments)
    if sys.stdin is not None and sys.stdin.isatty() and not options.by_hand:
        raise FatalError("do not run this command by hand")
    for descriptor in (*_FLOW_PIPE, _STATUS, LISTENER):
        _close_on_exec(descriptor)
    from ..configuration import read_config, read_settings

    config = read_config(environment.get("MAIL_CONFIG", "/etc/postfix"), overrides=options.overrides)
    config.process |= {"process_name": PROGRAM, "service_name": options.service_name}
    settings = read_settings(config)
    load_openssl(settings.globals)
    # All that is below needs OpenSSL, or takes long to load: nothing of it before there is a log to complain to.
    from ...loop import Loop
    from ...tls.settings.release_behaviour import Behaviour
    from ..process import privileges
    from ..roles import load_roles
    from ..server import Server, capacity
    from ..standalone.renewal import FileWatch, files_of
    from .child import Child

    queue_directory = config["queue_directory"]
    os.chdir(queue_directory)
    form, sink = mail_log(settings)
    log.change(form, sinks.also_to_stderr(sink) if options.log_to_stderr else sink)
    if options.debug or "MAIL_DEBUG" in environment:
        _debug(config)
    server_role, client_role = load_roles(settings, log)
    loop = Loop()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=LISTENER)
    server = Server(
        loop,
        log,
        listener,
        server_role,
        client_role,
        generation=Behaviour.of(config.release).generation,
        max_sessions=capacity(),
    )
    owner = privileges.account(config["mail_owner"]) if options.unprivileged else None
    privileges.drop(owner, chroot=queue_directory if options.chroot else None)
    # Certificate paths are not visible inside the chroot.
    files = FileWatch([] if options.chroot else files_of(settings))
    generation = int(environment.get("GENERATION", "0"), 8)
    return Child(server, log, settings, _STATUS, files, generation=generation, retire_after=options.retire_after).run()


def _early_form(environment: Mapping[str, str]) -> tuple[Form, Sink]:
    """Return form and sink of lines before main.cf has been read, by master(8)'s environment variables."""
    tag = f"{environment.get('MAIL_LOGTAG', 'postfix')}/{PROGRAM}"
    if environment.get("POSTLOG_SERVICE"):
        sink = sinks.Datagrams(environment["POSTLOG_SERVICE"], together=True)
        return PostfixForm(tag, environment.get("POSTLOG_HOSTNAME", "amnesiac")), sink
    return SyslogForm(tag, "mail"), sinks.Datagrams(sinks.SYSLOG_SOCKET)


def _debug(config: postconf.Config) -> None:
    """Run debugger_command on this process, and give it the time to attach (debug_process(3))."""
    import subprocess

    subprocess.Popen(["/bin/sh", "-c", f"({config['debugger_command']}) &"])  # noqa: S603  that is its purpose
    time.sleep(5)


def _close_on_exec(descriptor: int) -> None:
    try:
        os.set_inheritable(descriptor, False)
    except OSError as error:
        if error.errno != errno.EBADF or descriptor in (_STATUS, LISTENER):
            raise FatalError(
                f"descriptor {descriptor}: {error.strerror}: not started by master(8); "
                "use --standalone, or an entry in master.cf"
            ) from None
