"""A private instance of Debian's Postfix: its own configuration, queue, ports and log under one directory.

Nothing below /etc/postfix is read or changed. Needs root, like master(8) itself.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from ..tools.children import PATIENCE

SBIN = Path("/usr/lib/postfix/sbin")

MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
daemon_directory = {root}/libexec
maillog_file = {root}/log
maillog_file_prefixes = {root}, /var
myhostname = mail.private.test
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = loopback-only
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_peername_lookup = no
smtp_dns_support_level = disabled
smtp_host_lookup = native
notify_classes =
biff = no
postscreen_access_list =
postscreen_cache_map =
postscreen_greet_wait = 1s
postscreen_greet_banner =
postscreen_dnsbl_sites =
postscreen_bare_newline_enable = yes
postscreen_pipelining_enable = yes
postscreen_non_smtp_command_enable = yes
"""

# Everything that postscreen(8), smtp(8) and a delivery need; {…} are the ports of this instance.
MASTER_CF = """\
127.0.0.1:{postscreen} inet n - n - 1 postscreen
smtpd     pass  -  -  n  -  -  smtpd
dnsblog   unix  -  -  n  -  0  dnsblog
tlsproxy  unix  -  -  n  -  0  tlsproxy
127.0.0.1:{sink} inet n - n - - smtpd
  -o syslog_name=sink -o myhostname=sink.private.test -o content_filter=discard:
127.0.0.1:{submission} inet n - n - - smtpd
  -o smtpd_tls_security_level=none
pickup    unix  n  -  n  60 1  pickup
cleanup   unix  n  -  n  -  0  cleanup
qmgr      unix  n  -  n  300 1 qmgr
tlsmgr    unix  -  -  n  1000? 1 tlsmgr
rewrite   unix  -  -  n  -  -  trivial-rewrite
bounce    unix  -  -  n  -  0  bounce
defer     unix  -  -  n  -  0  bounce
trace     unix  -  -  n  -  0  bounce
verify    unix  -  -  n  -  1  verify
flush     unix  n  -  n  1000? 0 flush
proxymap  unix  -  -  n  -  -  proxymap
smtp      unix  -  -  n  -  -  smtp
relay     unix  -  -  n  -  -  smtp
showq     unix  n  -  n  -  -  showq
error     unix  -  -  n  -  -  error
retry     unix  -  -  n  -  -  error
discard   unix  -  -  n  -  -  discard
anvil     unix  -  -  n  -  1  anvil
scache    unix  -  -  n  -  1  scache
postlog   unix-dgram n - n  -  1  postlogd
"""


QUEUES = "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace"


_ATTEMPTS = 6


class PrivatePostfix:
    """One instance; a context manager that starts master(8) and makes sure that nothing of it is left."""

    def __init__(self, root: Path, settings: Mapping[str, str] | None = None, master_cf: str = MASTER_CF) -> None:
        """Lay out the instance under `root`, which the user postfix must be able to reach (`public_directory`)."""
        self.root = root
        self.conf = root / "conf"
        self.queue = root / "queue"
        self.log_file = root / "log"
        self.ports = dict(zip(("postscreen", "sink", "submission"), free_ports(3), strict=True))
        self._lay_out_directories()
        self.configure(settings or {})
        (self.conf / "master.cf").write_text(master_cf.format(**self.ports), errors="surrogateescape")

    def configure(self, settings: Mapping[str, str]) -> None:
        """Write main.cf: these settings over the base settings; takes effect at the next start or reload."""
        # Not both: postlogd(8) hangs at its start if it has more than ten duplicates to warn of.
        base = MAIN_CF.format(root=self.root).splitlines(keepends=True)
        lines = [line for line in base if line.partition(" =")[0] not in settings]
        lines += [f"{name} = {value}\n" for name, value in settings.items()]
        main_cf = self.conf / "main.cf"
        main_cf.write_text("".join(lines))
        # Postfix reads a file again and again while it is younger than a second.
        os.utime(main_cf, (time.time() - 60,) * 2)

    def replace_daemon(self, name: str, program: Path) -> None:
        """Let master(8) run `program` in place of its own daemon `name`."""
        link = self.root / "libexec" / name
        link.unlink(missing_ok=True)
        link.symlink_to(program)

    @staticmethod
    def master_cf_with(tlsproxy: str) -> str:
        """The services of `MASTER_CF`, with this line for tlsproxy."""
        return "".join(
            f"{tlsproxy}\n" if line.startswith("tlsproxy ") else line for line in MASTER_CF.splitlines(keepends=True)
        )

    def processes(self, name: str) -> list[int]:
        """The processes that run a daemon of this instance."""
        program = os.fsencode(self.root / "libexec" / name)
        found = []
        for each in Path("/proc").glob("[0-9]*"):
            try:
                arguments = (each / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            # A native program has the name of its service; only the file shows which one it is.
            if program in arguments[:2] or (arguments[0] == os.fsencode(name) and self._is_ours(each)):
                found.append(int(each.name))
        return sorted(found)

    def _is_ours(self, process: Path) -> bool:
        try:
            return os.getpgid(int(process.name)) == self.master_pid
        except OSError:
            return False

    def start(self, within: Callable[..., list[str]] | None = None) -> None:
        """Start master(8); `within` makes a command of one that runs it somewhere special.

        master(8) gives up after ten seconds, which hundreds of services can take on a busy machine.
        """
        command: list[str | Path] = [self._master, "-c", self.conf, "-w"]
        for _ in range(_ATTEMPTS):
            run = subprocess.run(within(*command) if within else command, cwd=self.queue, check=False, timeout=60)
            if run.returncode == 0:
                return
        raise AssertionError(f"master(8) does not start:\n{self.log()}")

    def reload(self) -> None:
        os.kill(self.master_pid, 1)

    def stop(self) -> None:
        """End master(8) and its children, if it runs; by force when that takes too long."""
        if not self.is_running():
            return
        pid = self.master_pid
        os.kill(pid, 15)
        deadline = time.monotonic() + PATIENCE / 2
        while time.monotonic() < deadline:
            if not self.is_running():
                return
            time.sleep(0.1)
        os.killpg(pid, 9)

    def log(self) -> str:
        return self.log_file.read_text(errors="surrogateescape") if self.log_file.exists() else ""

    def wait_for_log(self, text: str, seconds: float = PATIENCE) -> str:
        """Return the log as soon as it contains `text`; fail with the whole log when it does not in time."""
        return self.wait_for_line(re.escape(text), seconds)

    def wait_for_line(self, pattern: str, seconds: float = PATIENCE) -> str:
        """Return the log as soon as a line of it matches `pattern`; fail with the whole log when none does in time."""
        deadline = time.monotonic() + seconds
        while not re.search(pattern, log := self.log()):
            if time.monotonic() > deadline:
                raise AssertionError(f"{pattern!r} did not appear in the log:\n{log}")
            time.sleep(0.05)
        return log

    @property
    def master_pid(self) -> int:
        return int((self.queue / "pid" / "master.pid").read_text())

    def __enter__(self) -> PrivatePostfix:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def _master(self) -> Path:
        return self.root / "libexec" / "master"

    def is_running(self) -> bool:
        """Ask the lock, not the process table, whether master(8) runs."""
        test = subprocess.run([self._master, "-c", self.conf, "-t"], check=False, timeout=60, capture_output=True)
        return test.returncode != 0

    def _lay_out_directories(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self.conf.mkdir()
        (self.root / "libexec").mkdir()
        for program in SBIN.iterdir():
            (self.root / "libexec" / program.name).symlink_to(program)
        self._directory("data", "postfix", "root", 0o700)
        self._directory("queue", "root", "root", 0o755)
        for name in QUEUES:
            self._directory(f"queue/{name}", "postfix", "root", 0o700)
        self._directory("queue/maildrop", "postfix", "postdrop", 0o730)
        self._directory("queue/public", "postfix", "postdrop", 0o710)
        self._directory("queue/pid", "root", "root", 0o755)

    def _directory(self, name: str, user: str, group: str, mode: int) -> None:
        path = self.root / name
        path.mkdir()
        shutil.chown(path, user, group)
        path.chmod(mode)


@cache
def table_types() -> frozenset[str]:
    """The table types that the Postfix of this machine has; none if there is no Postfix."""
    if shutil.which("postconf") is None:
        return frozenset()
    command = ["postconf", "-m"]
    return frozenset(subprocess.run(command, check=True, timeout=60, capture_output=True, text=True).stdout.split())


@contextmanager
def public_directory() -> Iterator[Path]:
    """A temporary directory for several users. Pytest's own ones are closed to others by each run that begins."""
    with tempfile.TemporaryDirectory(prefix="tlsproxy-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def free_ports(count: int) -> list[int]:
    """Return ports that are free on the loopback interface, and that the kernel gives to no connection by itself.

    They are bound later than they are chosen. So tests that run at the same time have a share of them each, and the
    ports that were chosen last are not chosen again.
    """
    share = (max(_first_ephemeral_port(), 20_000) - _FIRST_PORT) // _SHARES
    start = _FIRST_PORT + share * (int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % _SHARES)
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(start, start + share)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            if port not in _chosen:
                found.append(port)
                _chosen.append(port)
    return found


_FIRST_PORT = 10_000
_SHARES = 8
_chosen: deque[int] = deque(maxlen=300)


def own_address() -> str:
    """Return a loopback address for a name server, whose port can't be chosen, beside those of other test runs."""
    return ".".join(map(str, (127, random.randint(1, 254), random.randint(1, 254), random.randint(1, 254))))


@cache
def _first_ephemeral_port() -> int:
    return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
