"""Many tlsproxy services of one configuration in one process, each on its own socket.

`services.py CONFIG SOCKETS LOG RELEASE` serves like master(8), which has a process for each. The log is one file, in
which each line begins with its service.
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import TextIO

import postconf
from postconf.models import InvalidSettingsError, TlsSettings, load
from tlsproxy.daemon.server import Server
from tlsproxy.loop import Loop
from tlsproxy.tls.roles import RoleUnavailableError
from tlsproxy.tls.server.role import ServerRole


class ServiceLog:
    """A log for one of many."""

    def __init__(self, service: str, file: TextIO) -> None:
        self._service = service
        self._file = file

    def info(self, text: str) -> None:
        shown = text.encode("utf-8", "replace").decode().replace("\n", "?")
        self._file.write(f"{self._service}: {shown}\n")

    def warning(self, text: str) -> None:
        self.info(f"warning: {text}")

    def error(self, text: str) -> None:
        self.info(f"error: {text}")

    def fatal(self, text: str) -> None:
        self.info(f"fatal: {text}")


def load_role(settings: TlsSettings, log: ServiceLog) -> ServerRole | None:
    try:
        return ServerRole.load(settings, log)
    except RoleUnavailableError:
        return None


def main(config_directory: str, sockets: Path, log_file: Path, version: str) -> None:
    config = postconf.load(config_directory, version=version)
    loop = Loop()
    with log_file.open("w", buffering=1, errors="surrogateescape") as file:
        for service in config.services():
            if service.service.command != "tlsproxy":
                continue
            name = service.service.name
            log = ServiceLog(name, file)
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            listener.bind(str(sockets / name))
            try:
                role = load_role(load(service), log)
            except InvalidSettingsError as error:
                log.fatal(error.message)
                continue
            listener.listen(100)
            server = Server(loop, log, listener, role, None)
            server.listen()
        print("ready", flush=True)
        loop.run()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
