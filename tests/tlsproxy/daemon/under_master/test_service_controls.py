"""The controls of the service itself: its name, its log, and the time that it may be stuck.

The C tlsproxy(8) and ours are two services of one master(8), which differ in their command alone.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from peers.daemon.proxy import client_context, script, write_config
from peers.daemon.side_by_side import Service
from peers.fakes.listener import Listening
from peers.real.postfix import PrivatePostfix, public_directory
from peers.tools.children import wait_until

from tlsproxy.daemon.monitoring.asking import ask

pytestmark = [pytest.mark.postfix, pytest.mark.xdist_group("service")]

SIDES = "theirs", "ours"
NAME = "x-${service_name}-${process_name}-${process_id}"
FACILITY = "local3"
PRIORITY = 19 * 8 + 6  # local3, info: RFC 5424, section 6.2.1
MASTER_CF = """\
tlsmgr    unix  -  -  n  1000? 1 tlsmgr
postlog   unix-dgram n - n  -  1  postlogd
theirs    unix  -  -  n  -  0  tlsproxy{options}
ours      unix  -  -  n  -  0  our-tlsproxy{options}
"""


@contextlib.contextmanager
def instance(settings: dict[str, str], options: str = "", *, log: Path | None = None) -> Iterator[PrivatePostfix]:
    """Run both; if there is a `log`, it is their /dev/log."""
    with public_directory() as root:
        write_config(root / "pki", {})
        chain = {"smtpd_tls_security_level": "may", "smtpd_tls_chain_files": f"{root}/pki/chain.pem"}
        postfix = PrivatePostfix(root / "postfix", chain | settings, MASTER_CF.replace("{options}", options))
        (root / "postfix/libexec/our-tlsproxy").symlink_to(script("tlsproxy"))
        (root / "postfix/conf/chain.pem").symlink_to(root / "pki/chain.pem")
        if log is None:
            postfix.start()
        else:
            postfix.start(lambda *command: with_dev_log(root / "dev", log, *command))
        try:
            yield postfix
        finally:
            postfix.stop()


def with_dev_log(dev: Path, log: Path, *command: str | Path) -> list[str]:
    """A command that runs where /dev has little more than this log: as root, in a mount namespace of its own."""
    script = (
        'mkdir "$0" && cp -a /dev/null /dev/zero /dev/random /dev/urandom "$0" && ln -s "$1" "$0/log" '
        '&& mount --bind "$0" /dev && shift && exec "$@"'
    )
    return ["unshare", "--mount", "sh", "-c", script, str(dev), str(log), *map(str, command)]


def service(postfix: PrivatePostfix, side: str) -> Service:
    return Service(postfix.queue / "private" / side)


def test_names_facility_and_number_are_logged_as_by_c_program(public_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(public_path / "log"))
        (public_path / "log").chmod(0o666)
        log.settimeout(60)
        settings = {"syslog_name": NAME, "syslog_facility": FACILITY, "maillog_file": ""}
        with instance(settings, log=public_path / "log") as postfix:
            tags = {}
            for side in SIDES:
                service(postfix, side).request()[0].close()
                while "CONNECT from" not in (line := log.recv(4096).decode()):
                    pass
                found = re.fullmatch(r"<(\d+)>\w{3} [ \d]\d \d\d:\d\d:\d\d (\S+)\[(\d+)\]: CONNECT from \S+", line)
                assert found, line
                assert int(found[1]) == PRIORITY
                tags[side] = found[2].replace(found[3], "PID")
    # Our name is that of the program, not of its file. Postfix reads syslog_name before it has set process_id.
    assert tags == {"theirs": "x-theirs-tlsproxy-/tlsproxy", "ours": "x-ours-tlsproxy-PID/tlsproxy"}


def test_directory_of_the_configuration_can_be_referred_to() -> None:
    with instance({"smtpd_tls_chain_files": "${config_directory}/chain.pem"}) as postfix:
        certificates = set()
        for side in SIDES:
            local, remote = service(postfix, side).tls_session()
            with local, remote:
                certificates.add(remote.getpeercert(binary_form=True))
        assert len(certificates) == 1


def test_stuck_process_is_ended_by_its_watchdog_and_replaced() -> None:
    """A table server that keeps silent is waited for; the process can do nothing else."""
    silent = socket.create_server(("127.0.0.1", 0))
    port = silent.getsockname()[1]
    settings = {"tls_server_sni_maps": f"tcp:127.0.0.1:{port}", "tlsproxy_watchdog_timeout": "10s"}
    with Listening(silent, _keep_silent), instance(settings) as postfix, contextlib.ExitStack() as stack:
        for side in SIDES:
            local, remote = service(postfix, side).session()
            stack.enter_context(local)
            stack.enter_context(client_context().wrap_socket(remote))  # asks for no name
        # A process that has counted the session has reported its use to master(8), too.
        control = postfix.queue / "private" / "ours.control"
        wait_until(lambda: "tlsproxy_sessions 1\n" in ask(control, "/metrics"))
        for side in SIDES:
            local, remote = service(postfix, side).session()
            stack.enter_context(local)
            context = client_context()
            tls = context.wrap_socket(remote, server_hostname="mail.private.test", do_handshake_on_connect=False)
            stack.enter_context(tls)
            tls.setblocking(False)
            with contextlib.suppress(ssl.SSLWantReadError):
                tls.do_handshake()
        wait_until(lambda: len(re.findall(r"tlsproxy\[\d+\]: fatal: watchdog timeout", postfix.log())) == len(SIDES))
        for side in SIDES:
            local, status = service(postfix, side).request()
            local.close()
            assert status == 1


def _keep_silent(stream: socket.socket) -> None:
    with stream:
        while stream.recv(4096):
            pass
