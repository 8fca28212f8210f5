"""The daemon without master(8): its start, from the command line to the supervisor.

It stays in the foreground, as systemd and containers want it. The log goes to standard error unless it is to go where
Postfix's goes; signals are the only commands (`supervisor`).
"""

from __future__ import annotations

import argparse
import os
import pwd
import sys
from collections.abc import MutableMapping, Sequence
from contextlib import suppress
from pathlib import Path

import postconf
from postconf.models import TlsSettings
from postconf.spelling import did_you_mean

from ...log import FatalError
from ..configuration import read_config, read_settings
from ..log import sinks
from ..log.lines import Form, PostfixForm, PostfixLog, Sink
from ..log.mail_log import PROGRAM, log_tag, mail_log
from ..monitoring.asking import DaemonStatus, NoDaemonError, ask, own_accounts
from ..monitoring.control import Control, control_path
from ..process.openssl_conf import load_openssl
from ..process.privileges import account
from ..process.signals import ignore_others
from . import command_line, listening
from .master_service import MasterService
from .systemd import Notifier, activated_socket

_BEYOND_TLS = {
    *("queue_directory", "mail_owner", "tlsproxy_service_name", "max_idle", "max_use"),
    *("maillog_file", "myhostname", "smtpd_tls_session_cache_timeout", "tls_server_sni_maps"),
}
"""Parameters that the daemon uses, and that no model has."""

DEGRADED = 3
"""The exit status of --status for a daemon that an operator has to look at."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .worker import WorkerConfig


def main(arguments: list[str], environment: MutableMapping[str, str]) -> int:
    """Run the command; return its exit status."""
    options = command_line.parse(arguments)
    try:
        if options.status:
            return _show_status(options)
        if options.check:
            settings = _read(options)
            load_openssl(settings.globals)
            from .checking import check

            if os.geteuid() == 0:
                _user(options, settings)
            return check(settings, print)
        if options.print_config:
            _print_config(_read(options), options.names)
        else:
            return _serve(options, environment)
    except FatalError as error:
        say(error)
        return 1
    return 0


def say(error: FatalError) -> None:
    """Write to standard error why the program ends, a line for each problem."""
    for line in str(error).splitlines():
        print(f"tlsproxy: fatal: {line}", file=sys.stderr)


def _read(options: argparse.Namespace) -> TlsSettings:
    config = read_config(str(options.config), version=options.postfix_version, overrides=options.overrides)
    config.process |= {"process_name": PROGRAM, "service_name": "tlsproxy"}
    return read_settings(service_view(config))


def service_view(config: postconf.Config) -> postconf.View:
    """Return the view of the tlsproxy service in master.cf, or the configuration itself without such a service.

    The service is the one with the name that clients use, or else the one with the program tlsproxy.
    """
    services = [each for each in config.services() if each.service.type == "unix"]
    named = [each for each in services if each.service.name == config["tlsproxy_service_name"]]
    run = [each for each in services if each.service.command.rpartition("/")[2] == "tlsproxy"]
    return next(iter(named + run), config)


def socket_path(view: postconf.View) -> Path:
    """Return the path of the socket to which postscreen(8) and smtp(8) connect."""
    return Path(view["queue_directory"], "private", view["tlsproxy_service_name"])


def _show_status(options: argparse.Namespace) -> int:
    """Print the report of a running daemon; return 3 if it is degraded. Raise `FatalError` if none answers."""
    believed = own_accounts()
    if options.user:
        believed.add(account(options.user, why="--user").pw_uid)
    path, idle = options.control or (options.socket and control_path(options.socket)), None
    if path is None:
        config = read_config(str(options.config), version=options.postfix_version, overrides=options.overrides)
        view = service_view(config)
        path = control_path(socket_path(view))
        if isinstance(view, postconf.ServiceView):
            idle = MasterService(view)
            if idle.is_ours:
                believed.add(account(view["mail_owner"]).pw_uid)
    try:
        answer = DaemonStatus(ask(path, "/status", believed=believed), path)
    except NoDaemonError:
        if idle is None or not (text := idle.describe(as_json=options.json)):
            raise
        print(text)
        return 0
    print(answer.json if options.json else "\n".join(answer.lines()))
    return 0 if answer.is_good else DEGRADED


def _print_config(settings: TlsSettings, wanted: Sequence[str]) -> None:
    """Print settings in effect: those that are wanted, else all of the daemon's. Raise `FatalError`."""
    view = settings.view
    models = (settings.server, settings.client, settings.globals, settings.service)
    names = {name for model in models for name in type(model).model_fields} | _BEYOND_TLS
    for name in wanted:
        if name not in view:
            hint = did_you_mean(name, [*names, *view.config])
            raise FatalError(f"{name}: unknown parameter{hint and f' ({hint})'}")
    for name in wanted or sorted(names - {"process_id"}):
        with suppress(KeyError):  # a setting that this release has not
            print(f"{name} = {view[name]}".rstrip())


def _log_form(options: argparse.Namespace, settings: TlsSettings) -> tuple[Form, Sink]:
    if options.log == "mail":
        os.chdir(settings.view["queue_directory"])
        return mail_log(settings)
    tag = log_tag(settings)
    if options.log == "json":
        from ..log.json_lines import JsonForm

        return JsonForm(tag), sinks.stderr
    return PostfixForm(tag, settings.view["myhostname"]), sinks.stderr


def _serve(options: argparse.Namespace, environment: MutableMapping[str, str]) -> int:
    """Be the daemon; return the exit status. Raise `FatalError` for an error before there is a log."""
    if options.log == "mail":  # which is found from the queue directory
        options.config = Path(options.config).absolute()
        options.socket = options.socket and options.socket.absolute()
        options.control = options.control and options.control.absolute()
    ignore_others()
    settings = _read(options)
    load_openssl(settings.globals)
    log = PostfixLog(*_log_form(options, settings))
    try:
        _supervise(options, settings, log, environment)
    except FatalError as error:
        for line in str(error).splitlines():
            log.fatal(line)
        if options.log == "mail":
            say(error)
        return 1
    finally:
        log.flush()
    return 0


def _supervise(
    options: argparse.Namespace, settings: TlsSettings, log: PostfixLog, environment: MutableMapping[str, str]
) -> None:
    from ..roles import OFF, load_roles, states
    from .checking import nothing_to_serve
    from .supervisor import Supervisor
    from .worker import WorkerConfig

    notifier, listener = Notifier(environment), activated_socket(environment)
    user = _user(options, settings)
    server_role, client_role = load_roles(settings, log)
    if server_role is None and client_role is None:
        if set(states(settings, (None, None)).values()) == {OFF}:
            raise FatalError(nothing_to_serve(settings))
        raise FatalError("nothing to serve: no configured role can be served; correct the settings named above")
    chroot = settings.view["queue_directory"] if options.chroot else None
    path = options.socket or socket_path(settings.view)
    activated = listener is not None
    listener = listener or listening.bind(path, user)
    supervisor = Supervisor(
        WorkerConfig(settings, server_role, client_role, user, chroot),
        _Reload(options, log),
        log,
        listener,
        workers=options.workers or os.cpu_count() or 1,
        notifier=notifier,
    )
    pages = {"/metrics": supervisor.metrics, "/status": lambda: supervisor.status().json()}
    control = Control(supervisor.loop, log, pages, lambda: supervisor.status().health())
    if options.metrics:
        control.listen_on(*options.metrics)
    try:
        control.listen_at(options.control or control_path(path))
    except OSError as error:
        log.warning(
            f"no control socket: {error.strerror}: sessions are served without tlsproxy --status; "
            "check the directory of the socket"
        )
    try:
        supervisor.run("listening on the socket of systemd" if activated else f"listening on {path}")
    finally:
        listener.close()
        control.close()
        log.info("stopped")


def _user(options: argparse.Namespace, settings: TlsSettings) -> pwd.struct_passwd | None:
    """Return the account of the workers, or None for the present one. Raise `FatalError`."""
    if os.geteuid() != 0:
        if options.user and account(options.user, why="--user").pw_uid != os.geteuid():
            raise FatalError(f"--user {options.user}: only root can change the account; start as root, or omit --user")
        if options.chroot:
            raise FatalError("--chroot: only root can change the root directory; start as root")
        return None
    if options.user:
        user = account(options.user, why="--user")
        return user if user.pw_uid else None
    try:
        user = account(settings.view["mail_owner"])
    except FatalError as error:
        raise FatalError(f"{error}; sessions are not served as root unless --user says so") from None
    if not user.pw_uid:
        raise FatalError("mail_owner is root; sessions are not served as root unless --user says so")
    return user


class _Reload:
    """Reads the configuration again, with all that it names."""

    def __init__(self, options: argparse.Namespace, log: PostfixLog) -> None:
        self._options = options
        self._log = log
        self._files = self._texts()

    def __call__(self, config: WorkerConfig) -> WorkerConfig | None:
        """Return the state for new workers; None after an error that has been logged."""
        from ..roles import load_roles, renew_roles
        from .worker import WorkerConfig

        texts = self._texts()
        if texts == self._files:
            renewed = renew_roles((config.server_role, config.client_role), config.settings, self._log)
            return renewed and WorkerConfig(config.settings, *renewed, config.user, config.chroot)
        try:
            settings = _read(self._options)
            user = _user(self._options, settings)
        except FatalError as error:
            for line in str(error).splitlines():
                self._log.warning(line)
            return None
        server_role, client_role = load_roles(settings, self._log)
        if (server_role is None and config.server_role) or (client_role is None and config.client_role):
            return None
        self._files = texts
        self._log.change(*_log_form(self._options, settings))
        chroot = settings.view["queue_directory"] if self._options.chroot else None
        return WorkerConfig(settings, server_role, client_role, user, chroot)

    def _texts(self) -> list[bytes]:
        found = []
        for name in ("main.cf", "master.cf"):
            try:
                found.append(Path(self._options.config, name).read_bytes())
            except OSError:
                found.append(b"")
        return found
