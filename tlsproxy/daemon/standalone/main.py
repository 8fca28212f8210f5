"""Life without master(8): what the command line says, what is done with privileges, and then the supervisor.

In the foreground, as systemd and containers want it: the log goes to standard error unless it is to go where Postfix's
goes, and signals are the only orders (supervisor).
"""

from __future__ import annotations

import argparse
import os
import pwd
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from pathlib import Path

import postconf
from postconf.models import TlsSettings

from ... import __version__
from ...log import Fatal
from ..configuration import read_config, read_settings
from ..control import Control, ask, control_path
from ..log import sinks
from ..log.lines import Form, JsonForm, PostfixForm, PostfixLog, Sink
from ..log.mail_log import mail_log
from ..openssl_conf import load_openssl
from ..privileges import account
from ..status import show
from . import listening
from .systemd import Notifier, activated_socket

_BEYOND_TLS = {
    *("queue_directory", "mail_owner", "tlsproxy_service_name", "max_idle", "max_use"),
    *("maillog_file", "myhostname", "smtpd_tls_session_cache_timeout", "tls_server_sni_maps"),
}
"""What the daemon goes by, and no model has."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .worker import Duty


def main(arguments: list[str], environment: MutableMapping[str, str]) -> int:
    """Run the command; return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        if options.status:
            print(show(ask(_control_path(options), "/status")), end="")
        elif options.print_config:
            _print_config(_read(options))
        else:
            _serve(options, environment)
    except Fatal as error:
        print(f"tlsproxy: fatal: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tlsproxy",
        description="Postfix's TLS proxy: STARTTLS for postscreen(8) and smtp(8), configured by main.cf.",
        epilog="Without any of the first three it wants to be run by master(8); see tlsproxy(8).",
    )
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--standalone", action="store_true", help="serve, in the foreground and without master(8)")
    action.add_argument("--status", action="store_true", help="show how a daemon that runs is, and its certificates")
    action.add_argument("--print-config", action="store_true", help="print the settings that are in effect")
    add = parser.add_argument
    add("--version", action="version", version=f"%(prog)s {__version__}")
    add("-c", "--config", metavar="DIR", default="/etc/postfix", help="where main.cf and master.cf are (%(default)s)")
    add("--socket", metavar="PATH", type=Path, help="default: private/$tlsproxy_service_name in the queue directory")
    add("--control", metavar="PATH", type=Path, help="where --status asks; default: the socket's path with .control")
    add("--postfix-version", metavar="V", help="the release whose defaults and log lines to use, such as 3.10")
    add("-o", dest="overrides", metavar="NAME=VALUE", action="append", default=[], help="override a setting of main.cf")
    add("--workers", metavar="N", type=int, default=1, help="processes that serve; 0: one for each CPU (%(default)s)")
    add("--user", metavar="NAME", help="whom workers become, if started by root; default: $mail_owner")
    add("--chroot", action="store_true", help="confine workers to the queue directory")
    add("--log", choices=("stderr", "json", "mail"), default="stderr", help="mail: where Postfix logs (%(default)s)")
    add(
        "--metrics",
        metavar="HOST:PORT",
        help="answer Prometheus here, as the control socket does",
    )
    return parser


def _read(options: argparse.Namespace) -> TlsSettings:
    config = read_config(str(options.config), version=options.postfix_version, overrides=options.overrides)
    config.process |= {"process_name": "tlsproxy", "service_name": "tlsproxy"}
    return read_settings(service_view(config))


def service_view(config: postconf.Config) -> postconf.View:
    """The configuration as the tlsproxy service of master.cf sees it, or as it is where there is none."""
    for service in config.services():
        if service.service.command.rpartition("/")[2] == "tlsproxy":
            return service
    return config


def socket_path(view: postconf.View) -> Path:
    """Where postscreen(8) and smtp(8) look for the service."""
    return Path(view["queue_directory"], "private", view["tlsproxy_service_name"])


def _control_path(options: argparse.Namespace) -> Path:
    if options.control or options.socket:
        return options.control or control_path(options.socket)
    config = read_config(str(options.config), version=options.postfix_version, overrides=options.overrides)
    return control_path(socket_path(service_view(config)))


def _print_config(settings: TlsSettings) -> None:
    models = (settings.server, settings.client, settings.globals, settings.service)
    names = {name for model in models for name in type(model).model_fields} | _BEYOND_TLS
    for name in sorted(names - {"process_id"}):
        with suppress(KeyError):  # a setting that this release has not
            print(f"{name} = {settings.view[name]}".rstrip())


def _log_form(options: argparse.Namespace, settings: TlsSettings) -> tuple[Form, Sink]:
    if options.log == "mail":
        os.chdir(settings.view["queue_directory"])
        return mail_log(settings)
    tag = f"{settings.service.syslog_name}/{settings.service.process_name}"
    form = JsonForm(tag) if options.log == "json" else PostfixForm(tag, settings.view["myhostname"])
    return form, sinks.stderr


def _serve(options: argparse.Namespace, environment: MutableMapping[str, str]) -> None:
    if options.log == "mail":  # which is found from the queue directory
        options.config = Path(options.config).absolute()
        options.socket = options.socket and options.socket.absolute()
        options.control = options.control and options.control.absolute()
    settings = _read(options)
    load_openssl(settings.globals)
    log = PostfixLog(*_log_form(options, settings))
    try:
        _supervise(options, settings, log, environment)
    except Fatal as error:
        log.fatal(str(error))
        raise
    finally:
        log.flush()


def _supervise(
    options: argparse.Namespace, settings: TlsSettings, log: PostfixLog, environment: MutableMapping[str, str]
) -> None:
    from ..roles import load_roles
    from .supervisor import Supervisor
    from .worker import Duty

    notifier, listener = Notifier(environment), activated_socket(environment)
    user = _user(options, settings)
    server_role, client_role = load_roles(settings, log)
    if server_role is None and client_role is None:
        raise Fatal("nothing to serve: neither role is available")
    jail = settings.view["queue_directory"] if options.chroot else None
    path = options.socket or socket_path(settings.view)
    activated = listener is not None
    listener = listener or listening.bind(path, user)
    supervisor = Supervisor(
        Duty(settings, server_role, client_role, user, jail),
        _Reload(options, log),
        log,
        listener,
        workers=options.workers if options.workers > 0 else os.cpu_count() or 1,
        notifier=notifier,
    )
    control = Control(supervisor.loop, log, {"/metrics": supervisor.metrics, "/status": supervisor.status})
    if options.metrics:
        control.listen_on(options.metrics)
    try:
        control.listen_at(options.control or control_path(path))
    except OSError as error:
        log.warning(f"no control socket: {error}")
    try:
        supervisor.run("listening on the socket of systemd" if activated else f"listening on {path}")
    finally:
        listener.close()
        control.close()
        log.info("stopped")


def _user(options: argparse.Namespace, settings: TlsSettings) -> pwd.struct_passwd | None:
    """Whom workers become; None if that is who we are. Raise `Fatal`."""
    if os.geteuid() != 0:
        if options.user and account(options.user, why="--user").pw_uid != os.geteuid():
            raise Fatal(f"--user {options.user}: only root can become somebody else")
        if options.chroot:
            raise Fatal("--chroot: only root can do that")
        return None
    if options.user:
        user = account(options.user, why="--user")
        return user if user.pw_uid else None
    try:
        user = account(settings.view["mail_owner"])
    except Fatal as error:
        raise Fatal(f"{error}; sessions are not served as root unless --user says so") from None
    if not user.pw_uid:
        raise Fatal("mail_owner is root; sessions are not served as root unless --user says so")
    return user


class _Reload:
    """Reads the configuration again, with all that it names."""

    def __init__(self, options: argparse.Namespace, log: PostfixLog) -> None:
        self._options = options
        self._log = log
        self._files = self._texts()

    def __call__(self, duty: Duty) -> Duty | None:
        """Make what new workers are given; None if something is no good, which has been said."""
        from ..roles import load_roles, renew_roles
        from .worker import Duty

        texts = self._texts()
        if texts == self._files:
            renewed = renew_roles((duty.server_role, duty.client_role), duty.settings, self._log)
            return renewed and Duty(duty.settings, *renewed, duty.user, duty.jail)
        try:
            settings = _read(self._options)
            user = _user(self._options, settings)
        except Fatal as error:
            for line in str(error).splitlines():
                self._log.warning(line)
            return None
        server_role, client_role = load_roles(settings, self._log)
        if (server_role is None and duty.server_role) or (client_role is None and duty.client_role):
            return None
        self._files = texts
        self._log.change(*_log_form(self._options, settings))
        jail = settings.view["queue_directory"] if self._options.chroot else None
        return Duty(settings, server_role, client_role, user, jail)

    def _texts(self) -> list[bytes]:
        found = []
        for name in ("main.cf", "master.cf"):
            try:
                found.append(Path(self._options.config, name).read_bytes())
            except OSError:
                found.append(b"")
        return found
