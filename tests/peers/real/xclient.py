"""SMTP sessions with a real smtpd(8) in the name of any client, by XCLIENT (XCLIENT_README)."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Mapping
from typing import Any

from ..tools.children import PATIENCE

Answer = tuple[str, int, str]
"""The command, the code and the text of the reply, its lines joined with a newline."""


class XclientSession:
    """One connection, from an address that the server takes XCLIENT from."""

    def __init__(self, port: int, source: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE, source_address=(source, 0))
        self._file = self._socket.makefile("rb")
        self._reply()

    def hold(self, session: Mapping[str, Any]) -> list[Answer]:
        """Hold a session to its end; the queue id in the last reply is written as ID."""
        try:
            return list(self._hold(session))
        finally:
            self._file.close()
            self._socket.close()

    def _hold(self, session: Mapping[str, Any]) -> Iterator[Answer]:
        address = str(session["client"])
        shown = f"IPV6:{address}" if ":" in address else address
        unnamed = session["client_name"] == "unknown"
        names = "NAME=[UNAVAILABLE] REVERSE_NAME=[UNAVAILABLE]" if unnamed else f"NAME={session['client_name']}"
        login = f" LOGIN={session['sasl_user']}" if session["sasl_user"] else ""
        code, text = self._say(f"XCLIENT {names} ADDR={shown}{login}")
        yield "CONNECT", code, text
        accepted = 0
        commands = [("HELO", f"HELO {session['helo']}"), ("MAIL", f"MAIL FROM:<{session['sender']}>")]
        commands += [("RCPT", f"RCPT TO:<{each}>") for each in session["recipients"]]
        for name, command in commands:
            if code in (421, 521):
                return
            code, text = self._say(command)
            yield name, code, text
            accepted += name == "RCPT" and code == 250
        if code in (421, 521) or not accepted:
            return
        code, text = self._say("DATA")
        yield "DATA", code, text
        if code == 354:
            code, text = self._say("Subject: test\r\n\r\n.")
            yield "EOD", code, re.sub(r"queued as \w+", "queued as ID", text)

    def _say(self, line: str) -> tuple[int, str]:
        self._socket.sendall(line.encode() + b"\r\n")
        return self._reply()

    def _reply(self) -> tuple[int, str]:
        lines = []
        while True:
            line = self._file.readline().decode("utf-8", "surrogateescape").rstrip("\r\n")
            assert line, "the server has hung up"
            lines.append(line[4:])
            if line[3:4] != "-":
                return int(line[:3]), "\n".join(lines)
